"""Settings `[resolver]`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.message.envelope import ip
from filterd.system.mistakes import mistakes

DNS_PORT = 53

PAYLOAD = 1232
"""Octets of a datagram that no network breaks in two (DNS Flag Day 2020; RFC 9715 §3)."""


@dataclass(frozen=True, slots=True)
class NameServer:
    """The address and port of a name server."""

    address: str
    port: int = DNS_PORT

    @classmethod
    def parse(cls, text: str) -> NameServer:
        """Read `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`.

        Raises ValueError, which says what was expected.
        """
        address, port = text, str(DNS_PORT)
        if text.startswith("["):
            address, bracket, rest = text[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                address = ""
            port = rest[1:] if rest else port
        elif text.count(":") == 1:
            address, _, port = text.partition(":")
        if ip(address) is None or not port.isascii() or not port.isdigit():
            raise ValueError(
                f"{text!r} is not a name server; expected an IP address, "
                "as 127.0.0.1, 127.0.0.1:5353 or [::1]:5353"
            )
        if not 0 < int(port[:6]) < 65536:
            raise ValueError(f"{text!r}: {port} is not a port; expected 1 to 65535")
        return cls(address, int(port))

    def __str__(self) -> str:
        if self.port == DNS_PORT:
            return self.address
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )


@dataclass(frozen=True)
class ResolverSettings:
    """Questions to the DNS. Nothing is asked unless a filter in the chain asks."""

    enabled: Annotated[bool, Doc("false: nothing is asked, and every question fails at once")] = (
        True
    )
    nameservers: Annotated[
        tuple[str, ...],
        Doc(
            "name servers that resolve for others, best one on this host, as 127.0.0.1 or "
            "[::1]:5353; none: those of /etc/resolv.conf"
        ),
    ] = ()
    timeout: Annotated[
        float, Gt(0), Le(60), Doc("seconds for one question, with all repetitions")
    ] = 5.0
    cache_entries: Annotated[
        int, Ge(0), Le(10_000_000), Doc("answers kept in memory at most; about 500 bytes each")
    ] = 50_000
    in_flight: Annotated[
        int, Ge(1), Le(100_000), Doc("questions under way at a time; more are failures")
    ] = 1000
    per_message: Annotated[
        int, Ge(1), Le(100_000), Doc("questions that one message may lead to; more are failures")
    ] = 250

    edns_size: Annotated[
        int,
        Ge(0),
        Le(4096),
        Doc("octets of an answer by UDP, as EDNS tells the name server; 0: without EDNS, 512"),
    ] = PAYLOAD
    tcp: Annotated[
        bool, Doc("ask by TCP where an answer was too long for UDP; false: that is a failure")
    ] = True

    def __post_init__(self) -> None:
        with mistakes() as found:
            with found.at("edns_size"):
                if 0 < self.edns_size < 512:
                    raise ValueError(
                        f"{self.edns_size} is less than every name server sends; "
                        "expected 512 to 4096, or 0"
                    )
            for number, text in enumerate(self.nameservers):
                with found.at("nameservers", number):
                    NameServer.parse(text)

    @property
    def servers(self) -> tuple[NameServer, ...]:
        """The name servers of the settings; empty where the system's are meant."""
        return tuple(map(NameServer.parse, self.nameservers))
