"""The pages: what they show, what their forms do, and what a reviewer cannot reach."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from httpx import Response

from filterd.history import Record
from filterd.message import Envelope
from filterd.verdict import RemovedPart
from tests.unit.quarantine.mta import Mta
from tests.unit.web.site import PLAIN, Site, text_of, token_in

HTML = (
    b"From: Ann <ann@a.example>\r\nSubject: hello\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    b'<p onclick="x()">Hi <a href="http://evil.example/">there</a>'
    b'<img src="http://evil.example/i.png"><script>alert(1)</script></p>\r\n'
)


@pytest.fixture
def ann(site: Site) -> Site:
    """The site, ann (admin) logged in."""
    site.log_in("ann")
    return site


@pytest.fixture
def bob(site: Site) -> Site:
    """The site, bob (reviewer of @mx.example) logged in."""
    site.log_in("bob")
    return site


# The list


def test_the_list_shows_what_is_kept(ann: Site) -> None:
    ann.put("joe@mx.example", subject=b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    text = text_of(ann.get("/quarantine"))
    for word in ("Grüße", "ann@a.example", "joe@mx.example", "spam", "held", "9.0"):
        assert word in text


def test_an_empty_list_says_so(ann: Site) -> None:
    assert "The quarantine is empty." in text_of(ann.get("/quarantine"))
    assert "Nothing of that" in text_of(ann.get("/quarantine?text=x"))


def test_what_a_message_says_of_itself_cannot_become_markup(ann: Site) -> None:
    id = ann.put(subject=b'"><script>alert(1)</script>\x1b[31m')
    for path in ("/quarantine", f"/message/{id}"):
        text = ann.get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "\x1b" not in text


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("text=invoice", {"invoice"}),
        ("reason=virus", {"virus"}),
        ("domain=other.example", {"elsewhere"}),
        ("score_from=20", {"high"}),
        ("sender=nobody", set()),
        ("recipient=max&reason=spam", {"elsewhere"}),
        ("since=yesterday", {"invoice", "virus", "elsewhere", "high"}),
    ],
)
def test_search(ann: Site, asked: str, found: set[str]) -> None:
    ann.put(subject=b"the-invoice")
    ann.put(subject=b"the-virus", reason="virus", virus="Eicar")
    ann.put("max@other.example", subject=b"the-elsewhere")
    ann.put(subject=b"the-high", score=25.0)
    text = text_of(ann.get(f"/quarantine?{asked}"))
    seen = {w for w in ("invoice", "virus", "elsewhere", "high") if f"the-{w}" in text}
    assert seen == found
    assert ("right would be 2026-11-23" in text) is ("yesterday" in asked)


def test_pages_follow_each_other(ann: Site) -> None:
    ids = [ann.put() for _ in range(60)]
    seen: list[str] = []
    path = "/quarantine?limit=25"
    for _ in range(3):
        text = ann.get(path).text
        seen += [id for id in ids if f'href="/message/{id}"' in text]
        if "data-next" not in text:
            break
        path = text.split('" rel="next"')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert sorted(seen) == sorted(ids)


def test_a_page_that_is_none_is_told(ann: Site) -> None:
    answer = ann.get("/quarantine?after=nonsense")
    assert answer.status_code == 200
    assert "not the `next`" in text_of(answer)


# Deeds


def test_several_at_once_after_a_question(ann: Site) -> None:
    ids = [ann.put() for _ in range(3)]
    asked = ann.post("/quarantine/confirm", deed="delete", id=ids[:2], back="/quarantine?text=a")
    assert "Delete: 2 messages" in text_of(asked)
    assert ann.events() == [], "asking does nothing"
    done = ann.post(
        "/quarantine/do", deed="delete", id=ids[:2], back="/quarantine?reason=spam", note="old"
    )
    assert "2 messages: done" in text_of(done)
    states = [ann.state.desk.store.standing(id).state for id in ids]
    assert states == ["deleted", "deleted", "held"]
    (event,) = ann.state.desk.store.journal.events(ids[0])
    assert (event.who, event.note) == ("web:ann", "old")
    assert "2 messages: done" not in text_of(ann.get(str(done.url.raw_path, "ascii")))


@pytest.mark.parametrize(
    ("deed", "event"),
    [("pin", "pinned"), ("allow", "allowed"), ("block", "blocked"), ("delete", "deleted")],
)
def test_each_deed_is_in_the_journal(ann: Site, deed: str, event: str) -> None:
    id = ann.put()
    answer = ann.post("/quarantine/do", deed=deed, id=id, back=f"/message/{id}")
    assert answer.status_code == 200
    assert "1 message: done" in text_of(answer)
    assert ann.events(id)[0] == event


@pytest.mark.parametrize("deed", ["spam", "ham"])
def test_what_is_learned_is_in_the_models_journal(ann: Site, deed: str) -> None:
    id = ann.put()
    answer = ann.post(f"/message/{id}/do", deed=deed)
    assert f"learned as {deed}" in text_of(answer)
    assert ann.events(id)[0] == "learned"
    journal = b"".join(p.read_bytes() for p in (ann.folder / "models").rglob("*") if p.is_file())
    assert b"web:ann" in journal


def test_an_allowed_sender_is_in_the_list(ann: Site) -> None:
    ann.post("/quarantine/do", deed="allow", id=ann.put())
    ann.post("/quarantine/do", deed="block", id=ann.put(), everybody="yes")
    lines = (ann.folder / "senders.list").read_text().splitlines()
    assert lines == ["allow ann@a.example for joe@mx.example", "block ann@a.example for *"]


@pytest.mark.parametrize("deed", ["", "nonsense", "DELETE"])
def test_a_deed_that_is_none(ann: Site, deed: str) -> None:
    id = ann.put()
    for path in ("/quarantine/confirm", "/quarantine/do", f"/message/{id}/do"):
        assert ann.post(path, deed=deed, id=id).status_code in (400, 403)
    assert ann.events() == []


def test_a_grave_deed_is_not_done_without_the_question(ann: Site) -> None:
    id = ann.put()
    assert ann.post(f"/message/{id}/do", deed="delete").status_code == 403
    assert ann.events() == []


def test_ids_that_are_none_are_told_and_stop_nothing(ann: Site) -> None:
    id = ann.put()
    answer = ann.post("/quarantine/do", deed="pin", id=["../../etc/passwd", "1m8zzzzzzzzzzzzz", id])
    assert "1 message: done" in text_of(answer)
    assert "2 messages: not done" in text_of(answer)


def test_nobody_is_sent_to_another_site_after_a_deed(ann: Site) -> None:
    token = token_in(ann.get("/scan"))
    data = {"csrf": token, "deed": "pin", "id": ann.put(), "back": "https://evil.example/"}
    answer = ann.browser.post("/quarantine/do", data=data)
    assert answer.headers["location"].startswith("/quarantine?done=")


# Release


def test_release_to_those_who_were_chosen(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    id = releasing.put("joe@mx.example", "sue@mx.example")
    answer = releasing.post(f"/message/{id}/release", to="sue@mx.example", note="wanted")
    assert "1 message: done" in text_of(answer)
    (taken,) = mta.taken
    assert ["sue@mx.example" in line for line in taken.rcpt] == [True]
    assert taken.data == PLAIN
    states = {d.recipient: d.state for d in releasing.state.desk.store.standing(id).deliveries}
    assert states == {"joe@mx.example": "held", "sue@mx.example": "released"}


def test_twice_is_once(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    id = releasing.put()
    releasing.post(f"/message/{id}/release", to="joe@mx.example")
    answer = releasing.post(f"/message/{id}/release", to="joe@mx.example")
    assert "already" in text_of(answer)
    assert len(mta.taken) == 1


def test_to_another_address_as_an_attachment(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    id = releasing.put()
    releasing.post(f"/message/{id}/release", other="it@lab.example", attached="yes")
    (taken,) = mta.taken
    assert ["it@lab.example" in line for line in taken.rcpt] == [True]
    assert b"message/rfc822" in taken.data


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "choose a recipient"),
        ({"other": "nonsense"}, "is no address"),
        ({"to": "joe@mx.example"}, "Eicar"),
        ({"to": "joe@mx.example", "virus": "yes"}, "Eicar"),
    ],
)
def test_a_release_that_must_not_be(
    releasing: Site, mta: Mta, fields: dict[str, str], said: str
) -> None:
    releasing.log_in()
    id = releasing.put(reason="virus", virus="Eicar")
    answer = releasing.post(f"/message/{id}/release", **fields)
    assert "not done" in text_of(answer)
    assert said in text_of(answer)
    assert mta.taken == []


def test_a_virus_with_a_reason(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    id = releasing.put(reason="virus", virus="Eicar")
    releasing.post(f"/message/{id}/release", to="joe@mx.example", virus="yes", note="for the lab")
    assert len(mta.taken) == 1


def test_an_mta_that_says_no_is_quoted(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    mta.answers["RCPT:joe@mx.example"] = "550 5.1.1 no such user"
    id = releasing.put()
    answer = releasing.post(f"/message/{id}/release", to="joe@mx.example")
    assert "not done" in text_of(answer)
    assert "550 5.1.1 no such user" in text_of(ann_page := releasing.get(f"/message/{id}"))
    assert "failed" in text_of(ann_page)


# One message


def test_a_message_and_that_it_was_viewed(ann: Site) -> None:
    id = ann.put()
    text = text_of(ann.get(f"/message/{id}"))
    for word in ("hello", "text of the message", "BAYES_99", "text:money(+1.0)", "192.0.2.1",
                 "text/plain", "Release", "joe@mx.example"):  # fmt: skip
        assert word in text
    ann.get(f"/message/{id}")
    assert ann.events(id) == ["viewed"]


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


@pytest.mark.parametrize("number", ["1", "99999999999999999999", "-1", "x", "0x0"])
def test_a_part_that_is_none(ann: Site, number: str) -> None:
    id = ann.put(data=HTML)
    ann.get(f"/message/{id}")
    assert ann.get(f"/message/{id}/part/{number}").status_code in (404, 422)


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
    ann.post("/quarantine/do", deed="delete", id=id)
    text = text_of(ann.get(f"/message/{id}"))
    assert "no longer kept" in text
    assert "BAYES_99" in text
    assert ann.get(f"/message/{id}/raw").status_code == 410


@pytest.mark.parametrize("id", ["nothing", "..%2F..%2Fetc", "1m8zzzzzzzzzzzzz", "%00", "a" * 300])
def test_a_message_that_is_none(ann: Site, id: str) -> None:
    assert ann.get(f"/message/{id}").status_code == 404
    assert ann.get(f"/message/{id}/raw").status_code == 404


# What a reviewer cannot reach


def test_a_reviewer_sees_its_own_only(bob: Site) -> None:
    mine, shared = bob.put("joe@mx.example"), bob.put("joe@mx.example", "max@other.example")
    foreign = bob.put("max@other.example")
    listed = bob.get("/quarantine").text
    assert mine in listed
    assert shared in listed
    assert foreign not in listed
    assert "max@other.example" not in listed
    assert bob.get(f"/message/{mine}").status_code == 200
    page = bob.get(f"/message/{shared}")
    assert "joe@mx.example" in page.text
    assert "max@other.example" not in page.text
    for path in ("", "/raw", "/part/0", "/removed/1"):
        assert bob.get(f"/message/{foreign}{path}").status_code == 404
    assert bob.events(foreign) == []
    assert "/message/" not in bob.get(f"/quarantine?text={foreign}").text


@pytest.mark.parametrize(
    "deed", ["release", "release-ham", "spam", "ham", "delete", "pin", "unpin", "allow", "block"]
)
def test_a_reviewer_does_nothing_to_others(bob: Site, deed: str) -> None:
    foreign = bob.put("max@other.example", subject=b"a secret subject")
    asked = bob.post("/quarantine/confirm", deed=deed, id=foreign)
    assert "secret" not in asked.text
    answer = bob.post("/quarantine/do", deed=deed, id=foreign)
    assert "not done" in text_of(answer)
    assert "secret" not in answer.text
    assert bob.events(foreign) == []
    assert not (bob.folder / "senders.list").exists()


@pytest.mark.parametrize("deed", ["delete", "release-ham"])
def test_a_reviewer_does_not_decide_for_others(bob: Site, deed: str) -> None:
    shared = bob.put("joe@mx.example", "max@other.example")
    answer = bob.post("/quarantine/do", deed=deed, id=shared)
    assert "not yours" in text_of(answer)
    assert bob.events(shared) == []


def test_a_reviewer_releases_its_own_copy_only(releasing: Site, mta: Mta) -> None:
    releasing.log_in("bob")
    shared = releasing.put("joe@mx.example", "max@other.example")
    for other in ("max@other.example", "it@lab.example"):
        answer = releasing.post(f"/message/{shared}/release", to="joe@mx.example", other=other)
        assert "your own recipients only" in text_of(answer)
    assert mta.taken == []
    releasing.post("/quarantine/do", deed="release", id=shared)
    (taken,) = mta.taken
    assert ["joe@mx.example" in line for line in taken.rcpt] == [True]


def test_a_reviewer_leaves_viruses_to_admins(releasing: Site, mta: Mta) -> None:
    releasing.log_in("bob")
    id = releasing.put(reason="virus", virus="Eicar")
    releasing.post(f"/message/{id}/release", to="joe@mx.example", virus="yes", note="I want it")
    releasing.post("/quarantine/do", deed="release", id=id)
    releasing.post("/quarantine/do", deed="release-ham", id=id)
    assert mta.taken == []
    assert releasing.get(f"/message/{id}/raw").status_code == 403
    assert releasing.events(id) == ["viewed"], "by the page after the first try"


def test_a_reviewer_allows_for_its_own_only(bob: Site) -> None:
    shared = bob.put("joe@mx.example", "max@other.example")
    answer = bob.post("/quarantine/do", deed="allow", id=shared, everybody="yes")
    assert "only an admin" in text_of(answer)
    bob.post("/quarantine/do", deed="allow", id=shared)
    lines = (bob.folder / "senders.list").read_text().splitlines()
    assert lines == ["allow ann@a.example for joe@mx.example"]


def test_a_reviewer_has_no_dashboard(bob: Site) -> None:
    assert bob.get("/").headers["location"] == "/quarantine"


def test_a_reviewers_audit_page_has_its_own_deeds(bob: Site) -> None:
    mine, foreign = bob.put("joe@mx.example"), bob.put("max@other.example")
    bob.state.desk.store.note("viewed", foreign, "web:ann")
    bob.post("/quarantine/do", deed="pin", id=mine)
    text = bob.get("/audit").text
    assert mine in text
    assert foreign not in text
    assert foreign not in bob.get(f"/audit?id={foreign}&text=").text.replace(f'"{foreign}"', "")


# History and dashboard


def record(number: int, recipient: str, action: str = "accept") -> Record:
    return Record(
        id=f"id{number}",
        received=time.time() - number,
        queue_id=f"Q{number}",
        client="c[192.0.2.1]",
        sender="ann@a.example",
        recipients=(recipient,),
        subject=f"<b>subject-{number}</b>",
        size=99,
        action=action,
        score=1.5,
        required=5.0,
        symbols=(("URI_BAD", 1.5),),
        milliseconds={"bayes": 3.25},
    )


@pytest.fixture
def lived(site: Site) -> Site:
    """A site through which mail went."""
    site.state.history.add(
        [
            record(1, "joe@mx.example"),
            record(2, "joe@mx.example", "reject"),
            record(3, "max@other.example", "quarantine"),
        ]
    )
    return site


def spoil(file: Path) -> None:
    """Put something else in a database's place, and in that of its journal."""
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
    file.write_bytes(b"no database" * 100)


def subjects(answer: Response) -> set[int]:
    return {number for number in range(100) if f"subject-{number}&lt;" in answer.text}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", {1, 2, 3}),
        ("?action=reject", {2}),
        ("?domain=other.example", {3}),
        ("?symbol=URI_BAD&recipient=joe", {1, 2}),
        ("?symbol=URI", set()),
        ("?text=subject-3", {3}),
        ("?since=2999-01-01", set()),
        ("?action=nonsense", {1, 2, 3}),
        ("?after=nonsense", set()),
    ],
)
def test_the_history(lived: Site, asked: str, found: set[int]) -> None:
    lived.log_in()
    answer = lived.get(f"/history{asked}")
    assert answer.status_code == 200
    assert subjects(answer) == found
    assert ("accepted: accept" in text_of(answer)) is ("=nonsense" in asked and "act" in asked)


def test_a_reviewers_history_is_that_of_its_recipients(lived: Site) -> None:
    lived.log_in("bob")
    assert subjects(lived.get("/history")) == {1, 2}
    assert "max@" not in lived.get("/history").text


def test_the_history_has_pages(site: Site) -> None:
    site.log_in()
    site.state.history.add([record(number, "joe@mx.example") for number in range(60)])
    first = site.get("/history?limit=25")
    assert subjects(first) == set(range(25))
    link = first.text.split('" rel="next"')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert subjects(site.get(link)) == set(range(25, 50))


def test_a_history_that_cannot_be_read_is_no_traceback(site: Site) -> None:
    site.log_in()
    spoil(site.state.history.file)
    answer = site.get("/history")
    assert answer.status_code == 503
    assert "the log says why" in text_of(answer)


@pytest.mark.parametrize("days", ["", "?days=7", "?days=30", "?days=x", "?days=999999999"])
def test_the_dashboard(lived: Site, days: str) -> None:
    lived.log_in()
    lived.put()
    answer = lived.get(f"/{days}")
    assert answer.status_code == 200
    text = text_of(answer)
    for word in ("accept 1", "reject 1", "quarantine 1", "URI_BAD", "spam held 1"):
        assert word in text
    assert answer.text.count('class="bar ') >= 1


def test_the_dashboard_tells_what_is_not_well(lived: Site) -> None:
    lived.log_in()
    text = text_of(lived.get("/"))
    for words in ("Daemon does not answer", "clamd not in the chain", "Last hour 3 messages",
                  "Classifier learning", "50 missing", "gtube"):  # fmt: skip
        assert words in text
    spoil(lived.state.history.file)
    (lived.folder / "models" / "current").mkdir(parents=True)
    answer = lived.get("/")
    assert answer.status_code == 200
    assert "Last hour unknown" in text_of(answer)


# Audit, scan


def test_the_audit_page_is_newest_first_and_can_be_searched(ann: Site) -> None:
    ids = [ann.put() for _ in range(3)]
    for number, id in enumerate(ids):
        ann.state.desk.store.note("viewed", id, f"cli:user{number}", f"why-{number}")
    text = text_of(ann.get("/audit"))
    assert text.index("why-2") < text.index("why-1") < text.index("why-0")
    text = text_of(ann.get("/audit?who=user1"))
    assert "why-1" in text
    assert "why-2" not in text
    assert "why-0" in text_of(ann.get(f"/audit?id={ids[0]}"))
    assert "Nothing of that" in text_of(ann.get("/audit?what=released"))
    assert "right would be" in text_of(ann.get("/audit?since=nonsense"))


def test_the_audit_page_has_pages(ann: Site) -> None:
    id = ann.put()
    for number in range(150):
        ann.state.desk.store.note("viewed", id, "cli:x", f"why-{number}-")
    first, second = ann.get("/audit"), ann.get("/audit?page=2")
    assert "why-149-" in first.text
    assert "why-49-" not in first.text
    assert "why-49-" in second.text
    assert "why-0-" in second.text
    assert "Older" not in text_of(second)
    for odd in ("0", "-1", "x", "٣", "9" * 5000):
        assert ann.get(f"/audit?page={odd}").status_code == 200


GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def test_scan_an_uploaded_message(ann: Site) -> None:
    token = token_in(ann.get("/scan"))
    answer = ann.browser.post(
        "/scan",
        data={"csrf": token, "sender": "x@a.example", "recipients": "joe@mx.example"},
        files={"message": ("<b>.eml", b"Subject: x\n\n" + GTUBE + b"\n")},
    )
    text = text_of(answer)
    assert answer.status_code == 200
    assert "GTUBE" in text
    assert "reject" in text
    assert "<b>.eml" in text
    assert "The quarantine is empty." in text_of(ann.get("/quarantine"))


@pytest.mark.parametrize(
    ("file", "data", "status", "said"),
    [
        (b"", {}, 422, "empty"),
        (b"Subject: x\n\n", {"recipients": "nonsense"}, 422, "is no address"),
        (b"x" * ((1 << 20) + 1), {}, 413, ""),
    ],
)
def test_what_cannot_be_scanned(
    ann: Site, file: bytes, data: dict[str, str], status: int, said: str
) -> None:
    small = Site(ann.folder, web="upload_megabytes = 1")
    small.log_in()
    token = token_in(small.get("/scan"))
    answer = small.browser.post(
        "/scan", data={"csrf": token, **data}, files={"message": ("a.eml", file)}
    )
    assert answer.status_code == status
    assert said in text_of(answer)


def test_an_envelope_of_strange_bytes_is_shown(ann: Site) -> None:
    """What a peer sent as 8-bit octets is a lone surrogate here."""
    id = ann.put("j\udcffe@mx.example")
    assert ann.get(f"/message/{id}").status_code == 200
    assert ann.get("/quarantine").status_code == 200
    assert isinstance(ann.state.desk.store.get(id).envelope, Envelope)
