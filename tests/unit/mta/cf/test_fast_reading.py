"""Reading a long file: the short ways give what the long ones do."""

from __future__ import annotations

import gc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filterd.mta.cf import parser as reading
from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.definitions import Definitions
from filterd.mta.cf.marks import ANY, FI, IF, MACRO, Names
from filterd.mta.cf.parser import parse
from filterd.mta.cf.patterns import LeftHandSide
from tests.helpers.rules import no_file

PIECES = st.sampled_from(
    ["$", "$$", "{", "}", "{name}", "{a b}", "=", "~", "&", "?", "#", "\\#", "*", "w", " ", "\t"]
)
LINES = st.lists(PIECES | st.text("ab$#{}=\n\udc81", max_size=3), max_size=12).map("".join)

RULE_PIECES = st.sampled_from(
    [
        *"$* $+ $- $@ $=K $~K $={Long} $= $1 $2 $9 $0 $: $# $>T1 $(txt $) $[ $&x $x $$ $".split(),
        *"a Foo x.y < @ > ( ) . , # é".split(),
        *('"', "\\", " ", "  ", "\t", "\t\t", "\tcomment", "\n ", "\v", "\udcff", "\0", "w" * 120),
    ]
)
RULE_LINES = st.tuples(
    st.lists(RULE_PIECES, max_size=7).map("".join),
    st.sampled_from(["\t", "\t\t", " ", ""]),
    st.lists(RULE_PIECES, max_size=7).map("".join),
).map("".join)
HEAD = "V10/Berkeley\nDxvalue\nCKa Foo\nC{Long}a\nO OperatorChars=.:@\n"


def read_and_compiled(text: str) -> tuple[object, ...]:
    """What there is of a file's rules, each compiled, and all that was said."""
    cf: SendmailCf = parse(text, "x.cf", no_file)
    rules = [
        (one.line, one.left, one.right, one.pattern, one.pattern.items, one.replacement)
        for ruleset in cf.program.rulesets.all()
        for one in ruleset.rules
    ]
    return rules, cf.problems, cf.notices, cf.status


@pytest.mark.parametrize("before", ["", "D*star\n", "D1one\n", "V8\n"])
@given(rules=st.lists(RULE_LINES, max_size=4))
@example(rules=["$*\t$1", "$* < @ host . $+ > $*\t$#local $@ host $: $1 < @ $2 > $3\tcomment"])
@example(rules=["$* \t ", "$*\t\t\tx", " \tx", "$+$+$+$+$+$+$+$+$+$+\tx", "$-\t$2"])
def test_rules_read_without_a_look_at_the_file(before: str, rules: list[str]) -> None:
    text = HEAD + before + "ST1\nRa\tb\n" + "".join(f"R{one}\n" for one in rules)
    found = read_and_compiled(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "plain_rule", lambda *_: None)
        assert found == read_and_compiled(text)


def test_a_rule_without_fault_is_compiled_when_it_is_first_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[str] = []
    compile_side = LeftHandSide.compile
    monkeypatch.setattr(
        LeftHandSide,
        "compile",
        lambda tokens: compiled.append("".join(tokens)) or compile_side(tokens),
    )
    rules = "".join(f"R$* @ host{number}\t$1\n" for number in range(50))
    cf = parse(HEAD + "ST1\n" + rules, "x.cf", no_file)
    assert len(compiled) == 1, "the first, with which the operators are fixed"
    last = cf.program.rulesets.all()[0].rules[-1]
    assert last.pattern.tokens == (ANY, "@", "host49")
    assert last.pattern is last.pattern
    assert compiled[1:] == [f"{ANY}@host49"]


@given(LINES, st.booleans())
def test_names_behind_dollars(line: str, comments: bool) -> None:
    told: list[str] = []
    slow_told: list[str] = []
    names, slow = Names(), Names()
    slow._translated = lambda _: None  # type: ignore[method-assign, assignment, misc]
    found = names.translate(line, told.append, comments=comments)
    assert found == slow.translate(line, slow_told.append, comments=comments)
    assert told == slow_told


@given(st.lists(st.sampled_from([MACRO, "a", "b", "c", "1", "=", "x" * 2000, "\n"]), max_size=8))
def test_macros_in_a_text(pieces: list[str]) -> None:
    definitions = Definitions(Names())
    definitions.set("a", "value")
    definitions.set("b", f"{MACRO}a {MACRO}c {MACRO}1")
    text = "".join(pieces)
    told: list[str] = []
    expected = definitions.expand(f"{text}{IF}n{FI}", told.append)
    if not text.endswith(MACRO):
        assert definitions.expand(text, told.append) == expected


@pytest.mark.parametrize("text", ["V10\nDXx\n", "V10\nO DeliveryMode=x\nDXx\n"])
def test_garbage_is_collected_again_after_a_file(text: str) -> None:
    parse(text, "x.cf", no_file)
    assert gc.isenabled()
