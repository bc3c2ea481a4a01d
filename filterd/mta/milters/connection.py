"""One connection to one filter: packets over a socket, with sendmail's timeouts.

Every failure is a `FilterFailureError`; what it means is the caller's policy. There is a timeout
for connecting, for each write, and for each reply packet, header and data together. Source:
sendmail 8.17 `milter.c` (milter_open, milter_write, milter_read).
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import NoReturn

from filterd.milter.constants import Command
from filterd.milter.packets import MAX_LENGTH, Packet, PacketError, PacketReader
from filterd.mta.milters.settings import SocketAddress
from filterd.mta.milters.timer import Timer

PENDING_LIMIT = 2 * MAX_LENGTH
"""Octets received and not read yet; a filter that sends more has to wait."""

BACKLOG_POLL = 0.05
"""Seconds between attempts to connect to a unix socket whose backlog is full."""


class FilterFailureError(Exception):
    """The connection to the filter failed. The text says why, for the log."""


class _Exchange(asyncio.Protocol):
    """Receives from the filter; one task waits for it, or for the kernel to send."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.packets = PacketReader()
        self.timer = Timer(self._expired)
        self.gone: str | None = None
        """Why nothing more will be received, None while the connection is open."""

        self.broken = False
        """Nothing can be written any more."""

        self.dropping = 0
        """Octets still to be received and dropped."""

        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # send() waits until the kernel has everything: the write timeout is for that.
        transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        if self.dropping > 0:
            self.dropping -= len(data)
        else:
            self.packets.receive_data(data)
            if self.packets.pending > PENDING_LIMIT and self._transport is not None:
                self._transport.pause_reading()
                self._paused = True
        self._wake()

    def eof_received(self) -> bool:
        self.gone = "closed by the filter"
        self._wake()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        reason = isinstance(error, OSError) and error.strerror
        self.gone = self.gone or str(reason or error or "closed by the filter")
        self.broken = True
        self._wake()

    def resume_writing(self) -> None:
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Called by the task

    async def wait(self, timeout: float) -> None:
        """Wait for the next event. Raises TimeoutError after `timeout` seconds, 0 for never."""
        if self._paused and self._transport is not None:
            self._transport.resume_reading()
            self._paused = False
        self._waiter = self._loop.create_future()
        self.timer.start(timeout)
        try:
            await self._waiter
        finally:
            self.timer.pause()
            self._waiter = None

    def _expired(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())


class FilterConnection:
    """A connected filter. Created by `open`; every method raises FilterFailureError."""

    def __init__(self, transport: asyncio.Transport, exchange: _Exchange, patient: bool) -> None:
        self._patient = patient
        self._transport = transport
        self._exchange = exchange

    @classmethod
    async def open(
        cls, address: SocketAddress, timeout: float, *, patient: bool = True
    ) -> FilterConnection:
        """Connect within `timeout` seconds, 0 for no limit.

        patient: wait for the octet after a length of 0, as sendmail does; Postfix does not.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout or None):
                if address.family == "unix":
                    connected = await _unix(address.host)
                    transport, exchange = await loop.create_unix_connection(
                        _Exchange, sock=connected
                    )
                else:
                    family = socket.AF_INET if address.family == "inet" else socket.AF_INET6
                    transport, exchange = await loop.create_connection(
                        _Exchange, address.host, address.port, family=family
                    )
        except TimeoutError:
            raise FilterFailureError(f"connect: timeout after {timeout:g} s") from None
        except OSError as error:
            raise FilterFailureError(f"connect: {error.strerror or error}") from None
        return cls(transport, exchange, patient)

    async def send(self, packets: list[Packet], timeout: float) -> None:
        """Write packets, within `timeout` seconds each time the kernel makes us wait."""
        self._transport.write(b"".join(packet.encode() for packet in packets))
        due = time.monotonic() + timeout
        try:
            while self._transport.get_write_buffer_size() and not self._exchange.broken:
                # 0 would be no limit.
                await self._exchange.wait(max(due - time.monotonic(), 0.001) if timeout else 0)
        except TimeoutError:
            raise FilterFailureError(f"write: timeout after {timeout:g} s") from None
        # If the pipe breaks in this very call, the loop calls the protocol later.
        if self._exchange.broken or self._transport.is_closing():
            raise FilterFailureError(f"write: {self._exchange.gone or 'broken pipe'}")

    async def receive(self, timeout: float) -> Packet:
        """Return the next reply packet, within `timeout` seconds (0: no limit)."""
        due = time.monotonic() + timeout
        try:
            while (packet := self._next_packet()) is None:
                if self._exchange.gone is not None:
                    raise FilterFailureError(f"read: {self._exchange.gone}")
                await self._exchange.wait(max(due - time.monotonic(), 0.001) if timeout else 0)
        except TimeoutError:
            raise FilterFailureError(f"read: timeout after {timeout:g} s") from None
        except PacketError as error:
            await self._drop_impossible(error, due if timeout else 0)
        else:
            return packet

    def _next_packet(self) -> Packet | None:
        return self._exchange.packets.next_packet()

    async def _drop_impossible(self, error: PacketError, due: float) -> NoReturn:
        """Fail on an impossible length when sendmail would. due: when time is up, 0 for never.

        sendmail reads the octet after a length of 0 before it checks, and any other length until
        the read timeout. So do we, without keeping an octet.
        """
        if error.length == 0 and not self._patient:
            raise FilterFailureError(str(error))
        exchange = self._exchange
        exchange.dropping = max(error.length, 1) + 4 - exchange.packets.pending
        try:
            while exchange.dropping > 0 and exchange.gone is None:
                await exchange.wait(max(due - time.monotonic(), 0.001) if due else 0)
        except TimeoutError:
            raise FilterFailureError(f"read: timeout, {error}") from None
        raise FilterFailureError(str(error))

    async def quit(self) -> None:
        """Send QUIT and close; a filter that has closed already is not a failure."""
        if not self._exchange.broken:
            self._transport.write(Packet(Command.QUIT.value).encode())
        self.close()

    def close(self) -> None:
        self._exchange.timer.stop()
        self._transport.close()


async def _unix(path: str) -> socket.socket:
    """Connect to a unix socket. While its backlog is full, Linux answers EAGAIN at once to a
    non-blocking socket, where connect(2) otherwise waits; so try again until the timeout."""
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
