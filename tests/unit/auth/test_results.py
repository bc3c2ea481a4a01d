"""Authentication-Results: every legal spelling is read, and nothing but printable ASCII written."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.results import (
    FIELD_LIMIT,
    AuthenticationResults,
    MethodResult,
    ResultsError,
    parse,
    written,
)


def one(method: str, result: str, reason: str = "", **properties: str) -> MethodResult:
    named = tuple((name.replace("_", ".", 1), value) for name, value in properties.items())
    return MethodResult(method, result, reason, named)


@pytest.mark.parametrize(
    "comment", ['(a"b)', '(")', '(\\(")', '(a (b " c) d)', '(it"s ; dmarc=pass (x) y)']
)
def test_quotation_marks_in_comments_are_letters(comment: str) -> None:
    text = f"mx {comment}; spf=pass {comment} smtp.mailfrom=a.example; dmarc=fail {comment}"
    assert parse(text).results == (
        one("spf", "pass", smtp_mailfrom="a.example"),
        one("dmarc", "fail"),
    )


@pytest.mark.parametrize("end", ["\r\n ", "\n\t", "\x00", "\x1b[31m", "\x85", "\u2028", "\udcff"])
def test_no_value_holds_line_ends_or_control_characters(end: str) -> None:
    (found,) = parse(f'mx; dkim=pass reason="a{end}b" header.d="c{end}d"').results
    assert found.reason.replace("\t", " ").isprintable()
    assert found.get("header.d").replace("\t", " ").isprintable()


@pytest.mark.parametrize(
    ("text", "host", "results"),
    [
        ("mx.example; none", "mx.example", ()),
        ("mx.example 1; none", "mx.example", ()),
        ("mx.example", "mx.example", ()),
        ("mx.example;", "mx.example", ()),
        (
            "mx.example; spf=pass smtp.mailfrom=a.example",
            "mx.example",
            (one("spf", "pass", smtp_mailfrom="a.example"),),
        ),
        (
            '"mx.example" 1 ; SPF = Fail reason = "not one; of (its) hosts" '
            "smtp.mailfrom=ann@a.example",
            "mx.example",
            (one("spf", "fail", "not one; of (its) hosts", smtp_mailfrom="ann@a.example"),),
        ),
        (
            "mx.example (a (nested; none) comment);\r\n\tdkim=pass (2048-bit key; x=y) "
            'header.d=a.example header.i=@a.example header.b="ab/c+d=";\r\n\tdmarc=fail (p=none) '
            "header.from=a.example",
            "mx.example",
            (
                one(
                    "dkim",
                    "pass",
                    header_d="a.example",
                    header_i="@a.example",
                    header_b="ab/c+d=",
                ),
                one("dmarc", "fail", header_from="a.example"),
            ),
        ),
        (
            "mx.example; dkim/1=pass header . d = a.example header.b=ab/c=",
            "mx.example",
            (one("dkim", "pass", header_d="a.example", header_b="ab/c="),),
        ),
        (
            'mx.example; spf=fail reason="" smtp.helo=h.example',
            "mx.example",
            (one("spf", "fail", smtp_helo="h.example"),),
        ),
        (
            'mx.example; spf=pass smtp.mailfrom="ann lee"@a.example',
            "mx.example",
            (one("spf", "pass", smtp_mailfrom="ann lee@a.example"),),
        ),
        (
            "mx.example; dkim=fail reason=wrong signature header.d=a.example",
            "mx.example",
            (one("dkim", "fail", "wrong", header_d="a.example"),),
        ),
        (
            "müller.example; spf=pass smtp.mailfrom=jürgen@müller.example",
            "müller.example",
            (one("spf", "pass", smtp_mailfrom="jürgen@müller.example"),),
        ),
    ],
)
def test_spellings(text: str, host: str, results: tuple[MethodResult, ...]) -> None:
    assert parse(text) == AuthenticationResults(host, results)
    assert parse(text.encode()) == parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected a host's name"),
        ("; spf=pass", "expected a host's name"),
        ("spf=pass smtp.mailfrom=a.example", "expected a host's name"),
        ("mx.example and more; none", "expected a host's name"),
        ("mx.example 2; spf=pass", "version '2'; expected 1"),
        ("mx.example; spf", "expected a method and its result"),
        ("mx.example; =pass", "nothing before it"),
        ("mx.example; x_y=pass", "expected a method and its result"),
        ("mx.example" + "; spf=pass" * 101, "more than 100 results"),
        ("mx.example" + ";" * 1000, "more than 100 results"),
        ("mx.example; spf=pass" + " a.b=c" * 100, "more than 20 properties"),
        ("x" * (FIELD_LIMIT + 1), "expected at most"),
    ],
)
def test_what_is_none(text: str, why: str) -> None:
    with pytest.raises(ResultsError, match=re.escape(why)):
        parse(text)


HOSTILE = st.text(st.sampled_from('ab1=;. \t\r\n"\\()/@\x00é\ud800'), max_size=80)


@given(HOSTILE)
def test_nothing_breaks_the_reader(text: str) -> None:
    try:
        found = parse(text)
    except ResultsError:
        return
    assert found.authserv_id


@given(HOSTILE, HOSTILE, HOSTILE)
def test_nothing_that_is_written_ends_the_field(host: str, reason: str, value: str) -> None:
    result = MethodResult("dkim", "fail", reason, (("header.d", value),))
    text = written(AuthenticationResults(host, (result, result)))
    assert re.fullmatch(r"[ -~]*(?:\n\t[ -~]+)*", text)
    assert all(len(line) < 998 for line in text.split("\n"))


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)


@given(PRINTABLE.filter(bool), PRINTABLE, PRINTABLE.filter(bool))
def test_what_is_written_is_read_again(host: str, reason: str, value: str) -> None:
    told = MethodResult("spf", "pass", reason, (("smtp.mailfrom", value), ("smtp.x", "y")))
    results = AuthenticationResults(host, (told, MethodResult("dmarc", "none")))
    plainer = reason.translate(str.maketrans({"(": "", ")": "", ";": ",", '"': "'", "\\": "/"}))
    expected = replace(results, results=(replace(told, reason=plainer), *results.results[1:]))
    assert parse(written(results)) == expected
    assert parse(written(results).replace("\n", "\r\n").encode()) == expected


def test_a_reason_has_nothing_that_looks_like_a_comment_or_an_end() -> None:
    """Quotes would be enough, but not for each reader."""
    told = MethodResult("dkim", "permerror", 'signed in the future (t=); "x"')
    assert written(AuthenticationResults("mx.example", (told,))) == (
        "mx.example;\n\tdkim=permerror reason=\"signed in the future t=, 'x'\""
    )


def test_long_ones_are_folded_and_have_no_comment() -> None:
    told = MethodResult(
        "dkim", "fail", "the body was changed", (("header.d", "x" * 40), ("header.s", "y" * 30))
    )
    assert written(AuthenticationResults("mx.example", (told,))) == (
        'mx.example;\n\tdkim=fail reason="the body was changed"\n'
        f"\theader.d={'x' * 40}\n\theader.s={'y' * 30}"
    )
    assert written(AuthenticationResults("mx.example")) == "mx.example;\n\tnone"
