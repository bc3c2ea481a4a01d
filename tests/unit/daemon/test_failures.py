"""Keeping what broke a worker: in a thread that Python made, whoever asks for it."""

from __future__ import annotations

import threading

import pytest

from filterd.daemon.failures import FailedMail
from filterd.message import Envelope, Message

MAIL = Message(b"Subject: x\r\n\r\nx\r\n", Envelope("a@b.example"), "id1")


class Keeper:
    """A keeper that notes what it was asked for, and in which thread. full: it cannot store."""

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self.log: list[str] = []
        self.closed = threading.Event()

    def __call__(self, message: Message, reason: str, *, held: bool) -> None:
        self._note(f"{'hold' if held else 'keep'} {message.id} {reason}")
        if self.full:
            raise OSError(28, "No space left on device")

    def close(self) -> None:
        self._note("close")
        self.closed.set()

    def _note(self, what: str) -> None:
        # In one of libmilter's, closing an SQLite connection has ended the daemon (SIGSEGV).
        assert threading.current_thread().name.startswith("failures")
        self.log.append(what)


def test_a_message_is_kept_once_in_a_thread_of_ours() -> None:
    keeper = Keeper()
    failed = FailedMail(keeper)
    assert failed.keep(MAIL, "crash") == "id1"
    assert failed.keep(MAIL, "crash") == "id1"
    assert keeper.log == ["keep id1 crash"]


def test_trouble_reaches_who_asked() -> None:
    failed = FailedMail(Keeper(full=True))
    with pytest.raises(OSError, match="No space left"):
        failed.keep(MAIL, "crash")
    failed.exchange(Keeper())
    assert failed.keep(MAIL, "crash") == "id1"


def test_a_reload_closes_the_former_keeper_there_too() -> None:
    """Not when the collector comes by, in whatever thread that is."""
    former, new = Keeper(), Keeper()
    failed = FailedMail(former)
    failed.keep(MAIL, "crash")
    failed.exchange(new)
    assert former.closed.wait(5.0)
    assert former.log == ["keep id1 crash", "close"]
    other = Message(b"Subject: y\r\n\r\ny\r\n", Envelope("a@b.example"), "id2")
    assert failed.keep(other, "crash") == "id2"
    assert new.log == ["keep id2 crash"]


def test_what_is_held_is_held_each_time() -> None:
    keeper = Keeper()
    failed = FailedMail(keeper)
    failed.keep(MAIL, "crash")
    failed.hold(MAIL, "again")
    failed.hold(MAIL, "again")
    assert keeper.log == ["keep id1 crash", "hold id1 again", "hold id1 again"]
    keeper.full = True
    with pytest.raises(OSError, match="No space left"):
        failed.hold(MAIL, "again")


def test_failed_mail_is_kept_once_and_again_if_that_failed() -> None:
    kept, full = [], [True]

    def store(message: Message, reason: str, *, held: bool) -> None:
        if full.pop() if full else False:
            raise OSError("disk full")
        kept.append((message.id, reason))

    failed = FailedMail(store)
    with pytest.raises(OSError, match="disk full"):
        failed.keep(Message(b"a", id="1"), "crash")
    assert failed.keep(Message(b"a", id="2"), "crash") == "2"
    assert failed.keep(Message(b"a", id="3"), "crash") == "2"
    assert failed.keep(Message(b"b", id="4"), "timeout") == "4"
    assert kept == [("2", "crash"), ("4", "timeout")]
