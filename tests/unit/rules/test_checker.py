"""What a compiled rule set finds in a message, kind by kind, and what it does about trouble."""

from __future__ import annotations

import logging

import pytest

from filterd.message import Message
from filterd.rules.checker import LATE, CompiledRules
from filterd.rules.conf.read import read
from filterd.rules.evals.gathered import functions
from filterd.rules.view.view import View
from tests.unit.rules.eval_mail import attached, gif, message

DATA = (
    b"From: Ann <ann@a.example>\nTo: joe@mx.example\nSubject: pills and pills\n"
    b"Content-Type: text/plain\n\nBuy pills at http://shop.com/pills now\n\nOr pills later\n"
)


def hits(text: str, data: bytes = DATA, **evals: object) -> dict[str, tuple[int, float]]:
    """Rule → how often it hits, and its points."""
    compiled = CompiledRules.of(
        read([("local.cf", text.encode("latin-1"))]),
        evals,  # type: ignore[arg-type]
        use_bayes=False,
        use_network=False,
    )
    return {hit.name: (hit.count, hit.score) for hit in compiled.check(View(Message(data)))}


def test_the_next_message_has_other_fields() -> None:
    lines = [f"header A{n} X-Some =~ /{n}/\nmimeheader B{n} X-Some =~ /{n}/" for n in range(4)]
    lines += ["header C X-Some =~ /^$/", "header D exists:X-Some", "header E X-Some !~ /2/"]
    compiled = CompiledRules.of(
        read([("local.cf", "\n".join(lines).encode())]), {}, use_bayes=False, use_network=False
    )
    asked = [b"", b"X-Some: 2\n", b"", b"X-Some: 3\n", b"X-Some:\n"]
    found = [
        " ".join(sorted(hit.name for hit in compiled.check(View(Message(field + DATA)))))
        for field in asked
    ]
    assert found == ["C E", "A2 B2 D", "C E", "A3 B3 D E", "C D E"]


TABLE: dict[str, tuple[str, dict[str, tuple[int, float]]]] = {
    "body": ("body A /buy pills/i", {"A": (1, 1.0)}),
    "body across paragraphs": ("body A /now.*later/s", {}),
    "Subject is a paragraph": ("body A /^pills and/", {"A": (1, 1.0)}),
    "nosubject": ("body A /^pills and/\ntflags A nosubject", {}),
    "multiple": ("body A /pills/\ntflags A multiple\nscore A 0.5", {"A": (5, 2.5)}),
    "maxhits": (
        "body A /pills/\ntflags A multiple maxhits=2\nscore A 0.5",
        {"A": (2, 1.0)},
    ),
    "header": ("header A Subject =~ /and/", {"A": (1, 1.0)}),
    "header that is not there": ("header A X-None =~ /./", {}),
    "negated header that is not there": ("header A X-None !~ /./", {"A": (1, 1.0)}),
    "if-unset": ("header A X-None =~ /no/ [if-unset: none]", {"A": (1, 1.0)}),
    "exists": ("header A exists:To\nheader B exists:X-None", {"A": (1, 1.0)}),
    "uri": (r"uri A /shop\.com/", {"A": (1, 1.0)}),
    "full": (r"full A /^To: joe\@/m", {"A": (1, 1.0)}),
    "mimeheader": ("mimeheader A Content-Type =~ /plain/", {"A": (1, 1.0)}),
    "mimeheader of a field that no part has": ("mimeheader A X-None =~ /./", {}),
    "mimeheader that matches nothing": ("mimeheader A X-None =~ /^$/", {"A": (1, 1.0)}),
    "mimeheader that is not there": ("mimeheader A X-None !~ /./", {"A": (1, 1.0)}),
    "mimeheader, if-unset": (
        "mimeheader A X-None =~ /no/ [if-unset: none]",
        {"A": (1, 1.0)},
    ),
    "mimeheader, concat": (
        "mimeheader A X-None =~ /^\\n/\ntflags A concat",
        {"A": (1, 1.0)},
    ),
    "fields that are made up": (
        "header A exists:ToCc\nheader B ALL =~ /^To:/m\nheader C exists:MESSAGEID",
        {"A": (1, 1.0), "B": (1, 1.0)},
    ),
    "domains of sender and authors": (
        "header A X-AuthorDomain =~ /^a\\.example$/\nheader B X-SenderDomain =~ /./"
        "\nheader C exists:X-AuthorDomain",
        {"A": (1, 1.0), "C": (1, 1.0)},
    ),
    "many rules of a field that is not there": (
        "".join(f"header A{n} X-None =~ /{n}/\n" for n in range(5))
        + "header B X-None =~ /^$/\nheader C X-None !~ /b/",
        {"B": (1, 1.0), "C": (1, 1.0)},
    ),
    "score 0": ("body A /pills/\nscore A 0\nmeta B A", {}),
    "meta of a meta": (
        "meta A B && !D\nmeta B C\nbody C /buy/i",
        {"C": (1, 1.0), "B": (1, 1.0), "A": (1, 1.0)},
    ),
    "meta that counts": (
        "body __A /pills/\ntflags __A multiple\nmeta B __A > 4\nmeta C __A > 5",
        {"__A": (5, 5.0), "B": (1, 1.0)},
    ),
    "meta of nothing": ("meta A !X_NONE", {"A": (1, 1.0)}),
}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE)
def test_what_hits(text: str, expected: dict[str, tuple[int, float]]) -> None:
    assert hits(text) == expected


def test_an_eval_test_sees_the_text_of_its_kind_of_rule() -> None:
    picture = attached("image/gif", gif(100, 100))
    data = message("Content-Type: text/html\n\n" + "<b></b>" * 20 + "otter", picture)
    # Subject and word are few octets; with the tags they are more than the hundredth of a pixel.
    lines = "\n".join(
        f"{kind} {kind.upper()} eval:image_to_text_ratio('all', '0.01', '9')"
        for kind in ("body", "rawbody")
    )
    found = hits(lines, data, image_to_text_ratio=functions()["image_to_text_ratio"])
    assert found.keys() == {"RAWBODY"}


def test_an_eval_test_gets_its_arguments_and_gives_a_value() -> None:
    def check_words(view: View, word: str) -> int:
        return view.full.count(word.encode())

    text = "header A eval:check_words('pills')\nscore A 0.5\nmeta B A > 4"
    # Its value counts in metas; its points count once.
    assert hits(text, check_words=check_words) == {"A": (5, 0.5), "B": (1, 1.0)}


def test_an_eval_test_that_fails_costs_its_rule_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_view: View) -> bool:
        raise KeyError("x")

    with caplog.at_level(logging.WARNING):
        found = hits("body A eval:broken()\nbody B /pills/\nmeta C !A", broken=broken)
    assert found == {"B": (1, 1.0), "C": (1, 1.0)}
    assert "rule A (local.cf:1) failed: KeyError('x')" in caplog.text


def test_lower_priorities_run_first() -> None:
    seen: list[dict[str, int]] = []

    def look(view: View) -> bool:
        seen.append(dict(view.hits))
        return True

    hits("body A eval:look()\npriority A -10\nbody B /pills/\nbody C eval:look()", look=look)
    assert seen == [{}, {"A": 1, "B": 1}]


def test_time_that_is_over_is_said(caplog: pytest.LogCaptureFixture) -> None:
    compiled = CompiledRules.of(
        read([("local.cf", b"body A /pills/")]), {}, use_bayes=False, use_network=False
    )
    found = compiled.check(View(Message(DATA)), seconds=-1.0)
    assert [hit.name for hit in found] == [LATE]
    assert "not all have run" in caplog.text


def test_nothing_is_concluded_from_rules_that_have_not_run() -> None:
    text = (
        "header A Subject =~ /nowhere/\nmeta B !A\nmeta C !B\nmeta D B || !X_NONE\n"
        "body F eval:never()\nmeta G !F\nmeta E !X_NONE"
    )
    compiled = CompiledRules.of(
        read([("local.cf", text.encode())]),
        {"never": lambda _view: False},
        use_bayes=False,
        use_network=False,
    )
    found = compiled.check(View(Message(DATA)), seconds=-1.0)
    assert [hit.name for hit in found] == ["E", LATE]


def test_a_pattern_that_cannot_be_used_is_a_problem() -> None:
    compiled = CompiledRules.of(
        read([("local.cf", b"body A /(?{ print })/\nbody B /pills/")]),
        {},
        use_bayes=False,
        use_network=False,
    )
    assert [hit.name for hit in compiled.check(View(Message(DATA)))] == ["B"]


def test_where_a_rule_matches() -> None:
    compiled = CompiledRules.of(
        read([("local.cf", b"body A /pil+s \\w+/\nheader B Subject =~ /and/")]),
        {},
        use_bayes=False,
        use_network=False,
    )
    view = View(Message(DATA))
    assert compiled.where(view, "A") == [
        ("body 0", b"pills and"),
        ("body 1", b"pills at"),
        ("body 1", b"pills now"),
        ("body 2", b"pills later"),
    ]
    assert compiled.where(view, "B") == [("Subject", b"and")]


def test_a_mimeheader_rule_that_counts_stops_behind_the_first_part_that_hits() -> None:
    """Beside SpamAssassin: each part is looked at by itself, up to one with a hit."""
    data = (
        b"Content-Type: multipart/mixed; boundary=b\n\n"
        b"--b\nX-Number: none\n\n\n--b\nX-Number: 1 2\n\n\n--b\nX-Number: 3 4 5\n\n\n--b--\n"
    )
    text = "mimeheader A X-Number =~ /[0-9]/\ntflags A multiple\n"
    assert hits(text, data) == {"A": (2, 2.0)}
    assert hits(text + "tflags A multiple range=4", data) == {"A": (3, 3.0)}
    assert hits(text + "tflags A multiple concat", data) == {"A": (5, 5.0)}
