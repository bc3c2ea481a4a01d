"""As if a name server were far away: hands datagrams on to another one, and answers back later.

Arguments: own port, the other's port, seconds.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast


class Behind(asyncio.DatagramProtocol):
    """Towards the other one: hands answers back to who asked, by their id."""

    def __init__(self, front: Front) -> None:
        self.front = front

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self.front.answered(data)


class Front(asyncio.DatagramProtocol):
    """Towards those who ask. seconds: after which an answer is sent."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asking: dict[int, tuple[bytes, tuple[str, int]]] = {}
        self.number = 0
        self.behind: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.behind is not None
        self.number = (self.number + 1) & 0xFFFF
        self.asking[self.number] = data[:2], addr
        self.behind.sendto(self.number.to_bytes(2, "big") + data[2:])

    def answered(self, data: bytes) -> None:
        asked = self.asking.pop(int.from_bytes(data[:2], "big"), None)
        if asked is not None:
            id, addr = asked
            loop = asyncio.get_running_loop()
            loop.call_later(self.seconds, lambda: self.transport.sendto(id + data[2:], addr))


async def main(port: int, other: int, seconds: float) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    front = Front(seconds)
    await loop.create_datagram_endpoint(lambda: front, ("127.0.0.1", port))
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Behind(front), remote_addr=("127.0.0.1", other)
    )
    front.behind = transport
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
