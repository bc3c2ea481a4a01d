"""The SMTP client: who it is."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from dataclasses import dataclass

NAME_TIMEOUT = 5.0
"""Seconds that the resolver may take to name a client."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One client. name: as resolved, or `[192.0.2.1]`. family: `4`, `6` or `U`."""

    name: str
    address: str
    port: int
    family: str = "4"

    @property
    def shown(self) -> str:
        """As replies, the log and Received fields show it: `localhost [127.0.0.1]`."""
        return f"{self.name} [{self.address}]"

    @property
    def is_local(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback


async def find_peer(writer: asyncio.StreamWriter) -> Peer:
    """Who the client is. The name is what the resolver says, `[address]` where it says nothing."""
    address, port = writer.get_extra_info("peername")[:2]
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        # The milter protocol wants such a client as IPv4.
        parsed = parsed.ipv4_mapped
    name = f"[{parsed}]"
    if parsed.is_loopback:
        name = "localhost"
    else:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(NAME_TIMEOUT):
                name, _ = await loop.getnameinfo((address, port), socket.NI_NAMEREQD)
    return Peer(name, str(parsed), port, str(parsed.version))
