"""Left sides of rules: what the wildcards take, and how much work that is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.cf.patterns import LeftHandSide, Matcher
from tests.helpers.rules import Rules

LINES = "C{Hosts} own.test x a.b\nD{Now}b.c\nS1\n"


def taken(pattern: str, text: str) -> list[str] | None:
    """What each wildcard took, as test mode shows it."""
    rules = Rules(f"{LINES}R{pattern}\t$1\n")
    tokens = rules.tokens(text)
    rule = rules.program.rulesets[1].rules[0]
    matcher = Matcher(rules.program.tables, rules.program.classes, rules.program.definitions.value)
    spans = matcher.match(rule.pattern, tokens, [token.lower() for token in tokens])
    return None if spans is None else ["".join(tokens[start:end]) for start, end in spans]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("$*", "", [""]),
        ("$+", "", None),
        ("$@", "", []),
        ("$@", "a", None),
        ("a $@", "a", []),
        ("$-", "a", ["a"]),
        ("$-", "a b", None),
        # The leftmost takes as little as it can.
        ("$* . $*", "a.b.c", ["a", "b.c"]),
        ("$+ . $-", "a.b.c", ["a.b", "c"]),
        ("$* $* $*", "a b", ["", "", "ab"]),
        ("$+ @ $+ . $+", "u@v@a.b", ["u", "v@a", "b"]),
        ("$* a $* a", "a a b a", ["", "ab"]),
        ("FOO.bar", "foo.BAR", []),
        ("foo", "foo bar", None),
        # A phrase of a class, which may have operators in it, grows on failure.
        ("$={Hosts}", "OWN.test", ["OWN.test"]),
        ("$* $={Hosts} $*", "u own.test v", ["u", "own.test", "v"]),
        ("$={Hosts} . $-", "x.y", ["x", "y"]),
        ("$={Hosts} $+", "a.b.c", ["a.b", ".c"]),
        ("$={Hosts}", "a", None),
        ("$~{Hosts}", "x", None),
        ("$~{Hosts}", "y", ["y"]),
        ("$={NoSuch}", "a", None),
        ("$~{NoSuch}", "a", ["a"]),
        ("$- $&{Now} $*", "a b.c.d", ["a", ".d"]),
        ("$&{Now}", "b", None),
        ("$&{Unset} $+", "a b", ["ab"]),
        ("$+ $&{Unset}", "a", None),
    ],
)
def test_what_wildcards_take(pattern: str, text: str, expected: list[str] | None) -> None:
    assert taken(pattern, text) == expected


def backtracking(items: Sequence[tuple[int, str]], words: Sequence[str]) -> list[str] | None:
    """The same search without a memory: exponential, but plainly in sendmail's order."""

    def search(item: int, at: int) -> list[str] | None:
        if item == len(items):
            return [] if at == len(words) else None
        kind, argument = items[item]
        sizes = {0: [1], 1: [1], 2: range(1, 9), 3: range(9)}[kind]
        for size in sizes:
            if at + size > len(words) or (kind == 0 and words[at] != argument):
                return None
            rest = search(item + 1, at + size)
            if rest is not None:
                return rest if kind == 0 else ["".join(words[at : at + size]), *rest]
        return None

    return search(0, 0)


@given(
    st.lists(st.sampled_from(["$*", "$+", "$-", "a", "b"]), min_size=1, max_size=6),
    st.lists(st.sampled_from("ab"), max_size=8),
)
def test_the_first_match_is_that_of_plain_backtracking(left: list[str], words: list[str]) -> None:
    rules = Rules(f"S1\nR{' '.join(left)}\tx\n")
    pattern = rules.program.rulesets[1].rules[0].pattern
    matcher = Matcher(rules.program.tables, rules.program.classes, lambda code: None)
    spans = matcher.match(pattern, words, words)
    found = None if spans is None else ["".join(words[start:end]) for start, end in spans]
    assert found == backtracking(pattern.items, words)


class Counted(list[str]):
    """Counts how often an element is looked at."""

    looks = 0

    def __getitem__(self, index: object) -> object:  # type: ignore[override]
        self.looks += 1
        return super().__getitem__(index)  # type: ignore[index]


@pytest.mark.parametrize(
    "pattern",
    [
        " ".join(["$*"] * 8) + " z",
        " ".join(["$+"] * 9),
        "$* a $* a $* a $* a $* a $* a $* a $* a $* z",
        "$+ a $+ a $+ a $+ a $+ a b",
        "$* $={Hosts} $* $={Hosts} $* $={Hosts} $* z",
    ],
)
def test_hostile_patterns_take_work_in_proportion(pattern: str) -> None:
    def looks(size: int) -> int:
        rules = Rules(f"{LINES}S1\nR{pattern}\tx\n")
        rule = rules.program.rulesets[1].rules[0]
        tokens = Counted(["a", "x"] * (size // 2))
        matcher = Matcher(rules.program.tables, rules.program.classes, lambda code: None)
        compiled = LeftHandSide.compile(rule.pattern.tokens)
        # Without the quick no, which would spare the search.
        object.__setattr__(compiled, "literals", frozenset())
        matcher.match(compiled, tokens, tokens)
        return tokens.looks

    once, twice = looks(400), looks(800)
    assert twice < 2.5 * once + 100
    assert twice < 800 * 60


def test_every_small_case_of_two_wildcards() -> None:
    for first, second, text in product(("$*", "$+", "$-"), ("$*", "$+", "$-"), ("", "a", "ab")):
        found = taken(f"{first} {second}", " ".join(text))
        counts = {"$*": (0, 9), "$+": (1, 9), "$-": (1, 1)}
        low = counts[first][0] + counts[second][0]
        high = counts[first][1] + counts[second][1]
        assert (found is not None) == (low <= len(text) <= high)
        if found is not None:
            assert "".join(found) == text


def test_a_watched_match_reads_macros_as_often_as_sendmail() -> None:
    rules = Rules(f"{LINES}R$* $* $&{{Now}} z\tx\n")
    pattern = rules.program.rulesets[1].rules[0].pattern
    counts = []
    for watched in (True, False):
        read: list[str] = []
        matcher = Matcher(rules.program.tables, rules.program.classes, read.append)
        tokens = ["a", "b", "c"]
        assert matcher.match(pattern, tokens, tokens, watched=watched) is None
        counts.append(len(read))
    assert counts == [6, 3]


def test_a_watched_match_is_bounded_too() -> None:
    rules = Rules(f"{LINES}R{'$* ' * 8} $&{{Now}} z\tx\n")
    pattern = rules.program.rulesets[1].rules[0].pattern
    read: list[str] = []
    matcher = Matcher(rules.program.tables, rules.program.classes, read.append)
    tokens = ["a"] * 300
    assert matcher.match(pattern, tokens, tokens, watched=True) is None
    assert len(read) < 20_000
