"""What happened to one message, from all that knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from filterd.chain.verdict import Action, Outcome
from filterd.maillog.log import MailLog
from filterd.maillog.settings import MailLogSettings
from filterd.quarantine.journal import Event
from filterd.review.timeline import TimelineStep, in_words, timeline
from tests.helpers.reports import record

AT = datetime(2026, 11, 30, 11).timestamp()

JOE, SUE = "joe@mx.example", "sue@other.example"


def line(second: int, id: str, to: str, rest: str, alias: str = "") -> str:
    original = f"orig_to=<{alias}>, " if alias else ""
    return (
        f"Nov 30 11:00:{second:02} mx postfix/smtp[1]: {id}: to=<{to}>, {original}"
        f"relay=a.example[192.0.2.7]:25, delay=1.5, tls=dane, {rest}\n"
    )


def log(folder: Path, *lines: str) -> MailLog:
    path = folder / "mail.log"
    path.write_text("".join(lines))
    return MailLog(MailLogSettings(files=(path,)), clock=lambda: AT + 3600)


NOTHING = MailLog(MailLogSettings())


def words(steps: Sequence[TimelineStep]) -> list[str]:
    return [in_words(step) for step in steps]


def test_from_its_arrival_to_the_mailbox(tmp_path: Path) -> None:
    held = record(
        "m1",
        AT,
        queue_id="AAAAA1",
        sender="ann@a.example",
        client="c[192.0.2.1]",
        recipients=(JOE,),
        size=99,
        action="quarantine",
        score=9.0,
        outcomes=(Outcome(JOE, Action.QUARANTINE, "default", limit=8.0),),
    )
    events = [
        Event("viewed", "m1", "web:bob", time=AT + 2),
        Event("viewed", "m1", "web:bob", time=AT + 3),
        Event("releasing", "m1", "web:bob", (JOE,), "asked for it", time=AT + 4),
        Event(
            "released",
            "m1",
            "web:bob",
            (JOE,),
            reply="250 Ok: queued as BBBBB2",
            queue_id="BBBBB2",
            time=AT + 5,
        ),
    ]
    said = log(
        tmp_path,
        line(0, "CCCCC3", SUE, "dsn=2.0.0, status=sent (of another message)"),
        line(5, "BBBBB2", JOE, "dsn=4.4.1, status=deferred (connection refused)"),
        line(9, "BBBBB2", JOE, "dsn=2.0.0, status=sent (250 ok)"),
    )
    told = timeline(held, AT, events, said)
    assert words(told.steps) == [
        f"received for {JOE}: from ann@a.example, client c[192.0.2.1], 99 bytes; queue-id AAAAA1",
        "held: Held: 9.0 points, the limit is 8.0 (rule default)",
        "viewed by web:bob 2 times",
        f"releasing by web:bob for {JOE}: asked for it",
        f"released by web:bob for {JOE}: 250 Ok: queued as BBBBB2; queue-id BBBBB2",
        f"deferred (postfix/smtp) for {JOE}: by a.example[192.0.2.7]:25, dsn 4.4.1, after 1.5 s, "
        "TLS dane; connection refused",
        f"sent (postfix/smtp) for {JOE}: by a.example[192.0.2.7]:25, dsn 2.0.0, after 1.5 s, "
        "TLS dane; 250 ok",
    ]
    plain = told.steps[-1].to_json()
    assert (plain["source"], plain["what"], plain["queue_id"]) == ("log", "sent", "BBBBB2")
    assert datetime.fromisoformat(plain["time"]).timestamp() == AT + 9


def test_what_was_held_again_leads_to_the_other_one() -> None:
    events = [Event("held_again", "m1", "filterd", (JOE,), "m2 (virus)", time=AT + 9)]
    step = timeline(record("m1", AT, recipients=(JOE,)), AT, events, NOTHING).steps[-1]
    assert (step.what, step.id, step.text) == ("held again", "m2", "virus")
    back = timeline(record("m2", AT, released="m1"), AT, [], NOTHING).steps[1]
    assert (back.what, back.id) == ("passed", "m1")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"action": "accept"}, "passed"),
        ({"action": "accept", "labelled": True}, "labelled"),
        ({"action": "reject"}, "refused"),
        ({"action": "tempfail"}, "deferred"),
        ({"action": "discard"}, "discarded"),
    ],
)
def test_what_was_decided(values: dict[str, object], what: str) -> None:
    found = record("m1", AT, **values)  # type: ignore[arg-type]
    assert timeline(found, AT, [], NOTHING).steps[1].what == what


def test_a_reviewer_sees_what_is_of_its_own_recipients(tmp_path: Path) -> None:
    def own(recipients: Sequence[str]) -> list[str]:
        return [one for one in recipients if one.endswith("@mx.example")]

    shared = record(
        "m1",
        AT,
        queue_id="AAAAA1",
        recipients=(JOE, SUE),
        action="quarantine",
        outcomes=(
            Outcome(JOE, Action.ACCEPT, "default"),
            Outcome(SUE, Action.QUARANTINE, "strict", limit=8.0),
        ),
    )
    said = log(
        tmp_path,
        line(1, "AAAAA1", SUE, "dsn=2.0.0, status=sent (250 ok)"),
        line(2, "AAAAA1", JOE, "dsn=2.0.0, status=sent (250 ok)"),
        line(3, "AAAAA1", "joe@elsewhere.example", "dsn=2.0.0, status=sent (250 ok)", alias=JOE),
    )
    told = timeline(shared, AT, [], said, own)
    assert "other.example" not in str(told)
    assert "strict" not in str(told)
    assert [step.what for step in told.steps] == ["received", "passed", "sent", "sent"]
    # Where the own address leads is not said, as it is somebody else's.
    assert [step.recipients for step in told.steps[2:]] == [(JOE,), (JOE,)]
    assert len(timeline(shared, AT, [], said).steps) == 5


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    read = MailLog(MailLogSettings(files=(tmp_path / "none",)))
    told = timeline(record("m1", AT, queue_id="AAAAA1"), AT, [], read)
    assert len(told.steps) == 2
    assert told.trouble == (f"{tmp_path}/none cannot be read: No such file or directory",)
