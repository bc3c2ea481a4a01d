"""The daemon's small parts: frames, transactions, lines, the watch page, failed mail."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.config.processes import BODY_IN_MEMORY, DaemonSettings
from filterd.daemon.failures import FailedMail
from filterd.daemon.transaction import Transaction
from filterd.message import Message
from filterd.ops import logs
from filterd.workers import framing
from filterd.workers.watch import WatchPage, new_page
from tests.helpers.reports import report

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


# --- frames


@given(st.binary(max_size=100), st.lists(st.binary(max_size=50), max_size=5))
def test_frames_arrive(head: bytes, body: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        framing.send(ours, head, body)
        assert framing.Receiver(theirs).receive() == (head, b"".join(body), None)


@pytest.mark.parametrize("size", [0, 1, framing.READ_SIZE - 20, framing.READ_SIZE, 3_000_000])
def test_frames_of_any_size(pair: Pair, size: int) -> None:
    sender = threading.Thread(target=framing.send, args=(pair[0], b"{}", [b"x" * size]))
    sender.start()
    assert framing.Receiver(pair[1]).receive() == (b"{}", b"x" * size, None)
    sender.join()


def test_frame_that_comes_octet_by_octet(pair: Pair) -> None:
    def send() -> None:
        for octet in b"\0\0\0\2" + b"\0" * 7 + b"\3" + b"{}" + b"abc":
            pair[0].send(bytes([octet]))

    sender = threading.Thread(target=send)
    sender.start()
    assert framing.Receiver(pair[1]).receive() == (b"{}", b"abc", None)
    sender.join()


def test_frame_that_pauses_in_the_middle(pair: Pair) -> None:
    """The daemon's sockets have a time limit for each read; a slow answer is no broken one."""
    pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 10_000))
    receiver = framing.Receiver(pair[1])
    with pytest.raises(BlockingIOError):
        receiver.receive()
    pair[0].sendall(b"\0\0\0\2" + b"\0" * 8 + b"{")
    threading.Timer(0.1, pair[0].sendall, (b"}",)).start()
    assert receiver.receive() == (b"{}", b"", None)


def test_descriptor_travels_beside_the_frame(pair: Pair) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"spooled")
        file.flush()
        framing.send(pair[0], b"{}", (), file.fileno())
    _head, _body, descriptor = framing.Receiver(pair[1], descriptors=True).receive()
    assert descriptor is not None
    assert os.pread(descriptor, 100, 0) == b"spooled"
    os.close(descriptor)


@pytest.mark.parametrize(
    ("octets", "complaint"),
    [
        (b"", "closed"),
        (b"\0\0\0", "before the end"),
        (b"\0\0\0\5" + b"\0" * 8 + b"abc", "before the end"),
        (b"\xff" * 12, "over the limit"),
        (b"\0\0\0\1" + b"\0" * 7 + b"\1" + b"a", "over the limit"),  # a body where none may be
        (b"\0\0\0\1" + b"\0" * 8 + b"abc", "after the frame"),
    ],
)
def test_what_is_no_frame(pair: Pair, octets: bytes, complaint: str) -> None:
    pair[0].sendall(octets)
    pair[0].close()
    with pytest.raises(framing.FrameError, match=complaint):
        framing.Receiver(pair[1], body_limit=0).receive()


# --- transactions


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_body_is_the_chunks(chunks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        transaction = Transaction(Path(folder))
        transaction.fields.append(("A", b" 1\n 2"))
        for chunk in chunks:
            transaction.add_body(chunk)
        assert transaction.data() == b"A: 1\r\n 2\r\n\r\n" + b"".join(chunks)
        assert transaction.size == len(transaction.data())
        transaction.close()


def test_large_body_goes_to_a_file_without_a_name(tmp_path: Path) -> None:
    transaction = Transaction(tmp_path)
    transaction.fields.append(("A", b" 1"))
    for _ in range(20):
        transaction.add_body(b"x" * 65_535)
    assert transaction.size > BODY_IN_MEMORY
    pieces, descriptor = transaction.message()
    assert pieces == []
    assert descriptor is not None
    assert os.fstat(descriptor).st_size == transaction.size
    assert transaction.data() == b"A: 1\r\n\r\n" + b"x" * (20 * 65_535)
    assert list(tmp_path.iterdir()) == []
    transaction.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_paths_lose_their_brackets_and_keep_their_spelling(tmp_path: Path) -> None:
    transaction = Transaction(tmp_path, b"", b"<>", b"SIZE=7")
    transaction.add_recipient(b" <Joe@B.example>", b"NOTIFY=NEVER")
    assert transaction.sender == ""
    assert transaction.sender_parameters == ("SIZE=7",)
    assert transaction.recipients[0].address == "Joe@B.example"
    assert transaction.paths == {"Joe@B.example": " <Joe@B.example>"}


# --- log lines


@given(st.dictionaries(st.sampled_from("abc"), st.text(max_size=20) | st.integers() | st.floats()))
def test_lines_are_one_line_of_plain_ascii(event: dict[str, Any]) -> None:
    for render in (logs.keyvalue, logs.as_json):
        line = render(None, "info", event)
        assert line.isascii()
        assert line.isprintable() or not line


@given(st.text(max_size=30))
def test_no_value_forges_a_key(text: str) -> None:
    line = logs.keyvalue(None, "info", {"from": text, "action": "accept"})
    value = line.removeprefix("from=").removesuffix(" action=accept")
    assert (json.loads(value) if value.startswith('"') else value) == text


def test_message_line(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(DaemonSettings())
    one = report("x1", recipients=("a@b", "c@d"), milliseconds={"bayes": 1.5}, client="c[]")
    logs.MessageLog(DaemonSettings()).report(one)
    line = capfd.readouterr().err
    assert re.fullmatch(
        r"time=\S+ level=info event=message id=x1 client=c\[\] from= to=a@b,c@d size=0 "
        r"action=accept stored=false score=0.0 required=0.0 labelled=false ms=bayes:1.5\n",
        line,
    )


# --- the watch page and failed mail


def test_watch_page_is_seen_from_outside() -> None:
    descriptor = new_page()
    worker = WatchPage(descriptor, ["gtube", "bayes"], writable=True)
    daemon = WatchPage(descriptor, ["gtube", "bayes"], writable=False)
    os.close(descriptor)
    assert daemon.read() == ("", 0.0)
    worker.announce("bayes", 12.5)
    assert daemon.read() == ("bayes", 12.5)
    worker.clear()
    assert daemon.read() == ("", 0.0)
    worker.close()
    daemon.close()


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
