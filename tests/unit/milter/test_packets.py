"""Packets: whole, octet by octet, with trailing octets, and with lengths that cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.milter.packets import Packet, PacketError, PacketReader

CASES = [
    (b"\0\0\0\x01c", Packet(b"c")),
    (
        b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
        Packet(b"O", b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"),
    ),
    (b"\0\0\0\x05Hmx.\0", Packet(b"H", b"mx.\0")),
    (b"\0\0\0\x03B\r\n", Packet(b"B", b"\r\n")),
]


@pytest.mark.parametrize(("wire", "packet"), CASES)
def test_a_whole_packet_is_read_and_written(wire: bytes, packet: Packet) -> None:
    reader = PacketReader()
    reader.receive_data(wire)
    assert reader.next_packet() == packet
    assert reader.next_packet() is None
    assert packet.encode() == wire


@pytest.mark.parametrize(("wire", "packet"), CASES)
def test_octet_by_octet_gives_nothing_before_the_last(wire: bytes, packet: Packet) -> None:
    reader = PacketReader()
    for octet in wire[:-1]:
        reader.receive_data(bytes([octet]))
        assert reader.next_packet() is None
    reader.receive_data(wire[-1:])
    assert reader.next_packet() == packet


@pytest.mark.parametrize(("wire", "packet"), CASES)
def test_octets_behind_a_packet_stay_for_the_next(wire: bytes, packet: Packet) -> None:
    reader = PacketReader()
    reader.receive_data(wire + b"\0\0")
    assert reader.next_packet() == packet
    assert reader.next_packet() is None
    assert reader.pending == 2


@pytest.mark.parametrize("length", [0, 11, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_impossible_length_is_refused_before_its_data_come(length: int) -> None:
    reader = PacketReader(max_length=10)
    reader.receive_data(length.to_bytes(4, "big"))
    with pytest.raises(PacketError) as caught:
        reader.next_packet()
    assert caught.value.length == length


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.binary(max_size=40)), max_size=6),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
)
def test_any_cut_gives_the_same_packets(
    contents: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    packets = [Packet(command, data) for command, data in contents]
    wire = b"".join(packet.encode() for packet in packets)
    reader, found = PacketReader(), []
    for index in range(len(wire)):
        size = cuts[index % len(cuts)]
        reader.receive_data(wire[:size])
        wire = wire[size:]
        while (packet := reader.next_packet()) is not None:
            found.append(packet)
        if not wire:
            break
    assert found == packets
