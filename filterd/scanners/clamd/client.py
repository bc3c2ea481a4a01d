"""The package's client for one command to one clamd, with what it lacks.

The package `clamd` has the commands (PING, VERSION, STATS, RELOAD), their plain answers and the
form of a scan's answer. What is changed here: the time limit holds for connecting too; IPv6 and
TLS; a message is sent as one chunk in large blocks, and all of it; an answer is bounded, may end
with LF or NUL, and one that says that the command is not taken is a refusal.
docs/adr/0003-clamd-client.md
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
from typing import TYPE_CHECKING, Any

from filterd.message.fields import Buffer
from filterd.scanners.clamd.errors import ClamdError, CommandRefusedError, StreamTooLargeError
from filterd.scanners.clamd.package import clamd

if TYPE_CHECKING:
    from filterd.scanners.clamd.server import ClamdServer

BLOCK_SIZE = 256 << 10
"""Octets handed to the socket at a time; between blocks an early answer is looked for."""

ANSWER_LIMIT = 64 << 10
"""Octets of an answer. Names of viruses are a few dozen long, and a file of signatures may have
some of 8 KiB; STATS has a line for each thread at work."""

ANSWER_BLOCK = 4096
"""Octets of an answer that are read at a time."""

LENGTH = struct.Struct("!L")

# "UNKNOWN COMMAND" says a clamd that does not know it, "COMMAND UNAVAILABLE" one of 1.5 that may
# not.
_REFUSED = re.compile(r"(?i)(?:\d+: )?(?:UNKNOWN COMMAND|COMMAND UNAVAILABLE|COMMAND DISABLED)\b.*")
_END_OF_STATS = re.compile(rb"(?:^|\n)END[\n\0]")


class ClamdClient(clamd.ClamdNetworkSocket):  # type: ignore[misc]  # the package has no types
    """One connection to a clamd. All that goes wrong on the way is an OSError of the socket, and
    all that clamd says wrong is a ClamdError."""

    def __init__(self, server: ClamdServer, patience: float) -> None:
        """patience: seconds that clamd may do nothing."""
        super().__init__(server.host, server.port, patience)
        self.server = server
        self.clamd_socket: socket.socket | None = None
        self._early = b""

    # What the package has and is taken as it is: ping, version, reload, stats, _basic_command.

    def instream(self, content: Buffer) -> str:
        """Have the content scanned; the answer as clamd gave it, empty if it hung up.

        The content is one chunk straight from its memory. clamd compares the length that a chunk
        announces with its `StreamMaxLength` before it reads the chunk, so that a message that it
        will not take is refused at once. Raises StreamTooLargeError.
        """
        self._init_socket()
        try:
            peer = self._connected
            size = len(content)
            try:
                self._send_command("INSTREAM")
                if size:
                    peer.sendall(LENGTH.pack(size))
                for start in range(0, size, BLOCK_SIZE):
                    if self.has_answer():
                        break
                    peer.sendall(content[start : start + BLOCK_SIZE])
                else:
                    peer.sendall(LENGTH.pack(0))
            except (BrokenPipeError, ConnectionResetError):
                # It has said why before it hung up, or it takes no such size, or it died.
                pass
            try:
                answer = self._recv_response()
            except ConnectionResetError:
                answer = ""
        finally:
            self._close_socket()
        if "size limit exceeded" in answer:
            raise StreamTooLargeError(f"{self.server}: {size} octets are more than StreamMaxLength")
        return answer

    def takes(self, size: int, patience: float) -> bool:
        """True if clamd would take content of that many octets. patience: seconds that it gets to
        refuse."""
        self._init_socket()
        try:
            self._connected.sendall(b"nINSTREAM\n" + LENGTH.pack(size))
            return not self.has_answer(patience) or "size limit" not in self._recv_response()
        finally:
            self._close_socket()

    def found(self, answer: str) -> tuple[str, str | None]:
        """Status (`OK`, `FOUND`, `ERROR`) and reason of a scan's answer. Raises the package's
        ResponseError if it is not of that form."""
        path, reason, status = self._parse_response(answer)
        if path != "stream" or (status == "FOUND") == (not reason) or (status == "OK" and reason):
            raise clamd.ResponseError(answer)
        return status, reason

    def has_answer(self, seconds: float = 0.0) -> bool:
        """Whether clamd has said something, within that time."""
        peer = self._connected
        if self.server.tls:
            return self._has_early(peer, seconds)
        # poll, for select cannot take descriptors above 1023.
        poll = select.poll()
        poll.register(peer, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _has_early(self, peer: socket.socket, seconds: float) -> bool:
        """The same over TLS, where octets that arrive need not be an answer: only reading shows."""
        if seconds and not self._early:
            peer.settimeout(seconds)
            with contextlib.suppress(TimeoutError):
                self._early = peer.recv(ANSWER_BLOCK)
            peer.settimeout(self.timeout)
        return bool(self._early or peer.pending())  # type: ignore[attr-defined]

    @property
    def _connected(self) -> socket.socket:
        assert self.clamd_socket is not None
        return self.clamd_socket

    def _init_socket(self) -> None:
        self.clamd_socket = self.server.connect(self.timeout)

    def _close_socket(self) -> None:
        if self.clamd_socket is not None:
            self.clamd_socket.close()

    def _send_command(self, cmd: str, *_args: Any) -> None:
        self._connected.sendall(f"n{cmd}\n".encode("ascii"))

    def _recv_response(self) -> str:
        """The first line that clamd says, or what it says before it hangs up."""
        said, self._early = self._early, b""
        peer = self._connected
        while b"\n" not in said and b"\0" not in said and len(said) < ANSWER_LIMIT:
            block = peer.recv(ANSWER_BLOCK)
            if not block:
                break
            said += block
        answer = re.split(rb"[\n\0]", said, maxsplit=1)[0].decode("utf-8", "replace").strip()
        if _REFUSED.fullmatch(answer):
            raise CommandRefusedError(f"{self.server} refuses the command: {answer[:200]!r}")
        return answer

    def _recv_response_multiline(self) -> str:
        """All that clamd says to STATS."""
        said = b""
        while not _END_OF_STATS.search(said):
            block = self._connected.recv(ANSWER_LIMIT)
            if not block:
                break
            said += block
            if len(said) > ANSWER_LIMIT:
                raise ClamdError(f"{self.server} says more than {ANSWER_LIMIT} octets to STATS")
        text = said.decode("utf-8", "replace").strip("\0\n")
        if _REFUSED.fullmatch(text):
            raise CommandRefusedError(f"{self.server} refuses STATS: {text[:200]!r}")
        return text
