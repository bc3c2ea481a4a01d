"""The description inside a model file: what it may say, checked before anything of it is believed.

A checksum shows damage, not sense: a file may come from anywhere, and anybody who makes one can
compute a checksum. A model that is put in force judges all mail.

Checked by hand: this runs in the workers, which load nothing heavier than numpy.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from filterd.system.bounded import json_value

PAGE = 4096
"""Bytes of which every array's offset is a multiple: arrays are mapped, and lie at page borders."""

MESSAGES_LIMIT = 2**48
"""Messages that a model may say it has learned; more than all mail servers see."""

ABOUT_LIMIT = 10_000  # characters of the line that is for people
OFFSET_LIMIT = 2**40  # bytes; arrays have 8 and 16 MiB

_SALT = re.compile(r"(?:[0-9a-f]{2}){1,32}")
_CREATED = re.compile(r"[0-9T:.+Z-]{1,40}")


class DescriptionError(ValueError):
    """A description that makes no sense. The text names the key and what was expected."""


@dataclass(frozen=True, slots=True)
class ArrayDescription:
    """One array. offset, length: in bytes, counted from the first array's beginning; crc32: of the
    array as it is before compression. compressed: None in files of before that key."""

    name: str
    dtype: str
    offset: int
    length: int
    crc32: int
    compressed: bool | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """What a model file says of itself. salt: bytes in hexadecimal, 16 in files that this program
    makes. spam, ham: messages learned; spam_counted, ham_counted: those of them that went into the
    counts."""

    encoding: Literal["raw", "packed"]
    salt: str
    origin: Literal["starter", "site"]
    generation: int
    created: str
    about: str
    spam: int
    ham: int
    spam_counted: int
    ham_counted: int
    arrays: tuple[ArrayDescription, ...]


Rule = tuple[Callable[[Any], bool], str]
"""Whether a value may be, and what was expected, in words."""


def _whole(most: int, multiple: int = 1) -> Rule:
    more = f" that {multiple} divides" if multiple > 1 else ""
    # bool is an int to Python, and no number to JSON.
    return (
        lambda v: type(v) is int and 0 <= v <= most and v % multiple == 0,
        f"a whole number from 0 to {most}{more}",
    )


def _one_of(*words: str) -> Rule:
    return lambda v: isinstance(v, str) and v in words, f"one of {', '.join(words)}"


def _text(pattern: re.Pattern[str], expected: str) -> Rule:
    return lambda v: isinstance(v, str) and pattern.fullmatch(v) is not None, expected


_COUNT = _whole(MESSAGES_LIMIT)
_RULES: dict[str, Rule] = {
    "encoding": _one_of("raw", "packed"),
    "salt": _text(_SALT, "1 to 32 bytes in hexadecimal"),
    "origin": _one_of("starter", "site"),
    "generation": _COUNT,
    "created": _text(_CREATED, "a time as ISO 8601 writes it"),
    "about": (
        lambda v: isinstance(v, str) and len(v) <= ABOUT_LIMIT,
        f"text of up to {ABOUT_LIMIT} characters",
    ),
    "spam": _COUNT,
    "ham": _COUNT,
    "spam_counted": _COUNT,
    "ham_counted": _COUNT,
    "arrays": (lambda v: isinstance(v, list), "a list"),
}
_ARRAY_RULES: dict[str, Rule] = {
    "name": (lambda v: isinstance(v, str), "a name"),
    "dtype": _one_of("<f4", "<f2", "<u2"),
    "offset": _whole(OFFSET_LIMIT, PAGE),
    "length": _whole(OFFSET_LIMIT),
    "crc32": _whole(2**32 - 1),
    "compressed": (lambda v: v is None or isinstance(v, bool), "true or false"),
}


def read(raw: bytes) -> dict[str, Any]:
    """The description as it stands. Raises DescriptionError for what is not a JSON object."""
    try:
        value = json_value(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise DescriptionError("expected a JSON object")
    return cast(dict[str, Any], value)


def checked(value: dict[str, Any]) -> Description:
    """The description of a file of this version. Raises DescriptionError."""
    found = _checked(value, _RULES, "")
    for counted, learned in (("spam_counted", "spam"), ("ham_counted", "ham")):
        if found[counted] > found[learned]:
            raise DescriptionError(
                f"{counted} is {found[counted]}, expected at most {found[learned]}"
            )
    arrays = []
    for number, entry in enumerate(found["arrays"]):
        where = f"arrays.{number}"
        if not isinstance(entry, dict):
            raise DescriptionError(f"{where}: expected an object")
        entry = {"compressed": None, **entry}  # noqa: PLW2901  # the same entry, with its default
        arrays.append(ArrayDescription(**_checked(entry, _ARRAY_RULES, where + ".")))
    return Description(**{**found, "arrays": tuple(arrays)})


def _checked(value: dict[str, Any], rules: dict[str, Rule], where: str) -> dict[str, Any]:
    """The keys that there are rules for; others are let pass."""
    for key, (allows, expected) in rules.items():
        if key not in value:
            raise DescriptionError(f"{where}{key} is missing")
        if not allows(value[key]):
            raise DescriptionError(f"{where}{key}: expected {expected}")
    return {key: value[key] for key in rules}
