"""Envelopes and header sections without end: refused with 552, before a worker is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.processes import (
    ENVELOPE_SIZE_LIMIT,
    HEADER_FIELDS_LIMIT,
    HEADER_SIZE_LIMIT,
    RECIPIENTS_LIMIT,
)
from filterd.daemon.transaction import EnvelopeLimitError, HeaderLimitError, Transaction
from filterd.workers import framing
from tests.helpers.daemon import NewDaemon, RunningDaemon
from tests.helpers.milter import MilterClient, Outcome, one_message

MIB = 1 << 20


def told(daemon: RunningDaemon, count: int, size: int) -> Outcome:
    """What comes of a message with so many header fields of so many octets."""
    return one_message(daemon.socket, *[(b"X-%d" % n, b" " + b"x" * size) for n in range(count)])


def memory(daemon: RunningDaemon) -> int:
    """Octets of memory that the daemon holds now (proc(5))."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) << 10


def test_a_header_without_end_costs_no_worker_and_no_memory(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(limit=256 * MIB)
    # What the first messages take for good.
    told(daemon, 4, 900_000)
    before = memory(daemon)
    for _ in range(3):
        outcome = told(daemon, 80, 900_000)
        assert outcome.word.startswith("552 5.3.4 Message header is too large (id=")
    assert daemon.asked("status")["worker_deaths"] == 0
    assert memory(daemon) - before < 24 * MIB
    assert "header" in daemon.wait_for_line("not scanned")


@pytest.mark.parametrize(
    ("count", "size", "word"),
    [
        (HEADER_FIELDS_LIMIT - 2, 1, "continue"),
        (HEADER_FIELDS_LIMIT - 1, 1, "552 5.3.4"),
        (60_000, 6, "552 5.3.4"),
        (4, HEADER_SIZE_LIMIT // 4 - 100, "continue"),
        (5, HEADER_SIZE_LIMIT // 5 + 1, "552 5.3.4"),
    ],
)
def test_the_limits(new_daemon: NewDaemon, count: int, size: int, word: str) -> None:
    # From and Subject are two more.
    daemon = new_daemon(limit=256 * MIB)
    assert told(daemon, count, size).word.startswith(word)
    # The next message on a new connection is judged as ever.
    assert daemon.told("nothing").word == "continue"


def test_the_next_message_of_the_connection_is_taken(daemon: RunningDaemon) -> None:
    many = [(b"X", b" y")] * (HEADER_FIELDS_LIMIT + 1)
    with MilterClient(daemon.socket) as client:
        client.hello()
        assert client.message(fields=many).word.startswith("552")
        assert client.message().word == "continue"


def test_many_recipients(daemon: RunningDaemon) -> None:
    to = [b"<user%d@mx.example.test>" % number for number in range(RECIPIENTS_LIMIT + 1)]
    assert one_message(daemon.socket, to=to[:-1]).word == "continue"
    assert one_message(daemon.socket, to=to).word.startswith("552 5.5.3 Too many recipients")


def test_an_envelope_that_fits_into_no_request(daemon: RunningDaemon) -> None:
    """Octets beyond ASCII take six characters each on their way to a worker."""
    count = framing.HEAD_LIMIT // 6 // 1000 + 2
    to = [b"<%d-" % number + b"\xff" * 1000 + b"@mx.example.test>" for number in range(count)]
    assert sum(map(len, to)) < ENVELOPE_SIZE_LIMIT
    deaths = daemon.asked("status")["worker_deaths"]
    assert one_message(daemon.socket, to=to).word.startswith("552 5.5.3 Too many recipients")
    assert daemon.asked("status")["worker_deaths"] == deaths


def test_what_was_kept_is_given_back(tmp_path: Path) -> None:
    one = Transaction(tmp_path)
    with pytest.raises(EnvelopeLimitError):
        for _ in range(ENVELOPE_SIZE_LIMIT // 1000 + 1):
            one.add_recipient(b"<a@b.example>", b"X=" + b"x" * 1000)
    assert (one.recipients, one.paths) == ([], {})
    with pytest.raises(HeaderLimitError):
        for _ in range(HEADER_FIELDS_LIMIT + 1):
            one.add_field("X", b"y")
    assert one.fields == []
