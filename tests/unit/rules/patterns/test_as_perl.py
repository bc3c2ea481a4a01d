"""Patterns match what Perl says that they match."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns import PatternError, compile_pattern
from tests.helpers.perl import Perl, without_trailing
from tests.helpers.rule_patterns import ALPHABET, CONSTRUCTS, MISTAKES, PATTERNS, TEXTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def perl() -> Iterator[Perl]:
    perl = Perl()
    yield perl
    perl.close()


def ours(pattern: str, subject: bytes) -> tuple[int, list[object]]:
    """How often a pattern matches, and the groups of its first match."""
    compiled = compile_pattern(RulePattern(pattern))
    found = compiled.match(subject)
    groups = [] if found is None else without_trailing(found.groups)
    return len(compiled.spans(subject, 1000)), groups


@pytest.mark.parametrize("pattern", CONSTRUCTS)
def test_a_construct_matches_as_in_perl(perl: Perl, pattern: str) -> None:
    for text in TEXTS:
        answer = perl.ask(pattern, text)
        assert answer is not None, "Perl does not accept it"
        assert ours(pattern, text) == (answer[0], without_trailing(answer[1])), text


@settings(deadline=None, max_examples=300)
@given(
    pattern=st.sampled_from(CONSTRUCTS),
    subject=st.lists(st.sampled_from(list(ALPHABET)), max_size=12).map(bytes),
)
def test_it_matches_as_in_perl_in_any_text(perl: Perl, pattern: str, subject: bytes) -> None:
    answer = perl.ask(pattern, subject)
    assert answer is not None
    assert ours(pattern, subject) == (answer[0], without_trailing(answer[1]))


@settings(deadline=None, max_examples=400)
@given(
    pattern=PATTERNS,
    subject=st.lists(st.sampled_from(list(ALPHABET)), max_size=10).map(bytes),
)
def test_any_pattern_matches_where_it_does_in_perl(
    perl: Perl, pattern: str, subject: bytes
) -> None:
    answer = perl.ask(pattern, subject)
    assert answer is not None
    compiled = compile_pattern(RulePattern(pattern))
    found = compiled.search(subject)
    assert found == (answer[1][0] if answer[1] else None)


@pytest.mark.parametrize(("pattern", "reason"), MISTAKES.items())
def test_a_mistake_has_a_reason(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError) as error:
        compile_pattern(RulePattern(pattern))
    assert str(error.value) == reason


def test_flags_stand_beside_the_pattern_as_in_a_rule() -> None:
    assert compile_pattern(RulePattern("^b$", "im")).search(b"a\nB\n") == (2, 3)
    assert compile_pattern(RulePattern("a . b", "sx")).search(b"a\nb") == (0, 3)
    with pytest.raises(PatternError, match="flag 'q': expected letters of imsxn"):
        compile_pattern(RulePattern("a", "q"))


def test_groups_are_found_by_number_and_name() -> None:
    found = compile_pattern(RulePattern("(a)(?<tail>b+)(c)?")).match(b"xabb")
    assert found is not None
    assert found.span == (1, 4)
    assert [found.group(1), found.group("tail"), found.group(3)] == [b"a", b"bb", None]
