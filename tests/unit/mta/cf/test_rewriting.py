"""Rulesets at work: what becomes of a workspace, what is said, and with which status."""

from __future__ import annotations

import pytest

from filterd.mta.cf.rewriting import MAX_REWRITES
from tests.helpers.rules import FixedMap, Rules


def run(text: str, given: str, ruleset: str = "1") -> str:
    return Rules(text).run(given, ruleset)


@pytest.mark.parametrize(
    ("rules", "given", "result"),
    [
        # Without a prefix a rule is tried again, `$:` is once, `$@` returns.
        ("R$* x\t$1\n", "a x x", "a"),
        ("R$* x\t$: $1\nR$* x\t$: $1 y\n", "a x x", "a y"),
        ("R$* x\t$@ $1\nR$*\tnever\n", "a x x", "a x"),
        ("R$*\t$# local $: $1\nR$*\tnever\n", "u", "$# local $: u"),
        ("R$- $-\t$: $2 $1 $2\n", "a b", "b a b"),
        ("R$*\t$:\nR$@\t$@ empty\n", "a", "empty"),
        # What is defined further up is in the rule, what comes later is not.
        ("DXone\nR$*\t$: $1 $X\nDXtwo\n", "a", "a one"),
        ("DXone\nR$*\t$: $1 $?X yes $| no $.\n", "a", "a yes"),
        ("R$*\t$: $1 $?X yes $| no $.\n", "a", "a no"),
        ("DX$Y\nDYlater\nR$*\t$: $1 $X\n", "a", "a later"),
        ("R$*\t$: $1 $&j\n", "a", "a mx . own . test"),
        # `$` and `#` as characters.
        ("Ra$$b\t$@ dollar\n", "a$b", "dollar"),
        ("Ra\\#b\t$@ number\n", "a#b", "number"),
    ],
)
def test_a_ruleset(rules: str, given: str, result: str) -> None:
    assert run("S1\n" + rules, given) == result


def test_calls_are_made_from_right_to_left_and_take_all_to_their_right() -> None:
    rules = Rules(
        "S1\nR$* . $*\t$: $>Two $1 , $>Three $2\nSTwo\nR$*\t$@ two($1)\nSThree\nR$*\t$@ three[$1]\n"
    )
    assert rules.run("a.b") == "two ( a , three [ b ] )"
    assert rules.record.calls == ["1: a . b", "Three: b", "Two: a , three [ b ]"]


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        ("S1\nR$-.$*\t$: $>$1 $2\nSB\nR$*\t$: b $1\n", "b x"),
        ('S1\nR$-.$*\t$: $>"B" $2\nSB\nR$*\t$: b $1\n', "b x"),
        # A ruleset without rules is not called.
        ("S1\nR$-.$*\t$: pre $>B $2\nSB\n", "pre x"),
        ("S1\nR$-.$*\t$: $>7 $2\nSB=7\nR$*\t$: b $1\n", "b x"),
        # A triple inside stays where it is, and is nothing special.
        ("S1\nR$-.$*\t$: a $>B $2\nR$*\t$: $1 end\nSB\nR$*\t$# m $: $1\n", "a $# m $: x end"),
        ("S1\nR$-.$*\t$: $>B $2\nR$*\t$: $1 end\nSB\nR$*\t$# m $: $1\n", "$# m $: x"),
    ],
)
def test_calls(rules: str, result: str) -> None:
    assert run(rules, "B.x") == result


def test_a_ruleset_that_does_not_exist() -> None:
    rules = Rules("S1\nR$*\t$: $>NoSuch $1\n")
    assert rules.run("x") == "$> NoSuch x"
    assert rules.status == 78
    assert rules.record.messages == ["Unknown ruleset NoSuch"]


def test_an_infinite_loop_ends_after_a_hundred_rewrites() -> None:
    rules = Rules("S1\nR$+\t$1 a\nR$*\t$: never\n")
    assert rules.run("q") == " ".join(["q"] + ["a"] * MAX_REWRITES)
    assert rules.record.messages == ["Infinite loop in ruleset 1, rule 1"]
    assert rules.status == 0


def test_rulesets_that_call_themselves_end_at_depth_50() -> None:
    rules = Rules("S1\nR$*\t$: $>1 $1\n")
    assert rules.run("q") == "q"
    assert rules.status == 78
    assert rules.record.messages == ["rewrite: excessive recursion (max 50), ruleset 1"]
    assert len(rules.record.calls) == 52


@pytest.mark.slow
def test_cyclic_rules_that_branch_end_in_bounded_work() -> None:
    rules = Rules("SA\nR$*\t$>B $1\nSB\nR$*\t$>A $1\n")
    rules.run("q", "A")
    assert rules.status == 78
    assert "rules tried, ruleset" in rules.record.messages[-1]
    assert len(rules.record.calls) < 30_000


@pytest.mark.parametrize(
    ("rule", "given", "message", "status"),
    [
        ("R$-\t$: $2", "a", "rewrite: ruleset 1: replacement $2 out of bounds", 78),
        ("R$*\t$1 $1", "a b", "rewrite: expansion too long", 65),
        ("R$*\t$: $(none $1 $)", "a", "rewrite: map none not found", 0),
    ],
)
def test_errors(rule: str, given: str, message: str, status: int) -> None:
    rules = Rules(f"S1\n{rule}\n")
    rules.run(given)
    assert (rules.record.messages, rules.status) == ([message], status)


def test_a_ruleset_that_ends_with_an_error_leaves_the_workspace() -> None:
    rules = Rules("S1\nRa\t$: b\nR$-\t$: c $2\n")
    assert rules.run("a") == "b"


@pytest.mark.parametrize(
    ("right", "given", "result", "asked"),
    [
        ("$(m $1 $)", "key", "value", ("key", ())),
        ("$(m $1 $)", "other", "other", ("other", ())),
        ("$(m $1 $: none $)", "other", "none", ("other", ())),
        ("$(m $1 $: none $1 $)", "a b", "none . a . b", ("a.b", ())),
        ("$(m $1 $@ x $@ y z $: none $)", "key", "value", ("key", ("x", "y.z"))),
        ("$(m $1 $: $)", "other", "", ("other", ())),
        ("[ $(m $1 $) ]", "empty", "[ ]", ("empty", ())),
        ("$(m $1 $)", '"key"', "value", ("key", ())),
        ("$(m $1 $: $>Two $1 $)", "other", "two . other", ("other", ())),
        ("$[ $1 $: none $]", "a.b", "a . b .", ("a.b", ())),
        ("$(m comment $)", "x", "p", ("comment", ())),
    ],
)
def test_lookups(right: str, given: str, result: str, asked: tuple[str, tuple[str, ...]]) -> None:
    m = FixedMap({"key": "value", "empty": "", "comment": "p (q)"})
    host = FixedMap({"a.b": "a.b."})
    rules = Rules(f"S1\nR$*\t$: {right}\nSTwo\nR$+\t$@ two $1\n", m=m, host=host)
    assert rules.run(given) == result
    assert (m.asked + host.asked) == [asked]


def test_a_lookup_that_fails_for_now_is_a_status_of_the_ruleset() -> None:
    rules = Rules("S1\nR$*\t$: $(m $1 $: none $)\nR$*\t$: $1 end\n", m=FixedMap({}))
    assert rules.run("later") == "none end"
    assert rules.status == 75


def test_a_lookup_that_fails_for_now_may_have_a_value_of_its_own() -> None:
    rules = Rules("S1\nR$*\t$: $(m $1 $: none $)\n", m=FixedMap({}, "<TMP>"))
    assert rules.run("later") == "later < TMP >"
    assert rules.status == 75


def test_a_value_that_cannot_be_an_address_ends_the_ruleset() -> None:
    rules = Rules("S1\nR$*\t$: $(m $1 $)\n", m=FixedMap({"key": "a" * 300}))
    assert rules.run("key") == "key"
    assert rules.status == 65


def test_calls_cannot_be_arguments_of_a_lookup() -> None:
    m = FixedMap({})
    rules = Rules("S1\nR$*\t$: $(m $>Two $1 $: none $)\nSTwo\nR$*\t$: two\n", m=m)
    rules.run("x")
    # The mark is an octet to the map.
    assert m.asked == [("\udc99Two.x", ())]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("R\tx", "R line: null LHS"),
        ("R$*", 'invalid rewrite line "R$*" (tab expected)'),
        ("R$1\tx", "Inappropriate use of $1-$9 on LHS"),
        ("R$>\tx", "Inappropriate use of $> on LHS"),
        ("R$*\t$*", "Inappropriate use of $* on RHS"),
        ("R$-\t$2", "replacement $2 out of bounds"),
        ("R$*\t$(a $(b $1 $) $)", "cannot nest map lookups"),
        ("R$*\t$(a $1", "missing map closing token"),
        ("R$*\t$(a $1 " + "$@ x " * 10 + "$)", "too many arguments for map lookup"),
        ("R" + "$- " * 10 + "\tx", "R line: too many wildcards"),
        ("R${}\tx", "Name required for macro/class"),
        ("R${a-b}\tx", "Invalid macro/class character -"),
        ("R${" + "a" * 26 + "}\tx", "too long (25 chars max)"),
    ],
)
def test_complaints_about_rules(line: str, complaint: str) -> None:
    rules = Rules(f"S1\n{line}\n")
    assert any(complaint in problem for problem in rules.cf.problems), rules.cf.problems


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("SA\nSB\nSC=7\nSA\n", {"A": 199, "B": 198, "C": 7, "7": 7, "x": -1}),
        # A mailer's names are entered, those in rules are not.
        ("SA\nR$*\t$>Z $1\nMm, P=/m, S=P/Q, R=0, A=m\nSZ\n", {"P": 198, "Q": 197, "Z": 196}),
        ("SA=3\nSA=4\n", {"A": 3}),
        ("SA-b\n", {"A": 199}),
        ("S100\n", {"100": -1, "99": 99}),
    ],
)
def test_numbers_and_names(text: str, numbers: dict[str, int]) -> None:
    rulesets = Rules(text).program.rulesets
    assert {name: rulesets.find(name, lambda said: None) for name in numbers} == numbers


@pytest.mark.slow
def test_100000_rules_are_read() -> None:
    lines = "".join(f"Rhost{number} . $*\t$@ found {number} $1\n" for number in range(2000))
    rules = Rules("S1\n" + lines * 50)
    assert len(rules.program.rulesets[1].rules) == 100_000
    assert rules.run("host1999.x") == "found 1999 x"


@pytest.mark.parametrize("octet", ["\0", "\udcff", "\udc96", "é", "\x7f", "\x01"])
def test_any_octet_may_stand_in_a_file(octet: str) -> None:
    rules = Rules(f"S1\nDX{octet}\nR$* {octet} $*\t$: $1 {octet} $X\n# {octet}\nC{{{octet}}}a\n")
    rules.run(f"a{octet}b")


def test_a_line_ends_at_nul() -> None:
    assert Rules("DXab\0cd\nS1\nR$*\t$: $X\n").run("q") == "ab"
