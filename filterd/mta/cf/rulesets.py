"""The rulesets of one configuration: their numbers, names and rules.

Source: sendmail 8.17 `readcf.c` (strtorwset).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from filterd.mta.cf.marks import Complain
from filterd.mta.cf.rules import RewriteRule

MAX_NUMBER = 100
"""Numbers below this one may be written in a file, half of MAXRWSETS."""

_FIRST_NAMED = 199
"""Names without a number get this one and those below."""

_NAME = re.compile(r"[A-Za-z0-9_]*")
_NUMBER = re.compile(r"\d+")
_SPACES = " \t\n\v\f\r"


@dataclass(slots=True)
class Ruleset:
    """number: also the key; name: what test mode prints, the number if it has none."""

    number: int
    name: str = ""
    rules: list[RewriteRule] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.name or str(self.number)


class Rulesets:
    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._sets: dict[int, Ruleset] = {}
        self._next = _FIRST_NAMED

    def __getitem__(self, number: int) -> Ruleset:
        """The ruleset of a number, an empty one if there is none."""
        if number not in self._sets:
            self._sets[number] = Ruleset(number)
        return self._sets[number]

    def all(self) -> list[Ruleset]:
        """Those that have a name or rules, in the order of the file."""
        return [one for one in self._sets.values() if one.name or one.rules]

    def enter(self, text: str, complain: Complain) -> tuple[int, str]:
        """The number for `Name`, `Name=3` or `3` in a file, made if it is new; and the rest.

        -1 after a complaint.
        """
        return self._resolve(text, complain, enter=True)

    def find(self, text: str, complain: Complain) -> int:
        """The number of a ruleset, by name or number; -1 if there is none."""
        return self._resolve(text, complain, enter=False)[0]

    def _resolve(self, text: str, complain: Complain, *, enter: bool) -> tuple[int, str]:
        text = text.lstrip(_SPACES)
        digits = _NUMBER.match(text)
        if digits:
            return _checked(int(digits[0][:18]), complain), text[digits.end() :]
        name = (_NAME.match(text) or [""])[0]
        if not name[:1].isalpha():
            complain(f'invalid ruleset name: "{text[:20]}"')
            return -1, text
        # Blanks behind a name are dropped, and the name ends there.
        rest = text[len(name) :].lstrip(_SPACES)
        written = name if text[len(name) : len(name) + 1] in (*_SPACES, "") else name + rest
        known = self._numbers.get(name)
        if known is None:
            if not enter:
                return -1, rest
            known = self._numbers[name] = -1
        if enter and rest.startswith("="):
            number, rest = self._defined(written, rest, complain)
        elif known >= 0:
            number = known
        else:
            number = self._new(name, complain)
        if known >= 0 and 0 <= number != known:
            complain(f"{written}: ruleset changed value (old {known}, new {number})")
            number = known
        elif number >= 0:
            self._numbers[name] = number
        if enter and number >= 0:
            self[number].name = name
        return number, rest

    def _defined(self, written: str, rest: str, complain: Complain) -> tuple[int, str]:
        """The number behind `=`."""
        value = rest[1:].lstrip(_SPACES)
        digits = _NUMBER.match(value)
        if not digits:
            complain(f'bad ruleset definition "{written}" (number required after `=\')')
            return -1, value
        number = int(digits[0][:18])
        if number >= MAX_NUMBER:
            complain(f'bad ruleset number {number} in "{written}" ({MAX_NUMBER} max)')
            number = -1
        return number, value[digits.end() :]

    def _new(self, name: str, complain: Complain) -> int:
        number = self._next
        self._next -= 1
        if number < MAX_NUMBER:
            complain(f"{name}: too many named rulesets ({MAX_NUMBER} max)")
            return -1
        return number


def _checked(number: int, complain: Complain) -> int:
    if number >= MAX_NUMBER:
        complain(f"bad ruleset {number} ({MAX_NUMBER} max)")
        return -1
    return number
