"""The queue manager: what was delivered once is not delivered again, whatever goes wrong later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

import pytest

from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome
from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.mail.queue_times import QueueTimes
from filterd.mta.queue.bounce import Bouncer
from filterd.mta.queue.manager import QueueManager
from filterd.mta.queue.recipient_report import failed
from filterd.mta.queue.spool import Spool

JOE, SUE = Target("joe"), Target("sue")
ENTRY = QueueEntry("6AN0000000001", "ann@x.test", (JOE, SUE))
MESSAGE = b"Subject: one\n\nbody\n"

LATER = DeliveryError("not now", temporary=True, code="4.2.0")
NEVER = DeliveryError(
    "mx.test replied: 550 5.1.1 niemand hei\xdft \u2026", temporary=False, code="5.1.1"
)


class Deliveries:
    """A router that delivers to joe, and does with sue what it was told."""

    def __init__(self, sue: Exception | None) -> None:
        self.sue = sue
        self.delivered: list[str] = []

    def resolve(self, address: str, *, listed: bool = False) -> Route:
        raise NotImplementedError

    def members(self, address: str) -> list[str]:
        raise NotImplementedError

    def expand(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        return targets

    def deliver(self, entry: QueueEntry, message: bytes) -> Iterator[DeliveryOutcome]:
        for target in entry.targets:
            error = self.sue if target.address == "sue" else None
            if isinstance(error, DeliveryError):
                yield DeliveryOutcome(target, error=error)
            elif error is not None:
                raise error
            else:
                self.delivered.append(target.address)
                yield DeliveryOutcome(target, "local", target.address)


def attempts(
    spool: Spool,
    router: Deliveries,
    *before: Callable[[], None],
    times: QueueTimes = QueueTimes(),  # noqa: B008  (frozen)
) -> None:
    """Run one attempt for each of the functions, which is called before it."""

    async def run() -> None:
        with ThreadPoolExecutor(2) as executor:
            ids = iter("ABCDEFGH")
            bouncer = Bouncer("mx.test", lambda: f"REPORT{next(ids)}")
            queue = QueueManager(spool, router, executor, retry=60.0, bounce=bouncer, times=times)
            for prepare in before:
                prepare()
                await queue.look(all=True)
                await queue.settled()

    asyncio.run(run())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    made.store(ENTRY, MESSAGE)
    return made


def test_a_full_disk_does_not_make_copies(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    router = Deliveries(LATER)

    def full(entry: QueueEntry) -> None:
        raise OSError(28, "No space left on device")

    def fill() -> None:
        monkeypatch.setattr(spool, "update", full)

    attempts(spool, router, fill, lambda: None, monkeypatch.undo)
    assert router.delivered == ["joe"]
    assert [one.targets for one in spool.entries()] == [(SUE,)]


def test_a_report_that_cannot_be_stored_does_not_make_copies(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = Deliveries(NEVER)

    def full(entry: QueueEntry, message: bytes) -> None:
        raise OSError(28, "No space left on device")

    def fill() -> None:
        monkeypatch.setattr(spool, "store", full)

    attempts(spool, router, fill, lambda: None)
    assert router.delivered == ["joe"]
    assert [one.id for one in spool.entries()] == [ENTRY.id]


def test_one_report_is_made_though_the_envelope_cannot_be_written(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[str] = []
    store = spool.store

    def kept(entry: QueueEntry, message: bytes) -> None:
        stored.append(entry.id)
        store(entry, message)

    def refused(entry: QueueEntry) -> None:
        raise OSError(5, "Input/output error")

    def fill() -> None:
        monkeypatch.setattr(spool, "store", kept)
        monkeypatch.setattr(spool, "remove", refused)

    attempts(spool, Deliveries(NEVER), fill, lambda: None)
    assert len(stored) == 1


def test_words_of_another_server_do_not_break_the_report(spool: Spool) -> None:
    router = Deliveries(NEVER)
    reports: list[bytes] = []

    def deliver(entry: QueueEntry, message: bytes) -> Iterator[DeliveryOutcome]:
        if entry.is_report:
            reports.append(message)
        yield from Deliveries.deliver(router, entry, message)

    router.deliver = deliver  # type: ignore[method-assign]
    attempts(spool, router, lambda: None, lambda: None)
    assert router.delivered == ["joe", "ann@x.test"]
    assert list(spool.entries()) == []
    (report,) = reports
    assert report.isascii()
    assert "550 5.1.1 niemand hei?t ?" in report.decode()


@pytest.mark.parametrize(
    "error", [ValueError("a fault of ours"), OSError(24, "Too many open files")]
)
def test_a_fault_in_a_delivery_defers_the_rest(spool: Spool, error: Exception) -> None:
    router = Deliveries(error)
    attempts(spool, router, lambda: None, lambda: None)
    assert router.delivered == ["joe"]
    (left,) = spool.entries()
    assert (left.targets, left.attempts) == ((SUE,), 2)
    assert left.due > left.arrived


def test_a_damaged_queue_file_holds_up_no_other(spool: Spool) -> None:
    (spool.root / "queue" / "0.json").write_text("{")
    router = Deliveries(None)
    attempts(spool, router, lambda: None)
    assert router.delivered == ["joe", "sue"]


def test_a_report_keeps_its_lines() -> None:
    error = DeliveryError("no\n\n--x\nContent-Type: text/html", temporary=False, code="5.0.0")
    made = Bouncer("mx.test", lambda: "ID")(ENTRY, [failed(Target("j\r\noe"), error)], MESSAGE)
    assert made is not None
    parts = message_from_bytes(made[1]).walk()
    assert [part.get_content_type() for part in parts].count("text/html") == 0
    assert b"\n--x" not in made[1]


@pytest.mark.parametrize(
    ("server", "shown"), [("192.0.2.1", "[192.0.2.1]"), ("mx.test", "mx.test")]
)
def test_a_report_names_the_server_that_refused(server: str, shown: str) -> None:
    error = DeliveryError(f"{server} replied: 550 no", temporary=False, code="5.1.1")
    error.server, error.said = server, "550-no / 550 never"
    made = Bouncer("mx.test", lambda: "ID")(ENTRY, [failed(SUE, error)], MESSAGE)
    assert made is not None
    assert (
        f"Status: 5.1.1\nRemote-MTA: dns; {shown}\nDiagnostic-Code: smtp; 550-no / 550 never\n\n"
    ).encode() in made[1]


def actions(spool: Spool) -> list[str]:
    """The actions in the reports that wait in the spool."""
    reports = [spool.message(one) for one in spool.entries() if one.is_report]
    lines = b"".join(reports).decode().splitlines()
    return [line for line in lines if line.startswith(("Action:", "Status:"))]


def late(spool: Spool, *parameters: str, arrived: float | None = None, sender: str = "ann") -> None:
    """The message came with these parameters, by default ten seconds ago."""
    came = time.time() - 10 if arrived is None else arrived
    entry = replace(ENTRY, sender=sender, arrived=came, expires=came + 1e5, attempts=10)
    spool.update(replace(entry, sender_parameters=parameters))


class Postponing(Deliveries):
    """Reports wait, too."""

    def deliver(self, entry: QueueEntry, message: bytes) -> Iterator[DeliveryOutcome]:
        if entry.is_report:
            yield from (DeliveryOutcome(target, error=LATER) for target in entry.targets)
        else:
            yield from super().deliver(entry, message)


def test_mail_whose_time_is_over_is_returned_and_not_delivered(spool: Spool) -> None:
    router = Postponing(LATER)
    late(spool, "BY=5;R")
    attempts(spool, router, lambda: None)
    assert router.delivered == []
    assert actions(spool) == ["Action: failed", "Status: 5.4.7"] * 2
    assert [one.id for one in spool.entries() if not one.is_report] == []


def test_mail_that_must_not_be_late_is_tried_again_in_time(spool: Spool) -> None:
    late(spool, "BY=3000;R", arrived=time.time())
    attempts(spool, Postponing(LATER), lambda: None)
    (left,) = spool.entries()
    assert (left.targets, left.due) == ((SUE,), left.arrived + 3000)


def test_the_sender_hears_once_that_mail_is_late(spool: Spool) -> None:
    router = Postponing(LATER)
    late(spool, "BY=5;N")
    attempts(spool, router, lambda: None, lambda: None)
    relayed = "Action: relayed (Deliver-By notify mode)"
    assert actions(spool) == [relayed, "Status: 2.0.0", "Action: delayed", "Status: 4.2.0"]
    (left,) = (one for one in spool.entries() if not one.is_report)
    assert (left.targets, left.warned) == ((SUE,), True)


@pytest.mark.parametrize("sender", ["", "owner-list@x.test", "list-REQUEST"])
def test_who_sends_for_a_list_or_a_report_is_not_warned(spool: Spool, sender: str) -> None:
    late(spool, sender=sender)
    attempts(spool, Postponing(LATER), lambda: None, times=QueueTimes(patience=lambda _: 5.0))
    assert actions(spool) == []


def test_the_patience_of_a_message_ends_once(spool: Spool) -> None:
    late(spool)
    times = QueueTimes(patience=lambda message: 5.0 if message == MESSAGE else 0.0)
    attempts(spool, Postponing(LATER), lambda: None, lambda: None, times=times)
    assert actions(spool) == ["Action: delayed", "Status: 4.2.0"]


def test_a_warning_that_cannot_be_written_down_is_not_sent_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    late(spool, "BY=5;N")

    def full(entry: QueueEntry) -> None:
        raise OSError(28, "No space left on device")

    def fill() -> None:
        monkeypatch.setattr(spool, "update", full)

    attempts(spool, Postponing(LATER), fill, lambda: None, monkeypatch.undo, lambda: None)
    assert len(actions(spool)) == 4


def test_an_envelope_without_a_warning_is_as_it_was_before_there_were_warnings() -> None:
    assert b"warned" not in ENTRY.encode()
    warned = replace(ENTRY, warned=True)
    assert QueueEntry.decode(warned.encode()) == warned
