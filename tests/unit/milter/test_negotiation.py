"""Negotiation: what each MTA agrees to, and what the filter's macro lists say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from filterd.milter.constants import MacroStage, Steps
from filterd.milter.negotiation import (
    Negotiation,
    NegotiationError,
    agree_postfix,
    agree_sendmail,
    macro_names,
)
from filterd.milter.packets import Packet

OFFER = Negotiation.offer()
Judge = Callable[[Negotiation, Negotiation], Negotiation]


def test_the_offer_of_version_6_is_what_sendmail_sends() -> None:
    assert OFFER.encode() == Packet(b"O", bytes.fromhex("00000006 000001ff 001fffff"))


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_older_versions_offer_less(version: int) -> None:
    older, newer = Negotiation.offer(version), OFFER
    assert older.steps & newer.steps == older.steps != newer.steps
    assert not older.actions & ~newer.actions


@pytest.mark.parametrize(
    ("version", "actions", "steps", "sendmail", "postfix"),
    [
        (6, 0x1FF, 0, True, True),
        (1, 0xF, 0x3F, False, True),
        (7, 0x1FF, 0, True, False),
        (99, 0x1FF, 0, True, False),
        (0x01000002, 0x1FF, 0, False, False),
        (6, 0x3FF, 0, False, False),
        (6, 0x1FF, 0x200000, False, True),
        (6, 0, 0x1FFFFF, True, True),
    ],
)
def test_what_each_agrees_to(
    version: int, actions: int, steps: int, sendmail: bool, postfix: bool
) -> None:
    answer = Negotiation(version, actions, steps)
    judges: list[tuple[Judge, bool]] = [(agree_sendmail, sendmail), (agree_postfix, postfix)]
    for judge, agreed in judges:
        if agreed:
            assert not judge(OFFER, answer).steps & ~OFFER.steps
        else:
            with pytest.raises(NegotiationError):
                judge(OFFER, answer)


def test_commands_younger_than_the_filter_are_never_sent_to_it() -> None:
    assert agree_sendmail(OFFER, Negotiation(2, 0, 0)).steps == Steps.NOUNKNOWN | Steps.NODATA
    assert agree_sendmail(OFFER, Negotiation(3, 0, 0)).steps == Steps.NODATA
    assert agree_sendmail(OFFER, Negotiation(4, 0, 0)).steps == 0


@pytest.mark.parametrize("packet", [Packet(b"c"), Packet(b"O", b"\0\0\0\x06"), Packet(b"O")])
def test_no_answer_is_an_error(packet: Packet) -> None:
    with pytest.raises(NegotiationError):
        Negotiation.parse(packet)


def test_macro_lists_follow_the_triple() -> None:
    asked = Negotiation(6, 0, 0, {MacroStage.EOM: ("i", "{msg_id}"), MacroStage.HELO: ("j",)})
    assert Negotiation.parse(asked.encode()) == asked


@pytest.mark.parametrize("tail", [b"\0\0\0\x63j\0", b"\0\0\0\x05no end", b"\0\0"])
def test_a_broken_macro_list_ends_the_lists_and_nothing_else(tail: bytes) -> None:
    whole = Negotiation(6, 0, 0, {MacroStage.HELO: ("j",)}).encode()
    read = Negotiation.parse(Packet(b"O", whole.data + tail))
    assert read.macros == {MacroStage.HELO: ("j",)}


def test_long_names_get_their_braces() -> None:
    assert macro_names("i, {a_b} daemon_name") == ("i", "{a_b}", "{daemon_name}")
