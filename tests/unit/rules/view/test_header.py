"""Fields, and parts of them, as `header` rules ask for them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message.envelope import Client, Envelope
from filterd.message.message import Message
from filterd.rules.view.addresses import parse_addresses
from filterd.rules.view.view import View

SECONDS = 1.5
"""Of CPU, for three fields that are as long as they may be."""

MESSAGE = b"""\
Return-Path: <bounce@list.example>
Received: from [192.0.2.7] (helo=c.example) by mx.example with smtp (Exim 4.98) id 1x2
From: =?utf-8?q?Zo=C3=AB?= <zoe@www.mail.example.co.uk>
Subject: one
\ttwo =?iso-8859-1?q?=E9t=E9?=
To: "Doe, John" <john@example.com>,
 jane@example.net (Jane)
Cc: Friends: a@example.org, b@example.org;
Message-ID: <1.2@host.example.com>
X-Client: [2001:db8::7] and 192.0.2.8.
Subject: again

Text
""".replace(b"\n", b"\r\n")

FIELDS = {
    "Subject": "one two été\nagain\n".encode(),
    "subject": "one two été\nagain\n".encode(),
    "Subject:raw": b" one\n\ttwo =?iso-8859-1?q?=E9t=E9?=\n again\n",
    "Subject:first": "one two été\n".encode(),
    "Subject:last": b"again\n",
    "From:addr": b"zoe@www.mail.example.co.uk",
    "From:name": "Zoë".encode(),
    "From:name:raw": b"=?utf-8?q?Zo=C3=AB?= ",
    "From:addr:host": b"www.mail.example.co.uk",
    "From:addr:domain": b"example.co.uk",
    "From:domain": b"example.co.uk",
    "To:addr": b"john@example.com\njane@example.net",
    "To:name": b"Doe, John\nJane",
    "To:addr:last": b"john@example.com\njane@example.net",
    "ToCc:addr": b"john@example.com\njane@example.net\na@example.org\nb@example.org",
    "Message-ID:host": b"host.example.com",
    "MESSAGEID": b"<1.2@host.example.com>\n",
    "X-Client:ip": b"2001:db8::7",
    "X-Client:revip": b"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
    "EnvelopeFrom": b"bounce@list.example",
    "X-Spam-Relays-Untrusted": (
        b"[ ip=192.0.2.7 rdns= helo=c.example by=mx.example ident= envfrom= intl=0 id=1x2 auth="
        b" msa=0 ]"
    ),
    "X-Spam-Relays-Trusted": b"",
    "Reply-To": None,
    "Reply-To:addr": None,
    "To:nothing": b'"Doe, John" <john@example.com>, jane@example.net (Jane)\n',
}


@pytest.mark.parametrize(("request_", "value"), FIELDS.items())
def test_a_field(request_: str, value: bytes | None) -> None:
    name, *modifiers = request_.split(":")
    assert View(Message(MESSAGE)).header(name, modifiers) == value


def test_all_of_them() -> None:
    view = View(Message(MESSAGE))
    everything = view.header("ALL")
    assert everything is not None
    assert everything.startswith(b"Return-Path: <bounce@list.example>\nReceived: from ")
    assert "\nSubject: one two été\nTo: ".encode() in everything
    assert view.header_all == everything
    assert view.header("ALL", ["raw"]) == view.full.partition(b"\n\n")[0] + b"\n"
    # The field of the relay that is not trusted is that of one that is.
    assert view.header("ALL-TRUSTED") == b"".join(view.fields.lines[:2])
    assert view.header("ALL-UNTRUSTED") == b"".join(view.fields.lines[1:])
    assert view.header("ALL-INTERNAL") == view.header("ALL-TRUSTED")
    assert view.header("ALL-EXTERNAL") == view.header("ALL-UNTRUSTED")


MAILBOXES = {
    "a@example.org": [("a@example.org", None)],
    "<a@example.org>": [("a@example.org", None)],
    "Ann <a@example.org>": [("a@example.org", "Ann ")],
    '"Ann, \\"A.\\"" <a@example.org>': [("a@example.org", 'Ann, "A." ')],
    "a@example.org (Ann)": [("a@example.org", "Ann")],
    "a@example.org, b@example.org": [("a@example.org", None), ("b@example.org", None)],
    "Team: a@example.org, b@example.org;": [("a@example.org", None), ("b@example.org", None)],
    "undisclosed-recipients:;": [],
    '"a@example.org"': [("a@example.org", None)],
    '"a@example.org" <b@example.org>': [("b@example.org", "a@example.org ")],
    "<>": [(None, None)],
    "Ann": [(None, "Ann")],
    "Ann <a b@example.org>": [(None, "Ann ")],
    "<a@example.org> <a@example.org>": [("a@example.org", None)],
    "=?x?= a <a@example.org> <b@c.example": [("a@example.org", None)],
    "a@b.example@c.example": [("a@b.example", None)],
    "": [],
}


@pytest.mark.parametrize(("text", "found"), MAILBOXES.items())
def test_mailboxes(text: str, found: list[tuple[str | None, str | None]]) -> None:
    assert [
        (
            None if one.address is None else one.address.decode(),
            None if one.phrase is None else one.phrase.decode(),
        )
        for one in parse_addresses(text.encode())
    ] == found


@pytest.mark.parametrize("address", [b"a@b ", b"a@b.nosuch, ", b"@a.", b"@"])
def test_each_address_of_a_field_is_looked_at_once_for_its_host(address: bytes) -> None:
    fields = (b"X-To: " + address * (8000 // len(address)) + b"\n") * 3
    view = View(Message(fields + b"\n"))
    view.domains.is_top("com")  # reads the list
    started = time.process_time()
    view.values("X-To", "domain")
    assert time.process_time() - started < SECONDS


@given(st.text(alphabet='a@."<>(),;: \\\n', max_size=60).map(str.encode))
def test_whatever_it_is_it_is_read(text: bytes) -> None:
    for one in parse_addresses(text):
        assert one.address is None or b"@" in one.address


def envelope_from(header: str, sender: str = "") -> bytes | None:
    client = Client("c.example", "192.0.2.7") if sender else Client()
    return View(Message(header.encode(), Envelope(sender=sender, client=client))).envelope_from


RECEIVED = (
    "Received: from a.example (b.example [192.0.2.7]) by c.example (Postfix) with SMTP id 123\n"
)


def test_the_sender_of_stored_mail() -> None:
    said = RECEIVED.replace(" id", " (envelope-from <ann@b.example>) id")
    assert envelope_from(said + "Return-Path: <x@y.example>\n\n") == b"ann@b.example"
    assert envelope_from("Return-Path: <x@y.example>\n" + RECEIVED + "\n") == b"x@y.example"
    assert envelope_from("X-Envelope-From: x@y.example\n\n") == b"x@y.example"
    # Below a Received field it may be of an earlier way that the message took.
    assert envelope_from(RECEIVED + "Return-Path: <x@y.example>\n\n") is None
    assert envelope_from("From: x@y.example\n\n") is None


def test_the_sender_of_a_message_that_comes_in() -> None:
    assert envelope_from("Return-Path: <x@y.example>\n\n", "ann@b.example") == b"ann@b.example"
