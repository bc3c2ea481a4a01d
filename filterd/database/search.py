"""Search terms as SQL conditions, for every table of messages.

Such a table has a column `words`: all that a free search looks at, casefolded, in one text with a
line for each value, so that it is one comparison a row. Recipients are a JSON list of addresses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from filterd.database.storable import storable
from filterd.database.symbols import symbol_spellings
from filterd.message.address import DELIMITER


class Contains(FunctionElement[bool]):
    """True for a text with that part, capitals as they are. Quick on SQLite, where it is a search
    for bytes, and on PostgreSQL, where an index of trigrams may serve it."""

    inherit_cache = True
    type = sa.Boolean()

    def __init__(self, text: sa.ColumnElement[str], part: str) -> None:
        part = storable(part)
        super().__init__(text, sa.literal(part), text.contains(part, autoescape=True))


@compiles(Contains, "sqlite")
def _by_position(element: Contains, compiler: Any, **options: Any) -> str:
    text, part, _ = (compiler.process(one, **options) for one in element.clauses)
    return f"(instr({text}, {part}) > 0)"


@compiles(Contains, "postgresql")
def _by_pattern(element: Contains, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(list(element.clauses)[2], **options)})"


class Matches(FunctionElement[bool]):
    """True for a text in which a regular expression is found, capitals or not."""

    inherit_cache = True
    type = sa.Boolean()

    def __init__(self, text: sa.ColumnElement[str], pattern: str) -> None:
        super().__init__(text, sa.literal(pattern))


@compiles(Matches, "sqlite")
def _by_function(element: Matches, compiler: Any, **options: Any) -> str:
    return f"matches({compiler.process(element.clauses, **options)})"


@compiles(Matches, "postgresql")
def _by_operator(element: Matches, compiler: Any, **options: Any) -> str:
    text, pattern = (compiler.process(one, **options) for one in element.clauses)
    return f"({text} ~* {pattern})"


def matches(text: str, pattern: str) -> bool:
    """The same for SQLite, which has no regular expressions of its own."""
    return re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None


class FirstLine(FunctionElement[str]):
    """The first line of a text, with its end."""

    inherit_cache = True
    type = sa.Text()

    def __init__(self, text: sa.ColumnElement[str]) -> None:
        super().__init__(text)


@compiles(FirstLine, "sqlite")
def _up_to_its_end(element: FirstLine, compiler: Any, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"substr({text}, 1, instr({text}, char(10)))"


@compiles(FirstLine, "postgresql")
def _first_of_parts(element: FirstLine, compiler: Any, **options: Any) -> str:
    return f"(split_part({compiler.process(element.clauses, **options)}, chr(10), 1) || chr(10))"


class Unindexed(FunctionElement[Any]):
    """A column, or what is made of one, whose index SQLite is not to use: it has no statistics, and
    would rather visit every held message than read the index that has the words beside the
    order."""

    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(Unindexed)
def _as_it_is(element: Unindexed, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(Unindexed, "sqlite")
def _with_a_plus(element: Unindexed, compiler: Any, **options: Any) -> str:
    # https://www.sqlite.org/optoverview.html, "Disqualifying WHERE Clause Terms Using Unary +"
    return f"+{compiler.process(element.clauses, **options)}"


def has_symbol(symbols: sa.ColumnElement[str], name: str) -> sa.ColumnElement[bool]:
    """True for a column of symbols, with blanks around each, that has this one."""
    return sa.or_(*(Contains(symbols, f" {one} ") for one in symbol_spellings(name)))


def between(
    column: sa.ColumnElement[float], lowest: float | None, above: float | None
) -> Iterable[sa.ColumnElement[bool]]:
    """From lowest on and below `above`; None: no limit."""
    if lowest is not None:
        yield column >= lowest
    if above is not None:
        yield column < above


_LETTER = r'(?:[^"\\]|\\.)*'
"""So much of one text in a JSON list."""


@dataclass(frozen=True)
class RecipientsColumn:
    """A column with a JSON list of addresses, and what can be asked of it.

    words: the table's words, if they contain that list. They say no to most rows, and cost less
    than the list where an index has them. is_folded: the list itself is casefolded.
    visible: only what came to one of these recipients, whole addresses and `@domain`.
    """

    column: sa.ColumnElement[str]
    words: sa.ColumnElement[str] | None = None
    is_folded: bool = False

    def has(self, part: str) -> sa.ColumnElement[bool]:
        """True for a list with that part, in an address or across several."""
        if self.is_folded:
            return Contains(self.column, part.casefold())
        return self.column.icontains(storable(part), autoescape=True)

    def any_of(self, visible: Iterable[str]) -> sa.ColumnElement[bool]:
        """True for messages to one of these, with any detail, or to such an `@domain`."""
        return sa.or_(sa.false(), *map(self._is_recipient, visible))

    def shown_has(
        self, part: str, visible: Iterable[str], *, ends: bool = False
    ) -> sa.ColumnElement[bool]:
        """True for messages to a recipient within the limits whose address has that part, or ends
        so. By recipients whom a reviewer does not see it must not find, else it could guess them
        letter by letter."""
        wanted = _LETTER + _quoted(part) + ('"' if ends else "")
        limits = "|".join(_limit(one) for one in visible if len(one) > 1)
        # The first quotation mark may be the end of another address: nothing with limits follows it
        # before the next one.
        pattern = f'"(?={wanted})(?:{limits})"' if limits else "(?!)"
        return Matches(self.column, pattern)

    def _is_recipient(self, limit: str) -> sa.ColumnElement[bool]:
        if len(limit) < 2:
            return sa.false()
        # A quotation mark inside an address has a backslash before it: one without is an address's
        # end.
        listed = json.dumps(limit, ensure_ascii=False)
        if limit.startswith("@"):
            return sa.and_(*self._in_words(listed[1:-1]), self.has(listed[1:]))
        local, at, domain = limit.rpartition("@")
        exact = sa.and_(*self._in_words(listed[1:-1]), self.has(listed))
        if DELIMITER in local:
            return exact
        before = json.dumps(local + DELIMITER, ensure_ascii=False)[1:-1]
        detailed = sa.and_(
            *self._in_words(before, at + domain),
            *(() if self.words is not None else (self.has(f'"{before}'),)),
            Matches(self.column, f'"{_limit(limit)}"'),
        )
        return sa.or_(exact, detailed)

    def _in_words(self, *parts: str) -> Iterable[sa.ColumnElement[bool]]:
        if self.words is not None:
            for part in parts:
                yield Contains(self.words, part.casefold())


def _limit(limit: str) -> str:
    """Every address that an address, with any detail, or an `@domain` lets a reviewer see."""
    local, _, domain = limit.rpartition("@")
    if not local:
        return _LETTER + _quoted(limit)
    detail = "" if DELIMITER in local else r"(?:\+(?:[^\"\\@]|\\.)*)?"
    return f"{_quoted(local)}{detail}{_quoted('@' + domain)}"


def _quoted(text: str) -> str:
    """As it stands in a JSON list, for a regular expression."""
    return re.escape(json.dumps(storable(text), ensure_ascii=False)[1:-1])


@dataclass(frozen=True, slots=True)
class Coarse:
    """What rows of a table must have for the one search, in SQL; what they mean is compared behind
    it. pieces: of each one spelling must stand in the words. symbols: whole names. since, until:
    seconds since 1970. visible: only messages to one of these, whole addresses and `@domain`.
    before: time and id of the last message that was seen. limit: rows at most, the newest."""

    pieces: tuple[tuple[str, ...], ...] = ()
    symbols: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    visible: tuple[str, ...] = ()
    before: tuple[float, str] | None = None
    limit: int = 50

    def of(
        self,
        columns: Any,
        recipients: RecipientsColumn,
        found: sa.Select[Any],
    ) -> sa.Select[Any]:
        """That of a select, newest first. columns: of a table with `words`, `symbols`, `received`
        and `id`. recipients: its recipients."""
        for spellings in self.pieces:
            found = found.where(sa.or_(*(Contains(columns.words, one) for one in spellings)))
        for name in self.symbols:
            found = found.where(has_symbol(columns.symbols, name))
        found = found.where(*between(columns.received, self.since, self.until))
        if self.visible:
            found = found.where(recipients.any_of(self.visible))
        if self.before is not None:
            received, id = self.before
            # The time by itself as well: that is what the index is of.
            found = found.where(
                columns.received <= received,
                sa.or_(columns.received < received, columns.id < storable(id)),
            )
        return found.order_by(columns.received.desc(), columns.id.desc()).limit(self.limit)
