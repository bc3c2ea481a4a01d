"""Sessions with clamd: one connection for many messages, and small messages as a file descriptor.

Scanning a message of a few kilobytes takes clamd less time than a new connection and a temporary
file for what is streamed: in a session, with a descriptor instead of a stream, both processes
together need less than half the time. All this is a short cut: whenever a session gives
anything but a plain answer, the message is streamed over a connection of its own
(`Server.scan`), and what happens there counts. Source: clamd(8), IDSESSION and FILDES.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import struct
from array import array

from filterd.message.fields import Buffer
from filterd.scanners.clamd.client import ANSWER_BLOCK, ANSWER_LIMIT
from filterd.scanners.clamd.server import ClamdServer, SilentError, virus_name

log = logging.getLogger(__name__)

SESSION_LIMIT = 256 << 10
"""Octets of content that goes through a session. More is streamed, so that clamd's StreamMaxLength
is asked about it; no clamd is set to less than this."""

ASKING_PATIENCE = 0.1
"""Seconds for handing over a descriptor; a socket that takes none belongs to a hung clamd."""

_LENGTH = struct.Struct("!L")
_END = _LENGTH.pack(0)
_ANSWER = re.compile(rb"(?P<number>\d+): (?:stream|fd\[\d+\]): (?:(?P<name>\S.*) FOUND|OK)\n")
_NO_DESCRIPTOR = re.compile(rb"(?i)\d+: (?>.*?\bdescriptor\b).* ERROR\n")


class _FailedError(Exception):
    """The session gave no plain answer. answer: what it said."""

    def __init__(self, answer: bytes = b"") -> None:
        super().__init__()
        self.answer = answer


class ClamdSessions:
    """The open sessions of one process, one for each server that was asked."""

    def __init__(self) -> None:
        self._open: dict[ClamdServer, _Session] = {}
        self._streamed: set[ClamdServer] = set()
        self._asked: tuple[ClamdServer, Buffer, _Session] | None = None

    def scan(self, server: ClamdServer, content: Buffer, patience: float) -> str:
        """As `Server.scan`: the name that clamd gives the content, `""` if it finds nothing.

        patience: seconds that it may do nothing. Raises as that does.
        """
        if not 0 < len(content) <= SESSION_LIMIT:
            return server.scan(content, patience)
        found = self._answered(server, content, patience)
        if found is not None:
            return found
        # Out of the table while it is in use: whatever ends this early leaves no half-read session.
        session = self._open.pop(server, None)
        if session is not None and session.process != os.getpid():
            session = None  # opened before a fork, so it is somebody else's
        is_new = session is None
        descriptor = not server.port and server not in self._streamed
        try:
            if session is None:
                session = _Session(server, patience)
            name = session.scan(content, patience, descriptor=descriptor)
        except TimeoutError as error:
            raise SilentError(f"{server} was silent for {patience:.1f} s") from error
        except (_FailedError, OSError) as error:
            answer = error.answer if isinstance(error, _FailedError) else b""
            name = server.scan(content, patience)
            # AppArmor and its like may keep clamd from files that others opened: it says so, or
            # hangs up on the first of them, and takes the same content as a stream.
            if descriptor and (_NO_DESCRIPTOR.fullmatch(answer) or (is_new and not answer)):
                log.info("clamav: %s takes no descriptors, mail is streamed to it", server)
                self._streamed.add(server)
            return name
        self._open[server] = session
        return name

    def ask(self, server: ClamdServer, content: Buffer) -> None:
        """Put the question of the next `scan` already, if that needs no waiting: over a session
        that is open, with a descriptor. Raises OSError where the session is over."""
        self._asked = None
        if not 0 < len(content) <= SESSION_LIMIT or server in self._streamed:
            return
        session = self._open.pop(server, None)
        if session is None or session.process != os.getpid() or server.port:
            return
        session.ask(content, ASKING_PATIENCE, descriptor=True)
        self._asked = (server, content, session)

    def _answered(self, server: ClamdServer, content: Buffer, patience: float) -> str | None:
        """The answer to what was asked ahead, None if that was nothing or went wrong."""
        asked, self._asked = self._asked, None
        if asked is None or asked[1] is not content:
            return None
        if asked[0] is not server and asked[0] != server:
            return None
        try:
            name = asked[2].answer(patience)
        except TimeoutError as error:
            raise SilentError(f"{server} was silent for {patience:.1f} s") from error
        except (_FailedError, OSError):
            return None
        self._open[server] = asked[2]
        return name

    def close(self) -> None:
        """End all sessions."""
        self._open.clear()
        self._asked = None


class _Session:
    """One connection on which clamd was told IDSESSION; it closes with its last reference."""

    def __init__(self, server: ClamdServer, patience: float) -> None:
        self.process = os.getpid()
        self._file, self._filled = -1, 0
        self._peer = server.connect(patience)
        if server.port:
            self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._greeting = b"nIDSESSION\n"
        self._asked = 0
        self._patience = patience

    def __del__(self) -> None:
        # Not left to the socket, which would warn that nobody closed it.
        peer = getattr(self, "_peer", None)
        if peer is not None:
            peer.close()
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)

    def scan(self, content: Buffer, patience: float, *, descriptor: bool) -> str:
        """Have the content scanned. Raises OSError, TimeoutError among them, or _FailedError."""
        self.ask(content, patience, descriptor=descriptor)
        return self.answer(patience)

    def ask(self, content: Buffer, patience: float, *, descriptor: bool) -> None:
        """Hand the content over. Raises as `scan`."""
        if patience != self._patience:
            self._wait(patience)
        self._asked += 1
        if descriptor:
            self._pass(content)
        else:
            head = b"nINSTREAM\n" + _LENGTH.pack(len(content))
            self._peer.sendall(b"".join((self._greeting, head, content, _END)))
        self._greeting = b""

    def answer(self, patience: float) -> str:
        """The name that was found in what was asked last. Raises as `scan`."""
        if patience != self._patience:
            self._wait(patience)
        answer = self._line()
        match = _ANSWER.fullmatch(answer)
        if match is None or int(match["number"]) != self._asked:
            raise _FailedError(answer)
        return virus_name((match["name"] or b"").decode("utf-8", "replace"))

    def _wait(self, patience: float) -> None:
        """Wait for so many seconds from now on: a system call, and mostly it is as before."""
        self._peer.settimeout(patience)
        self._patience = patience

    def _pass(self, content: Buffer) -> None:
        """One file in memory serves all messages: clamd has answered about the one before."""
        size = len(content)
        if self._file < 0:
            self._file = os.memfd_create("message")
        if os.pwrite(self._file, content, 0) != size:
            raise _FailedError
        if self._filled > size:
            os.ftruncate(self._file, size)
        self._filled = size
        # The descriptor travels with the command and the octet that clamd expects after it.
        self._peer.sendmsg(
            [self._greeting, b"nFILDES\n\0"],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [self._file]))],
        )

    def _line(self) -> bytes:
        said = b""
        while not said.endswith(b"\n") and len(said) < ANSWER_LIMIT:
            block = self._peer.recv(ANSWER_BLOCK)
            if not block:
                raise _FailedError(said)
            said += block
        return said
