"""Records for the one search: those that may fit, before they are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from filterd.database.search import Coarse, RecipientsColumn
from filterd.database.storable import storable
from filterd.history.schema import records

_RECIPIENTS = RecipientsColumn(records.c.recipients, is_folded=True)


def statement(coarse: Coarse, action: str) -> sa.Select[Any]:
    """What makes records, as SQL. action: a word, empty for any."""
    c = records.c
    visible = tuple(storable(one).casefold() for one in coarse.visible)
    found = replace(coarse, visible=visible).of(
        c, _RECIPIENTS, sa.select(c.id, c.received, c.action, c.score, c.rest)
    )
    return found.where(c.action == action) if action else found
