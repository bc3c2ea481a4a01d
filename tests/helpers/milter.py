"""The MTA's end of a milter connection, without an MTA: every packet is what the test says.

Follows what was negotiated (no reply is read where the filter said there is none), so that a reply
too many or too few shows at once, as it would in sendmail and Postfix.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from filterd.milter.commands import (
    Bare,
    Body,
    Connect,
    Header,
    Helo,
    Macros,
    Mail,
    MilterCommand,
    Rcpt,
)
from filterd.milter.constants import CHUNK_SIZE, Command, ReplyCode, Steps
from filterd.milter.negotiation import Negotiation
from filterd.milter.packets import Packet, PacketReader
from filterd.milter.replies import FilterReply, PlainReply, ReplyText, parse

TIMEOUT = 30.0
"""Seconds that a reply may take; more than any budget that a test gives the daemon."""

SILENT = {
    Connect: Steps.NR_CONN,
    Helo: Steps.NR_HELO,
    Mail: Steps.NR_MAIL,
    Rcpt: Steps.NR_RCPT,
    Header: Steps.NR_HDR,
    Body: Steps.NR_BODY,
}

FIELDS = ((b"From", b" ann@client.example"), (b"Subject", b" hello"))


class Gone(Exception):
    """The filter closed the connection."""


@dataclass
class Outcome:
    """What the filter did with one message. final: its last reply; edits: those before it.

    progress: seconds from end-of-message to each PROGRESS; seconds: to the last reply.
    """

    final: FilterReply
    edits: list[FilterReply] = field(default_factory=list)
    progress: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def word(self) -> str:
        """`continue`, `discard`, … or the text of the reply code."""
        if isinstance(self.final, ReplyText):
            return self.final.data.rstrip(b"\0").decode("ascii")
        assert isinstance(self.final, PlainReply), self.final
        return self.final.code.name.lower()


class MilterClient:
    """A connection to the filter on a unix socket, negotiated."""

    def __init__(self, path: Path, *, offer: Negotiation | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(str(path))
        self._reader = PacketReader()
        self.received = 0
        """Packets that the filter has sent."""
        self.write((offer or Negotiation.offer()).encode().encode())
        self.agreed = Negotiation.parse(self.packet())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.vanish()

    def vanish(self) -> None:
        self._socket.close()

    def write(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def packet(self) -> Packet:
        """The next packet, whatever it is. Raises Gone."""
        while (packet := self._reader.next_packet()) is None:
            data = self._socket.recv(65536)
            if not data:
                raise Gone
            self._reader.receive_data(data)
        self.received += 1
        return packet

    def reply(self) -> FilterReply:
        return parse(self.packet())

    def silent_for(self, seconds: float) -> bool:
        """True if nothing comes within that time."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(1, socket.MSG_PEEK) == b"unexpected"
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(TIMEOUT)

    def say(self, *commands: MilterCommand) -> None:
        """Send commands; where the filter is to answer, it must say CONTINUE."""
        for command in commands:
            self.write(command.encode().encode())
            silent = SILENT.get(type(command))
            if silent is not None and not self.agreed.steps & silent:
                reply = self.reply()
                assert reply == PlainReply(ReplyCode.CONTINUE), (command, reply)

    def told(self, command: MilterCommand) -> str:
        """What the filter says to a command: `continue`, or the text of its reply code."""
        self.write(command.encode().encode())
        return Outcome(self.reply()).word

    def hello(self, name: bytes = b"client.example", address: bytes = b"192.0.2.7") -> None:
        """CONNECT and HELO."""
        self.say(
            Macros(Command.CONNECT, {"j": b"mx.example.test", "{daemon_name}": b"MTA"}),
            Connect(name, b"4", 4711, address),
            Helo(name),
        )

    def envelope(
        self,
        *recipients: bytes,
        sender: bytes = b"<ann@client.example>",
        macros: Mapping[str, bytes] | None = None,
    ) -> None:
        """MAIL and RCPT."""
        self.say(Macros(Command.MAIL, {"i": b"Q1", **(macros or {})}), Mail((sender,)))
        for recipient in recipients or (b"<joe@mx.example.test>",):
            self.say(Rcpt((recipient,)))

    def content(
        self, fields: Iterable[tuple[bytes, bytes]] = FIELDS, body: bytes = b"hello\r\n"
    ) -> None:
        """Header fields (value as on the wire, blank included, LF between lines) and body."""
        for name, value in fields:
            self.say(Header(name, value))
        for start in range(0, len(body), CHUNK_SIZE):
            self.say(Body(body[start : start + CHUNK_SIZE]))

    def end(self) -> Outcome:
        """End of message, and all that the filter says to it."""
        self.ask()
        return self.answer()

    def ask(self) -> None:
        """End of message; the answer is for `answer`."""
        self._asked = time.monotonic()
        self.write(Bare(Command.BODYEOB).encode().encode())

    def wait_for_progress(self) -> None:
        """Read the next PROGRESS: the message has its place and no answer yet."""
        reply = self.reply()
        assert reply == PlainReply(ReplyCode.PROGRESS), reply

    def answer(self) -> Outcome:
        """All that the filter says to the end of the message."""
        outcome = Outcome(PlainReply(ReplyCode.CONTINUE))
        while True:
            reply = self.reply()
            now = time.monotonic() - self._asked
            if reply == PlainReply(ReplyCode.PROGRESS):
                outcome.progress.append(now)
            elif isinstance(reply, PlainReply | ReplyText):
                outcome.final, outcome.seconds = reply, now
                return outcome
            else:
                outcome.edits.append(reply)

    def message(
        self,
        *recipients: bytes,
        fields: Iterable[tuple[bytes, bytes]] = FIELDS,
        body: bytes = b"hello\r\n",
    ) -> Outcome:
        """One whole message."""
        self.envelope(*recipients)
        self.content(fields, body)
        return self.end()


def one_message(
    path: Path, *extra: tuple[bytes, bytes], body: bytes = b"hello\r\n", to: Sequence[bytes] = ()
) -> Outcome:
    """One connection, one message with these fields added."""
    with MilterClient(path) as client:
        client.hello()
        outcome = client.message(*to, fields=[*FIELDS, *extra], body=body)
        client.write(Bare(Command.QUIT).encode().encode())
        return outcome
