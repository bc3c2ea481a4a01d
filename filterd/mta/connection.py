"""One connection to one filter: packets over a socket, with sendmail's four clocks.

Nothing here knows what a failure means: every way to fail is a `FilterFailureError`, and the caller
has its policy. The clocks: one for connecting; one for each write; one for each reply packet,
header and data together. Source: sendmail 8.17 `milter.c` (milter_open, milter_write,
milter_read).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from filterd.milter.constants import Command
from filterd.milter.packets import Packet, PacketError, PacketReader
from filterd.mta.input_filter import SocketAddress

READ_SIZE = 1 << 16
"""Octets asked of the kernel at a time."""

BACKLOG_POLL = 0.05
"""Seconds between attempts to connect to a unix socket whose backlog is full."""


class FilterFailureError(Exception):
    """The filter cannot be spoken to any more. The text says why, for the log."""


class FilterConnection:
    """A connected filter. Made with `open`; every method raises FilterFailureError on trouble."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patient: bool
    ) -> None:
        self._patient = patient
        self._reader = reader
        self._writer = writer
        self._packets = PacketReader()
        # drain() is to wait until the kernel has everything: the write clock is about that.
        writer.transport.set_write_buffer_limits(high=0)

    @classmethod
    async def open(
        cls, address: SocketAddress, timeout: float, *, patient: bool = True
    ) -> FilterConnection:
        """Connect within `timeout` seconds, 0 for no limit.

        patient: wait for the octet after a length of 0, as sendmail does; Postfix does not.
        """
        try:
            async with asyncio.timeout(timeout or None):
                if address.family == "unix":
                    streams = await asyncio.open_unix_connection(sock=await _unix(address.host))
                else:
                    family = socket.AF_INET if address.family == "inet" else socket.AF_INET6
                    streams = await asyncio.open_connection(
                        address.host, address.port, family=family
                    )
        except TimeoutError:
            raise FilterFailureError(f"connect: timeout after {timeout:g} s") from None
        except OSError as error:
            raise FilterFailureError(f"connect: {error.strerror or error}") from None
        return cls(*streams, patient)

    async def send(self, packets: list[Packet], timeout: float) -> None:
        """Write packets, in `timeout` seconds each time the kernel makes us wait."""
        self._writer.write(b"".join(packet.encode() for packet in packets))
        try:
            async with asyncio.timeout(timeout or None):
                await self._writer.drain()
        except TimeoutError:
            raise FilterFailureError(f"write: timeout after {timeout:g} s") from None
        except OSError as error:
            raise FilterFailureError(f"write: {error.strerror or error}") from None

    async def receive(self, timeout: float) -> Packet:
        """Return the next reply packet, within `timeout` seconds (0: no limit)."""
        try:
            async with asyncio.timeout(timeout or None):
                return await self._next_packet()
        except TimeoutError:
            raise FilterFailureError(f"read: timeout after {timeout:g} s") from None
        except OSError as error:
            raise FilterFailureError(f"read: {error.strerror or error}") from None

    async def _next_packet(self) -> Packet:
        while True:
            try:
                packet = self._packets.next_packet()
            except PacketError as error:
                await self._drain_impossible(error)
            if packet is not None:
                return packet
            data = await self._reader.read(READ_SIZE)
            if not data:
                raise FilterFailureError("read: closed by the filter")
            self._packets.receive_data(data)

    async def _drain_impossible(self, error: PacketError) -> None:
        """Fail on a length that cannot be, when sendmail would.

        sendmail reads the octet after a length of 0 before it looks, and believes any other length
        until the read clock runs out. So do we, without keeping an octet.
        """
        if error.length == 0 and not self._patient:
            raise FilterFailureError(str(error))
        missing = max(error.length, 1) + 4 - self._packets.pending
        while missing > 0:
            data = await self._reader.read(READ_SIZE)
            if not data:
                break
            missing -= len(data)
        raise FilterFailureError(str(error))

    async def quit(self) -> None:
        """Say goodbye and close; a filter that is gone by now is no failure."""
        with contextlib.suppress(OSError):
            self._writer.write(Packet(Command.QUIT.value).encode())
        self.close()

    def close(self) -> None:
        self._writer.close()


async def _unix(path: str) -> socket.socket:
    """Connect to a unix socket. While its backlog is full Linux answers EAGAIN at once to a socket
    that does not block, where connect(2) otherwise waits; so ask again until the clock runs out."""
    connecting = socket.socket(socket.AF_UNIX)
    try:
        connecting.setblocking(False)
        while True:
            try:
                connecting.connect(path)
            except BlockingIOError:
                await asyncio.sleep(BACKLOG_POLL)
            else:
                return connecting
    except BaseException:
        connecting.close()
        raise
