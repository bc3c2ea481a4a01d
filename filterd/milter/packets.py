"""Packets: a length of four octets, a command octet, data. Nothing else is known here.

    uint32 length (counts the command octet) · 1 octet command · length-1 octets data

The length is the peer's claim. It is judged before a single octet is kept on its account.
Source: sendmail 8.17 `libmilter/comm.c`, `sendmail/milter.c` (milter_sys_read).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

LENGTH = Struct("!I")

MAX_LENGTH = 1 << 20
"""Octets of a packet, command included, that we take. The largest that any version allows is 1 MiB
less one octet of data (SMFIP_MDS_1M); a body that a filter replaces comes in chunks of 65535."""


class PacketError(Exception):
    """A length that no packet can have. length: the claim, 0 or more than the limit."""

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"packet length {length}, not 1..{limit}")
        self.length = length


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. command: one octet. data: what follows, possibly empty."""

    command: bytes
    data: bytes = b""

    def encode(self) -> bytes:
        """The packet as it crosses the wire."""
        return LENGTH.pack(len(self.data) + 1) + self.command + self.data


class PacketReader:
    """Turns received octets, however they are cut, into packets. Does no I/O."""

    def __init__(self, max_length: int = MAX_LENGTH) -> None:
        self._buffer = bytearray()
        self._max_length = max_length

    @property
    def pending(self) -> int:
        """Octets received that no packet has used yet."""
        return len(self._buffer)

    def receive_data(self, data: bytes) -> None:
        """Take in received octets."""
        self._buffer += data

    def next_packet(self) -> Packet | None:
        """Return the next whole packet, or None: read more, then ask again.

        Raises PacketError for an impossible length; the stream cannot be read on after that.
        """
        if len(self._buffer) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._buffer)
        if not 1 <= length <= self._max_length:
            raise PacketError(length, self._max_length)
        end = LENGTH.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[LENGTH.size : end])
        del self._buffer[:end]
        return Packet(body[:1], body[1:])
