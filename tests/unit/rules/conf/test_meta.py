"""Expressions of meta rules: what they give, and that none takes long."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.rules.conf.expression import NESTED
from filterd.rules.conf.lines import LineError
from filterd.rules.conf.meta import compile_meta, expanded, glob_matches, globs_of
from filterd.rules.conf.read import read
from filterd.rules.conf.rule import MetaTest

HITS = {"A": 1, "B": 2, "C": 0}

# What Perl gives for the same expression with these values.
VALUES = {
    "A": 1,
    "D": 0,
    "A && B": 2,
    "A && C": 0,
    "C || B": 2,
    "C || D": 0,
    "!A": 0,
    "!C": 1,
    "!!B": 1,
    "- B": -2,
    "- - B": 2,
    "!-B": 0,
    "-!C": -1,
    "A + B > 2": 1,
    "A+B>2": 1,
    "A - B - B": -3,
    "A +- B": -1,
    "B * 3 / 2": 3,
    "2 + 3 * 4": 14,
    "(2 + 3) * 4": 20,
    "A == 1": 1,
    "A != 1": 0,
    "A < B": 1,
    "A < B < 3": 1,
    "3 > B > 1 > 0": 1,
    "3 > B > 2": 0,
    "A == 1 == 1": 1,
    "1 || C && C": 1,
    "!A == C": 1,
    "A ^ B": 3,
    "A ? 5 : 6": 5,
    "C ? 5 : C ? 6 : 7": 7,
    "C ? 5 : A ? 6 : 7": 6,
    "A ? C ? 1 : 2 : 3": 2,
    "()": 0,
    "A || ()": 1,
    "local_tests_only": 1,
    "1.5 + A": 2.5,
    "B / C || 7": 0,
    "~A": 1,
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    if text == "B / C || 7":
        with pytest.raises(LineError, match="division by zero"):
            compile_meta(text)
        return
    assert compile_meta(text).value(lambda name: HITS.get(name, 0)) == VALUES[text]


def test_a_division_by_zero_that_nothing_shows_before_gives_nothing() -> None:
    meta = compile_meta("B / (1 - A)")
    assert meta.value(lambda name: {"B": 4}.get(name, 0)) == 4
    assert meta.value(lambda name: HITS.get(name, 0)) == 0


def test_names_and_globs() -> None:
    text = "A && rules_matching(__X_*) > 2 && !B"
    assert compile_meta(text).names == {"A", "B"}
    assert globs_of(text) == ("__X_*",)
    made = expanded(text, lambda glob: ["__X_1", "__X_2"] if glob == "__X_*" else [])
    assert made == "A &&  (__X_1+__X_2)  > 2 && !B"
    assert expanded("rules_matching(N?)", lambda _: []).strip() == "(0)"
    assert compile_meta(made).names == {"A", "B", "__X_1", "__X_2"}
    assert compile_meta("()").is_declaration
    assert not compile_meta("A").is_declaration


def test_only_rules_match_a_glob() -> None:
    deep = "(" * NESTED + "rules_matching(A*)" + ")" * NESTED
    text = f"score A-B 1\nbody A1 /a/\nmeta B rules_matching(A*)\nmeta A2 {deep}\n"
    found = read([("x.cf", text.encode())])
    assert str(found.rules["B"].test) == str(MetaTest(" (A1+A2) ", frozenset({"A1", "A2"})))
    assert [problem.text for problem in found.problems] == [
        f"A2: parentheses nest more than {NESTED} deep: it is left out"
    ]


GLOBS = {
    ("A*", "ABC"): True,
    ("A*", "BA"): False,
    ("*", ""): True,
    ("?", "A"): True,
    ("?", ""): False,
    ("A?C", "ABC"): True,
    ("*B*", "ABC"): True,
    ("*_*_Z", "A_B_C_Z"): True,
    ("*A", "AB"): False,
    ("AB", "A"): False,
}


@pytest.mark.parametrize(("glob", "name"), GLOBS)
def test_globs(glob: str, name: str) -> None:
    assert glob_matches(glob, name) is GLOBS[glob, name]


LONG = {
    "a sum": "A" + " + A" * 20_000,
    "a difference": "A" + " - A" * 20_000,
    "an or": "D" + " || D" * 20_000,
    "a not": "!" * 40_001 + "A",
    "a comparison": "A" + " < A" * 20_000,
    "choices": "D ? 1 : " * 10_000 + "2",
    "different ones": "A" + " + A * A - A && A || A == A" * 1_500,
    "numbers": " * ".join(["9" * 100] * 1_000),
    "flips": "A" + " ^ A" * 20_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_ones_are_read_and_give_a_value(text: str) -> None:
    start = time.process_time()
    compile_meta(text).value(lambda _: 1)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("text", ["(" * 50_000, "A ? " * 50_000, "-(" * 50_000, "1 + (" * 9_000])
def test_deep_ones_are_refused(text: str) -> None:
    with pytest.raises(LineError):
        compile_meta(text)


@given(
    st.lists(
        st.sampled_from(
            (
                *("A", "B", "_C1", "1", "2.5", "+", "-", "*", "/", "(", ")", "!", "&&", "||", "^"),
                *("<", "==", "!=", ">=", "?", ":", " ", ".", ",", "é", "rules_matching(A*)"),
                "x" * 200,
            )
        ),
        max_size=30,
    ).map("".join)
)
def test_any_text_is_a_value_or_a_mistake(text: str) -> None:
    try:
        meta = compile_meta(text)
    except LineError:
        return
    for hits in (0, 1, 3):
        assert isinstance(meta.value(dict.fromkeys(meta.names, hits).__getitem__), int | float)


NEEDED = {
    "A && B": {"A", "B"},
    "A && !B": {"A"},
    "A && (B || C) && D > 1": {"A"},
    "A && B || C": set(),
    "A && B ? C : D": set(),
    "(A && B)": set(),
    "A": {"A"},
    "A + B && C": {"C"},
    "A ^ B && C": {"C"},
    "1 && A && local_tests_only": {"A"},
}


@pytest.mark.parametrize("text", NEEDED)
def test_without_what_is_needed_nothing_hits(text: str) -> None:
    meta = compile_meta(text)
    assert meta.needed == NEEDED[text]
    for counts in itertools.product((0, 1, 3), repeat=4):
        values = dict(zip("ABCD", counts, strict=True))
        if any(not values[name] for name in meta.needed):
            assert not meta.value(values.__getitem__)
