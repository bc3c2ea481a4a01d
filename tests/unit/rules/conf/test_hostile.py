"""Files that want the reader to work for ever: it does not, and says what it left out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.rules.conf.definitions import DEFINITIONS
from filterd.rules.conf.option_names import OPTIONS
from filterd.rules.conf.read import read
from filterd.rules.conf.rule import RuleSet

pytestmark = pytest.mark.slow


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """CPU time of this process."""
    start = time.process_time()
    yield
    assert time.process_time() - start < seconds


def reading(text: str | bytes) -> RuleSet:
    return read([("x.cf", text.encode("latin-1") if isinstance(text, str) else text)])


def test_a_hundred_thousand_rules() -> None:
    lines = [f"body __R{one} /word{one}/i\nscore __R{one} 0.1" for one in range(50_000)]
    lines += [f"meta M{one} __R{one} && !M{one + 1}" for one in range(50_000)]
    with within(60):
        found = reading("\n".join(lines))
    assert (len(found.rules), found.problems) == (100_000, ())


def test_a_long_chain_of_metas_comes_down_to_the_first_ones_priority() -> None:
    lines = [f"meta M{one} M{one + 1}" for one in range(20_000)]
    with within(30):
        found = reading("\n".join([*lines, "body M20000 /a/\npriority M0 -500\ntflags M20000 net"]))
    assert {rule.priority for rule in list(found.rules.values())[:20_000]} == {-500}
    assert found.rules["M20000"].priority == -100
    assert "net" in found.rules["M0"].flags


def test_a_circle_of_many() -> None:
    lines = [f"meta M{one} M{(one + 1) % 20_000}" for one in range(20_000)]
    with within(30):
        found = reading("\n".join([*lines, "meta X M5 || A", "body A /a/"]))
    assert set(found.rules) == {"A"}
    assert len(found.problems) > 10_000


def test_many_that_all_name_all() -> None:
    lines = [f"meta M{one} rules_matching(*)" for one in range(2_000)]
    with within(60):
        found = reading("\n".join([*lines, "body A /a/"]))
    assert "A" in found.rules
    assert any("too many names" in problem.text for problem in found.problems)


LONG = {
    "a comment": ("", "#", 10_000_000, ""),
    "a word": ("", "a", 10_000_000, ""),
    "blanks": ("", " ", 10_000_000, ""),
    "blanks in a rule": ("body A", " ", 250_000, "/a/"),
    "quotation marks": ("body A eval:html_eval(", "'", 250_000, ")"),
    "arguments": ("body A eval:html_eval(", "'a' , ", 40_000, ")"),
    "no end of an argument": ("body A eval:html_eval(", "'a, \"", 40_000, ")"),
    "conditions": ("uri_detail A ", "text =~ m!a", 22_000, ""),
    "open conditions": ("uri_detail A ", "text =~ /a ", 22_000, ""),
    "if-unset": ("header A Subject =~ /a/", " [if-unset:", 20_000, "]"),
    "modifiers": ("header A ", "Subject:a", 25_000, ""),
    "scores": ("score A ", "1 ", 100_000, ""),
    "numbers": ("meta A ", "1", 200_000, ""),
    "points": ("meta A ", ".", 200_000, ""),
    "addresses": ("welcomelist_from ", "a@x ", 60_000, ""),
    "endings": ("util_rb_2tld ", "a.b", 80_000, ""),
    "names of a plugin": ("loadplugin ", "a::", 80_000, ""),
    "tags": ("replace_tag A <A>\nreplace_rules A\nbody A /", "<A>", 20_000, "/"),
    "open tags": ("replace_tag A <A>\nreplace_rules A\nbody A /", "<", 240_000, "/"),
    "begun tags": ("replace_rules A\nbody A /", "<pre ", 50_000, "/"),
    "backslashes": ("body A /", "\\", 250_000, "/"),
    "hashes": ("body A /", "\\#", 120_000, "/"),
    "slashes": ("body A /", "a/", 120_000, ""),
    "languages": ("lang ", "x", 250_000, ""),
    "conditions of a file": ("if ", "(1 && ", 40_000, ""),
    "ifs": ("", "if 1\n", 40_000, ""),
    "elses": ("if 1\n", "else\n", 40_000, ""),
    "carriage returns": ("", "\r", 10_000_000, ""),
    "NULs": ("", "\0", 10_000_000, ""),
}
"""Beginning; what is repeated, how often; end."""


@pytest.mark.parametrize(("start", "piece", "count", "end"), LONG.values(), ids=LONG)
def test_a_long_one(start: str, piece: str, count: int, end: str) -> None:
    text = start + piece * count + end
    with within(20):
        found = reading(f"{text}\nbody LAST /a/\n")
    # After an `if` that is left open nothing counts when it does not hold.
    assert "LAST" in found.rules or text.startswith("if ")
    assert all(len(str(problem)) < 1_000 for problem in found.problems)


WORDS = [*DEFINITIONS, *list(OPTIONS)[::7], "score", "describe", "tflags", "priority", "if", "else"]
WORDS += ["endif", "ifplugin", "include", "require_version", "loadplugin", "replace_tag", "lang"]
WORDS += ["replace_rules", "replace_pre", "replace_start", "shortcircuit", "enable_compat", "test"]
PIECES = [
    "A",
    "B",
    "__C",
    "/x/",
    "/x/i",
    "m{x}",
    "<A>",
    "eval:html_eval('a')",
    "Subject",
    "=~",
    "!~",
]
PIECES += [
    "&&",
    "(",
    ")",
    "!",
    "1",
    "-1",
    "(1)",
    "text",
    "rules_matching(*)",
    "net",
    "multiple",
    "#",
]
PIECES += ["\\", "'", '"', "[if-unset: x]", "exists:X", ":addr", "version", ">=", "plugin(", "en"]


@given(
    st.lists(
        st.tuples(st.sampled_from(WORDS), st.lists(st.sampled_from(PIECES), max_size=6)),
        max_size=12,
    ),
    st.lists(st.sampled_from([" ", "\t", "", "\r", "\xe4"]), min_size=1, max_size=3),
)
def test_lines_of_known_words(lines: list[tuple[str, list[str]]], gaps: list[str]) -> None:
    text = "\n".join(f"{word} " + gaps[0].join(pieces) + gaps[-1] for word, pieces in lines)
    found = reading(text)
    assert all(problem.origin.file == "x.cf" for problem in found.problems)


@given(st.binary(max_size=300))
def test_any_octets(data: bytes) -> None:
    found = reading(data)
    assert all("\n" not in str(problem) for problem in found.problems)
