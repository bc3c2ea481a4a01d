"""Delivery to another host by SMTP."""

from __future__ import annotations

import socket

import pytest

from filterd.mta.delivery.relay import SmtpMailer
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.mail.entry import QueueEntry, Target
from tests.helpers.smtp_server import HELLO, OK, TAKES_MAIL, server

JOE = Target("joe@far.test")
ENTRY = QueueEntry("6AN0000000001", "ann@x.test", (JOE,))
MESSAGE = b"Return-Path: <ann@x.test>\nSubject: one\n\n.\nbody\n"


def deliver(port: int) -> str:
    return SmtpMailer(f"[127.0.0.1]:{port}", "mx.example").deliver(ENTRY, JOE, MESSAGE)


def test_a_message_goes_to_the_host() -> None:
    with server(TAKES_MAIL) as heard:
        assert deliver(heard.port) == "127.0.0.1 (250 2.0.0 Ok: queued as Q1)"
        heard.wait_for(b"QUIT\r\n")
    assert heard.data == (
        b"EHLO mx.example\r\nMAIL FROM:<ann@x.test>\r\nRCPT TO:<joe@far.test>\r\nDATA\r\n"
        b"Subject: one\r\n\r\n..\r\nbody\r\n.\r\nQUIT\r\n"
    )


@pytest.mark.parametrize(
    ("replies", "temporary", "words"),
    [
        ([b"554 no service\r\n"], True, "554 no service"),
        ([HELLO[0], b"550 go away\r\n"], True, "550 go away"),
        ([*HELLO, b"451 4.3.0 later\r\n", OK], True, "127.0.0.1 replied: 451 4.3.0 later"),
        ([*HELLO, OK, b"550 5.1.1 unknown\r\n", OK, OK], False, "replied: 550 5.1.1 unknown"),
        ([*HELLO, OK, OK, b"354 go on\r\n", b"552 5.3.4 too big\r\n", OK], False, "too big"),
        ([*HELLO, OK, b"what?\r\n"], True, "127.0.0.1: not an SMTP reply: 'what\\?'"),
    ],
)
def test_what_the_host_says_decides_whether_it_is_tried_again(
    replies: list[bytes], temporary: bool, words: str
) -> None:
    with server(replies) as heard, pytest.raises(DeliveryError, match=words) as caught:
        deliver(heard.port)
    assert caught.value.temporary is temporary


def test_a_host_that_is_not_there_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DeliveryError, match="Connection refused") as caught:
        deliver(port)
    assert (caught.value.temporary, caught.value.code) == (True, "4.4.1")
