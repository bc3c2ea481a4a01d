"""Commands: each one to the wire and back, and what is no command."""

from __future__ import annotations

import pytest

from filterd.milter import commands as c
from filterd.milter.constants import Command
from filterd.milter.packets import Packet

CASES: list[tuple[c.MilterCommand, bytes]] = [
    (c.Macros(Command.CONNECT, {"j": b"mx", "{if_name}": b""}), b"DCj\0mx\0{if_name}\0\0"),
    (c.Macros(Command.HELO, {}), b"DH"),
    (c.Connect(b"localhost", b"4", 0xDC18, b"127.0.0.1"), b"Clocalhost\x004\xdc\x18127.0.0.1\0"),
    (c.Connect(b"unknown"), b"Cunknown\0U"),
    (c.Connect(b"local", b"L", 0, b"/run/s"), b"Clocal\0L\0\0/run/s\0"),
    (c.Helo(b"client.test"), b"Hclient.test\0"),
    (c.Mail((b"<a@x.test>", b"SIZE=100")), b"M<a@x.test>\0SIZE=100\0"),
    (c.Rcpt((b"<joe@mx>",)), b"R<joe@mx>\0"),
    (c.Header(b"Subject", b"one\n two"), b"LSubject\0one\n two\0"),
    (c.Header(b"X-Empty", b""), b"LX-Empty\0\0"),
    (c.Body(b"a\0b\r\n"), b"Ba\0b\r\n"),
    (c.Unknown(b"FOO bar"), b"UFOO bar\0"),
    *((c.Bare(command), command.value) for command in sorted(c.WITHOUT_DATA)),
]


@pytest.mark.parametrize(("command", "wire"), CASES)
def test_to_the_wire_and_back(command: c.MilterCommand, wire: bytes) -> None:
    packet = command.encode()
    assert packet.command + packet.data == wire
    assert c.parse(packet) == command


def test_a_nul_inside_a_string_is_dropped() -> None:
    assert c.Helo(b"a\0b").encode() == Packet(b"H", b"ab\0")


@pytest.mark.parametrize(
    "packet",
    [
        Packet(b"?"),
        Packet(b"H", b"no nul"),
        Packet(b"H", b"a\0b\0"),
        Packet(b"L", b"one\0"),
        Packet(b"C", b"name"),
        Packet(b"C", b"name\0X"),
        Packet(b"C", b"name\x004\0"),
        Packet(b"D"),
        Packet(b"DZ"),
        Packet(b"D", b"Cj\0"),
        Packet(b"Q", b"x"),
        Packet(b"M"),
    ],
)
def test_what_is_no_command(packet: Packet) -> None:
    with pytest.raises(c.CommandError):
        c.parse(packet)
