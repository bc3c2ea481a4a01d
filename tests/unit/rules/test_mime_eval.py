"""MIMEEval: what is seen in the structure of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message import Message
from filterd.rules.evals.locales import is_charset_ok
from filterd.rules.evals.mime_eval import Structure
from filterd.rules.view.view import View
from tests.unit.rules.eval_mail import HEADER, attached, gif, message, says, single

PLAIN = "Content-Type: text/plain; charset=utf-8\n\n" + "otter " * 10
HTML = "Content-Type: text/html\n\n<p>" + "otter " * 40 + "</p>"
BOTH = message(PLAIN, HTML, kind="alternative")
CAPITALS = "BUY OUR CHEAP TONER NOW " * 12


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (BOTH, "mime_multipart_alternative", True),
        (message(PLAIN), "mime_multipart_alternative", False),
        (BOTH, "mime_body_html_count", True),
        (message(PLAIN), "mime_body_html_count", False),
        (message(PLAIN, end=""), "mime_missing_boundary", True),
        (message(PLAIN), "mime_missing_boundary", False),
        (message(attached("text/plain", b"otter")), "mime_base64_encoded_text", True),
        (message(attached("text/plain; charset=utf-8", b"x")), "mime_base64_encoded_text", False),
        (message(attached("text/plain", b"otter", "a.txt")), "mime_base64_encoded_text", False),
        (single("text/plain", "caf\xe9"), "mime_ascii_text_illegal", True),
        (single("text/plain; charset=iso-8859-1", "caf\xe9"), "mime_ascii_text_illegal", False),
        (single("text/plain; charset=iso-0123-4", "x"), "mime_bad_iso_charset", True),
        (single("text/plain; charset=iso-8859-15", "x"), "mime_bad_iso_charset", False),
        (single("text/plain; charset=iso-2022-jp", "x"), "mime_bad_iso_charset", False),
        (BOTH, "mime_of_nobody", False),
    ],
)
def test_check_for_mime(data: bytes, name: str, expected: bool) -> None:
    assert says(data, "check_for_mime", name) is expected


def quoted(text: str) -> bytes:
    return single("text/plain; charset=utf-8", text, "Content-Transfer-Encoding: quoted-printable")


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("x" * 79, "mime_qp_long_line", True),
        ("x" * 78, "mime_qp_long_line", False),
        ("=41=42=43", "mime_qp_count", True),
        ("=C3=A4=FC", "mime_qp_count", False),
        ("otter=20\nmink=09=20", "mime_qp_count", False),
    ],
)
def test_quoted_printable(text: str, name: str, expected: bool) -> None:
    assert says(quoted(text), "check_for_mime", name) is expected


@pytest.mark.parametrize(("least", "expected"), [("0.3", True), ("0.32", False)])
def test_escapes_that_nobody_needs(least: str, expected: bool) -> None:
    # Three escapes in ten octets, the line end counted.
    assert says(quoted("=41=42=43"), "check_qp_ratio", least) is expected


def test_html_only() -> None:
    assert says(message(HTML), "check_for_mime_html_only") is True
    assert says(single("Text/HTML", "x"), "check_for_mime_html_only") is True
    assert says(BOTH, "check_for_mime_html_only") is False
    assert says(BOTH, "check_for_mime_html") is True
    assert says(message(PLAIN), "check_for_mime_html") is False


@pytest.mark.parametrize(
    ("least", "below", "expected"), [("0.1", "0.5", True), ("0.5", "1", False)]
)
def test_plain_text_to_html(least: str, below: str, expected: bool) -> None:
    assert says(BOTH, "check_mime_multipart_ratio", least, below) is expected


@pytest.mark.parametrize(
    ("data", "flag"),
    [
        (b"From: a@example.net\nTo: b@example.org\n", "missing_head_body_separator"),
        (message("otter without a header"), "missing_mime_headers"),
        (message("Content-Type: text/plain\notter"), "missing_mime_head_body_separator"),
        (message(PLAIN, end="--otter--\n\nmink"), "mime_epilogue_exists"),
        ((HEADER + "X-Long: " + "x" * 9000 + "\n\nhi\n").encode(), "truncated_header"),
    ],
)
def test_faults_of_the_structure(data: bytes, flag: str) -> None:
    assert says(data, "check_msg_parse_flags", flag) is True
    assert says(message(PLAIN), "check_msg_parse_flags", flag) is False
    assert says(data, "check_msg_parse_flags", "of_nobody") is False


def test_entities_in_plain_text() -> None:
    data = single("text/plain", "&#x4F60;&#x597D; otter")
    assert says(data, "check_abundant_unicode_ratio", "0.1") is True
    assert says(data, "check_abundant_unicode_ratio", "0.9") is False
    assert says(data, "check_abundant_unicode_ratio", "otter") is False


def test_lines_of_base64() -> None:
    data = message("Content-Type: image/gif\nContent-Transfer-Encoding: base64\n\n" + "A" * 79)
    assert says(data, "check_base64_length", "79", "80") is True
    assert says(data, "check_base64_length", "81") is False
    assert says(data, "check_base64_length", "10", "70") is False
    assert says(message(PLAIN), "check_base64_length", "1") is False


def test_a_picture_among_alternatives() -> None:
    picture = attached("image/gif", gif(1, 1))
    assert says(message(PLAIN, picture, kind="alternative"), "check_ma_non_text") is True
    assert says(message(PLAIN, picture), "check_ma_non_text") is False
    assert says(BOTH, "check_ma_non_text") is False


@pytest.mark.parametrize(
    ("text", "above", "most", "expected"),
    [
        (CAPITALS, "75", "100", True),
        (CAPITALS.lower(), "0", "100", False),
        ("BUY NOW", "75", "100", False),
        (CAPITALS + CAPITALS.lower(), "45", "55", True),
    ],
)
def test_capitals(text: str, above: str, most: str, expected: bool) -> None:
    data = single("text/plain; charset=utf-8", text)
    assert says(data, "check_for_uppercase", above, most) is expected


def test_capitals_of_scripts_without_small_letters() -> None:
    data = single("text/plain; charset=big5", CAPITALS)
    assert says(data, "check_for_uppercase", "75", "100") is False


def test_charsets_that_are_unusual_here() -> None:
    data = single("text/plain; charset=koi8-r", "\xf0\xd2\xc9\xd7\xc5\xd4" * 9)
    options = ["ok_locales en"]
    assert says(data, "check_for_faraway_charset", options=options) is True
    assert says(data, "check_for_mime", "mime_faraway_charset", options=options) is True
    assert says(data, "check_for_faraway_charset", options=["ok_locales en ru"]) is False
    assert says(data, "check_for_faraway_charset") is False
    plain = single("text/plain; charset=koi8-r", "otter " * 9)
    assert says(plain, "check_for_faraway_charset", options=options) is False


@pytest.mark.parametrize(
    ("charset", "locale", "expected"),
    [
        ("iso-8859-2", "en", True),
        ("utf-8", "en", True),
        ("windows-1251", "en", True),
        ("koi8-r", "en", False),
        ("koi8-r", "ru_RU", True),
        ("big5", "zh", True),
        ("big5", "ja", False),
        ("3Dus-ascii", "en", True),
        ("euc-kr", "all", True),
    ],
)
def test_charsets_of_locales(charset: str, locale: str, expected: bool) -> None:
    assert is_charset_ok(charset, (locale,)) is expected


@given(st.binary(max_size=2000))
def test_any_octets_have_a_structure(data: bytes) -> None:
    values = Structure(View(Message(HEADER.encode() + data), {})).values
    assert all(value >= 0 for value in values.values())
