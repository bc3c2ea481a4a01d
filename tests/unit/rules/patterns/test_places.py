"""A match is found wherever it begins, also behind and before places where one nearly began."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns import compile_pattern

BEGINNINGS = ["q?", "https?", "x{2,3}", "(?:foo|bar)", "[a-z]{2}", "", "^", r"\b", "(?m:^)"]
SEPARATORS = ["://", "/", ":", ""]
MIDDLES = ["[^#/?]{0,50}", "[^a]{1,5}", "[a-z]{0,7}", ".{0,9}", "[^:]*", r"\d*"]
ENDS = ["%", "z", "foo", r"\d", "x?y", "/"]

WORDS = ["http", "HTTPS", "://", "/", ":", "abc", "foo", "BAR", "xx", "%", "z", "7", "y", "q", "\n"]

patterns = st.tuples(*map(st.sampled_from, (BEGINNINGS, SEPARATORS, MIDDLES, ENDS))).map("".join)
subjects = st.lists(st.sampled_from(WORDS), max_size=30).map("".join)


@pytest.mark.parametrize(
    ("source", "subject"),
    [
        ("https?://[^#/?]{0,200}%", "http://%77%77.example.com/x http://www.example.com/"),
        ("q?/[^#/?]{0,50}z", "//zz/y"),
        ("q?:[^#/?]{0,50}/", "::/foo:/"),
    ],
)
def test_the_first_of_several_places(source: str, subject: str) -> None:
    expected = re.search(source, subject)
    assert expected is not None
    assert compile_pattern(RulePattern(source, "i")).search(subject.encode()) == expected.span()


@given(patterns, st.sampled_from(["", "i"]), subjects)
def test_every_place_is_found_where_it_is(source: str, flags: str, subject: str) -> None:
    expected = re.search(source.encode(), subject.encode(), re.IGNORECASE if flags else 0)
    found = compile_pattern(RulePattern(source, flags)).search(subject.encode())
    assert found == (expected and expected.span())
