"""One message's page: what it shows, and how harmless that is."""

from __future__ import annotations

import re

import pytest

from filterd.chain.verdict import Action, Outcome, RemovedPart
from tests.helpers.site import PLAIN, Site, text_of

pytestmark = pytest.mark.slow

HTML = (
    b"From: Ann <ann@a.example>\r\nSubject: hello\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    b'<p onclick="x()">Hi <a href="http://evil.example/">there</a>'
    b'<img src="http://evil.example/i.png"><script>alert(1)</script></p>\r\n'
)


def test_a_message_and_that_it_was_viewed(ann: Site) -> None:
    id = ann.put()
    text = text_of(ann.get(f"/message/{id}"))
    for word in (
        "hello",
        "text of the message",
        "BAYES_99",
        "text:money(+1.0)",
        "192.0.2.1",
        "text/plain",
        "Release",
        "joe@mx.example",
    ):
        assert word in text
    ann.get(f"/message/{id}")
    assert ann.events(id) == ["viewed"]


def test_what_each_of_ones_own_recipients_gets(site: Site) -> None:
    joe, max_ = "joe@mx.example", "max@other.example"
    outcomes = (Outcome(joe, Action.QUARANTINE, "strict"), Outcome(max_, Action.ACCEPT, "lax"))
    id = site.put(joe, max_, outcomes=outcomes)
    for who, seen in (("ann", {"strict", "lax"}), ("bob", {"strict"})):
        site.log_in(who)
        text = text_of(site.get(f"/message/{id}"))
        assert {rule for rule in ("strict", "lax") if rule in text} == seen
        assert (max_ in text) is (who == "ann")
        site.browser.cookies.clear()


def test_the_verdict_in_one_sentence_is_about_ones_own_recipients(site: Site) -> None:
    joe, max_ = "joe@mx.example", "max@other.example"
    outcomes = (
        Outcome(joe, Action.QUARANTINE, "strict", (), 3.0),
        Outcome(max_, Action.QUARANTINE, "secret", (), 8.0),
    )
    id = site.put(joe, max_, outcomes=outcomes)
    for who, told in (
        ("ann", "Held: 9.0 points, the limits are 3.0 (rule strict), 8.0 (rule secret)."),
        ("bob", "Held: 9.0 points, the limit is 3.0 (rule strict)."),
    ):
        site.log_in(who)
        page = site.get(f"/message/{id}")
        assert told in text_of(page)
        assert page.text.index('id="verdict"') < page.text.index('<table class="symbols')
        assert ("secret" in page.text) is (who == "ann")
        site.browser.cookies.clear()


def buttons_of(page: str) -> list[str]:
    return re.findall(r'<button name="do" value="([a-z-]+)"', page)


@pytest.mark.parametrize(
    ("who", "recipients", "virus", "shown"),
    [
        (
            "ann",
            ["joe@mx.example"],
            "",
            ["spam", "ham", "pin", "release-ham", "allow", "block", "delete"],
        ),
        (
            "bob",
            ["joe@mx.example"],
            "",
            ["spam", "ham", "pin", "release-ham", "allow", "block", "delete"],
        ),
        (
            "bob",
            ["joe@mx.example", "max@other.example"],
            "",
            ["spam", "ham", "pin", "allow", "block"],
        ),
        ("bob", ["joe@mx.example"], "Eicar", ["spam", "ham", "pin", "allow", "block", "delete"]),
    ],
)
def test_the_buttons_are_those_of_what_is_permitted(
    site: Site, who: str, recipients: list[str], virus: str, shown: list[str]
) -> None:
    site.log_in(who)
    id = site.put(*recipients, virus=virus, removed=(RemovedPart("a.exe", "a name", 0, 4),))
    if not virus and who == "bob":
        shown = [name for name in shown if name != "release-ham"]
    page = site.get(f"/message/{id}").text
    assert buttons_of(page) == shown
    assert ("Release</button>" in page) is (who == "ann")
    assert (f"/message/{id}/removed/1" in page) is (who == "ann")
    assert (f"/message/{id}/raw" in page) is not bool(virus)
    for name in buttons_of(page):
        assert "not done:" not in site.post("/quarantine/confirm", do=name, id=id).text


def test_html_is_shown_in_a_frame_of_its_own(ann: Site) -> None:
    id = ann.put(data=HTML)
    answer = ann.get(f"/message/{id}")
    assert f'src="/message/{id}/part/0" sandbox=""' in answer.text
    assert "http://evil.example/" in text_of(answer), "where the link leads"
    assert "would load 1 image" in text_of(answer)
    frame = ann.get(f"/message/{id}/part/0")
    assert frame.headers["content-type"] == "text/html; charset=utf-8"
    policy = frame.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "img-src" not in policy
    assert "evil.example" not in frame.text
    assert "alert" not in frame.text
    assert "onclick" not in frame.text
    assert "there" in frame.text


def test_a_frame_only_for_who_opened_the_message(ann: Site) -> None:
    id = ann.put(data=HTML)
    assert ann.get(f"/message/{id}/part/0").status_code == 404
    assert ann.events(id) == []


@pytest.mark.parametrize(
    ("number", "status"),
    [("1", 404), ("99999999999999999999", 404), ("-1", 404), ("x", 422), ("0x0", 422)],
)
def test_a_part_that_is_none(ann: Site, number: str, status: int) -> None:
    id = ann.put(data=HTML)
    ann.get(f"/message/{id}")
    assert ann.get(f"/message/{id}/part/{number}").status_code == status


def test_the_exact_bytes_as_a_file(ann: Site) -> None:
    data = b"Subject: hello\r\n\r\n\xff\x00.\r\n.\n no end"
    id = ann.put(data=data)
    answer = ann.get(f"/message/{id}/raw")
    assert answer.content == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{id}.eml"'
    assert ann.events(id) == ["exported"]


def test_a_removed_part_as_a_file(ann: Site) -> None:
    id = ann.put(removed=(RemovedPart('a"\r\n.exe', "a banned name", 0, 4),))
    assert "a banned name" in text_of(ann.get(f"/message/{id}"))
    answer = ann.get(f"/message/{id}/removed/1")
    assert answer.content == PLAIN[:4]
    assert answer.headers["content-disposition"] == f'attachment; filename="{id}.part1"'
    assert ann.get(f"/message/{id}/removed/2").status_code == 404
    assert ann.get(f"/message/{id}/removed/0").status_code == 404


def test_what_was_deleted_is_still_described(ann: Site) -> None:
    id = ann.put()
    ann.post("/quarantine/do", do="delete", id=id)
    text = text_of(ann.get(f"/message/{id}"))
    assert "no longer kept" in text
    assert "BAYES_99" in text
    assert ann.get(f"/message/{id}/raw").status_code == 410


@pytest.mark.parametrize("id", ["nothing", "..%2F..%2Fetc", "1m8zzzzzzzzzzzzz", "%00", "a" * 300])
def test_a_message_that_is_none(ann: Site, id: str) -> None:
    assert ann.get(f"/message/{id}").status_code == 404
    assert ann.get(f"/message/{id}/raw").status_code == 404
