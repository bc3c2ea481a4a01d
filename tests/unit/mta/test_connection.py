"""One connection to a filter: its timeouts, and what it keeps of what a filter sends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from filterd.milter.packets import MAX_LENGTH, Packet
from filterd.mta.milters import connection
from filterd.mta.milters.connection import FilterConnection, FilterFailureError
from filterd.mta.milters.settings import SocketAddress

pytestmark = pytest.mark.slow

Filter = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CONTINUE = Packet(b"c").encode()


def spoken(
    folder: Path, filter: Filter, talk: Callable[[FilterConnection], Awaitable[None]]
) -> None:
    """Let the MTA's side of a connection talk to a filter."""

    async def main() -> None:
        path = str(folder / "f")
        server = await asyncio.start_unix_server(filter, path)
        opened = await FilterConnection.open(SocketAddress("unix", path), 5.0)
        try:
            await talk(opened)
        finally:
            opened.close()
            server.close()

    asyncio.run(main())


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def test_each_wait_has_a_clock_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    given: list[float] = []
    waiting = asyncio.Event()
    wait = connection._Exchange.wait

    async def watched(exchange: connection._Exchange, timeout: float) -> None:
        given.append(timeout)
        waiting.set()
        await wait(exchange, timeout)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now
        for _ in range(4):
            await waiting.wait()
            waiting.clear()
            now += 200.0  # four times that is more than any clock
            writer.write(CONTINUE)
        await reader.read()

    async def talk(filter: FilterConnection) -> None:
        for _ in range(4):
            assert await filter.receive(300.0) == Packet(b"c")
        with pytest.raises(FilterFailureError, match=r"read: timeout after 0\.3 s"):
            await filter.receive(0.3)
        assert given == [300.0] * 4 + [pytest.approx(0.3)]

    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(connection._Exchange, "wait", watched)
    spoken(tmp_path, slow, talk)


def test_a_shorter_clock_does_not_wait_for_a_longer_one(tmp_path: Path) -> None:
    async def talk(filter: FilterConnection) -> None:
        waiting = asyncio.create_task(filter.receive(3600))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        with pytest.raises(FilterFailureError, match="read: timeout"):
            await filter.receive(0.2)

    spoken(tmp_path, silent, talk)


def test_a_filter_that_does_not_read_runs_into_the_write_clock(tmp_path: Path) -> None:
    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(30)

    async def talk(filter: FilterConnection) -> None:
        with pytest.raises(FilterFailureError, match=r"write: timeout after 0\.3 s"):
            for _ in range(1000):
                await filter.send([Packet(b"B", b"x" * 65535)], 0.3)

    spoken(tmp_path, deaf, talk)


def test_a_closed_connection_fails_after_what_was_said_before(tmp_path: Path) -> None:
    async def brief(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONTINUE)
        writer.close()

    async def talk(filter: FilterConnection) -> None:
        await asyncio.sleep(0.1)
        assert await filter.receive(5) == Packet(b"c")
        with pytest.raises(FilterFailureError, match="read: closed by the filter"):
            await filter.receive(5)
        await filter.quit()

    spoken(tmp_path, brief, talk)


def test_what_nobody_asked_for_is_kept_up_to_a_limit(tmp_path: Path) -> None:
    said = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal said
        packet = Packet(b"p", b"x" * 65535).encode()
        while said < 100 << 20:
            writer.write(packet)
            await writer.drain()
            said += len(packet)

    async def talk(filter: FilterConnection) -> None:
        await asyncio.sleep(1)
        assert said < connection.PENDING_LIMIT + (2 << 20)
        for _ in range(200):
            # Reading on takes place again once there is room.
            assert (await filter.receive(5)).command == b"p"
            if said > 4 * connection.PENDING_LIMIT:
                break

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(connection, "PENDING_LIMIT", 1 << 17)
        spoken(tmp_path, flood, talk)


@pytest.mark.parametrize("length", [MAX_LENGTH + 1, 0])
def test_an_impossible_length_waits_for_its_octets_and_keeps_none(
    tmp_path: Path, length: int
) -> None:
    pause = 0.2
    said: list[str] = []

    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(length.to_bytes(4, "big"))
        await asyncio.sleep(pause)
        said.append("octets")
        writer.write(b"x" * max(length, 1))
        await reader.read()

    async def talk(filter: FilterConnection) -> None:
        with pytest.raises(FilterFailureError, match=f"packet length {length}"):
            await filter.receive(300)
        assert said == ["octets"]

    async def impatient(filter: FilterConnection) -> None:
        with pytest.raises(FilterFailureError, match="read: timeout"):
            await filter.receive(0.1)

    spoken(tmp_path, odd, talk)
    (tmp_path / "f").unlink(missing_ok=True)
    pause = 30
    spoken(tmp_path, odd, impatient)


def test_the_first_write_to_a_filter_that_is_gone_fails(tmp_path: Path) -> None:
    """Not the next one: the command after which nothing is answered would count as told."""

    async def leaving(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def talk(filter: FilterConnection) -> None:
        await asyncio.sleep(0.1)
        with pytest.raises(FilterFailureError, match="write: "):
            await filter.send([Packet(b"M", b"<a@b.test>\0")], 5.0)

    spoken(tmp_path, leaving, talk)
