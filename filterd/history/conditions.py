"""A question to the history as SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from filterd.database.paging import Paging
from filterd.database.search import (
    Contains,
    FirstLine,
    Matches,
    RecipientsColumn,
    between,
    has_symbol,
)
from filterd.database.storable import storable
from filterd.history.query import HistoryQuery
from filterd.history.row import FIXED
from filterd.history.schema import records
from filterd.message.address import listed_domain, readable_part
from filterd.quarantine.words import ACTIONS, known

_RECIPIENTS = RecipientsColumn(records.c.recipients, is_folded=True)
_PAGING = Paging(records.c.received, records.c.rowid)


@lru_cache(maxsize=32)
def statement(query: HistoryQuery) -> sa.Select[Any]:
    """The query as SQL, newest first, one row more than asked for. Most want the first page, and
    SQLAlchemy has its work on one statement only once.

    Raises ValueError for a question that cannot be asked.
    """
    c = records.c
    found = sa.select(c.rowid, c.id, c.received, c.action, c.score, c.rest)
    return _PAGING.page(found.where(*_conditions(query)), query.limit, query.after)


def _conditions(query: HistoryQuery) -> Iterator[sa.ColumnElement[bool]]:
    known("action", query.action, ACTIONS)
    c = records.c
    if query.id:
        # The words are what the index is of.
        yield Contains(c.words, _folded(query.id))
        yield c.id == storable(query.id)
    if query.action:
        yield c.action == query.action
    yield from between(c.received, query.since, query.until)
    if query.symbol:
        yield has_symbol(c.symbols, query.symbol)
    if query.failed:
        # The first half is what the index is of.
        yield c.failed != ""
        yield Contains(c.failed, f" {query.failed} ")
    if query.sender:
        # The words say no to most, and cost less than what is asked of their first line.
        yield Contains(c.words, _part(query.sender))
        yield Contains(FirstLine(c.words), _part(query.sender))
    if query.visible:
        yield _RECIPIENTS.any_of(map(_folded, query.visible))
    if query.recipient:
        yield _RECIPIENTS.has(_part(query.recipient))
        if query.visible:
            yield _RECIPIENTS.shown_has(_part(query.recipient), map(_folded, query.visible))
    if query.text:
        yield from _text(query)
    if query.domain:
        yield from _domain(query)


def _domain(query: HistoryQuery) -> Iterator[sa.ColumnElement[bool]]:
    words = records.c.words
    ending = _folded("@" + listed_domain(storable(query.domain)))
    yield Contains(words, f"{ending}\n")
    yield sa.or_(
        Contains(FirstLine(words), f"{ending}\n"),
        _RECIPIENTS.shown_has(ending, map(_folded, query.visible), ends=True)
        if query.visible
        else _RECIPIENTS.has(f'{ending}"'),
    )


def _text(query: HistoryQuery) -> Iterator[sa.ColumnElement[bool]]:
    words = records.c.words
    # Addresses have one spelling in the history; a Subject is as its writer spelled it.
    texts = tuple(dict.fromkeys((_folded(query.text), _part(query.text))))
    yield sa.or_(*(Contains(words, text) for text in texts))
    if query.visible:
        yield sa.or_(*(_shown_text(text, query.visible) for text in texts))


_BEFORE_RECIPIENTS = rf"^(?:[^\n]*\n){{0,{len(FIXED)}}}[^\n]*"
"""The words up to somewhere in a line that is not a recipient's. No value can make its lines fewer,
so a line break in one hides some words and shows nobody."""

_TO_THE_END = r"[^\n]*$"
"""The rest of the words' last line, which has the Subject."""


def _shown_text(text: str, visible: tuple[str, ...]) -> sa.ColumnElement[bool]:
    """True for a text that stands in the words somewhere else than in hidden recipients."""
    shown = _RECIPIENTS.shown_has(text, map(_folded, visible))
    if "\n" in text:
        return shown
    pattern = re.escape(text)
    return sa.or_(
        Matches(records.c.words, _BEFORE_RECIPIENTS + pattern),
        Matches(records.c.words, pattern + _TO_THE_END),
        shown,
    )


def _part(text: str) -> str:
    return _folded(readable_part(text))


def _folded(text: str) -> str:
    return storable(text).casefold()
