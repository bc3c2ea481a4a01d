"""What the MTA listens on: families of addresses, and daemons that need not be there."""

from __future__ import annotations

import asyncio
import socket

import pytest

from filterd.mta.listening import listen
from filterd.mta.settings import Listener

NOT_HERE = Listener("away", "192.0.2.77", 0, (), "O")
HERE = Listener("MTA", "127.0.0.1", 0, (), family="inet")


async def nobody(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"%d\n" % number)
    writer.close()


def listening(*listeners: Listener) -> list[tuple[str, bytes]]:
    """The addresses, and what each says to a client by IPv4."""

    async def main() -> list[tuple[str, bytes]]:
        found = []
        for one in await listen(listeners, nobody):
            address, port, *_ = one.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            found.append((address, await reader.read()))
            writer.close()
            one.close()
        return found

    return asyncio.run(main())


def test_an_optional_daemon_need_not_be_there() -> None:
    assert listening(NOT_HERE, HERE) == [("127.0.0.1", b"1\n")]


@pytest.mark.parametrize(
    "listeners", [(Listener("needed", "192.0.2.77", 0, ()), HERE), (NOT_HERE,), (NOT_HERE,) * 2]
)
def test_the_server_needs_one_and_all_that_are_not_optional(
    listeners: tuple[Listener, ...],
) -> None:
    # The words are the system's, or asyncio's from Python 3.13 on.
    with pytest.raises(OSError, match=r"assign|could not bind on any address"):
        listening(*listeners)


def test_all_addresses_of_a_family() -> None:
    assert listening(Listener("v4", "", 0, (), family="inet")) == [("0.0.0.0", b"0\n")]
    # As sendmail: clients by IPv4 come, too.
    if socket.has_dualstack_ipv6():
        assert listening(Listener("v6", "", 0, (), family="inet6")) == [("::", b"0\n")]
