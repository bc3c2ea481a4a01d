"""Settings `[resolver]`."""

from __future__ import annotations

import pytest

from filterd.resolver.settings import NameServer, ResolverSettings

SERVERS = [
    ("127.0.0.1", NameServer("127.0.0.1", 53)),
    ("127.0.0.1:5353", NameServer("127.0.0.1", 5353)),
    ("::1", NameServer("::1", 53)),
    ("[::1]", NameServer("::1", 53)),
    ("[2001:db8::53]:5353", NameServer("2001:db8::53", 5353)),
]


@pytest.mark.parametrize(("text", "server"), SERVERS)
def test_a_name_server(text: str, server: NameServer) -> None:
    assert NameServer.parse(text) == server
    assert NameServer.parse(str(server)) == server


WRONG = [
    "",
    "dns.example",
    "127.0.0.1:",
    "127.0.0.1:x",
    "[::1",
    "[::1]5353",
    "127.0.0.1:0",
    "1:70000",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_a_name_server(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        NameServer.parse(text)


@pytest.mark.parametrize("size", [1, 511])
def test_a_size_below_what_every_server_sends(size: int) -> None:
    with pytest.raises(ValueError, match=r"edns_size.*expected 512 to 4096, or 0"):
        ResolverSettings(edns_size=size)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(ValueError, match=r"nameservers\[1\].*nameservers\[3\]"):
        ResolverSettings(nameservers=("dns.example", "127.0.0.1", "[::1"))
