"""The list of kept mail, and what is done with several messages."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from httpx import Response

from filterd.chain.chain import ChainSettings
from filterd.chain.links import LinkSettings
from filterd.config.load import FilterSettings
from filterd.filters.auth.settings import AuthSettings
from filterd.quarantine import StoreError
from filterd.quarantine.index import Index
from filterd.quarantine.query import SORTS
from tests.helpers.site import PLAIN, Site, text_of, token_in

pytestmark = pytest.mark.slow


def test_the_list_shows_what_is_kept(ann: Site) -> None:
    ann.put("joe@mx.example", subject=b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    text = text_of(ann.get("/quarantine"))
    for word in ("Grüße", "ann@a.example", "joe@mx.example", "spam", "held", "9.0"):
        assert word in text


def test_an_empty_list_says_so(ann: Site) -> None:
    assert "The quarantine is empty." in text_of(ann.get("/quarantine"))
    assert "The quarantine is empty." in text_of(ann.get("/quarantine?state=any"))
    assert "No matching messages." in text_of(ann.get("/quarantine?text=x"))


@pytest.fixture
def queue(ann: Site) -> Site:
    """A site with a message in each state that a person makes, and one with a virus."""
    for subject, does in ((b"waits", ""), (b"deleted", "delete"), (b"kept-virus", "")):
        virus = "Eicar" if does == "" and subject == b"kept-virus" else ""
        id = ann.put(subject=subject, virus=virus, reason="virus" if virus else "spam")
        if does:
            ann.post("/quarantine/do", do=does, id=id)
    return ann


def shown(site: Site, path: str) -> set[str]:
    text = site.get(path).text
    return {word for word in ("waits", "deleted", "kept-virus") if f"<bdi>{word}</bdi>" in text}


ALL = {"waits", "deleted", "kept-virus"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", {"waits", "kept-virus"}),
        ("state=waiting", {"waits", "kept-virus"}),
        ("state=any", ALL),
        # As before: a search looks at all that is kept.
        ("text=joe", ALL),
        ("text=joe&state=waiting", {"waits", "kept-virus"}),
        ("state=deleted", {"deleted"}),
        ("limit=25", {"waits", "kept-virus"}),
    ],
)
def test_first_what_waits_for_a_decision(queue: Site, asked: str, found: set[str]) -> None:
    assert shown(queue, f"/quarantine?{asked}") == found


def test_saved_views_are_one_click_away(queue: Site) -> None:
    page = queue.get("/quarantine").text.partition('class="search')[0]
    views = dict(re.findall(r'<a href="(/quarantine\?[^"]*)"[^>]*>([^<]+)</a>', page))
    found = {name: shown(queue, html.unescape(path)) for path, name in views.items()}
    assert found == {
        "To decide": {"waits", "kept-virus"},
        "Not seen": {"waits", "kept-virus"},
        "Spam of today": {"waits", "deleted"},
        "Virus": {"kept-virus"},
        "Stripped": set(),
        "Released, last 7 days": set(),
        "Deleted": {"deleted"},
        "Everything": ALL,
    }
    for path, name in views.items():
        again = queue.get(html.unescape(path)).text
        assert re.findall(r'aria-current="true">([^<]+)', again) == [name]


def test_how_many_there_are_in_all(ann: Site) -> None:
    for _ in range(30):
        ann.put("max@other.example")
    ann.put()
    assert "25 messages on this page, 31 in all" in text_of(ann.get("/quarantine?limit=25"))
    ann.browser.cookies.clear()
    ann.log_in("bob")
    assert "1 message on this page, 1 in all" in text_of(ann.get("/quarantine"))
    told = text_of(ann.get("/quarantine?symbol=BAYES_99"))
    assert "1 message on this page" in told
    assert "in all" not in told, "it would tell of what was found about others"


def test_nothing_waits(ann: Site) -> None:
    ann.post("/quarantine/do", do="delete", id=ann.put())
    assert "Nothing waits for a decision." in text_of(ann.get("/quarantine"))


@pytest.mark.parametrize(
    ("data", "told", "is_told_by"),
    [
        (b"From: Ann <ann@a.example>\r\nSubject: x\r\n\r\n", "Ann <ann@a.example>", False),
        (b"From: Boss <boss@b.example>\r\nSubject: x\r\n\r\n", "Boss <boss@b.example>", True),
        (b"Subject: x\r\n\r\n", "ann@a.example", False),
    ],
)
def test_from_and_the_envelope_sender_where_it_differs(
    ann: Site, data: bytes, told: str, *, is_told_by: bool
) -> None:
    ann.put(data=data)
    text = text_of(ann.get("/quarantine"))
    assert told in text
    assert ("by ann@a.example" in text) is is_told_by


def test_until_when_it_is_kept(ann: Site) -> None:
    id = ann.put()
    expires = datetime.now().astimezone() + timedelta(days=30)
    assert f"until {expires:%Y-%m-%d}" in text_of(ann.get("/quarantine"))
    ann.post("/quarantine/do", do="pin", id=id)
    assert "until 20" not in text_of(ann.get("/quarantine"))


@pytest.mark.parametrize(
    "asked", ["since=yesterday", "state=hold", "reason=x", "pinned=maybe", "score_from=many"]
)
def test_what_cannot_be_understood_shows_no_message(queue: Site, asked: str) -> None:
    assert shown(queue, f"/quarantine?{asked}") == set()
    text = text_of(queue.get(f"/quarantine?{asked}"))
    assert "Nothing is shown: a condition above cannot be understood." in text


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
        ("since=yesterday", set()),
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
    assert ("expected 2026-11-23" in text) is ("yesterday" in asked)


def test_pages_follow_each_other(ann: Site) -> None:
    ids = [ann.put() for _ in range(60)]
    seen: list[str] = []
    path = "/quarantine?limit=25"
    for _ in range(3):
        text = ann.get(path).text
        seen += [id for id in ids if f'href="/message/{id}?' in text]
        if "data-next" not in text:
            break
        path = text.split('" rel="next"')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert sorted(seen) == sorted(ids)


def test_a_page_that_is_none_is_told(ann: Site) -> None:
    answer = ann.get("/quarantine?after=nonsense")
    assert answer.status_code == 200
    assert "not the `next`" in text_of(answer)


def test_several_at_once_after_a_question(ann: Site) -> None:
    ids = [ann.put() for _ in range(3)]
    asked = ann.post("/quarantine/confirm", do="delete", id=ids[:2], back="/quarantine?text=a")
    assert "Delete 2 messages" in text_of(asked)
    assert ann.events() == [], "asking does nothing"
    done = ann.post(
        "/quarantine/do", do="delete", id=ids[:2], back="/quarantine?reason=spam", note="old"
    )
    assert "2 messages: done" in text_of(done)
    states = [ann.state.actions.store.delivery_state(id).state for id in ids]
    assert states == ["deleted", "deleted", "held"]
    (event,) = ann.state.actions.store.journal.events(ids[0])
    assert (event.who, event.note) == ("web:ann", "old")
    assert "2 messages: done" not in text_of(ann.get(str(done.url.raw_path, "ascii")))


@pytest.mark.parametrize(
    ("deed", "event"),
    [("pin", "pinned"), ("allow", "allowed"), ("block", "blocked"), ("delete", "deleted")],
)
def test_each_deed_is_in_the_journal(ann: Site, deed: str, event: str) -> None:
    id = ann.put()
    answer = ann.post("/quarantine/do", do=deed, id=id, back=f"/message/{id}")
    assert answer.status_code == 200
    assert "1 message: done" in text_of(answer)
    assert ann.events(id)[0] == event


@pytest.mark.parametrize("deed", ["spam", "ham"])
def test_what_is_learned_is_in_the_models_journal(ann: Site, deed: str) -> None:
    id = ann.put()
    answer = ann.post(f"/message/{id}/do", do=deed)
    assert f"learned as {deed}" in text_of(answer)
    assert ann.events(id)[0] == "learned"
    journal = b"".join(p.read_bytes() for p in (ann.folder / "models").rglob("*") if p.is_file())
    assert b"web:ann" in journal


def test_an_allowed_sender_is_in_the_list(ann: Site) -> None:
    ann.post("/quarantine/do", do="allow", id=ann.put())
    ann.post("/quarantine/do", do="block", id=ann.put(), everybody="yes")
    lines = (ann.folder / "senders.list").read_text().splitlines()
    assert lines == ["block ann@a.example for *", "allow ann@a.example for joe@mx.example"]


def test_who_allows_says_whether_forged_mail_counts_too(ann: Site) -> None:
    id = ann.put()
    asked = text_of(ann.post("/quarantine/confirm", do="allow", id=id))
    assert "also for mail that does not prove to come from these senders" in asked
    asked = text_of(ann.post("/quarantine/confirm", do="block", id=id))
    assert "does not prove" not in asked
    actions = ann.state.actions
    checking = {"auth": FilterSettings(LinkSettings(), AuthSettings())}
    actions.settings = replace(
        actions.settings,
        chain=ChainSettings(("auth", "senders")),
        filters={**actions.settings.filters, **checking},
    )
    ann.post("/quarantine/do", do="allow", id=id)
    file = ann.folder / "senders.list"
    assert file.read_text() == "allow ann@a.example for joe@mx.example if proven\n"
    ann.post("/quarantine/do", do="allow", id=id, unproven="yes")
    assert file.read_text() == "allow ann@a.example for joe@mx.example\n"


def unseen_in(page: str) -> list[str]:
    """Subjects in bold with the sign."""
    rows = re.findall(r'<tr data-row class="new">(.*?)</tr>', page, re.DOTALL)
    assert all('aria-label="not seen yet"' in row for row in rows)
    return [subject for row in rows for subject in re.findall(r"<bdi>(m[0-9])</bdi></a>", row)]


def test_what_a_reviewer_has_not_opened_is_marked_for_it(site: Site) -> None:
    ids = [site.put(subject=b"m%d" % number) for number in range(3)]
    site.log_in("bob")
    assert unseen_in(site.get("/quarantine").text) == ["m2", "m1", "m0"]
    site.get(f"/message/{ids[1]}")
    page = site.get("/quarantine").text
    assert unseen_in(page) == ["m2", "m0"]
    assert subjects_in(page) == ["m2", "m1", "m0"]
    assert subjects_in(site.get("/quarantine?state=waiting&seen=no").text) == ["m2", "m0"]
    assert subjects_in(site.get("/quarantine?seen=yes").text) == ["m1"]
    site.browser.cookies.clear()
    site.log_in("ann")
    page = site.get("/quarantine").text
    assert unseen_in(page) == ["m2", "m1", "m0"], "each reviewer has its own marks"
    wrong = site.get("/quarantine?seen=perhaps")
    assert subjects_in(wrong.text) == []
    assert "accepted: yes, no" in text_of(wrong)


def test_the_list_of_what_is_not_seen_leads_on(ann: Site) -> None:
    ids = [ann.put(subject=b"m%d" % number) for number in range(3)]
    page = ann.get("/quarantine?state=waiting&seen=no").text
    path = html.unescape(re.findall(rf'href="(/message/{ids[2]}[^"]*)"', page)[0])
    next = re.findall(r'href="([^"]*)" rel="next"', ann.get(path).text)
    assert next[0].startswith(f"/message/{ids[1]}")


def test_a_message_is_shown_although_it_cannot_be_marked(
    ann: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_index: Index, _id: str, _reviewer: str) -> None:
        raise StoreError(0, "the database is away")

    monkeypatch.setattr(Index, "saw", broken)
    id = ann.put()
    assert "text of the message" in ann.get(f"/message/{id}").text
    assert f"id={id} is not marked as seen: the database is away" in caplog.text


def undo(site: Site, page: Response) -> Response:
    """Press Undo in the notice."""
    form = page.text.partition('class="undo"')[2].partition("</form>")[0]
    back = re.findall(r'name="back" value="([^"]*)"', form)
    ids = re.findall(r'name="id" value="([^"]*)"', form)
    return site.post("/quarantine/do", do="undelete", back=html.unescape(back[0]), id=ids)


def test_a_deletion_is_undone_with_one_click(ann: Site) -> None:
    ids = [ann.put(subject=b"m%d" % number) for number in range(3)]
    path = "/quarantine?reason=spam&limit=25"
    done = ann.post("/quarantine/do", do="delete", id=ids[:2], back=path)
    assert "2 messages: done" in text_of(done)
    assert subjects_in(ann.get("/quarantine").text) == ["m2"]
    again = undo(ann, done)
    assert "2 messages: done" in text_of(again)
    assert "brought back, as it was" in text_of(again)
    assert 'class="undo"' not in again.text
    assert str(again.url).partition("&done=")[0].endswith(path)
    assert subjects_in(ann.get("/quarantine").text) == ["m2", "m1", "m0"]
    assert ann.events(ids[0]) == ["deleted", "undeleted"]


def test_the_view_of_what_was_deleted(ann: Site) -> None:
    there, gone = ann.put(subject=b"m0"), ann.put(subject=b"m1")
    assert 'value="undelete"' not in ann.get("/quarantine").text
    ann.post("/quarantine/do", do="delete", id=there)
    page = ann.post("/quarantine/do", do="delete", id=gone, now="yes")
    assert "deleted for good" in text_of(page)
    assert 'class="undo"' not in page.text
    page = ann.get("/quarantine?state=deleted")
    assert subjects_in(page.text) == ["m1", "m0"]
    assert page.text.count("can be brought back until") == 1
    assert 'value="undelete"' in page.text
    assert "Undelete 1 message" in text_of(ann.post("/quarantine/confirm", do="undelete", id=there))
    for id, words in ((there, "can be brought back until"), (gone, "no longer kept")):
        assert words in text_of(ann.get(f"/message/{id}"))
    assert "text of the message" not in ann.get(f"/message/{there}").text
    assert ann.get(f"/message/{there}/raw").status_code == 410
    ann.post(f"/message/{there}/do", do="undelete")
    assert "text of the message" in ann.get(f"/message/{there}").text
    assert "removed for good" in text_of(ann.post(f"/message/{gone}/do", do="undelete"))


def test_who_asks_says_for_how_long(ann: Site) -> None:
    asked = ann.post("/quarantine/confirm", do="delete", id=ann.put())
    assert "They can be brought back for 24 hours." in text_of(asked)
    assert 'name="now"' in asked.text


def test_what_others_share_a_reviewer_does_not_undelete(site: Site) -> None:
    shared = site.put("joe@mx.example", "max@other.example")
    site.state.actions.store.delete(shared, "web:ann")
    site.log_in("bob")
    assert "Undelete" not in text_of(site.get(f"/message/{shared}"))
    done = site.post(f"/message/{shared}/do", do="undelete")
    assert "also concerns recipients who are not yours" in text_of(done)
    assert site.events(shared) == ["deleted", "viewed"]


@pytest.mark.parametrize("deed", ["", "nonsense", "DELETE"])
def test_a_deed_that_is_none(ann: Site, deed: str) -> None:
    id = ann.put()
    paths = {"/quarantine/confirm": 400, "/quarantine/do": 400, f"/message/{id}/do": 403}
    assert {path: ann.post(path, do=deed, id=id).status_code for path in paths} == paths
    assert ann.events() == []


def test_a_grave_deed_is_not_done_without_the_question(ann: Site) -> None:
    id = ann.put()
    assert ann.post(f"/message/{id}/do", do="delete").status_code == 403
    assert ann.events() == []


def test_ids_that_are_none_are_told_and_stop_nothing(ann: Site) -> None:
    id = ann.put()
    answer = ann.post("/quarantine/do", do="pin", id=["../../etc/passwd", "1m8zzzzzzzzzzzzz", id])
    assert "1 message: done" in text_of(answer)
    assert "2 messages: not done" in text_of(answer)


def test_nobody_is_sent_to_another_site_after_a_deed(ann: Site) -> None:
    token = token_in(ann.get("/scan"))
    data = {"csrf": token, "do": "pin", "id": ann.put(), "back": "https://evil.example/"}
    answer = ann.browser.post("/quarantine/do", data=data)
    assert answer.headers["location"].startswith("/quarantine?done=")


def subjects_in(page: str) -> list[str]:
    return re.findall(r"<bdi>(m[0-9])</bdi></a>", page)


def heading(page: str, label: str) -> str:
    """Where the heading of that column leads."""
    return html.unescape(re.findall(rf'<th[^>]*><a href="([^"]+)"[^>]*>{label}', page)[0])


@pytest.fixture
def four(ann: Site) -> Site:
    """A site with messages m0 to m3, each later one with fewer points and more octets."""
    for number in range(4):
        data = PLAIN + b"x" * 10 * number
        ann.put(data=data, subject=b"m%d" % number, score=9.0 - number)
    return ann


@pytest.mark.parametrize(
    ("label", "sort", "first"),
    [("Received", "received", 3), ("Points", "score", 0), ("Size", "size", 3)],
)
def test_a_columns_heading_sorts_one_way_and_the_other(
    four: Site, label: str, sort: str, first: int
) -> None:
    greatest = [f"m{number}" for number in range(4)]
    if first:
        greatest.reverse()
    page = four.get("/quarantine?state=any&limit=25").text
    if label != "Received":
        page = four.get(heading(page, label)).text
    assert subjects_in(page) == greatest
    assert re.findall(r'aria-sort="([a-z]+)"', page) == ["descending"]
    page = four.get(heading(page, label)).text
    assert subjects_in(page) == greatest[::-1]
    assert re.findall(r'aria-sort="([a-z]+)"', page) == ["ascending"]
    assert f'<option value="{sort}" selected>' in page, "a new search keeps the order"
    assert "state=any" in heading(page, label)
    assert "limit=25" in heading(page, label)


def test_every_order_can_be_chosen(four: Site) -> None:
    page = four.get("/quarantine").text
    select = page.partition('name="sort">')[2].partition("</select>")[0]
    values = re.findall(r'<option value="([^"]*)"', select)
    assert sorted(values) == sorted({*SORTS, ""} - {"-received"})
    assert values[0] == "", "the order where none is asked for"
    orders = {value: subjects_in(four.get(f"/quarantine?sort={value}").text) for value in values}
    newest = ["m3", "m2", "m1", "m0"]
    assert [orders[value] for value in ("", "size", "score", "sender")] == [
        newest,
        newest[::-1],
        newest,
        newest[::-1],
    ]


def test_sorted_by_sender_the_column_begins_with_it(ann: Site) -> None:
    ann.put(data=b"From: Boss <boss@b.example>\r\nSubject: x\r\n\r\n")
    text = text_of(ann.get("/quarantine?state=any&sort=sender"))
    assert "ann@a.example From: Boss <boss@b.example>" in text


def test_pages_of_another_order(four: Site) -> None:
    query = "/quarantine?state=any&sort=score&limit=25"
    for _ in range(30):
        four.put(subject=b"m9", score=20.0)
    page = four.get(query).text
    assert "Next page" in page
    next = html.unescape(re.findall(r'href="([^"]+)" rel="next"', page)[0])
    assert [*subjects_in(page)[:4], *subjects_in(four.get(next).text)] == [
        "m3",
        "m2",
        "m1",
        "m0",
    ] + ["m9"] * 9
    assert "First page" in four.get(next).text


@pytest.mark.parametrize("sort", ["nonsense", "--score", "subject"])
def test_an_order_that_is_none_shows_no_message(four: Site, sort: str) -> None:
    page = four.get(f"/quarantine?sort={sort}")
    assert subjects_in(page.text) == []
    assert "sort: accepted: received, -received" in text_of(page)


def test_a_reviewer_does_not_learn_the_order_of_points(four: Site) -> None:
    four.browser.cookies.clear()
    four.log_in("bob")
    page = four.get("/quarantine").text
    assert re.findall(r">(Points|Size)[^<]*</a>", page) == ["Size"]
    assert "points first" not in page
    page = four.get("/quarantine?sort=-score")
    assert subjects_in(page.text) == []
    assert "only an admin may sort by points" in text_of(page)


@pytest.fixture
def many(ann: Site) -> Site:
    """A site with 30 messages that match a search, two of them deleted, and one that does not."""
    ids = [ann.put(subject=b"m1") for _ in range(30)]
    ann.put(subject=b"other")
    ann.post("/quarantine/do", do="delete", id=ids[:2])
    return ann


def posting(site: Site, page: str, **fields: object) -> Response:
    """The list's form sent as a browser sends it, with these fields ticked."""
    form = page.partition('class="list"')[2].partition("</form>")[0]
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    given = {name: html.unescape(value) for name, value in hidden}
    return site.post("/quarantine/confirm", **{**given, **fields})


def confirmed(site: Site, asked: Response) -> Response:
    form = asked.text.partition('class="card confirm"')[2].partition("</main>")[0]
    fields: dict[str, object] = {
        name: html.unescape(value)
        for name, value in re.findall(r'name="(do|back|list)" value="([^"]*)"', form)
    }
    return site.post("/quarantine/do", **fields, id=re.findall(r'name="id" value="([^"]*)"', form))


def test_all_that_match_after_a_question_that_says_what_will_happen(many: Site) -> None:
    page = many.get("/quarantine?subject=m1&limit=25").text
    assert "all 30 that match" in page
    asked = posting(many, page, do="pin", matching="yes")
    text = text_of(asked)
    assert "Pin 30 messages" in text
    assert "All messages that match subject m1 : 28 held, 2 deleted." in text
    assert "What comes in from now on is not among them." in text
    assert many.events().count("pinned") == 0
    everything = posting(
        many, many.get("/quarantine?state=any&limit=25").text, do="pin", matching="y"
    )
    assert "All messages: 29 held, 2 deleted." in text_of(everything)
    many.put(subject=b"m1")
    done = confirmed(many, asked)
    assert "30 messages: done" in text_of(done)
    assert many.events().count("pinned") == 30
    assert done.url.path == "/quarantine"


def test_all_that_match_is_offered_where_a_page_does_not_have_them_all(many: Site) -> None:
    for asked, is_there in (
        ("subject=m1&limit=25", True),
        ("subject=m1", False),
        ("subject=other&limit=25", False),
        ("state=any&limit=25", True),
    ):
        assert ('name="matching"' in many.get(f"/quarantine?{asked}").text) is is_there, asked


def test_the_limit_of_all_that_match(many: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.web.pages.quarantine.ID_LIMIT", 27)
    page = many.get("/quarantine?subject=m1&limit=25&sort=received").text
    assert "the first 27 of 30 that match" in page
    asked = posting(many, page, do="spam", matching="yes")
    text = text_of(asked)
    assert "The first 27 messages that match" in text
    assert ": 25 held, 2 deleted." in text, "in the order of the list"
    assert "More messages match than the 27 that are acted on at once." in text
    assert asked.text.count('name="id"') == 27


def test_all_that_match_of_a_reviewer_are_its_own(site: Site) -> None:
    for _ in range(26):
        site.put(subject=b"m1")
    shared = site.put("joe@mx.example", "max@other.example", subject=b"m1")
    foreign = site.put("max@other.example", subject=b"m1")
    site.log_in("bob")
    page = site.get("/quarantine?subject=m1&limit=25").text
    asked = posting(site, page, do="delete", matching="yes")
    text = text_of(asked)
    assert "Delete 27 messages" in text
    assert "1 message not done: it also concerns recipients who are not yours" in text
    assert foreign not in asked.text
    done = text_of(confirmed(site, asked))
    assert "26 messages: done" in done
    assert "1 message: not done" in done
    assert site.events().count("deleted") == 26
    assert site.events(shared) == site.events(foreign) == []


@pytest.mark.parametrize("query", ["", "state=nonsense", "sort=x", "subject=" + "x" * 2000])
def test_a_search_that_is_none_selects_nothing(many: Site, query: str) -> None:
    answer = many.post("/quarantine/confirm", do="delete", matching="yes", search=query)
    assert answer.status_code == 400
    assert "cannot be understood" in text_of(answer)
