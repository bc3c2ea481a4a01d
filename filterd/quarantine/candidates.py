"""Kept messages for the one search: what the index says of them, before it is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from filterd.database.search import Coarse, RecipientsColumn
from filterd.quarantine.index import Index, Row, row_of
from filterd.quarantine.query import SEARCHED
from filterd.quarantine.schema import messages
from filterd.quarantine.words import WAITING, WAITING_STATES

_RECIPIENTS = RecipientsColumn(messages.c.recipients, messages.c.words)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row, and the names of the message's attachments, casefolded."""

    row: Row
    attachments: tuple[str, ...]


def candidates(
    index: Index, coarse: Coarse, *, action: str = "", reason: str = "", state: str = ""
) -> list[Candidate]:
    """Messages that may fit, newest first. Raises StoreError."""
    found = coarse.of(messages.c, _RECIPIENTS, sa.select(messages))
    for column, word in ((messages.c.action, action), (messages.c.reason, reason)):
        if word:
            found = found.where(column == word)
    if state == WAITING:
        found = found.where(messages.c.state.in_(WAITING_STATES))
    elif state:
        found = found.where(messages.c.state == state)
    return _read(index, found)


def with_ids(index: Index, ids: Sequence[str]) -> dict[str, Candidate]:
    """Those of these messages that are kept, by id. Raises StoreError."""
    if not ids:
        return {}
    found = _read(index, sa.select(messages).where(messages.c.id.in_(ids)))
    return {one.row.id: one for one in found}


def _read(index: Index, found: sa.Select[Any]) -> list[Candidate]:
    with index.connection() as connection:
        rows = connection.execute(found).mappings().all()
    return [Candidate(row_of(row), _attachments(row)) for row in rows]


def _attachments(row: Any) -> tuple[str, ...]:
    """What stands in the words behind the columns that they are made of."""
    known = "\n".join(str(row[name]) for name in SEARCHED).casefold()
    return tuple(filter(None, row["words"][len(known) :].split("\n")))
