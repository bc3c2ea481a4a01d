"""An MTA for one test: it takes mail, or says and does what the test wants at each step."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedRWPair

Hook = Callable[[], None]


@dataclass
class Taken:
    """One message as it came: the commands' lines, and the octets between DATA and the dot."""

    mail: str = ""
    rcpt: list[str] = field(default_factory=list)
    data: bytes = b""


@dataclass
class Mta:
    """answers: reply by verb (`MAIL`, `RCPT:joe@mx.test`, `DATA`, `DOT`); an empty one closes the
    connection instead. at_dot: called when the whole message is there, before the answer."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    at_dot: Hook = lambda: None
    features: tuple[str, ...] = ("8BITMIME", "DSN")


@contextmanager
def running() -> Iterator[Mta]:
    """The MTA, in threads, on a free port."""
    mta = Mta()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mta.port = listener.getsockname()[1]
        thread = threading.Thread(target=_accept, args=(listener, mta), daemon=True)
        thread.start()
        yield mta
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _accept(listener: socket.socket, mta: Mta) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, mta), daemon=True).start()


def _serve(client: socket.socket, mta: Mta) -> None:
    with client, client.makefile("rwb") as stream:
        try:
            _talk(stream, mta)
        except (ConnectionError, ValueError):
            return


def _talk(stream: BufferedRWPair, mta: Mta) -> None:
    read, write, flush = stream.readline, stream.write, stream.flush

    def say(reply: str) -> bool:
        if not reply:
            return False
        write(reply.encode() + b"\r\n")
        flush()
        return True

    say("220 mta.test ESMTP")
    message = Taken()
    while line := read().decode("latin-1").rstrip("\r\n"):
        verb = line[:4].upper()
        if verb == "EHLO":
            say("\r\n".join(f"250-{feature}" for feature in mta.features) + "\r\n250 HELP")
        elif verb == "MAIL":
            message = Taken(line)
            if not say(mta.answers.get("MAIL", "250 2.1.0 ok")):
                return
        elif verb == "RCPT":
            address = line.partition("<")[2].partition(">")[0]
            answer = mta.answers.get(f"RCPT:{address}", "250 2.1.5 ok")
            if answer.startswith("250"):
                message.rcpt.append(address)
            if not say(answer):
                return
        elif verb == "DATA":
            answer = mta.answers.get("DATA", "354 go on")
            if not say(answer):
                return
            if not answer.startswith("354"):
                continue
            message.data = _until_dot(read)
            mta.at_dot()
            answer = mta.answers.get("DOT", "250 2.0.0 Ok: queued as Q1")
            if answer.startswith("250") or not answer:
                mta.taken.append(message)
            if not say(answer):
                return
        else:
            say("221 bye" if verb == "QUIT" else "250 ok")


def _until_dot(read: Callable[[], bytes]) -> bytes:
    """The message's octets, lines that end in CRLF unstuffed (RFC 5321 §4.5.2)."""
    found, at_line_start = b"", True
    while line := read():
        if at_line_start and line == b".\r\n":
            return found
        found += line[1:] if at_line_start and line.startswith(b".") else line
        at_line_start = line.endswith(b"\r\n")
    raise ConnectionError("the client left in the middle of a message")
