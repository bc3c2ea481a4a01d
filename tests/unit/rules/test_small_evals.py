"""VBounce, TextCat, WelcomeListSubject, AntiVirus and Bayes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.verdict import Symbol
from filterd.message import Message
from filterd.rules.evals import text_cat
from filterd.rules.evals.gathered import functions
from filterd.rules.evals.globs import Globs, is_all, is_in
from filterd.rules.view.view import View
from tests.unit.rules.eval_mail import HEADER, attached, message, says, single

BOUNCE = message(
    "Content-Type: text/plain\n\nYour message could not be delivered.",
    "Content-Type: message/rfc822\n\nReceived: from [192.0.2.1] by\n\tmail.example.com with ESMTP;"
    " 1 Jan 2026\nSubject: hi\n\nhi",
    kind="report",
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["welcomelist_bounce_relays *.example.com"], True),
        (["whitelist_bounce_relays other.example MAIL.example.com"], True),
        (["welcomelist_bounce_relays example.com"], False),
        ([], False),
    ],
)
def test_bounces_of_mail_from_here(options: list[str], expected: bool) -> None:
    assert says(BOUNCE, "check_welcomelist_bounce_relays", options=options) is expected
    assert says(BOUNCE, "check_whitelist_bounce_relays", options=options) is expected
    assert says(BOUNCE, "have_any_bounce_relays", options=options) is bool(options)


def test_a_bounce_in_the_text() -> None:
    data = single("text/plain", "> Received: from a.example by mail.example.com with ESMTP")
    options = ["welcomelist_bounce_relays mail.example.com"]
    assert says(data, "check_welcomelist_bounce_relays", options=options) is True
    other = single("text/plain", "it came from a.example by mail.example.com with ESMTP")
    assert says(other, "check_welcomelist_bounce_relays", options=options) is False


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("welcomelist_subject minutes", True),
        ("whitelist_subject M?nu*s", True),
        ("welcomelist_subject minute of", False),
        ("welcomelist_subject [minutes]", False),
    ],
)
def test_subjects_that_are_wanted(line: str, expected: bool) -> None:
    data = single("text/plain", "hi")
    assert says(data, "check_subject_in_welcomelist", options=[line]) is expected
    assert says(data, "check_subject_in_blocklist", options=[line]) is False
    other = line.replace("welcome", "block").replace("white", "black")
    assert says(data, "check_subject_in_blacklist", options=[other]) is expected


@pytest.mark.parametrize(
    ("glob", "text", "in_it", "whole"),
    [
        (b"otter", b"an otter", True, False),
        (b"*.example.com", b"mail.example.com", True, True),
        (b"*.example.com", b"example.com", False, False),
        (b"a?c", b"abc", True, True),
        (b"a*b*c", b"axxbyyc", True, True),
        (b"a*a", b"a", False, False),
        (b"*", b"", True, True),
        (b"ab*bc", b"abc", False, False),
        (b"a.c", b"abc", False, False),
    ],
)
def test_globs(glob: bytes, text: bytes, in_it: bool, whole: bool) -> None:
    assert is_in(glob, text) is in_it
    assert is_all(glob, text) is whole
    assert (text in Globs([b"never-this", glob])) is whole


@given(st.lists(st.binary(max_size=4).filter(lambda b: not set(b) & set(b"*?\n")), min_size=1))
def test_what_a_glob_is_made_of_is_found(pieces: list[bytes]) -> None:
    assert is_all(b"*".join(pieces), b"xy".join(pieces))
    assert is_in(b"*".join(pieces), b"1" + b"xy".join(pieces) + b"2")


@given(st.lists(st.text("ab*?", min_size=1, max_size=5), max_size=8), st.text("ab", max_size=6))
def test_many_globs_are_as_each_by_itself(patterns: list[str], text: str) -> None:
    globs = [one.encode() for one in patterns]
    assert (text.encode() in Globs(globs)) is any(is_all(one, text.encode()) for one in globs)


@pytest.mark.parametrize(
    ("part", "program", "misnamed"),
    [
        (attached("application/octet-stream", b"x", "a.exe"), True, False),
        (attached("application/octet-stream", b"x", "a.pdf"), False, False),
        (attached("image/gif", b"x", "a.exe"), True, True),
        (attached("image/gif", b"x", "a.gif"), False, False),
        (attached("text/plain", b"x", "a.gif"), False, True),
        (attached("application/msword", b"x", "a.doc"), False, False),
        (attached("application/zip", b"x", "a.doc"), False, True),
        (
            "Content-Type: application/x\nContent-Transfer-Encoding: base64\n\nTVqQAAMAAAAEAAAA",
            True,
            False,
        ),
        ("Content-Type: text/plain\n\nhi\nM35J0``,````$````", False, False),
    ],
)
def test_programs(part: str, program: bool, misnamed: bool) -> None:
    assert says(message(part), "check_microsoft_executable") is program
    assert says(message(part), "check_suspect_name") is misnamed


@pytest.mark.parametrize(
    ("symbol", "above", "most", "expected"),
    [
        ("BAYES_00", "0.00", "0.01", True),
        ("BAYES_00", "0.01", "0.05", False),
        ("BAYES_50", "0.40", "0.60", True),
        ("BAYES_99", "0.99", "1.00", True),
        ("BAYES_99", "0.999", "1.00", False),
        ("BAYES_999", "0.99", "1.00", True),
        ("BAYES_999", "0.999", "undef", True),
        ("OTHER", "0.00", "1.00", False),
    ],
)
def test_the_classifier(symbol: str, above: str, most: str, expected: bool) -> None:
    mail = Message(HEADER.encode() + b"\nhi\n")
    mail.symbols = (Symbol(symbol, 0.0),)
    assert functions()["check_bayes"](View(mail), above, most) is expected


GERMAN = "der Otter und die Biene gehen durch den Wald und sehen einen Bach " * 8
ENGLISH = "the otter and the bee walk through the wood and see a brook there " * 8


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Profiles of two languages, made of our own sentences."""
    made = b""
    for name, text in (("de", GERMAN), ("en", ENGLISH)):
        made += b"".join(group + b"\n" for group in text_cat.frequent(text.encode(), 400))
        made += b"0 " + name.encode() + b"\n"
    monkeypatch.setattr(text_cat, "_profiles", lambda: text_cat.read_profiles(made))


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        (GERMAN, "en", True),
        (GERMAN, "de", False),
        (GERMAN, "en de", False),
        (GERMAN, "all", False),
        (ENGLISH, "en", False),
        (ENGLISH, "de", True),
        ("der Otter", "en", False),
    ],
)
def test_languages(text: str, wanted: str, expected: bool) -> None:
    data = single("text/plain", text)
    assert says(data, "check_language", options=[f"ok_languages {wanted}"]) is expected


def test_without_profiles_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(text_cat, "PLACES", (str(tmp_path / "languages"),))
    text_cat._profiles.cache_clear()
    data = single("text/plain", GERMAN)
    try:
        assert says(data, "check_language", options=["ok_languages en"]) is False
    finally:
        text_cat._profiles.cache_clear()


def test_links_and_addresses_belong_to_no_language() -> None:
    data = single("text/plain", "see http://example.com/otter and ann@example.com now")
    assert text_cat.plain_text(View(Message(data))).split() == b"Minutes see and now".split()


def test_octets_of_another_script() -> None:
    data = single("text/plain; charset=iso-8859-1", "\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf")
    assert says(data, "check_body_8bits", options=["ok_languages en"]) is True
    assert says(data, "check_body_8bits", options=["ok_languages en ru"]) is False
    assert says(data, "check_body_8bits") is False


def linked(href: str, text: str, more: str = "") -> bytes:
    return single("text/html", f'<html><body><a href="{href}">{text}</a>{more}</body></html>')


OTHERS = '<a href="http://a.example.org/">a</a>' * 2 + '<a href="http://b.example.org/">b</a>'


@pytest.mark.parametrize(
    ("href", "text", "bounds", "expected"),
    [
        ("http://x.elsewhere.org/", "https://www.bank.com/login", (), True),
        ("http://x.bank.com/", "https://www.bank.com/login", (), False),
        ("http://x.elsewhere.org/", "http://www.bank.com/login", (), False),
        ("http://192.0.2.1/", "https://www.bank.com/", (), False),
        ("http://x.elsewhere.org/", "https://192.0.2.1/", (), True),
        ("http://x.elsewhere.org./", "https://www.bank.com", (), True),
        ("http://x.elsewhere.org/", "https://www.bank.com./login", (), True),
        ("http://x.bank.com/", "https://www.bank.com./login", (), False),
        ("http://x.elsewhere.or_g/", "https://www.bank.com/login", (), False),
        ("http://b%63.com/", "https://www.bank.com/login", (), False),
        ("http://b\xfccher.com/", "https://www.xn--bcher-kva.com/", (), False),
        ("http://b\xfccher.com/", "https://www.b\xfccher.com/", (), False),
        ("http://b\xfccher.com/", "https://www.bank.com/", (), True),
        ("http://x.elsewhere.org/", "the bank", (), False),
        ("http://x.elsewhere.org/", "https://www.bank.com/login", ("1", "10"), True),
        ("http://x.elsewhere.org/", "https://www.bank.com/login", ("4",), False),
        ("http://x.elsewhere.org/", "https://www.bank.com/login", ("1", "3"), False),
    ],
)
def test_links_that_say_another_site(
    href: str, text: str, bounds: tuple[str, ...], expected: bool
) -> None:
    assert says(linked(href, text, OTHERS), "check_https_http_mismatch", *bounds) is expected


@pytest.mark.parametrize(
    ("option", "content", "more", "expected"),
    [
        ("openphish", "http://bad.example.com/a/b/c?d\n", [], True),
        ("openphish", "# http://bad.example.com/a/b/c?d\n", [], False),
        ("openphish", "http://bad.example.com/a/b/c\n", [], False),
        ("openphish", "http://bad.example.com/a/b/c\n", ["phishing_uri_noparam 1"], True),
        ("phishtank", "id,url\n1,http://bad.example.com/a/b/c?d,x\n", [], True),
        ("phishstats", 'date,score,url\n"1","7.1","http://bad.example.com/a/b/c?d"\n', [], True),
        ("phishstats", 'date,score,url\n"1","5.1","http://bad.example.com/a/b/c?d"\n', [], False),
        ("phishstats", "date,score,url\n1,high,http://bad.example.com/a/b/c?d\n", [], False),
        ("openphish", None, [], False),
    ],
)
def test_lists_of_phishing_sites(
    tmp_path: Path, option: str, content: str | None, more: list[str], expected: bool
) -> None:
    feed = tmp_path / "feed"
    if content is not None:
        feed.write_text(content)
    options = [f"phishing_{option}_feed {feed}", *more]
    data = single("text/plain", "see http://bad.example.com/a/b/c?d now")
    assert says(data, "check_phishing", options=options) is expected


def test_a_list_that_changes_is_read_again(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    data = single("text/plain", "see http://bad.example.com/a now")
    for content, expected in (
        ("http://good.example.com/\n", False),
        ("http://bad.example.com/a\n", True),
    ):
        feed.write_text(content)
        options = [f"phishing_openphish_feed {feed}"]
        assert says(data, "check_phishing", options=options) is expected
