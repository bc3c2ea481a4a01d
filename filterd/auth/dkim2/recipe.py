"""Recipes: how a host says what the message was before it changed it (the draft, section 5).

A recipe is hostile JSON. It copies fields or lines in ascending order, none twice, and has the rest
literally. A name that stands there once may be that of many fields: they are counted before they
are made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import Canonicalization, canonical_field, with_line_ends
from filterd.auth.dkim2.limits import (
    FIELD_NAME_LIMIT,
    HEADER_FIELDS_LIMIT,
    RECREATED_LINES_LIMIT,
    RECREATED_SIZE_LIMIT,
)
from filterd.auth.dkim2.unsigned import is_hashed

_NAME = re.compile(r"[!-9;-@\[-~]++")  # no capital letters: section 5.1


class Copy(NamedTuple):
    """Fields or lines from start to end, both included, counted from 1."""

    start: int
    end: int


class Literal(NamedTuple):
    """Values of fields, or lines, without line ends."""

    values: tuple[bytes, ...]


Step = Copy | Literal


class Budget:
    """What may still be recreated of bodies, all recipes of a message together."""

    def __init__(self) -> None:
        self._octets = RECREATED_SIZE_LIMIT
        self._lines = RECREATED_LINES_LIMIT

    def take_octets(self, octets: int) -> None:
        """Raises DkimError where it is too much."""
        self._octets -= octets
        if self._octets < 0:
            raise DkimError(f"more than {RECREATED_SIZE_LIMIT} octets of bodies to recreate")

    def take_lines(self, lines: int) -> None:
        """Raises DkimError where it is too much."""
        self._lines -= lines
        if self._lines < 0:
            raise DkimError(f"more than {RECREATED_LINES_LIMIT} lines of bodies to recreate")


@dataclass(frozen=True, slots=True)
class Recipe:
    """fields: steps by name of a field, in lower case; fields of other names were not changed.
    body: None where it was not changed. lost: the body as it was cannot be recreated."""

    fields: Mapping[str, tuple[Step, ...]]
    body: tuple[Step, ...] | None = None
    lost: bool = False

    @classmethod
    def parse(cls, octets: bytes) -> Recipe:
        """That of a JSON text. Raises DkimError."""
        try:
            found = json.loads(
                octets.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
            )
        # A nest of arrays is deeper than Python follows it.
        except (ValueError, RecursionError):
            raise _invalid("it is not JSON") from None
        if not isinstance(found, dict) or not found.keys() & {"h", "b"}:
            raise _invalid('neither "h" nor "b"')
        fields: dict[str, tuple[Step, ...]] = {}
        if "h" in found:
            named = found["h"]
            if not isinstance(named, dict) or not named:
                raise _invalid('"h" has no names of fields')
            for name, steps in named.items():
                if len(name) > FIELD_NAME_LIMIT or not _NAME.fullmatch(name):
                    raise _invalid('"h" has a name that is not one of a field in lower case')
                fields[name] = _steps(steps)
        body = found.get("b")
        if body is None:
            return cls(fields, lost="b" in found)
        return cls(fields, _steps(body))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(_text: str) -> NoReturn:
    raise ValueError("not JSON")


def _invalid(what: str) -> DkimError:
    return DkimError(f"contains invalid JSON: {what}")


def _steps(found: object) -> tuple[Step, ...]:
    if not isinstance(found, list):
        raise _invalid("steps are a list")
    steps: list[Step] = []
    last = 0
    for one in found:
        if not isinstance(one, dict) or len(one) != 1:
            raise _invalid('a step has one key, "c" or "d"')
        ((key, value),) = one.items()
        if not isinstance(value, list):
            raise _invalid("a step has a list")
        if key == "c":
            step = _copy(value)
            if step.start <= last:
                raise _invalid("steps do not copy in ascending order")
            last = step.end
            steps.append(step)
        elif key == "d":
            steps.append(_literal(value))
        else:
            raise _invalid('a step has one key, "c" or "d"')
    return tuple(steps)


def _copy(value: list[object]) -> Copy:
    # True is an int in Python, and none in JSON.
    numbers = [one for one in value if type(one) is int]
    if len(numbers) != 2 or len(value) != 2 or not 1 <= numbers[0] <= numbers[1]:
        raise _invalid('"c" is not where to start and to end')
    return Copy(*numbers)


def _literal(value: list[object]) -> Literal:
    texts = [one for one in value if isinstance(one, str)]
    if not texts or len(texts) != len(value):
        raise _invalid('"d" is not a list of texts')
    if any("\r" in text or "\n" in text for text in texts):
        raise _invalid('"d" has a line end')
    try:
        return Literal(tuple(text.encode("utf-8") for text in texts))
    except UnicodeEncodeError:
        raise _invalid('"d" has half a letter') from None


def fields_before(
    recipe: Recipe, fields: Mapping[str, Sequence[bytes]]
) -> dict[str, Sequence[bytes]]:
    """The fields as they were: by name in lower case, canonical (relaxed), the lowest first (5.1).

    Steps for fields that nobody signs do nothing: such fields are not there (4). Raises DkimError
    where it copies fields that are not there, or makes too many.
    """
    before = dict(fields)
    count = sum(map(len, fields.values()))
    for name, steps in recipe.fields.items():
        if not is_hashed(name):
            continue
        now = fields.get(name, ())
        if any(isinstance(step, Copy) and step.end > len(now) for step in steps):
            raise DkimError("the recipe copies fields that are not there")
        count += sum(map(_number, steps)) - len(now)
        if count > HEADER_FIELDS_LIMIT:
            raise DkimError(f"more than {HEADER_FIELDS_LIMIT} header fields to recreate")
        made: list[bytes] = []
        for step in steps:
            if isinstance(step, Copy):
                made.extend(now[step.start - 1 : step.end])
            else:
                made.extend(
                    canonical_field(name, value, Canonicalization.RELAXED) for value in step.values
                )
        before[name] = made
    return before


def _number(step: Step) -> int:
    """How many fields a step makes."""
    return len(step.values) if isinstance(step, Literal) else step.end - step.start + 1


def body_before(steps: Sequence[Step], body: bytes, budget: Budget) -> bytes:
    """The body as it was, each line with CRLF (5.2).

    Raises DkimError where it copies lines that are not there, or is more than the budget has.
    """
    budget.take_octets(len(body))
    made: list[bytes] = []
    line, position = 1, 0
    for step in steps:
        if isinstance(step, Literal):
            made.extend(value + b"\r\n" for value in step.values)
            continue
        start = _after(body, position, step.start - line, budget)
        position = _after(body, start, step.end - step.start + 1, budget)
        line = step.end + 1
        copied = with_line_ends(body[start:position])
        made.append(copied if copied.endswith(b"\n") else copied + b"\r\n")
    return b"".join(made)


def _after(body: bytes, position: int, lines: int, budget: Budget) -> int:
    """The position so many lines further on; the last line may have no end."""
    budget.take_lines(lines)
    for _ in range(lines):
        if position >= len(body):
            raise DkimError("the recipe copies lines that are not there")
        position = body.find(b"\n", position) + 1 or len(body)
    return position
