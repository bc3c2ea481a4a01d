"""The queue manager: what was delivered once is not delivered again, whatever goes wrong later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from pathlib import Path

import pytest

from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome
from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.queue.bounce import Bouncer
from filterd.mta.queue.manager import QueueManager
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


def attempts(spool: Spool, router: Deliveries, *before: Callable[[], None]) -> None:
    """Run one attempt for each of the functions, which is called before it."""

    async def run() -> None:
        with ThreadPoolExecutor(2) as executor:
            ids = iter("ABCDEFGH")
            bouncer = Bouncer("mx.test", lambda: f"REPORT{next(ids)}")
            queue = QueueManager(spool, router, executor, retry=60.0, bounce=bouncer)
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
    made = Bouncer("mx.test", lambda: "ID")(ENTRY, [(Target("j\r\noe"), error)], MESSAGE)
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
    made = Bouncer("mx.test", lambda: "ID")(ENTRY, [(SUE, error)], MESSAGE)
    assert made is not None
    assert (
        f"Status: 5.1.1\nRemote-MTA: dns; {shown}\nDiagnostic-Code: smtp; 550-no / 550 never\n\n"
    ).encode() in made[1]
