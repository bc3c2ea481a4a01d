"""Keeping what broke a worker: in a thread that Python made, whoever asks for it."""

from __future__ import annotations

import threading

import pytest

from filterd.daemon.failures import FailedMail
from filterd.message import Envelope, Message

MAIL = Message(b"Subject: x\r\n\r\nx\r\n", Envelope("a@b.example"), "id1")


def test_what_calls_into_c_libraries_runs_in_a_thread_of_ours() -> None:
    """In one of libmilter's, closing an SQLite connection has ended the daemon (SIGSEGV)."""
    threads = []
    failed = FailedMail(lambda _message, _reason: threads.append(threading.current_thread().name))
    assert failed.keep(MAIL, "crash") == "id1"
    (name,) = threads
    assert name.startswith("failures")


def test_trouble_reaches_who_asked() -> None:
    def full(_message: Message, _reason: str) -> None:
        raise OSError(28, "No space left on device")

    failed = FailedMail(full)
    with pytest.raises(OSError, match="No space left"):
        failed.keep(MAIL, "crash")
    failed.store = lambda _message, _reason: None
    assert failed.keep(MAIL, "crash") == "id1"
