"""Every message's record: what is found again, by which words, and what goes."""

from __future__ import annotations

import math
import pickle
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.chain.verdict import Action, Failure, FailureKind, Outcome, RemovedPart, Symbol
from filterd.history import (
    FilterFailures,
    History,
    HistoryError,
    HistoryQuery,
    HistorySettings,
    Record,
)
from filterd.history.record import LIST_LIMIT, TEXT_LIMIT
from filterd.history.recorder import FRESH_LIMIT, Recorder
from tests.helpers.records import CASES, NOW, RECORDS, REPORT, opened
from tests.helpers.reports import record, report

pytestmark = pytest.mark.slow

DAY = 86400.0


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = opened(tmp_path)
    history.add(RECORDS)
    return history


@pytest.mark.parametrize(
    ("wish", "ids"),
    [
        ({"sender": "jürgen@müller.test"}, "cba"),
        ({"sender": "JÜRGEN@xn--mller-kva.test"}, "cba"),
        ({"text": "xn--mller-kva"}, "cba"),
        ({"domain": "müller.test"}, "cba"),
        ({"domain": "xn--mller-kva.test"}, "cba"),
        ({"recipient": '"team"@mx.test'}, "ca"),
        ({"visible": ("team@mx.test",)}, "cba"),
        ({"visible": ("team+x@mx.test",)}, "b"),
        ({"visible": ("eam@mx.test", "te@mx.test", "@x.test")}, ""),
        ({"visible": ("team@mx.test",), "recipient": "m+x@"}, "b"),
        ({"visible": ("team@mx.test",), "text": "team"}, "cba"),
    ],
)
def test_a_mailbox_is_found_however_it_is_spelled(
    tmp_path: Path, wish: dict[str, Any], ids: str
) -> None:
    octets = "jürgen@müller.test".encode().decode("ascii", "surrogateescape")
    history = opened(tmp_path)
    history.add(
        [
            record("a", NOW, sender="jürgen@müller.test", recipients=('"team"@mx.test',)),
            record("b", NOW, sender=octets, recipients=("team+x@mx.test",)),
            record("c", NOW, sender="Jürgen@XN--MLLER-KVA.test", recipients=("TEAM@mx.test.",)),
        ]
    )
    assert "".join(one.id for one in history.search(HistoryQuery(**wish)).rows) == ids


def test_a_record_comes_back_as_it_was(history: History) -> None:
    assert history.search(HistoryQuery()).rows == RECORDS[::-1]


@pytest.mark.parametrize(("conditions", "ids"), CASES)
def test_every_condition(history: History, conditions: dict[str, Any], ids: str) -> None:
    found = history.search(HistoryQuery(**conditions)).rows
    assert "".join(record.id for record in found) == ids


def test_pages_follow_each_other_although_mail_comes_in(history: History) -> None:
    first = history.search(HistoryQuery(limit=3))
    history.add([record("e", NOW + 4)])
    second = history.search(HistoryQuery(limit=3, after=first.next))
    assert [r.id for r in (*first.rows, *second.rows)] == ["d", "c", "b", "a"]
    assert second.next == ""


@pytest.mark.parametrize(
    "bad", [{"after": "x"}, {"after": f"1,{1 << 63}"}, {"limit": 0}, {"limit": 1001}]
)
def test_what_cannot_be_asked(history: History, bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"after|limit"):
        history.search(HistoryQuery(**bad))
    with pytest.raises(ValueError, match=r"after|limit"):
        History(Path("/not/there"), HistorySettings()).search(HistoryQuery(**bad))


def test_the_flow_and_what_was_found(history: History) -> None:
    assert history.flow(NOW, NOW + 4, 2.0) == [
        (NOW, "quarantine", 1),
        (NOW, "reject", 1),
        (NOW + 2, "accept", 2),
    ]
    assert history.top(NOW, 5) == [("CLAM_VIRUS", 1), ("BAYES_99", 1)]


def test_what_happened_is_read_in_the_order_in_which_it_was_noted(history: History) -> None:
    later = NOW + 60
    whole, records = history.eventful(0, later, 50)
    assert (whole, [one.id for one in records]) == (4, ["a", "b", "d"])
    assert history.newest_number() == 4
    # What may still be joined by an earlier one is left for the next time.
    assert [one.id for one in history.eventful(0, NOW + 1, 50)[1]] == ["a", "b"]
    assert history.eventful(0, NOW + 1, 50)[0] == 2
    first, records = history.eventful(0, later, 1)
    assert [one.id for one in records] == ["a"]
    assert [one.id for one in history.eventful(first, later, 1)[1]] == ["b"]
    assert history.eventful(4, later, 50) == (4, [])
    # An accepted one of which a part was removed; one of a clock that was far ahead.
    history.add([record("e", NOW + 4, reason="stripped"), record("f", NOW + 9e9, action="reject")])
    assert [one.id for one in history.eventful(4, later, 50)[1]] == ["e", "f"]


def test_failures_by_filter_with_the_newest(history: History) -> None:
    timeout = {"clamav": "timeout: 30 s", "bayes": "error: x"}
    history.add([record("e", NOW + 9, failures=timeout)])
    assert history.failures(NOW) == [
        FilterFailures("clamav", 2, NOW + 9, "e", "timeout: 30 s"),
        FilterFailures("bayes", 1, NOW + 9, "e", "error: x"),
    ]
    assert history.failures(NOW + 10) == []


def test_old_records_go_and_so_do_too_many(tmp_path: Path) -> None:
    history = opened(tmp_path, keep_days=1.0, keep_messages=2)
    history.add([record("old", NOW - 2 * DAY), *RECORDS])
    assert history.expire() == 3
    assert [r.id for r in history.search(HistoryQuery()).rows] == ["d", "c"]


def test_a_file_that_somebody_removes_begins_anew(history: History) -> None:
    for path in history.file.parent.iterdir():
        path.unlink()
    assert history.search(HistoryQuery()).rows == ()
    history.add([RECORDS[0]])
    assert opened(history.file.parent).search(HistoryQuery()).rows == (RECORDS[0],)


def test_looking_makes_no_file(tmp_path: Path) -> None:
    history = opened(tmp_path)
    assert history.search(HistoryQuery()).rows == ()
    assert [*history.flow(0, NOW, NOW), *history.top(0, 5), *history.failures(0)] == []
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_private(history: History) -> None:
    assert {path.stat().st_mode & 0o777 for path in history.file.parent.iterdir()} == {0o600}


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite3").write_bytes(b"not a database, but long enough to be one" * 30)
    with pytest.raises(HistoryError, match=r"history\.sqlite3: file is not a database"):
        opened(tmp_path).search(HistoryQuery())


def test_many_threads_write_and_read(history: History) -> None:
    def work(number: int) -> None:
        for index in range(20):
            history.add([record(f"{number}-{index}", NOW + 10)])
            history.search(HistoryQuery(limit=5))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history.search(HistoryQuery(limit=1000)).rows) == len(RECORDS) + 80


texts = st.text(st.characters(), max_size=30)


ids = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)
"""Ids are filterd's own; a database may not hold NUL."""


@given(ids, texts, st.lists(texts, max_size=3), texts)
def test_any_text_can_be_noted_and_asked_for(
    tmp_path_factory: pytest.TempPathFactory, id: str, sender: str, to: list[str], asked: str
) -> None:
    history = opened(tmp_path_factory.mktemp("h"))
    one = record(id, NOW, sender=sender, recipients=tuple(to), subject=asked)
    history.add([one])
    assert history.search(HistoryQuery()).rows == (one,)
    history.search(HistoryQuery(asked, asked, asked, asked, "", asked, visible=(asked,)))
    if asked:
        with pytest.raises(ValueError, match=r"action: .* is unknown.*; expected accept, "):
            history.search(HistoryQuery(action=asked))


def test_what_the_daemon_logs_is_noted(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite3", HistorySettings())
    recorder = Recorder(history)
    recorder.start()
    recorder.note(REPORT, b" =?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    recorder.note(report("m2"), b"")
    recorder.close()
    second, first = history.search(HistoryQuery()).rows
    assert (first.id, first.subject, first.symbols) == (
        "m1",
        "Gr\u00fc\u00dfe",
        (Symbol("GTUBE", 1.5),),
    )
    assert (second.id, second.score) == ("m2", 0.0)


FOLDED = [
    (b"Minutes of\r\n Tuesday", "Minutes of Tuesday"),
    (b"Minutes of\n\tTuesday", "Minutes of Tuesday"),
    (b"\r\n Minutes of \r\n \t \r\n  Tuesday\r\n ", "Minutes of Tuesday"),
    (b" =?utf-8?q?Minutes_?=\n =?utf-8?q?of?=\n Tuesday", "Minutes of Tuesday"),
    (b"=?utf-8?q?Minutes=0Aof=09Tuesday?=", "Minutes of Tuesday"),
    (b"Minutes\tof\rTuesday", "Minutes of Tuesday"),
]


@pytest.mark.parametrize(("octets", "shown"), FOLDED)
def test_a_folded_subject_is_shown_and_found_as_one_line(
    tmp_path: Path, octets: bytes, shown: str
) -> None:
    history = History(tmp_path / "history.sqlite3", HistorySettings())
    recorder = Recorder(history)
    recorder.note(REPORT, octets)
    recorder.write()
    (row,) = history.search(HistoryQuery("minutes of tuesday")).rows
    assert row.subject == shown
    assert row.subject.isprintable()


def test_a_released_message_names_the_kept_one() -> None:
    passed = Record.of(report("id2", released="id1"), NOW, "x")
    assert (passed.why, passed.to_json()["reason"]) == ("release of id1", "release of id1")
    assert Record.of(report("id2", released="id1", reason="virus"), NOW, "x").why == "virus"


def test_strangers_texts_are_cut_to_size() -> None:
    long = "b" * 5000
    many = report(
        "x",
        recipients=("a",) * 5000,
        sender=long,
        outcomes=(Outcome(long, Action.ACCEPT, long),) * 5000,
        symbols=[(long, 1e99)] * 5000,
        failures={long: f"crash: {long}"},
        milliseconds={long: math.nan, "a": math.inf},
        required=math.inf,
        removed=(RemovedPart(long, long, 1, 2),),
    )
    one = Record.of(many, NOW, "s" * 5000).cut()
    assert len(one.recipients) == len(one.outcomes) == len(one.symbols) == LIST_LIMIT
    short = "b" * TEXT_LIMIT
    assert (one.sender, one.subject) == (short, "s" * TEXT_LIMIT)
    assert one.outcomes[0] == Outcome(short, Action.ACCEPT, short)
    assert one.symbols[0] == Symbol(short, 0.0)
    assert one.failures == (Failure(short, FailureKind.CRASH, short),)
    assert one.milliseconds == {short: 0.0, "a": 0.0}
    assert one.removed == (RemovedPart(short, short, 1, 2),)
    assert one.required == 0.0


@pytest.mark.parametrize(
    "fields",
    [
        {"recipients": ("a@mx.test",) * 5000},
        {"required": math.inf},
        {"milliseconds": {"bayes": math.nan}},
        {"sender": "b" * 5000},
    ],
)
def test_what_is_written_is_cut_to_size(tmp_path: Path, fields: dict[str, Any]) -> None:
    history = History(tmp_path / "history.sqlite3", HistorySettings())
    many = report("x", **fields)
    recorder = Recorder(history)
    recorder.note(many, b"Hi")
    recorder.write()
    (found,) = history.search(HistoryQuery()).rows
    assert found == Record.of(many, found.received, "Hi").cut()
    assert found != Record.of(many, found.received, "Hi")


def test_the_file_is_ready_before_there_is_mail(tmp_path: Path) -> None:
    recorder = Recorder(History(tmp_path / "history.sqlite3", HistorySettings()))
    recorder.start()
    assert (tmp_path / "history.sqlite3").stat().st_size
    recorder.close()


@pytest.mark.parametrize("url", ["", "sqlite:////dev/null/x", "odd"])
def test_a_history_that_cannot_be_opened_keeps_nobody_from_starting(
    tmp_path: Path, url: str
) -> None:
    (tmp_path / "history.sqlite3").mkdir()
    recorder = Recorder(History(tmp_path / "history.sqlite3", HistorySettings(database=url)))
    recorder.start()
    recorder.note(REPORT, b"Hi")
    recorder.close()
    assert recorder.history is not None


@pytest.mark.parametrize(
    ("wish", "shown"),
    [
        ({"text": "bob@other"}, False),
        ({"text": "OTHER.test"}, False),
        ({"text": "joe@mx"}, True),
        ({"recipient": "bob"}, False),
        ({"recipient": '", "'}, False),
        ({"recipient": "JOE"}, True),
        ({"domain": "other.test"}, False),
        ({"domain": "mx.test"}, True),
        ({"domain": "sender.test"}, True),
        ({"text": "other@sender"}, True),
        ({"text": "pills"}, True),
        ({"text": "bob@other.test\njoe"}, False),
    ],
)
def test_hidden_recipients_cannot_be_guessed(
    tmp_path: Path, wish: dict[str, Any], shown: bool
) -> None:
    to = ("Bob@Other.test", "Joe@mx.test", "bob@other.test")
    history = opened(tmp_path)
    history.add([record("a", NOW, sender="other@sender.test", recipients=to, subject="Pills")])
    assert history.search(HistoryQuery(**wish)).rows
    for visible in (("joe@mx.test",), ("@mx.test",), ("@mx.test", "@")):
        assert bool(history.search(HistoryQuery(**wish, visible=visible)).rows) is shown


def test_what_waits_to_be_noted_is_cut_to_size(tmp_path: Path) -> None:
    """Twenty thousand messages may wait, each with a hundred thousand recipients."""
    recorder = Recorder(History(tmp_path / "history.sqlite3", HistorySettings()))
    to = tuple(f"{n}@x.test" for n in range(100_000))
    large = report(
        recipients=to,
        message_id="m" * 1_000_000,
        outcomes=tuple(Outcome(one, Action.ACCEPT, "x") for one in to),
        dropped=to,
    )
    for _ in range(FRESH_LIMIT):
        assert not recorder._waiting
        recorder.note(large, b" =?utf-8?q?h=C3=A4llo?=" * 40_000)
    assert not recorder._fresh
    assert len(recorder._waiting) == FRESH_LIMIT
    assert len(pickle.dumps(recorder._waiting[0])) < 150_000


def test_a_message_that_makes_no_row_costs_no_other(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite3", HistorySettings())
    recorder = Recorder(history)
    recorder.note(report("a"), b"")
    recorder.note(replace(report("b"), symbols=None), b"")
    recorder.note(report("c"), b"")
    recorder.write()
    assert recorder.lost == 1
    assert [row.id for row in history.search(HistoryQuery()).rows] == ["c", "a"]
