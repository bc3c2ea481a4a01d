"""Reading configuration files: what each line makes of the rules, and which lines are left out."""

from __future__ import annotations

import pytest

from filterd.rules.conf.read import read
from filterd.rules.conf.rule import (
    EvalTest,
    HeaderExists,
    HeaderTest,
    MetaTest,
    MimeHeaderTest,
    RuleKind,
    RulePattern,
    RuleSet,
    Test,
    TextTest,
    UriCondition,
    UriDetailTest,
)


def reading(text: str, **settings: bool | str) -> RuleSet:
    return read([("local.cf", text.encode())], **settings)  # type: ignore[arg-type]


def problems(text: str) -> list[str]:
    return [str(problem) for problem in reading(text).problems]


DEFINITIONS: dict[str, Test] = {
    "body A /spam/i": TextTest(RuleKind.BODY, RulePattern("spam", "i")),
    "rawbody A m{a/b}si": TextTest(RuleKind.RAWBODY, RulePattern("a/b", "is")),
    r"full A /a\/b/": TextTest(RuleKind.FULL, RulePattern(r"a\/b")),
    "uri A m,^https?://,": TextTest(RuleKind.URI, RulePattern("^https?://")),
    "header A Subject =~ /x/": HeaderTest("Subject", (), RulePattern("x")),
    "header A From:addr !~ /x/ [if-unset: none]": HeaderTest(
        "From", ("addr",), RulePattern("x"), True, "none"
    ),
    "header A Reply-To:addr:domain=~/x/": HeaderTest(
        "Reply-To", ("addr", "domain"), RulePattern("x")
    ),
    "header A Subject: =~ /x/": HeaderTest("Subject", (), RulePattern("x")),
    "header A exists:X-Mailer": HeaderExists("X-Mailer"),
    "header A eval:check_for_to_in_subject('a', \"b\", 3)": EvalTest(
        RuleKind.HEADER, "check_for_to_in_subject", ("a", "b", "3")
    ),
    "header A rbleval:check_rbl('x', 'y.example.')": EvalTest(
        RuleKind.HEADER, "check_rbl", ("x", "y.example.")
    ),
    "rawbody A eval:check_for_mime('x')": EvalTest(RuleKind.RAWBODY, "check_for_mime", ("x",)),
    "body A eval:html_eval('it's', '> 1')": EvalTest(RuleKind.BODY, "html_eval", ("it's", "> 1")),
    "meta A (B && !C) > 1": MetaTest("(B && !C) > 1", frozenset("BC")),
    "mimeheader A Content-Type:raw =~ /x/": MimeHeaderTest(
        "Content-Type", ("raw",), RulePattern("x")
    ),
    r"uri_detail A text =~ /a\/b/i !host !~ m!x!": UriDetailTest(
        (
            UriCondition("text", RulePattern(r"a\/b", "i")),
            UriCondition("!host", RulePattern("x"), negated=True),
        )
    ),
    "askdns A _X_.example TXT /^y/": EvalTest(
        RuleKind.HEADER, "askdns", ("_X_.example", "TXT", "/^y/")
    ),
}


@pytest.mark.parametrize("line", DEFINITIONS)
def test_what_a_line_tests(line: str) -> None:
    found = reading(line)
    assert found.problems == ()
    assert found.rules["A"].test == DEFINITIONS[line]


def test_scores_flags_and_the_like() -> None:
    rules = reading(
        """
        body  A /a/   # a comment
        body  B /b\\#/
        body  T_C /c/
        body  D /d/
        score A 1 2 3 4
        score A (0.5)
        tflags B multiple maxhits=3 nice
        describe A Bad things
        lang de describe A B\xf6se Dinge
        priority A 7
        meta M A + B
        priority M -5
        tflags D net
        """
    ).rules
    assert {name: rules[name].scores for name in ("A", "B", "T_C")} == {
        "A": (1.5, 2.5, 3.5, 4.5),
        "B": (-1.0, -1.0, -1.0, -1.0),
        "T_C": (0.01, 0.01, 0.01, 0.01),
    }
    assert rules["B"].flags == {"multiple": "", "maxhits": "3", "nice": ""}
    assert rules["B"].test == TextTest(RuleKind.BODY, RulePattern("b#"))
    assert rules["A"].description == "Bad things"
    assert [rules[name].priority for name in "ABMD"] == [-5, -5, -5, -100]
