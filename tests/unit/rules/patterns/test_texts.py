"""Many texts are searched as one, with the answer that each by itself would give."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns import compile_pattern
from filterd.rules.patterns.texts import PatternTexts
from tests.helpers.rule_patterns import ALPHABET, CONSTRUCTS, PATTERNS

pytestmark = pytest.mark.slow

LETTERS = [octet for octet in ALPHABET if octet]
LINES = st.lists(st.lists(st.sampled_from(LETTERS), max_size=6).map(bytes), max_size=5)
ANY = st.lists(st.lists(st.sampled_from(list(ALPHABET)), max_size=6).map(bytes), max_size=5)


def one_by_one(pattern: str, items: list[bytes], skip: int) -> int:
    compiled = compile_pattern(RulePattern(pattern))
    return sum(len(compiled.spans(text, 1000)) for text in items[skip:])


@settings(deadline=None, max_examples=500)
@given(
    pattern=st.one_of(st.sampled_from(CONSTRUCTS), PATTERNS),
    items=st.one_of(LINES, ANY),
    skip=st.integers(0, 2),
)
def test_texts_together_are_as_each_by_itself(pattern: str, items: list[bytes], skip: int) -> None:
    compiled = compile_pattern(RulePattern(pattern))
    expected = one_by_one(pattern, items, skip)
    texts = PatternTexts(items)
    assert compiled.is_in(texts, skip) == (expected > 0)
    assert compiled.count_in(texts, 1000, skip) == expected
    assert len(compiled.places(texts, 1000, skip)) == expected


def test_no_more_than_the_limit_is_counted() -> None:
    texts = PatternTexts((b"aaa", b"a", b"aa"))
    compiled = compile_pattern(RulePattern("a"))
    assert [compiled.count_in(texts, limit) for limit in (1, 4, 100)] == [1, 4, 6]
    assert compiled.places(texts, 4) == [(0, (0, 1)), (0, (1, 2)), (0, (2, 3)), (1, (0, 1))]


def test_many_long_texts_are_searched_in_little_time() -> None:
    texts = PatternTexts([b"word " * 300] * 2_000)
    assert not compile_pattern(RulePattern("(?i)WORD{2}x")).is_in(texts)
