"""What one can search the quarantine for: the same words on the command line and the web page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import sqlalchemy as sa

from filterd.database import paging
from filterd.database.search import (
    Contains,
    Matches,
    RecipientsColumn,
    Unindexed,
    between,
    has_symbol,
)
from filterd.database.storable import storable
from filterd.message.address import listed_domain, readable_part
from filterd.quarantine.schema import SENDER_ORDER, messages, seen
from filterd.quarantine.words import REASONS, SEARCH_STATES, WAITING, WAITING_STATES, known

PAGE_LIMIT = paging.PAGE_LIMIT
"""Rows of one page at most."""

SEARCHED = (
    "sender",
    "recipients",
    "header_from",
    "subject",
    "message_id",
    "queue_id",
    "client_address",
    "virus",
    "id",
)
"""The columns that a free search looks at."""


_RECIPIENTS = RecipientsColumn(messages.c.recipients, messages.c.words)

_ORDERS: dict[str, sa.ColumnElement[Any]] = {
    "received": messages.c.received,
    "score": messages.c.score,
    "sender": SENDER_ORDER,
    "size": messages.c.size,
}
"""What a list can be sorted by."""

SORTS = tuple(f"{sign}{name}" for name in _ORDERS for sign in ("", "-"))
"""The words for the order of a list; with `-` the greatest comes first."""

NEWEST_FIRST = "-received"
"""The order where no other is asked for."""


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that must all hold; empty and None are left out.

    sender, recipient: a part of the address. domain: of the sender or of a recipient. subject,
    virus: a part. text: a part of sender, recipients, From, Subject, Message-ID, queue-id, client
    or id. state: a word, or `waiting` for all that need a decision. symbol: a whole name. since,
    until: seconds since 1970. after: the `next` of the page before. visible: only messages to one
    of these recipients, whole addresses and `@domain`; what a reviewer may see. sort: one of
    `SORTS`; empty for newest first. seen: only what `reviewer` has seen, or has not; None for both.
    """

    sender: str = ""
    recipient: str = ""
    domain: str = ""
    subject: str = ""
    text: str = ""
    reason: str = ""
    state: str = ""
    symbol: str = ""
    virus: str = ""
    since: float | None = None
    until: float | None = None
    score_from: float | None = None
    score_to: float | None = None
    pinned: bool | None = None
    limit: int = 50
    after: str = ""
    visible: tuple[str, ...] = ()
    sort: str = ""
    seen: bool | None = None
    reviewer: str = ""

    @property
    def is_by_time(self) -> bool:
        """True for newest or oldest first."""
        return self.sort.removeprefix("-") in ("", "received")

    @property
    def turned(self) -> Self:
        """The same in the opposite order, from the beginning."""
        sort = self.sort or NEWEST_FIRST
        return replace(self, sort=sort[1:] if sort.startswith("-") else f"-{sort}", after="")


class QueryError(ValueError):
    """A search that is not possible, in words for the person who asked."""


def statement(query: Query) -> sa.Select[Any]:
    """The query as SQL, one row more than asked for; a column `place` has what the rows are sorted
    by. Raises QueryError."""
    try:
        known("sort", query.sort, SORTS)
        sort = query.sort or NEWEST_FIRST
        order, by_index = _order(sort), False
        if not query.is_by_time:
            by_index = _is_in_index(query)
            if not by_index:
                # To read all rows and sort what is found is quicker than to visit them in order.
                order = Unindexed(order)
        found = sa.select(messages, order.label("place")).where(
            *_conditions(query, ordered=by_index)
        )
        return paging.Paging(order, messages.c.id).page(
            found, query.limit, query.after, ascending=not sort.startswith("-")
        )
    except ValueError as error:
        raise QueryError(str(error)) from None


def _is_in_index(query: Query) -> bool:
    """True if all that is asked for is in the index of the order."""
    asked = replace(query, reason="", state="", limit=50, after="", sort="", reviewer="")
    if query.sort.endswith("score"):
        asked = replace(asked, score_from=None, score_to=None)
    return asked == Query()


def placing(id: str, sort: str) -> sa.Select[Any]:
    """What a message is sorted by in that order, as SQL. Raises QueryError."""
    try:
        known("sort", sort, SORTS)
    except ValueError as error:
        raise QueryError(str(error)) from None
    return sa.select(_order(sort or NEWEST_FIRST)).where(messages.c.id == id)


def _order(sort: str) -> sa.ColumnElement[Any]:
    return _ORDERS[sort.removeprefix("-")]


COUNT_LIMIT = 10_000
"""Matching messages that are counted; of more it is only known that there are more."""


def counting(query: Query) -> sa.Select[Any]:
    """How many messages match, at most `COUNT_LIMIT` + 1, as SQL. Raises QueryError."""
    try:
        found = sa.select(messages.c.id).where(*_conditions(query)).limit(COUNT_LIMIT + 1)
    except ValueError as error:
        raise QueryError(str(error)) from None
    return sa.select(sa.func.count()).select_from(found.subquery())


def _conditions(query: Query, *, ordered: bool = False) -> Iterator[sa.ColumnElement[bool]]:
    """ordered: state and reason are in the index of the order, which is to be read. Raises
    ValueError for a word that is unknown."""
    known("reason", query.reason, REASONS)
    known("state", query.state, SEARCH_STATES)
    c = messages.c
    reads_words = any(
        (
            query.sender,
            query.recipient,
            query.domain,
            query.subject,
            query.text,
            query.virus,
            query.visible,
        )
    )
    states = WAITING_STATES if query.state == WAITING else (query.state,)
    for column, wanted in ((c.reason, (query.reason,)), (c.state, states)):
        if any(wanted):
            if wanted is WAITING_STATES:
                # Few messages wait, as a rule, and the index finds them among all.
                yield (Unindexed(column) if ordered else column).in_(wanted)
            else:
                yield (Unindexed(column) if reads_words or ordered else column) == wanted[0]
    if query.visible:
        yield _RECIPIENTS.any_of(query.visible)
    for column, part in (
        (c.sender, readable_part(query.sender)),
        (c.recipients, readable_part(query.recipient)),
        (c.subject, query.subject),
        (c.virus, query.virus),
    ):
        if part:
            # The first says no to most rows, and costs less than the second.
            yield _is_in_words(part)
            yield _has(column, part)
    if query.domain:
        ending = "@" + listed_domain(query.domain)
        yield _is_in_words(ending)
        # Recipients are a JSON list: the quotation mark is an address's end.
        yield sa.or_(
            sa.func.lower(c.sender).endswith(ending.lower(), autoescape=True),
            _RECIPIENTS.shown_has(ending, query.visible, ends=True)
            if query.visible
            else _RECIPIENTS.has(f'{ending}"'),
        )
    yield from _text(query)
    if query.symbol:
        yield has_symbol(c.symbols, query.symbol)
    yield from _ranges(query)
    if query.pinned is not None:
        yield c.pinned == query.pinned
    if query.seen is not None:
        mark = sa.select(seen.c.id).where(seen.c.id == c.id, seen.c.reviewer == query.reviewer)
        yield mark.exists() if query.seen else sa.not_(mark.exists())


def _text(query: Query) -> Iterator[sa.ColumnElement[bool]]:
    """What a part of a recipient's address, or any text, asks of the words."""
    # Addresses have one spelling in the index; a Subject or From is as its writer spelled it.
    texts = tuple(dict.fromkeys((query.text, readable_part(query.text)))) if query.text else ()
    if texts:
        yield sa.or_(*map(_is_in_words, texts))
    if not query.visible:
        return
    if query.recipient:
        yield _RECIPIENTS.shown_has(readable_part(query.recipient), query.visible)
    if texts:
        yield sa.or_(*(_shown_text(text, query.visible) for text in texts))


def _shown_text(text: str, visible: tuple[str, ...]) -> sa.ColumnElement[bool]:
    return sa.or_(
        _has(messages.c.sender, text),
        sa.and_(
            # With one the lines would not be where they are looked for.
            sa.not_(messages.c.sender.contains("\n")),
            Matches(messages.c.words, _BEHIND_RECIPIENTS + re.escape(storable(text).casefold())),
        ),
        _RECIPIENTS.shown_has(text, visible),
    )


def _ranges(query: Query) -> Iterator[sa.ColumnElement[bool]]:
    c = messages.c
    yield from between(c.received, query.since, query.until)
    if query.score_from is not None:
        yield c.score >= query.score_from
    if query.score_to is not None:
        yield c.score <= query.score_to


_BEHIND_RECIPIENTS = r"^[^\n]*\n[^\n]*\n.*"
"""The words up to somewhere behind their second line."""
assert SEARCHED[:2] == ("sender", "recipients")


def _is_in_words(part: str) -> sa.ColumnElement[bool]:
    return Contains(messages.c.words, part.casefold())


def _has(column: sa.Column[str], part: str) -> sa.ColumnElement[bool]:
    return column.icontains(storable(part), autoescape=True)
