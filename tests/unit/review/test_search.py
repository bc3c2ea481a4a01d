"""One search over kept mail and the history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from filterd.chain.verdict import Action, Outcome, Symbol
from filterd.config.assembly import open_history
from filterd.config.load import load
from filterd.history import History
from filterd.message import Client, Envelope, Recipient
from filterd.review import search as searching
from filterd.review.access import Access
from filterd.review.actions import ReviewActions
from filterd.review.reviewer import Reviewer
from filterd.review.search import ResultPage, search
from filterd.review.search_words import SearchError, read
from tests.helpers.reports import new_entry, record

pytestmark = pytest.mark.slow

AT = 1_796_000_000.0

JOE, MAX = "joe@mx.example", "max@other.example"

ADMIN = Reviewer("ann", "admin")
BOB = Reviewer("bob", "reviewer", frozenset({"mx.example"}))


class Archive:
    """A quarantine and a history."""

    def __init__(self, folder: Path) -> None:
        config = folder / "filterd.toml"
        config.write_text(f'[quarantine]\nfolder = "{folder}/q"\n[chain]\nfilters = ["gtube"]\n')
        settings = load(config)
        self.actions = ReviewActions(settings)
        self.history: History = open_history(settings)

    def keep(
        self,
        id: str,
        at: float,
        *to: str,
        subject: str = "hello",
        sender: str = "ann@a.example",
        author: str = "Ann <ann@a.example>",
        **more: object,
    ) -> None:
        data = f"From: {author}\r\nSubject: {subject}\r\nMessage-ID: <{id}@a>\r\n\r\nx\r\n".encode()
        recipients = to or (JOE,)
        self.actions.store.put(
            new_entry(
                id,
                data,
                Envelope(
                    sender, tuple(map(Recipient, recipients)), Client("a.example", "192.0.2.1")
                ),
                recipients,
                received=datetime.fromtimestamp(at, UTC),
                **more,  # type: ignore[arg-type]
            )
        )

    def note(self, id: str, at: float, *to: str, **more: object) -> None:
        values = {"sender": "ann@a.example", "subject": "hello", **more}
        self.history.add([record(id, at, recipients=to or (JOE,), **values)])

    def page(self, asked: str, reviewer: Reviewer = ADMIN, **how: object) -> ResultPage:
        access = Access(self.actions, reviewer, "web")
        return search(access, self.history, read(asked), **how)  # type: ignore[arg-type]

    def find(self, asked: str, reviewer: Reviewer = ADMIN) -> list[str]:
        return [one.id for one in self.page(asked, reviewer).results]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    found = Archive(tmp_path)
    yield found
    found.actions.store.close()
    found.history.close()


def test_both_in_one_list_newest_first_and_each_message_once(archive: Archive) -> None:
    archive.keep("k1", AT + 1)
    archive.note("k1", AT + 1.2, action="quarantine")
    archive.note("h2", AT + 2)
    archive.keep("k3", AT + 3)
    archive.note("h4", AT + 4, action="reject")
    found = archive.page("hello").results
    assert [(one.id, one.is_kept, one.what) for one in found] == [
        ("h4", False, "reject"),
        ("k3", True, "held"),
        ("h2", False, "accept"),
        ("k1", True, "held"),
    ]
    assert archive.page("") == ResultPage()


def test_a_record_of_a_kept_message_leads_to_it_if_only_the_record_fits(archive: Archive) -> None:
    archive.keep("k1", AT)
    archive.note("k1", AT, client="mail.b.example[192.0.2.1]")
    (found,) = archive.page("client:mail.b.example").results
    assert (found.id, found.is_kept) == ("k1", True)


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("from:shop", ["h2", "k1"]),
        ("from:bounces@list", ["h2", "k1"]),
        ("to:joe", ["h2", "k1"]),
        ("subject:shoes", ["h2", "k1"]),
        ("shoes red", ["h2", "k1"]),
        ('"red shoes"', ["h2", "k1"]),
        ('"shoes red"', []),
        ("id:QUEUE1", ["h2"]),
        ("id:k1@a", ["k1"]),
        ("client:192.0.2.1", ["h2", "k1"]),
        ("file:report.pdf", ["h2", "k1"]),
        ("report", ["h2", "k1"]),
        ("subject:report", []),
        ("virus:eicar", ["h2", "k1"]),
        ("symbol:bayes_99", ["h2", "k1"]),
        ("symbol:bayes_9", []),
        ("symbol:Local_Rule", ["h2", "k1"]),
        ("symbol:local_rule", []),
        ("action:quarantine", ["k1"]),
        ("action:accept", ["h2"]),
        ("state:held", ["k1"]),
        ("state:waiting shoes", ["k1"]),
        ("reason:virus", ["k1"]),
        ("until:2020-01-01", []),
        ("since:2020-01-01 gru\u00dfe", ["h2", "k1"]),
        ("nothing", []),
    ],
)
def test_conditions_mean_the_same_in_both(archive: Archive, asked: str, ids: list[str]) -> None:
    symbols = (Symbol("BAYES_99", 3.5), Symbol("Local_Rule", 0.1))
    subject, author = "Viele GRUSSE: Red shoes", "Shop <news@shop.example>"
    more = {"virus": "Eicar-Test", "attachments": ("Report.PDF",), "symbols": symbols}
    archive.keep(
        "k1",
        AT,
        subject=subject,
        author=author,
        sender="bounces@list.example",
        reason="virus",
        **more,
    )
    archive.note(
        "h2",
        AT + 1,
        queue_id="QUEUE1",
        subject=subject,
        header_from=author,
        sender="bounces@list.example",
        client="a.example[192.0.2.1]",
        **more,
    )
    assert archive.find(asked) == ids


def test_pages_go_on_where_the_last_one_ended(archive: Archive) -> None:
    for number in range(6):
        # Two at each time.
        archive.keep(f"k{number}", AT + number // 2)
        archive.note(f"h{number}", AT + number // 2)
    seen: list[str] = []
    after = ""
    for _ in range(10):
        page = archive.page("hello", limit=5, after=after)
        assert len(page.results) <= 5
        seen += [one.id for one in page.results]
        if not (after := page.next):
            break
    assert len(seen) == len(set(seen)) == 12
    assert seen == sorted(seen, key=lambda id: (int(id[1:]) // 2, id), reverse=True)
    with pytest.raises(SearchError, match="after is not"):
        archive.page("hello", after="x")
    with pytest.raises(SearchError, match="limit is 0; expected 1 to"):
        archive.page("hello", limit=0)


def test_a_page_ends_after_so_many_rows(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SCAN_LIMIT", 3)
    for number in range(8):
        # The word stands in the row, and not in the field that is asked for.
        archive.note(f"h{number}", AT + number, sender="hello@a.example", subject="x")
    archive.note("h9", AT - 1, subject="hello")
    pages, after = [], ""
    while True:
        page = archive.page("subject:hello", after=after)
        pages.append([one.id for one in page.results])
        if not (after := page.next):
            break
    assert pages == [[], [], ["h9"]]


def test_a_reviewer_finds_nothing_by_what_it_may_not_see(archive: Archive) -> None:
    own = (
        Outcome(JOE, Action.QUARANTINE, "default"),
        Outcome(MAX, Action.QUARANTINE, "default", (Symbol("URI_BAD", 1.5),)),
    )
    archive.keep("k1", AT, JOE, MAX, outcomes=own)
    archive.note("h2", AT + 1, JOE, MAX, outcomes=own)
    archive.keep("k3", AT + 2, MAX)
    archive.note("h4", AT + 3, MAX)
    archive.note("k3", AT + 2, MAX)
    assert archive.find("hello", BOB) == ["h2", "k1"]
    assert archive.find("to:max") == ["h4", "k3", "h2", "k1"]
    for asked in ("to:max", "max@", "other.example", "symbol:uri_bad", "id:k3", "id:h4"):
        assert archive.find(asked, BOB) == [], asked
    found = archive.page("hello", BOB).results
    assert [(one.recipients, one.hidden) for one in found] == [((JOE,), 1)] * 2
    nobody = Reviewer("eve", "reviewer", frozenset({"none.example"}))
    assert archive.find("hello", nobody) == []


def test_a_history_without_a_file(archive: Archive) -> None:
    archive.keep("k1", AT)
    assert archive.find("hello") == ["k1"]


def test_words_as_they_were_written_before(archive: Archive) -> None:
    """A record of an older version has neither From nor attachments."""
    archive.history.add([replace(record("h1", AT, recipients=(JOE,)), subject="tea")])
    assert archive.find("tea") == ["h1"]
    assert archive.find("tea file:x") == []
