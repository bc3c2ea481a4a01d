"""Commands of the MTA as values: `encode()` gives the packet, `parse` reads one back.

Strings are octets: the protocol carries what the client wrote, whatever it is. A NUL cannot be
carried inside a string and is dropped, as sendmail drops it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from struct import Struct

from filterd.milter.constants import Command
from filterd.milter.packets import Packet

_PORT = Struct("!H")


class CommandError(Exception):
    """A packet that is not a command, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Macros:
    """Values of macros that belong to the command named. Names as on the wire (`{daemon_name}`)."""

    command: Command
    values: Mapping[str, bytes]

    def encode(self) -> Packet:
        pairs = [part for name, value in self.values.items() for part in (name.encode(), value)]
        return Packet(Command.MACRO.value, self.command.value + strings(pairs))


@dataclass(frozen=True, slots=True)
class Connect:
    """A client connected. family: `U`nknown, `L`ocal, `4` or `6`; port 0 for a local socket."""

    hostname: bytes
    family: bytes = b"U"
    port: int = 0
    address: bytes = b""

    def encode(self) -> Packet:
        data = strings([self.hostname]) + self.family
        if self.family != b"U":
            data += _PORT.pack(self.port) + strings([self.address])
        return Packet(Command.CONNECT.value, data)


@dataclass(frozen=True, slots=True)
class Helo:
    """HELO or EHLO with the name that the client gave."""

    name: bytes

    def encode(self) -> Packet:
        return Packet(Command.HELO.value, strings([self.name]))


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL: the reverse-path as the client wrote it, then its parameters."""

    arguments: tuple[bytes, ...]

    def encode(self) -> Packet:
        return Packet(Command.MAIL.value, strings(self.arguments))


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT: the forward-path as the client wrote it, then its parameters."""

    arguments: tuple[bytes, ...]

    def encode(self) -> Packet:
        return Packet(Command.RCPT.value, strings(self.arguments))


@dataclass(frozen=True, slots=True)
class Header:
    """One header field. value: lines joined by a bare LF, as the protocol has it."""

    name: bytes
    value: bytes

    def encode(self) -> Packet:
        return Packet(Command.HEADER.value, strings([self.name, self.value]))


@dataclass(frozen=True, slots=True)
class Body:
    """A piece of the body, CRLF line ends, at most `CHUNK_SIZE` octets."""

    chunk: bytes

    def encode(self) -> Packet:
        return Packet(Command.BODY.value, self.chunk)


@dataclass(frozen=True, slots=True)
class Unknown:
    """An SMTP command that the MTA does not know: sendmail sends the line, Postfix its verb."""

    line: bytes

    def encode(self) -> Packet:
        return Packet(Command.UNKNOWN.value, strings([self.line]))


@dataclass(frozen=True, slots=True)
class Bare:
    """A command without data: DATA, EOH, BODYEOB, ABORT, QUIT, QUIT_NC."""

    command: Command

    def encode(self) -> Packet:
        return Packet(self.command.value)


MilterCommand = Macros | Connect | Helo | Mail | Rcpt | Header | Body | Unknown | Bare

WITHOUT_DATA = frozenset(
    {
        Command.DATA,
        Command.EOH,
        Command.BODYEOB,
        Command.ABORT,
        Command.QUIT,
        Command.QUIT_NC,
    }
)


def strings(values: Iterable[bytes]) -> bytes:
    """NUL-terminated strings, one after the other."""
    return b"".join([value.replace(b"\0", b"") + b"\0" for value in values])


def split_strings(data: bytes) -> tuple[bytes, ...]:
    """The strings of a packet. Raises CommandError where the last one has no end."""
    if not data.endswith(b"\0"):
        raise CommandError(f"string without its NUL: {data[-20:]!r}")
    return tuple(data[:-1].split(b"\0"))


def parse(packet: Packet) -> MilterCommand:
    """Read a command, as a filter does. Raises CommandError. An offer is something else:
    `negotiation.Negotiation.parse` reads it."""
    try:
        command = Command(packet.command)
    except ValueError:
        raise CommandError(f"unknown command {packet.command!r}") from None
    if command in WITHOUT_DATA:
        # libmilter takes a last chunk in BODYEOB; the MTAs that we copy never put one there.
        if packet.data:
            raise CommandError(f"{command.name} with {len(packet.data)} octets of data")
        return Bare(command)
    if command is Command.BODY:
        return Body(packet.data)
    if command is Command.CONNECT:
        return _connect(packet.data)
    if command is Command.MACRO:
        return _macros(packet.data)
    values = split_strings(packet.data)
    if command is Command.MAIL:
        return Mail(values)
    if command is Command.RCPT:
        return Rcpt(values)
    if command is Command.HELO and len(values) == 1:
        return Helo(values[0])
    if command is Command.UNKNOWN and len(values) == 1:
        return Unknown(values[0])
    if command is Command.HEADER and len(values) == 2:
        return Header(*values)
    raise CommandError(f"{command.name} with {len(values)} strings")


def _connect(data: bytes) -> Connect:
    hostname, nul, rest = data.partition(b"\0")
    family, rest = rest[:1], rest[1:]
    if not nul or family not in (b"U", b"L", b"4", b"6"):
        raise CommandError(f"CONNECT without an address family: {data[-20:]!r}")
    if family == b"U":
        return Connect(hostname)
    if len(rest) < _PORT.size + 1 or not rest.endswith(b"\0"):
        raise CommandError(f"CONNECT without port and address: {data[-20:]!r}")
    (port,) = _PORT.unpack_from(rest)
    return Connect(hostname, family, port, rest[_PORT.size : -1])


def _macros(data: bytes) -> Macros:
    try:
        command = Command(data[:1])
    except ValueError:
        raise CommandError(f"macros for an unknown command {data[:1]!r}") from None
    values = split_strings(data[1:]) if data[1:] else ()
    if len(values) % 2:
        raise CommandError("a macro without a value")
    names = (name.decode("ascii", "replace") for name in values[::2])
    return Macros(command, dict(zip(names, values[1::2], strict=True)))
