"""A milter client that plays the MTA, packet by packet, over the daemon's unix socket.

It speaks the protocol as far as both sides agreed, and lets a test leave that path at any point:
`send` writes octets as they are, `vanish` closes with unread replies, `reset` as a crash would.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from filterd.milter.commands import Bare, Body, Connect, Header, Helo, Macros, Mail, Rcpt
from filterd.milter.constants import Command, ReplyCode, Steps
from filterd.milter.negotiation import Negotiation
from filterd.milter.packets import Packet, PacketReader

TIMEOUT = 30.0
"""Seconds that one reply may take."""

CHUNK = 65535
"""Octets of one body packet."""

UNWANTED = {
    Command.CONNECT: Steps.NOCONNECT, Command.HELO: Steps.NOHELO, Command.MAIL: Steps.NOMAIL,
    Command.RCPT: Steps.NORCPT, Command.DATA: Steps.NODATA, Command.HEADER: Steps.NOHDRS,
    Command.EOH: Steps.NOEOH, Command.BODY: Steps.NOBODY, Command.UNKNOWN: Steps.NOUNKNOWN,
}  # fmt: skip
"""The step flag that keeps a command from being sent."""

SILENT = {
    Command.CONNECT: Steps.NR_CONN, Command.HELO: Steps.NR_HELO, Command.MAIL: Steps.NR_MAIL,
    Command.RCPT: Steps.NR_RCPT, Command.DATA: Steps.NR_DATA, Command.HEADER: Steps.NR_HDR,
    Command.EOH: Steps.NR_EOH, Command.BODY: Steps.NR_BODY, Command.UNKNOWN: Steps.NR_UNKN,
}  # fmt: skip
"""The step flag that makes a command go without a reply."""

MacroValues = Mapping[Command, Mapping[str, bytes]]


class Gone(Exception):
    """The filter closed the connection where a reply was due."""


class MilterClient:
    """One connection to a filter. macros: what is sent before each command."""

    def __init__(self, path: Path, macros: MacroValues | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(str(path))
        self._packets = PacketReader()
        self._macros = macros or {}
        self.steps = Steps(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.vanish()

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._socket.sendall(octets)

    def read(self) -> Packet:
        """The next packet of the filter. Raises Gone."""
        while (packet := self._packets.next_packet()) is None:
            try:
                data = self._socket.recv(1 << 16)
            except ConnectionError as error:
                raise Gone(str(error)) from error
            if not data:
                raise Gone
            self._packets.receive_data(data)
        return packet

    def negotiate(self) -> Negotiation:
        """Offer what sendmail 8.17 offers; what the filter took."""
        self.send(Negotiation.offer().encode().encode())
        answer = Negotiation.parse(self.read())
        self.steps = Steps(answer.steps)
        return answer

    def say(self, packet: Packet) -> Packet | None:
        """Send a command with its macros; the reply, None where there is none by agreement."""
        command = Command(packet.command)
        values = self._macros.get(command)
        if values is not None:
            self.send(Macros(command, values).encode().encode())
        if UNWANTED.get(command, Steps(0)) & self.steps:
            return None
        self.send(packet.encode())
        if SILENT.get(command, Steps(0)) & self.steps or command in (Command.ABORT, Command.QUIT):
            return None
        return self.read()

    def greet(self) -> None:
        """Negotiation, CONNECT and HELO."""
        self.negotiate()
        self.say(Connect(b"client.example", b"4", 40000, b"192.0.2.7").encode())
        self.say(Helo(b"client.example").encode())

    def envelope(
        self,
        sender: bytes = b"<ann@client.example>",
        recipients: Sequence[bytes] = (b"<joe@mx.example.test>",),
    ) -> None:
        """MAIL and RCPT."""
        self.say(Mail((sender,)).encode())
        for recipient in recipients:
            self.say(Rcpt((recipient,)).encode())

    def header(self, name: bytes, value: bytes) -> None:
        """One header field; value: all after the colon, folded with a bare LF."""
        if not self.steps & Steps.HDR_LEADSPC:
            value = value.removeprefix(b" ")
        self.say(Header(name, value).encode())

    def content(self, data: bytes) -> None:
        """A message's header fields and body as the MTA cuts them."""
        head, _, body = data.partition(b"\r\n\r\n")
        for field in head.replace(b"\r\n ", b"\n ").replace(b"\r\n\t", b"\n\t").split(b"\r\n"):
            name, _, value = field.partition(b":")
            self.header(name, value)
        self.say(Bare(Command.EOH).encode())
        for start in range(0, len(body), CHUNK):
            self.say(Body(body[start : start + CHUNK]).encode())

    def end(self) -> list[Packet]:
        """End of message: everything that the filter says, the final reply last."""
        self.send(Packet(Command.BODYEOB.value).encode())
        final = {
            code.value
            for code in (
                ReplyCode.ACCEPT, ReplyCode.CONTINUE, ReplyCode.DISCARD, ReplyCode.REJECT,
                ReplyCode.TEMPFAIL, ReplyCode.REPLYCODE,
            )
        }  # fmt: skip
        seen = [self.read()]
        while seen[-1].command not in final:
            seen.append(self.read())
        return seen

    def deliver(self, data: bytes) -> list[Packet]:
        """One whole transaction; what the filter says at its end."""
        self.envelope()
        self.content(data)
        return self.end()

    def vanish(self) -> None:
        """Close without a word."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def reset(self) -> None:
        """Close as a process that is killed does, with octets of the filter unread."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.vanish()
