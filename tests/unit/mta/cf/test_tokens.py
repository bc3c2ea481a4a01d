"""Addresses and rules to tokens and back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filterd.mta.cf.marks import ALL_MARKS, octets
from filterd.mta.cf.tokens import MAX_TOKEN, MAX_TOKENS, TokenTables, _Scanner, scan

TABLES = TokenTables.of(".:%@!^/[]+", ".")


def tokens(text: str, delimiter: str = "") -> tuple[list[str] | None, list[str]]:
    said: list[str] = []
    found = scan(octets(text), TABLES.addresses, said.append, delimiter=delimiter)
    return found.tokens, said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@x.test", ["ann", "@", "x", ".", "test"]),
        ("  ann  b\tc ", ["ann", "b", "c"]),
        ("<ann@[1.2]>", ["<", "ann", "@", "[", "1", ".", "2", "]", ">"]),
        # Quoted strings keep their quotes and stand alone.
        ('"a b"c@d', ['"a b"', "c", "@", "d"]),
        ('x"a""b"', ["x", '"a"', '"b"']),
        ('"a\\"b"', ['"a\\"b"']),
        # A backslash stays with its character, but `\\!` is `!`.
        ("a\\@b", ["a\\@b"]),
        ("a\\ b", ["a\\ b"]),
        ("a\\!b", ["a", "!", "b"]),
        ('"a\\!b"', ['"a\\!b"']),
        ("a\\", ["a"]),
        # Comments nest; a parenthesis after a backslash does not count.
        ("a (b (c) d) e", ["a", "e"]),
        ("a(\\))b", ["a", "b"]),
        ("a(b)c", ["a", "c"]),
        ('a(")b', ["a", "b"]),
        ("", None),
        ("(only a comment)", None),
    ],
)
def test_addresses(text: str, expected: list[str] | None) -> None:
    assert tokens(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected", "complaint"),
    [
        ("a<b", ["a", "<", "b", ">"], "553 Unbalanced '<'"),
        ("a>b", ["ab"], "553 Unbalanced '>'"),
        ("a)b", ["ab"], "553 Unbalanced ')'"),
        ("a(b", ["a"], "553 Unbalanced '('"),
        ('a"b', ["a", '"b"'], "553 Unbalanced '\"'"),
    ],
)
def test_what_is_unbalanced_is_mended(text: str, expected: list[str], complaint: str) -> None:
    assert tokens(text) == (expected, [complaint])


def test_in_rules_parentheses_are_operators_and_nothing_is_mended() -> None:
    said: list[str] = []
    found = scan("a (b c) > ) <", TABLES.rules, said.append, ignore=True)
    assert found.tokens == ["a", "(", "b", "c", ")", ">", ")", "<"]
    assert said == []


@pytest.mark.parametrize(
    ("text", "expected", "end"),
    [
        ("a@b, c", ["a", "@", "b"], 3),
        ("<a,b>, c", ["<", "a"], 2),
        ("<@a,@b:c>, d", ["<", "@", "a", ",", "@", "b", ":", "c", ">"], 9),
        ('"a,b", c', ['"a,b"'], 5),
        ("(a,b) c, d", ["c"], 7),
        (", a", None, 0),
    ],
)
def test_a_comma_ends_an_address(text: str, expected: list[str] | None, end: int) -> None:
    said: list[str] = []
    found = scan(text, TABLES.addresses, said.append, delimiter=",")
    assert (found.tokens or [None])[0:2] == (expected or [None])[0:2]
    assert found.end == end


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a" * (MAX_TOKEN + 1), "553 5.1.0 prescan: token too long"),
        ("." * (MAX_TOKENS + 1), "553 5.1.1 Address too long"),
        ('"' + "a" * MAX_TOKEN + '"', "553 5.1.0 prescan: token too long"),
        ("a" * 1300, "553 5.1.1 Address too long"),
        ("é" * 200, "553 5.1.0 prescan: token too long"),
    ],
)
def test_limits(text: str, complaint: str) -> None:
    assert tokens(text) == (None, [complaint])


def test_1000_tokens_of_a_rule_are_enough() -> None:
    said: list[str] = []
    for count, expected in (
        (MAX_TOKENS, []),
        (MAX_TOKENS + 1, ["553 5.1.0 prescan: too many tokens"]),
    ):
        said.clear()
        scan("." * count, TABLES.rules, said.append, ignore=True, size=3043)
        assert said == expected


@pytest.mark.parametrize(
    ("joined", "parts"),
    [
        ("a.b", ["a", "b"]),
        ("a@b", ["a", "@", "b"]),
        ('"a"b', ['"a"', "b"]),
        ("a<b.c", ["a", "<", "b", "c"]),
        ("\udcc3.x", ["\udcc3", "x"]),
        ("\udc80x", ["\udc80", "x"]),
    ],
)
def test_only_atoms_are_kept_apart(joined: str, parts: list[str]) -> None:
    assert TABLES.join(parts) == joined


# Octets that are sendmail's marks are operators in internal text; nobody types them.
TEXT = st.text(st.sampled_from('ab.@<>()"\\!, \t%é;'), max_size=40).map(octets)


@given(TEXT)
@example('"\\')
@example("a\\!<@,>")
def test_tokens_joined_give_the_same_tokens_again(text: str) -> None:
    first, _said = tokens(text)
    if first is not None and not any("\\" in token for token in first):
        again = scan(TokenTables.of(".:%@!^/[]+", " ").join(first), TABLES.rules, lambda said: None)
        assert again.tokens == first


@given(TEXT, st.sampled_from(["", ",", " "]), st.booleans())
def test_the_quick_way_and_the_general_one_agree(text: str, delimiter: str, ignore: bool) -> None:
    for table in (TABLES.addresses, TABLES.rules, TABLES.internal):
        quick, general = [], []
        first = scan(text, table, quick.append, delimiter=delimiter, ignore=ignore)
        second = _Scanner(text, table, general.append, delimiter, ignore, 1251).run()
        assert (first, quick) == (second, general)


@given(st.text(st.sampled_from([*ALL_MARKS, "1", "a", " ", "."]), max_size=20))
def test_marks_take_what_belongs_to_them(text: str) -> None:
    quick = scan(text, TABLES.rules, lambda said: None, ignore=True)
    general = _Scanner(text, TABLES.rules, lambda said: None, "", True, 1251).run()
    assert quick == general
