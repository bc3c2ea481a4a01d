"""One message's page: what it shows, and how harmless that is."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest

from filterd.chain.verdict import Action, Outcome, RemovedPart, Symbol
from tests.helpers.receiving_mta import Mta
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


def test_each_symbol_is_described_and_its_detail_is_there(ann: Site) -> None:
    long = "words: " + "money " * 40
    id = ann.put(
        symbols=(
            Symbol("BAYES_99", 8.0, long),
            Symbol("SPF_FAIL", 1.0, "a.example, by -all"),
            Symbol("FD_MONEY", 2.0, "Asks for <b>money</b>"),
            Symbol("RATELIMIT"),
        )
    )
    page = ann.get(f"/message/{id}")
    text = text_of(page)
    for described in (
        "The classifier says: spam with 99 to 99.9 % probability. Details words: money",
        "SPF: the sender's domain says that this client may not send its mail. a.example, by -all",
        "FD_MONEY Asks for <b>money</b>",
        "RATELIMIT More mail than the site's limits allow in that time.",
    ):
        assert described in text
    assert text.count("Asks for <b>money</b>") == 1
    assert f'<details><summary>Details</summary><bdi class="dim">{long}</bdi>' in page.text


DECEIVING = (
    b'From: "boss@mx.example" <ann@a.example>\r\nReply-To: x@b.example\r\nSubject: hello\r\n'
    b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b'<p title="<a href=https://c.example/>shop.org</a>">'
    b"<a title='>' href=https://evil.org/?x&amp;y><b>shop</b>.org</a>"
    b'<script><a href="https://evil.com/">shop.org</a></script>'
    b'<a href="https://other.example">read <i>this</i></a></p>\r\n'
)


def test_warnings_stand_above_the_text(ann: Site) -> None:
    page = ann.get(f"/message/{ann.put(data=DECEIVING)}")
    block = text_of(page).partition("Look twice")[2].partition("HTML without")[0]
    assert block.split(". ")[:3] == [
        " The sender's name says boss@mx.example, the address is ann@a.example",
        "Replies go to x@b.example, not to the domain of the sender, a.example",
        "A link shows shop.org and leads to evil.org",
    ]
    assert "c.example" not in block
    assert "evil.com" not in block
    assert "Look twice" not in ann.get(f"/message/{ann.put()}").text


def test_a_domain_like_that_of_a_hidden_recipient_is_not_told(site: Site) -> None:
    data = PLAIN.replace(b"ann@a.example", b"ann@0ther.example")
    id = site.put("joe@mx.example", "max@other.example", data=data)
    for who, told in (("ann", True), ("bob", False)):
        site.log_in(who)
        assert ("it looks like other.example" in site.get(f"/message/{id}").text) is told
        site.browser.cookies.clear()


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
            ["release-ham", "spam", "ham", "pin", "allow", "block", "delete"],
        ),
        (
            "bob",
            ["joe@mx.example"],
            "",
            ["release-ham", "spam", "ham", "pin", "allow", "block", "delete"],
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
    ann.post("/quarantine/do", do="delete", id=id, now="yes")
    text = text_of(ann.get(f"/message/{id}"))
    assert "no longer kept" in text
    assert "BAYES_99" in text
    assert ann.get(f"/message/{id}/raw").status_code == 410


@pytest.mark.parametrize("id", ["nothing", "..%2F..%2Fetc", "1m8zzzzzzzzzzzzz", "%00", "a" * 300])
def test_a_message_that_is_none(ann: Site, id: str) -> None:
    assert ann.get(f"/message/{id}").status_code == 404
    assert ann.get(f"/message/{id}/raw").status_code == 404


LIST = "state=waiting&sort=received&limit=25"


def shape_of(path: str) -> tuple[str, dict[str, list[str]]]:
    """Path and fields of an address as it stands in a page."""
    parts = urlsplit(html.unescape(path))
    return parts.path, parse_qs(parts.query)


def beside(site: Site, path: str) -> dict[str, str]:
    """Where the links to the messages before and behind lead, by `prev` and `next`."""
    found = re.findall(r'href="([^"]+)" rel="(prev|next)"', site.get(path).text)
    return {rel: html.unescape(target) for target, rel in found}


def test_the_messages_before_and_behind_in_the_list(ann: Site) -> None:
    ids = [ann.put() for _ in range(3)]
    listed = ann.get(f"/quarantine?{LIST}").text
    first = html.unescape(re.findall(rf'href="(/message/{ids[0]}[^"]*)"', listed)[0])
    forth, back = [], []
    path = first
    while path:
        forth.append(path)
        path = beside(ann, path).get("next", "")
    path = forth[-1]
    while path:
        back.append(path)
        path = beside(ann, path).get("prev", "")
    assert [path.partition("?")[0] for path in forth] == [f"/message/{id}" for id in ids]
    assert back == forth[::-1]
    assert "last of the list" in text_of(ann.get(forth[-1]))
    crumb = re.findall(r'<a href="(/quarantine[^"]+)">Quarantine', ann.get(first).text)
    assert [shape_of(path) for path in crumb] == [shape_of(f"/quarantine?{LIST}")]


@pytest.mark.parametrize("asked", ["", "?list=", "?list=state%3Dnone", "?list=" + "a%3Db%26" * 60])
def test_a_message_that_no_list_led_to_has_none_beside_it(ann: Site, asked: str) -> None:
    ids = [ann.put() for _ in range(3)]
    answer = ann.get(f"/message/{ids[1]}{asked}")
    assert answer.status_code == 200
    assert "of the list" not in text_of(answer)
    assert beside(ann, f"/message/{ids[1]}{asked}") == {}


@pytest.mark.parametrize(
    ("deed", "leads_on"),
    [("delete", True), ("spam", True), ("ham", True), ("pin", False), ("block", False)],
)
def test_after_a_decision_on_to_the_next(ann: Site, deed: str, *, leads_on: bool) -> None:
    ids = [ann.put() for _ in range(3)]
    at = ids[0]
    for after in (*ids[1:], ""):
        path = f"/message/{at}/do" if deed in ("spam", "ham", "pin") else "/quarantine/do"
        own = f"/message/{at}"
        answer = ann.post(path, do=deed, id=at, list=LIST, back=own)
        assert "1 message: done" in text_of(answer)
        there = f"/message/{after}" if after else "/quarantine"
        assert answer.url.path == (there if leads_on else own)
        assert ("sort=received" in unquote(str(answer.url))) is (deed != "block")
        at = after


def test_after_a_release_on_to_the_next_but_not_if_it_failed(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    ids = [releasing.put() for _ in range(3)]

    def released(id: str) -> str:
        to = "joe@mx.example"
        return releasing.post(f"/message/{id}/release", to=to, list=LIST).url.path

    assert released(ids[0]) == f"/message/{ids[1]}"
    mta.answers["RCPT:joe@mx.example"] = "550 5.1.1 no such user"
    assert released(ids[1]) == f"/message/{ids[1]}", "one has to see why"


def test_a_reviewer_goes_on_to_its_own_messages_only(site: Site) -> None:
    joe, foreign = "joe@mx.example", "max@other.example"
    first, *_, last = [site.put(to) for to in (joe, *[foreign] * 30, joe)]
    site.log_in("bob")
    query = urlencode({"list": LIST})
    assert beside(site, f"/message/{first}?{query}").keys() == {"next"}
    answer = site.post("/quarantine/do", do="delete", id=first, list=LIST, back="/quarantine")
    assert answer.url.path == f"/message/{last}"


def test_the_question_and_the_second_scan_know_the_list(ann: Site) -> None:
    id = ann.put()
    here = f"/message/{id}?{urlencode({'list': LIST})}"
    page = ann.get(here).text
    listed = LIST.replace("&", "&amp;")
    assert page.count(f'name="list" value="{listed}"') == page.count('action="/message/') + 1
    asked = ann.post("/quarantine/confirm", do="delete", id=id, back=here, list=LIST)
    assert f'name="list" value="{listed}"' in asked.text
    again = ann.post(f"/message/{id}/rescan", list=LIST)
    assert f'href="{html.escape(here)}"' in again.text


def test_until_when_it_is_kept(ann: Site) -> None:
    id = ann.put()
    expires = datetime.now().astimezone() + timedelta(days=30)
    assert f"Expires {expires:%Y-%m-%d}" in text_of(ann.get(f"/message/{id}"))
    ann.post(f"/message/{id}/do", do="pin")
    assert "Expires never: it is pinned" in text_of(ann.get(f"/message/{id}"))
    ann.post("/quarantine/do", do="delete", id=id)
    assert "Expires" not in text_of(ann.get(f"/message/{id}"))
