"""The calls of an mc file and their lines, without m4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.mc.scan import BUILTINS, Scan, scan

KNOWN = frozenset({"FEATURE", "MAILER", "OSTYPE", "LOCAL_CONFIG", "LOCAL_RULE_0", "SITE"})


def read(text: str, *, comments: bool = False) -> Scan:
    return scan(text, KNOWN, comments=comments)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("FEATURE(`a')", ["a"]),
        ("FEATURE(`a', `b, c')", ["a", "b, c"]),
        ("FEATURE( `a',\n  `b')", ["a", "b"]),
        ("FEATURE(a)", ["a"]),
        ("FEATURE(`a', ``b'')", ["a", "`b'"]),
        ("FEATURE(`a',dnl no more\n`b')", ["a", "b"]),
        ("FEATURE(`a', f(x, y))", ["a", "f(x, y)"]),
        ("FEATURE(`a', `it(')", ["a", "it("]),
        ("FEATURE()", []),
        ("FEATURE(`a', , `c')", ["a", "", "c"]),
        ("FEATURE(`a' )", ["a "]),
    ],
)
def test_arguments(text: str, arguments: list[str]) -> None:
    (call,) = read(text).calls
    assert [one.text for one in call.arguments] == arguments


def test_lines() -> None:
    found = read("dnl FEATURE(`no')\nOSTYPE(`linux')dnl\n\nFEATURE(`a',\n `b')dnl\nMAILER(`c')\n")
    assert [(call.name, call.line, call.end) for call in found.calls] == [
        ("OSTYPE", 2, 2),
        ("FEATURE", 4, 5),
        ("MAILER", 6, 6),
    ]
    assert [one.line for one in found.calls[1].arguments] == [4, 5]


def test_what_is_behind_a_hash_is_carried_out_unless_hashes_are_comments() -> None:
    (call,) = read("# FEATURE(`a')\n").calls
    assert call.commented
    assert read("# FEATURE(`a')\n", comments=True).calls == []
    # cf.m4 ends that.
    text = "# FEATURE(`a')\ninclude(`/usr/share/sendmail/cf/m4/cf.m4')dnl\n# FEATURE(`b')\n"
    assert [c.argument(1) for c in read(text, comments=True).named("FEATURE")] == ["b"]


def test_conditions_are_looked_into() -> None:
    found = read("ifdef(`x', `\nFEATURE(`a')dnl\n', `FEATURE(`b')')dnl\nFEATURE(`c')\n")
    features = found.named("FEATURE")
    assert [(one.argument(1), one.line, one.nested) for one in features] == [
        ("a", 2, True),
        ("b", 3, True),
        ("c", 4, False),
    ]


def test_own_macros_and_quotes() -> None:
    found = read("define(`ours', `x')ours(`y')\nchangequote([, ])FEATURE([a, b])changequote\n")
    assert [call.name for call in found.calls] == [
        "define",
        "ours",
        "changequote",
        "FEATURE",
    ]
    assert found.named("FEATURE")[0].argument(1) == "a, b"


def test_copied_lines_know_their_section() -> None:
    found = read(
        "LOCAL_CONFIG\nKfoo hash /x(y\nLOCAL_RULE_0\nR$*\t$: $1\n"
        "divert(-1)\nsilence\ndivert(0)\nDjx\n"
    )
    assert [(one.number, one.text, one.section) for one in found.lines] == [
        (2, "Kfoo hash /x(y", "LOCAL_CONFIG"),
        (4, "R$*\t$: $1", "LOCAL_RULE_0"),
        (8, "Djx", ""),
    ]


@pytest.mark.parametrize(
    ("text", "unclosed"),
    [
        ("FEATURE(`a')\nFEATURE(`b`)\nFEATURE(`c')\n", ("quote", 2)),
        ("FEATURE(`a')\nFEATURE(`b, `c')\nFEATURE(`d')\n", ("quote", 2)),
        ("FEATURE(`a')\nFEATURE(`b'dnl\nMAILER(`c')dnl\n", ("parenthesis of FEATURE", 2)),
    ],
)
def test_what_does_not_close_is_where_it_begins(text: str, unclosed: tuple[str, int]) -> None:
    assert read(text).unclosed[0] == unclosed


@given(st.text("`'()#,\n abdnlFEATURE[]$\\é", max_size=120))
def test_any_text_is_read(text: str) -> None:
    found = read(text)
    lines = text.count("\n") + 1
    assert all(1 <= call.line <= call.end <= lines for call in found.calls)
    assert all(1 <= line.number <= lines for line in found.lines)
    assert {call.name for call in found.calls} <= KNOWN | BUILTINS | {""}
