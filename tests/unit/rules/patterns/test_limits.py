"""No pattern and no text takes a search far beyond its time."""

from __future__ import annotations

import time

import pytest

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns import PatternError, TooMuchWork, compile_pattern, limits
from filterd.rules.patterns.texts import PatternTexts

pytestmark = pytest.mark.slow

MEGABYTES = 10_000_000

PATIENCE = 10 * limits.SECONDS
"""CPU seconds of a search."""

EVIL: tuple[tuple[str, bytes, int, bytes], ...] = (
    (r"(?:a|a)*b", b"a", 30, b""),
    (r"(?:a+)+b", b"a", 100_000, b""),
    (r"(?:a|b)*c", b"ab", MEGABYTES // 2, b""),
    (r"(?:a|aa)+$", b"a", MEGABYTES, b"!"),
    (r"a[^b]*c", b"a", MEGABYTES, b""),
    (r"a.*b.*c.*d", b"abc", MEGABYTES // 3, b""),
    (r"\s+$", b" ", MEGABYTES, b"x"),
    (r"(.*)*\1z", b"a", 100_000, b""),
    (r"(a(?1)?b)z", b"a", MEGABYTES, b""),
    (r"a(?R)?b", b"a", MEGABYTES, b""),
    (r"(?:a*)*(*PRUNE)b", b"a", MEGABYTES, b""),
    (r"(?<=a{1,200})b{1,200}c", b"ab", MEGABYTES // 2, b""),
    (r"(?:(?:(?:a?){50}){5}){5}b", b"a", MEGABYTES, b""),
    (r"(?=(a+))a*b\1", b"a", MEGABYTES, b""),
    (r"\b(?:\w+\s*)+!", b"word ", MEGABYTES // 5, b""),
    (r"(?:a?a?a?a?a?){4}b", b"a", MEGABYTES, b""),
    (r"(?m)^(?s:.{0,300}.{0,300}b)", b"\n", MEGABYTES, b""),
)
"""Pattern; the text: what is repeated, how often, and its end."""


@pytest.mark.parametrize(("pattern", "piece", "count", "end"), EVIL, ids=[one[0] for one in EVIL])
def test_an_evil_pattern_ends(pattern: str, piece: bytes, count: int, end: bytes) -> None:
    text = piece * count + end
    compiled = compile_pattern(RulePattern(pattern))
    started = time.thread_time()
    try:
        assert compiled.search(text) is None
    except TooMuchWork as error:
        assert str(error)
    assert time.thread_time() - started < PATIENCE


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("x", None), ("(?i)AB+", (MEGABYTES, MEGABYTES + 3)), ("ab{2}$", None)],
)
def test_a_harmless_pattern_looks_at_all_of_a_long_text(
    pattern: str, expected: tuple[int, int] | None
) -> None:
    assert compile_pattern(RulePattern(pattern)).search(b"-" * MEGABYTES + b"abb!") == expected


@pytest.mark.parametrize("pattern", ["a{2}b", "(?<=-)a+b", r"a\Kab", "(a)ab", r"\ba", "b$", "b\\z"])
@pytest.mark.parametrize("before", [10, 9_000, 70_000, 300_000])
def test_where_it_matches_does_not_depend_on_the_windows(pattern: str, before: int) -> None:
    short = compile_pattern(RulePattern(pattern)).match(b"-" * 10 + b"aab")
    found = compile_pattern(RulePattern(pattern)).match(b"-" * before + b"aab")
    assert short is not None
    assert found is not None
    moved = before - 10
    assert [span and (span[0] - moved, span[1] - moved) for span in found.groups] == list(
        short.groups
    )


def test_many_groups_in_groups_are_refused() -> None:
    with pytest.raises(PatternError, match="more than 64 groups in groups"):
        compile_pattern(RulePattern("(" * 5_000 + ")" * 5_000))


def test_a_long_pattern_is_refused() -> None:
    with pytest.raises(PatternError, match="longer than 1000000 octets"):
        compile_pattern(RulePattern("a" * 1_000_001))


def test_brackets_that_stand_a_hundred_times_fit_in_a_pattern() -> None:
    letters = "|".join(f"[\\x{octet:02x}][\\x80-\\xaf]" for octet in range(192, 240))
    letter = f"(?:[aA]|{letters})"
    compiled = compile_pattern(RulePattern(f"(x)(?:{letter * 10}|{letter * 90})y"))
    found = compiled.match(b"-x" + b"aA\xc3\x80\xef\xaf" * 2 + b"aA" + b"y")
    assert found is not None
    assert found.group(0) == b"x" + b"aA\xc3\x80\xef\xaf" * 2 + b"aAy"
    assert found.group(1) == b"x"
    assert compiled.match(b"x" + b"a" * 11 + b"y") is None
    assert compiled.search(b"x" + b"a" * 90 + b"y") == (0, 92)


LINES = b"a\n" * 10_000
WHERE = [
    (RulePattern("^b", "m"), LINES + b"b", (20_000, 20_001)),
    (RulePattern("^b"), LINES + b"b", None),
    (RulePattern("^b"), b"b" + LINES, (0, 1)),
    (RulePattern("(?:^|\\n)b"), LINES[:-1] + b"\nb", (19_999, 20_001)),
    (RulePattern("^b|^a\\nb", "m"), LINES + b"b", (19_998, 20_001)),
    (RulePattern("(?:^b)+", "m"), LINES + b"bb", (20_000, 20_001)),
    (RulePattern("(?:^)?b", "m"), LINES + b"ab", (20_001, 20_002)),
    (RulePattern("^$", "m"), LINES + b"\n", (20_000, 20_000)),
    (RulePattern("\\Ab", "m"), LINES + b"b", None),
]


@pytest.mark.parametrize(("pattern", "text", "span"), WHERE, ids=[str(p) for p, _, _ in WHERE])
def test_patterns_of_beginnings_in_long_texts(
    pattern: RulePattern, text: bytes, span: tuple[int, int] | None
) -> None:
    """They are tried where lines, or texts, begin, and nowhere else."""
    compiled = compile_pattern(pattern)
    assert compiled.search(text) == span
    assert compiled.search(text, 2) == (span if span and span[0] >= 2 else None)
    # As one of several texts, which are joined.
    assert compiled.is_in(PatternTexts((b"a", text, b"a"))) is (span is not None)
    assert compiled.count_in(PatternTexts((b"x" * 20_000, b"b")), 9) == int(
        compiled.search(b"b") is not None
    )


@pytest.mark.parametrize("length", [76, 990])
def test_long_lines_are_looked_for_where_lines_begin(length: int) -> None:
    """In a message of 20 MB; in Perl such a pattern costs next to nothing."""
    text = (b"a" * length + b"\n") * (2 * MEGABYTES // length)
    compiled = compile_pattern(RulePattern(r"^[^\r\n]{998}", "m"))
    assert compiled.search(text) is None
    assert compiled.search(text + b"b" * 998) == (len(text), len(text) + 998)
