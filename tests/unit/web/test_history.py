"""The history, and the dashboard over it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from httpx import Response

from filterd.chain.verdict import Action, Outcome, Symbol
from filterd.history import Record
from filterd.maillog.log import MailLog
from filterd.maillog.settings import MailLogSettings
from tests.helpers.reports import record
from tests.helpers.site import Site, text_of

pytestmark = pytest.mark.slow

MAX = "max@other.example"


def numbered(number: int, recipient: str, action: str = "accept") -> Record:
    return record(
        f"id{number}",
        time.time() - number,
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
            numbered(1, "joe@mx.example"),
            numbered(2, "joe@mx.example", "reject"),
            numbered(3, "max@other.example", "quarantine"),
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
        ("?action=nonsense", set()),
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


def test_a_refusal_says_at_which_stage_and_for_how_many_it_stands(site: Site) -> None:
    site.state.history.add(
        [
            record("one", time.time(), action="reject", stage="recipient"),
            record("many", time.time() - 60, action="reject", stage="sender", repeated=1234),
        ]
    )
    site.log_in()
    first, second = site.get("/history").text.split('<td class="when">')[1:]
    assert ">RCPT<" in first and "refused before the message</span>" in first
    assert ">MAIL<" in second
    assert "refused before the message, and 1,234 more like it</span>" in second
    assert "no subject" not in first + second


def test_the_history_has_pages(site: Site) -> None:
    site.log_in()
    site.state.history.add([numbered(number, "joe@mx.example") for number in range(60)])
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
    for words in (
        "Daemon does not answer",
        "clamd not in the chain",
        "Last hour 3 messages",
        "Classifier learning",
        "50 missing",
        "gtube",
    ):
        assert words in text
    spoil(lived.state.history.file)
    (lived.folder / "models" / "current").mkdir(parents=True)
    answer = lived.get("/")
    assert answer.status_code == 200
    assert "Last hour unknown" in text_of(answer)


def test_a_page_without_rows_leads_to_the_next_one(site: Site) -> None:
    """Of what a search finds, a reviewer does not see what was found about others alone."""
    joe, max_ = (
        Outcome(to, Action.ACCEPT, "default", own)
        for to, own in (("joe@mx.example", ()), ("max@other.example", (Symbol("URI_BAD", 1.5),)))
    )
    hidden = [
        replace(
            numbered(number, joe.recipient),
            recipients=(joe.recipient, max_.recipient),
            outcomes=(joe, max_),
        )
        for number in range(25)
    ]
    site.state.history.add([*hidden, numbered(25, joe.recipient)])
    site.log_in("bob")
    assert subjects(site.get("/history?limit=25")) == set(range(25))
    first = site.get("/history?limit=25&symbol=URI_BAD")
    assert subjects(first) == set()
    assert "No matching messages on this page." in text_of(first)
    link = first.text.split('" rel="next"')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert subjects(site.get(link)) == {25}


MAILLOG = (
    "{time} mx postfix/smtp[1]: QUEUE1: to=<joe@mx.example>, relay=local, dsn=2.0.0, "
    "status=sent (ok)\n"
    "{time} mx postfix/smtp[1]: QUEUE1: to=<max@other.example>, relay=local, dsn=5.1.1, "
    "status=bounced (no such user)\n"
)


def with_log(site: Site, path: Path) -> None:
    """Have the site read a log of the MTA."""
    path.write_text(MAILLOG.format(time=datetime.now().astimezone().isoformat()))
    site.state.maillog = MailLog(MailLogSettings(files=(path,)))


def test_the_page_of_a_record(site: Site, tmp_path: Path) -> None:
    shared = replace(numbered(1, "joe@mx.example"), recipients=("joe@mx.example", MAX))
    site.state.history.add([replace(shared, queue_id="QUEUE1"), numbered(2, MAX)])
    with_log(site, tmp_path / "mail.log")
    site.log_in()
    told = text_of(site.get("/history/id1"))
    assert "Delivered: 1.5 points" in told
    assert "sent postfix/smtp, QUEUE1 for joe@mx.example by local, dsn 2.0.0 ok" in told
    assert "no such user" in told
    assert "Open the kept message" not in told
    assert site.get("/history/id9").status_code == 404
    site.browser = site.another()
    site.log_in("bob")
    told = text_of(site.get("/history/id1"))
    assert "for joe@mx.example by local" in told
    assert "and 1 not yours" in told
    assert MAX not in told
    assert site.get("/history/id2").status_code == 404
    assert 'href="/history/id1"' in site.get("/history").text


def test_a_record_leads_to_the_kept_message_and_both_have_a_timeline(
    site: Site, tmp_path: Path
) -> None:
    id = site.put()
    site.state.history.add([replace(numbered(1, "joe@mx.example"), id=id)])
    site.state.maillog = MailLog(MailLogSettings(files=(tmp_path / "none",)))
    site.log_in()
    assert f'href="/message/{id}"' in site.get(f"/history/{id}").text
    told = text_of(site.get(f"/message/{id}"))
    assert "held Held: 9.0 points" in told
    assert "viewed by web:ann" in told
    assert "The MTA's log:" in told
    site.browser = site.another()
    site.log_in("bob")
    assert "The MTA's log:" not in text_of(site.get(f"/message/{id}"))
