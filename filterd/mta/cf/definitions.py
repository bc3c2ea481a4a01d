"""The macros of one configuration, and text with them expanded.

Source: sendmail 8.17 `macro.c` (doexpand).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from filterd.mta.cf.marks import (
    ELSE,
    FI,
    IF,
    MACRO,
    METASYMBOLS,
    REFERENCE,
    Complain,
    Names,
    octets,
)

MAX_DEPTH = 10
"""Macros in macros, MaxMacroRecursion."""

MAX_EXPANDED = 4095
"""Octets of an expanded text, MACBUFSIZE less the end."""

MAX_LINE = 2047
"""Octets of an expanded line of the file, MAXLINE less the end."""

_SPECIAL = re.compile(f"[{MACRO}{IF}](.?)|[{ELSE}{FI}]", re.DOTALL)
_HARD = re.compile(f"[{IF}{ELSE}{FI}]|{MACRO}{MACRO}")
_ANY_MARK = re.compile("[\ud800-\udbff]")


class Definitions:
    """Values by the character for a name (`Names.code`); they are in octet form, with marks."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._values: dict[str, str] = dict(METASYMBOLS)
        self._values |= {str(digit): REFERENCE + str(digit) for digit in range(10)}
        self._values["n"] = "MAILER-DAEMON"

    def copy(self) -> Definitions:
        """The same values, for one message: changes stay in it."""
        new = Definitions(self.names)
        new._values = dict(self._values)
        return new

    def value(self, code: str) -> str | None:
        """The value, not expanded."""
        return self._values.get(code)

    def define(self, code: str, value: str | None) -> None:
        if value is None:
            self._values.pop(code, None)
        else:
            self._values[code] = value

    # By name: what the map class `macro` uses.

    def get(self, name: str) -> str | None:
        return self.value(self.names.code(name))

    def set(self, name: str, value: str | None) -> None:
        self.define(self.names.code(name), value)

    def update(self, table: Mapping[str, str]) -> None:
        """Take over the values of a macro table: names as in `{client_addr}`, values as text."""
        codes = self.names.codes_of(table)
        if "".join(table.values()).isascii():
            self._values.update(zip(codes, table.values(), strict=True))
        else:
            self._values.update(zip(codes, map(octets, table.values()), strict=True))

    def items(self) -> list[tuple[str, str]]:
        """Names and values, without what is a mark."""
        return [
            (self.names.name(code), value)
            for code, value in self._values.items()
            if code not in METASYMBOLS and not code.isdigit()
        ]

    def expand(self, text: str, complain: Complain, limit: int = MAX_LINE) -> str:
        """Text with the values in: macros in macros, conditions. limit: octets; the rest is cut."""
        for _depth in range(MAX_DEPTH + 1):
            if _SPECIAL.search(text) is None:
                return text[:limit]
            text, again = self._expand_once(text)
            if not again:
                return text[:limit]
        complain(f"expand: recursion too deep ({MAX_DEPTH} max)")
        return text[:limit]

    def _expand_once(self, text: str) -> tuple[str, bool]:
        """The text with each macro replaced, and whether a value brought marks with it."""
        if _HARD.search(text) is None:
            values = self._values
            first, *rest = text.split(MACRO)
            whole = first + "".join([values.get(one[:1], "") + one[1:] for one in rest])
            if len(whole) <= MAX_EXPANDED:
                return whole, _SPECIAL.search(whole) is not None
        out: list[str] = []
        room, again, position = MAX_EXPANDED, False, 0
        conditions = _Conditions()

        def write(piece: str) -> str:
            nonlocal room
            kept = "" if conditions.skipping else piece[:room]
            out.append(kept)
            room -= len(kept)
            return kept

        for found in _SPECIAL.finditer(text):
            write(text[position : found.start()])
            position = found.end()
            special, value = found[0][0], self._values.get(found[1] or "", "")
            if special == MACRO:
                again |= _ANY_MARK.search(write(value)) is not None
            elif special == IF:
                conditions.begin(holds=bool(value))
            elif not conditions.depth:
                write(special)
            elif special == ELSE:
                conditions.turn()
            else:
                conditions.end()
        write(text[position:])
        return "".join(out), again


class _Conditions:
    """Where in `$?x … $| … $.` the text is."""

    def __init__(self) -> None:
        self.depth = 0
        self.skipping = False
        self._inside_skipped = 0

    def begin(self, *, holds: bool) -> None:
        self.depth += 1
        if self.skipping:
            self._inside_skipped += 1
        else:
            self.skipping = not holds

    def turn(self) -> None:
        if not self._inside_skipped:
            self.skipping = not self.skipping

    def end(self) -> None:
        self.depth -= 1
        if self._inside_skipped:
            self._inside_skipped -= 1
        else:
            self.skipping = False
