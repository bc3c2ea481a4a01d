"""What one can ask the history for, and the same in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from filterd.message.address import (
    DELIMITER,
    listed_domain,
    reaches,
    readable_part,
)
from filterd.quarantine.words import ACTIONS, known
from filterd.system.bounded import json_value

MOST = (1 << 63) - 1
"""The largest number that SQLite takes."""


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Conditions that must all hold; what is empty or None is none.

    text, sender, recipient: a part. domain: of the sender or of a recipient. action: a word.
    symbol: a whole name. failed: a filter that gave no opinion. since, until: seconds since 1970.
    after: the `next` of the page before.
    visible: only messages to one of these recipients, whole addresses and `@domain`.
    """

    text: str = ""
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    action: str = ""
    symbol: str = ""
    failed: str = ""
    since: float | None = None
    until: float | None = None
    limit: int = 50
    after: str = ""
    visible: tuple[str, ...] = ()


def storable(text: str) -> str:
    """Text that SQLite takes: octets of no charset become question marks in what is searched."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class Condition(NamedTuple):
    """A condition, and the values of its placeholders in order."""

    sql: str
    values: tuple[object, ...]


_SENDER = "substr(words, 1, instr(words, char(10)))"
"""The sender is the first line of the words."""


def conditions_of(query: HistoryQuery) -> Iterator[Condition]:
    """What must hold of a row of `records`. Raises ValueError for a cursor that is none, and for an
    action that there is not."""
    known("action", query.action, ACTIONS)
    for sql, asked, value in (
        ("action = ?", query.action, storable(query.action)),
        ("received >= ?", query.since is not None, query.since),
        ("received < ?", query.until is not None, query.until),
        ("instr(symbols, ?) > 0", query.symbol, f" {storable(query.symbol.upper())} "),
        # The first half is what the index is of.
        ("failed <> '' AND instr(failed, ?) > 0", query.failed, f" {storable(query.failed)} "),
        # The words say no to most, and cost less than what is asked of the others.
        ("instr(words, ?) > 0", query.sender, _part(query.sender)),
        (f"instr({_SENDER}, ?) > 0", query.sender, _part(query.sender)),
        ("instr(recipients, ?) > 0", query.recipient, _part(query.recipient)),
    ):
        if asked:
            yield Condition(sql, (value,))
    if query.text:
        yield Condition(
            "(instr(words, ?) > 0 OR instr(words, ?) > 0)",
            (_folded(query.text), _part(query.text)),
        )
    ending = "@" + _folded(listed_domain(storable(query.domain)))
    if query.domain:
        yield Condition("instr(words, ?) > 0", (f"{ending}\n",))
    if query.visible:
        # Recipients are a JSON list, where a quotation mark inside an address has a backslash
        # before it: one without is an address's end.
        wanted = [json.dumps(_folded(v), ensure_ascii=False) for v in query.visible if len(v) > 1]
        mailboxes = [one.rpartition("@")[0] + DELIMITER for one in wanted if one[1] != "@"]
        either = ["instr(recipients, ?) > 0"] * len(wanted) or ["0"]
        if mailboxes:
            detailed = " OR ".join(["instr(recipients, ?) > 0"] * len(mailboxes))
            either.append(f"(({detailed}) AND within(recipients, ?) <> '[]')")
        yield Condition(
            f"({' OR '.join(either)})",
            (
                *(one[1:] if one.startswith('"@') else one for one in wanted),
                *mailboxes,
                *((_limits(query),) if mailboxes else ()),
            ),
        )
    yield from _among_shown(query, ending)
    if query.after:
        moment, _, number = query.after.partition(",")
        try:
            place = (float(moment), int(number))
            if abs(place[1]) > MOST:
                raise ValueError
        except ValueError:
            raise ValueError("after is not the `next` of a page") from None
        yield Condition("(received, rowid) < (?, ?)", place)


def _among_shown(query: HistoryQuery, ending: str) -> Iterator[Condition]:
    """What is asked of recipients. By those whom a reviewer does not see it must not find, else it
    could guess them letter by letter."""
    words, recipients, limits = "words", "recipients", tuple[str, ...]()
    if query.visible:
        words, recipients = "without_hidden(words, recipients, ?)", "within(recipients, ?)"
        limits = (_limits(query),)
        if query.text:
            yield Condition(
                f"(instr({words}, ?) > 0 OR instr({words}, ?) > 0)",
                (*limits, _folded(query.text), *limits, _part(query.text)),
            )
        if query.recipient:
            yield Condition(f"instr({recipients}, ?) > 0", (*limits, _part(query.recipient)))
    if query.domain:
        yield Condition(
            f"(instr({_SENDER}, ?) > 0 OR instr({recipients}, ?) > 0)",
            (f"{ending}\n", *limits, f'{ending}"'),
        )


def within(recipients: str, limits: str) -> str:
    """Those of a JSON list of recipients that are addresses, or of an `@domain`, of another one.

    >>> within('["ann@a.test", "bob@b.test", "eve@c.test"]', '["@a.test", "eve@c.test"]')
    '["ann@a.test", "eve@c.test"]'
    """
    reached = _Limits(limits)
    shown = [one for one in json_value(recipients) if reached(one)]
    return json.dumps(shown, ensure_ascii=False)


def without_hidden(words: str, recipients: str, limits: str) -> str:
    """The words of a record without the lines of recipients who are not `within` the limits."""
    reached = _Limits(limits)
    sender, end, rest = words.partition("\n")
    for one in json_value(recipients):
        if not reached(one):
            rest = rest.replace(f"\n{one}\n", "\n")
    return sender + end + rest


class _Limits:
    """What a JSON list of addresses and `@domain`s lets a reviewer see."""

    def __init__(self, limits: str) -> None:
        known = json_value(limits)
        self._recipients = frozenset(one for one in known if not one.startswith("@"))
        self._domains = frozenset(one[1:] for one in known if one.startswith("@"))

    def __call__(self, recipient: str) -> bool:
        return reaches(self._recipients, self._domains, recipient)


def _limits(query: HistoryQuery) -> str:
    return json.dumps([_folded(one) for one in query.visible])


def _part(text: str) -> str:
    return _folded(readable_part(text))


def _folded(text: str) -> str:
    return storable(text).casefold()
