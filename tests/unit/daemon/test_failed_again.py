"""Content that cost a filter its time, its memory or its worker is held when it comes again."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.chain.verdict import Failure, FailureKind
from filterd.cli.app import _command
from filterd.daemon.remembered import (
    SHORT_BODY,
    Remembered,
    again,
    content_digest,
    message_digest,
    of_content,
)
from filterd.daemon.transaction import Transaction
from filterd.message import Message
from tests.helpers.daemon import PLUGIN, NewDaemon, RunningDaemon
from tests.helpers.milter import Outcome, one_message
from tests.helpers.process import wait_for

# What the filter does · the kind of failure
COSTLY = [
    ("loop", "timeout"),
    ("deaf", "timeout"),
    ("block", "timeout"),
    ("segfault", "crash"),
    ("kill", "crash"),
    ("eat", "memory"),
]


def body_of(word: str, size: int = 500) -> bytes:
    """A body that no other test has."""
    return word.encode() + b" " + b"x" * size + b"\r\n"


def copy(daemon: RunningDaemon, number: int, order: str, body: bytes) -> Outcome:
    """One of many copies of a content, each with fields of its own."""
    return one_message(
        daemon.socket,
        (b"X-Do", b" " + order.encode()),
        (b"Message-ID", b" <%d@client.example>" % number),
        (b"Received", b" from a by b with ESMTP id %d" % number),
        (b"X-Number", b" %d" % number),
        body=body,
        to=[b"<joe%d@mx.example.test>" % number],
    )


@pytest.mark.parametrize(("order", "kind"), COSTLY)
@pytest.mark.parametrize("size", [500, 2_000_000])
def test_held_at_once(
    daemon: RunningDaemon, patient_daemon: RunningDaemon, order: str, kind: str, size: int
) -> None:
    if kind != "timeout":
        daemon = patient_daemon
    body = body_of(f"{order} {size}", size)
    first = copy(daemon, 1, order, body)
    assert first.word.startswith("451 4.3.0"), first.word
    daemon.wait_for_line("to=joe1@")
    before = daemon.settled()

    for number in (2, 3):
        later = copy(daemon, number, order, body)
        assert later.word == "discard"
        entry = daemon.kept()[-1]
        assert (entry.reason, entry.held_for) == ("failed", (f"joe{number}@mx.example.test",))
        (symbol,) = entry.symbols
        assert symbol.name == "MISBEHAVING_FAILED"
        assert symbol.detail.startswith(kind)
        assert "the same content came 0 min ago as" in symbol.detail
        line = daemon.wait_for_line(f"to=joe{number}@")
        assert "action=quarantine" in line
        assert "the same content failed as" in line
    # The filter was not tried again: that would have cost a worker.
    assert daemon.settled() == before


def test_no_worker_of_many_tries_again(
    new_daemon: NewDaemon,
) -> None:
    daemon = new_daemon(count=4)
    assert copy(daemon, 1, "segfault", body_of("four")).word.startswith("451")
    assert [copy(daemon, n, "segfault", body_of("four")).word for n in range(6)] == ["discard"] * 6
    assert daemon.asked("status")["worker_deaths"] == 1


def test_other_content_is_examined(daemon: RunningDaemon) -> None:
    assert copy(daemon, 1, "segfault", body_of("one")).word.startswith("451")
    assert copy(daemon, 2, "nothing", body_of("two")).word == "continue"
    # A short body many have in common: what else the header section says counts.
    assert copy(daemon, 3, "segfault", b"thanks\r\n").word.startswith("451")
    assert copy(daemon, 3, "segfault", b"thanks\r\n").word == "discard"
    assert copy(daemon, 3, "nothing", b"thanks\r\n").word == "continue"


def test_what_costs_nothing_is_tried_again(daemon: RunningDaemon) -> None:
    for number in (1, 2):
        assert copy(daemon, number, "raise", body_of("raise")).word.startswith("451")


def test_who_is_to_go_on_without_the_filter_does_so_at_once(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(mood='bad"\non_error = "continue"\n# "')
    started = daemon.settled()
    assert copy(daemon, 1, "loop", body_of("open")).word == "continue"
    # A worker in which a filter was interrupted is replaced.
    wait_for("another worker", lambda: daemon.settled() != started)
    before = daemon.settled()
    assert copy(daemon, 2, "loop", body_of("open")).word == "continue"
    assert daemon.settled() == before


def test_a_reload_forgets(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    assert copy(daemon, 1, "segfault", body_of("reload")).word.startswith("451")
    daemon.process.signal(signal.SIGHUP)
    daemon.wait_for_line("reloaded")
    assert copy(daemon, 2, "segfault", body_of("reload")).word.startswith("451")


def test_no_filter_was_running(daemon: RunningDaemon) -> None:
    """Two workers end after all filters: no third one, and the daemon holds the content."""
    deaths = daemon.asked("status")["worker_deaths"]
    body = body_of("afterwards")
    assert copy(daemon, 1, "afterwards", body).word.startswith("451 4.3.0")
    line = daemon.wait_for_line("to=joe1@")
    assert "crash in no filter" in line
    assert copy(daemon, 2, "afterwards", body).word == "discard"
    assert daemon.kept()[-1].held_for == ("joe2@mx.example.test",)
    assert daemon.asked("status")["worker_deaths"] == deaths + 2


def test_no_filter_to_leave_out(daemon: RunningDaemon) -> None:
    """An answer that is none, each time: the daemon holds the message itself."""
    order, body = "garbage=000000030000000000000000787878", body_of("garbage")
    assert copy(daemon, 1, order, body).word.startswith("451 4.3.0")
    assert len(daemon.lines("the worker's answer cannot be used")) <= 4
    before = daemon.settled()
    later = copy(daemon, 2, order, body)
    assert later.word == "discard"
    entry = daemon.kept()[-1]
    assert (entry.reason, entry.held_for) == ("failed", ("joe2@mx.example.test",))
    assert "the same content crashed its workers as" in entry.symbols[0].detail
    assert "action=quarantine" in daemon.wait_for_line("to=joe2@")
    assert daemon.settled() == before


# ---- the memory itself


def transaction(tmp_path: Path, body: bytes, *fields: tuple[str, bytes]) -> Transaction:
    one = Transaction(tmp_path)
    for name, value in fields:
        one.add_field(name, value)
    for start in range(0, len(body), 65535):
        one.add_body(body[start : start + 65535])
    return one


FAILED = [Failure("parts", FailureKind.TIMEOUT, "no opinion within 30.0 s")]


def test_fields_that_copies_differ_in_do_not_count(tmp_path: Path) -> None:
    plain = [("Content-Type", b" text/plain"), ("X-A", b" 1")]
    for size, same in ((SHORT_BODY, True), (SHORT_BODY - 1, False), (1 << 21, True)):
        body = b"y" * size
        digest = content_digest(transaction(tmp_path, body, *plain))
        volatile = [("Received", b" x"), ("Message-ID", b" <1@x>"), ("SUBJECT", b" z"), *plain]
        assert content_digest(transaction(tmp_path, body, *volatile)) == digest
        assert content_digest(transaction(tmp_path, b"z" + body[1:], *plain)) != digest
        other = transaction(tmp_path, body, *plain, ("X-B", b" 2"))
        assert (content_digest(other) == digest) is same


def test_entries_expire_and_are_few(tmp_path: Path) -> None:
    now = [1000.0]
    memory = Remembered(size=3, expires=60.0, clock=lambda: now[0])
    mail = [transaction(tmp_path, b"%d" % n * 200) for n in range(5)]
    for number, one in enumerate(mail[:4]):
        memory.note(one, f"id{number}", FAILED)
        now[0] += 10
    assert len(memory) == 3
    assert memory.find(mail[0]) is None
    assert memory.find(mail[4]) is None
    known = memory.find(mail[3])
    assert known is not None
    assert (known.id, known.failures) == ("id3", tuple(FAILED))
    now[0] += 45
    assert memory.find(mail[1]) is None
    assert memory.find(mail[3]) is not None
    assert [one["id"] for one in memory.to_json()] == ["id3"]
    # A clock that is set back keeps nothing for ever.
    now[0] -= 10_000
    assert memory.find(mail[3]) is None
    assert len(memory) == 0
    assert not memory._sizes


def test_failures_of_one_content_add_up(tmp_path: Path) -> None:
    memory = Remembered()
    one = transaction(tmp_path, b"z" * 200)
    memory.note(one, "first", FAILED)
    memory.note(one, "second", [Failure("clamav", FailureKind.CRASH, "signal 11")])
    known = memory.find(one)
    assert known is not None
    assert known.id == "first"
    assert {f.filter for f in known.failures} == {"parts", "clamav"}
    found = again(known, time.time())
    assert all(f.again and "as first" in f.detail for f in found)
    memory.clear()
    assert memory.find(one) is None


@pytest.mark.parametrize(
    ("failure", "counts"),
    [
        (Failure("parts", FailureKind.TIMEOUT, "no opinion within 30.0 s"), True),
        (Failure("parts", FailureKind.TIMEOUT, "no time was left, says a filter"), True),
        (Failure("parts", FailureKind.MEMORY, "out of memory"), True),
        (Failure("parts", FailureKind.CRASH, "worker 7"), True),
        (Failure("parts", FailureKind.TIMEOUT, "no time was left", starved=True), False),
        (Failure("parts", FailureKind.ERROR, "timeout: ValueError"), False),
        (Failure("parts", FailureKind.UNAVAILABLE, "clamd is away"), False),
    ],
)
def test_what_is_worth_remembering(failure: Failure, counts: bool) -> None:
    assert bool(list(of_content([failure], ["parts"]))) is counts
    assert not list(of_content([replace(failure, filter="stranger")], ["parts"]))


@pytest.mark.parametrize("size", [0, 1, SHORT_BODY - 1, SHORT_BODY, 2_000_000])
def test_a_message_in_a_file_has_the_same_digest(tmp_path: Path, size: int) -> None:
    fields = [
        ("Subject", b" x"),
        ("Content-Type", b" text/plain;\n\tcharset=utf-8"),
        ("X-A", b" 1"),
    ]
    one = transaction(tmp_path, b"z" * size, *fields)
    assert message_digest(Message(one.data())) == content_digest(one)


def test_explain_says_what_the_daemon_remembers(
    daemon: RunningDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    body = body_of("explain me")
    assert copy(daemon, 1, "segfault", body).word.startswith("451")
    file = tmp_path / "mail.eml"
    for text, remembered in ((body, True), (body + b"more\r\n", False)):
        file.write_bytes(b"Subject: another\n\n" + text.replace(b"\r\n", b"\n"))
        arguments = [str(file), "--config", str(daemon.config)]
        plain = CliRunner().invoke(_command("explain"), arguments)
        assert plain.exit_code == 0, plain.output
        assert ("This content failed (crash in misbehaving)" in plain.stdout) is remembered
        told = json.loads(CliRunner().invoke(_command("explain"), [*arguments, "--json"]).stdout)
        assert (told["failed"] is not None) is remembered
