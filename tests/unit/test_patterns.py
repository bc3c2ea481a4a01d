"""Every pattern of the package takes twice the time for twice the text, however hostile it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest

from tests.helpers.patterns import SIZES, Growth, Used, growth, used, worst

pytestmark = pytest.mark.slow


SUPERLINEAR = 3.0
"""Times as long for twice the text: 2 is linear, 4 quadratic; between them is room for noise."""

NOTHING = 0.002
"""Seconds below which no ratio is believed."""

STEPS = 40
"""A pattern's time for one character, in those of the plainest pattern that looks at each one. What
goes through a text two hundred times is linear as well, and as bad."""

PATTERNS = used()


@cache
def plainest(_look: int = 0) -> float:
    """Seconds for one character of a pattern that stops at each; measured anew for another look."""
    one = Used("plainest", re.compile(rb"\r?\n"), at_one_place=False)
    return growth(one.run, lambda size: b"\n" * size).per_character


def is_steep(found: Growth) -> bool:
    return found.ratio > SUPERLINEAR and found.seconds > NOTHING


@pytest.mark.parametrize("one", PATTERNS, ids=[one.name for one in PATTERNS])
def test_a_pattern_is_linear(one: Used) -> None:
    found = worst(one, floor=NOTHING)
    look = 0
    if is_steep(found) or found.per_character > STEPS * plainest(look):
        look = 1  # the machine may have been busy just then
        plainest.cache_clear()
        found = worst(one)
    assert not is_steep(found), found
    assert found.per_character <= STEPS * plainest(look), found


def test_they_are_found() -> None:
    names = {one.name for one in PATTERNS}
    assert len(names) > 100
    assert any(name.endswith(".FIELD") for name in names)
    assert "filterd.filters.parts.unpacking.office._RTF_DDE" in names
    assert any(name.startswith("filterd.web.") for name in names)
    assert any(".py:" in name for name in names)  # those that are written where they are used


STEEP: dict[str, str] = {
    "again from each beginning": r"<a[^>]*>",
    "blanks before what does not come": r"\s+:",
    "a line's end that is none": r"(?m)^=b [^\n]*?name=([^\n]*)\n",
    "two in a row for the same": r"x[0-9a]*[a-z]*!",
    "one in the other": r"(?:a+)+b",
    "between two marks": r"\([^)]*\)",
}


@pytest.mark.parametrize("text", STEEP.values(), ids=STEEP)
@pytest.mark.parametrize("encode", [str, lambda text: text.encode()], ids=["text", "octets"])
def test_a_steep_pattern_is_told(text: str, encode: Callable[[str], str | bytes]) -> None:
    one = Used("steep", re.compile(encode(text)), at_one_place=False)
    # The machine may be busy just then.
    assert any(is_steep(worst(one)) for _ in range(3))


def test_a_pattern_that_looks_two_hundred_times_is_told() -> None:
    one = Used("wide", re.compile(rb"<meta[^>]{0,2000}?url[^>]{0,2000}?="), at_one_place=False)
    assert worst(one).per_character > STEPS * plainest()
    assert SIZES[-1] > 2000
