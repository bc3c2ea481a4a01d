"""What one can ask the history for, and the same in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

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
    """What must hold of a row of `records`. Raises ValueError for a cursor that is none."""
    for sql, asked, value in (
        ("action = ?", query.action, storable(query.action)),
        ("received >= ?", query.since is not None, query.since),
        ("received < ?", query.until is not None, query.until),
        ("instr(symbols, ?) > 0", query.symbol, f" {storable(query.symbol.upper())} "),
        # The first half is what the index is of.
        ("failed <> '' AND instr(failed, ?) > 0", query.failed, f" {storable(query.failed)} "),
        ("instr(words, ?) > 0", query.text, _folded(query.text)),
        (f"instr({_SENDER}, ?) > 0", query.sender, _folded(query.sender)),
        ("instr(recipients, ?) > 0", query.recipient, _folded(query.recipient)),
    ):
        if asked:
            yield Condition(sql, (value,))
    if query.domain:
        ending = "@" + _folded(query.domain).removeprefix("@")
        yield Condition(
            f"(instr(recipients, ?) > 0 OR instr({_SENDER}, ?) > 0)", (f'{ending}"', f"{ending}\n")
        )
    if query.visible:
        # Recipients are a JSON list, where a quotation mark inside an address has a backslash
        # before it: one without is an address's end.
        wanted = [json.dumps(_folded(v), ensure_ascii=False) for v in query.visible if len(v) > 1]
        yield Condition(
            f"({' OR '.join(['instr(recipients, ?) > 0'] * len(wanted) or ['0'])})",
            tuple(one[1:] if one.startswith('"@') else one for one in wanted),
        )
    if query.after:
        moment, _, number = query.after.partition(",")
        try:
            place = (float(moment), int(number))
            if abs(place[1]) > MOST:
                raise ValueError
        except ValueError:
            raise ValueError("after is not the `next` of a page") from None
        yield Condition("(received, rowid) < (?, ?)", place)


def _folded(text: str) -> str:
    return storable(text).casefold()
