"""Received fields as MTAs write them, and how far they are believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.message import Client, Envelope, Message
from filterd.message.matching import networks
from filterd.message.received import FIELDS_LIMIT, Boundary, Hop, boundary

FORMS = {
    "sendmail": (
        "from mail.a.example (relay.a.example [198.51.100.7]) by mx.b.example (8.17.1/8.17.1) "
        "with ESMTPS id 4AT5 for <joe@b.example>; Sun, 29 Nov 2026 05:00:00 +0000",
        Hop("198.51.100.7", "relay.a.example", "mail.a.example", "mx.b.example"),
    ),
    "sendmail, ident and forged": (
        "from x.example (ann@y.example [198.51.100.7] (may be forged)) by mx (8.17.1) with SMTP",
        Hop("198.51.100.7", "y.example", "x.example", "mx"),
    ),
    "postfix, no name": (
        "from [10.0.0.5] (unknown [198.51.100.7])\r\n\tby mx.b.example (Postfix) with ESMTPSA id 1",
        Hop("198.51.100.7", "", "[10.0.0.5]", "mx.b.example", authenticated=True),
    ),
    "postfix, logged in": (
        "from pc.example (host.isp.example [198.51.100.7])\r\n\t(Authenticated sender: ann)\r\n"
        "\tby mx.b.example (Postfix) with ESMTP id 1A",
        Hop("198.51.100.7", "host.isp.example", "pc.example", "mx.b.example", authenticated=True),
    ),
    "postfix, IPv6": (
        "from a.example (a.example [IPv6:2001:DB8::1]) by mx.b.example (Postfix) with ESMTPS id 1",
        Hop("2001:db8::1", "a.example", "a.example", "mx.b.example"),
    ),
    "exim": (
        "from host.a.example ([198.51.100.7] helo=mail.a.example) by mx.b.example with esmtps "
        "(TLS1.3) (Exim 4.97) (envelope-from <ann@a.example>) id 1abc; Sun, 29 Nov 2026 05:00:00",
        Hop("198.51.100.7", "host.a.example", "mail.a.example", "mx.b.example"),
    ),
    "exim, no name": (
        "from [198.51.100.7] (port=5021 helo=pc) by mx.b.example with esmtpsa (Exim 4.97) id 1abc",
        Hop("198.51.100.7", "", "pc", "mx.b.example", authenticated=True),
    ),
    "qmail": (
        "from unknown (HELO pc.example) (198.51.100.7) by mx.b.example with SMTP; 29 Nov 2026",
        Hop("198.51.100.7", "", "pc.example", "mx.b.example"),
    ),
    "qmail, name": (
        "from h.a.example (HELO pc.example) (ann@198.51.100.7) by mx.b.example with SMTP; 29 Nov",
        Hop("198.51.100.7", "h.a.example", "pc.example", "mx.b.example"),
    ),
    "exchange": (
        "from MBX1.a.example (2001:db8:1::9) by MBX2.a.example (2001:db8:1::a) with Microsoft SMTP "
        "Server (version=TLS1_2) id 15.20; Sun, 29 Nov 2026 05:00:00 +0000",
        Hop("2001:db8:1::9", "", "MBX1.a.example", "MBX2.a.example"),
    ),
    "IPv4 in IPv6": (
        "from a.example (a.example [::ffff:198.51.100.7]) by mx (Postfix) with ESMTP id 1",
        Hop("198.51.100.7", "a.example", "a.example", "mx"),
    ),
    "exim, a host that says it is another": (
        "from [198.51.100.7] (helo=[10.0.0.1]) by mx.b.example with esmtp (Exim 4.97) id 1abc",
        Hop("198.51.100.7", "", "[10.0.0.1]", "mx.b.example"),
    ),
    "qmail, a host that says it is another": (
        "from unknown (HELO [10.0.0.1]) (198.51.100.7) by mx.b.example with SMTP; 29 Nov 2026",
        Hop("198.51.100.7", "", "[10.0.0.1]", "mx.b.example"),
    ),
    "a name of an ident server": (
        "from [198.51.100.7] (helo=pc ident=[10.0.0.1]) by mx with esmtp (Exim 4.97) id 1abc",
        Hop("198.51.100.7", "", "pc", "mx"),
    ),
    "a name that is like a clause": (
        "from by (h.example [198.51.100.7]) by mx (Postfix) with ESMTP id 1",
        Hop("198.51.100.7", "h.example", "by", "mx"),
    ),
    "a name that is like another clause": (
        "from with (h.example [198.51.100.7]) by mx (Postfix) with ESMTP id 1",
        Hop("198.51.100.7", "h.example", "with", "mx"),
    ),
    "a name that ends the field": (
        "from a; (h.example [198.51.100.7]) by mx (Postfix) with ESMTP id 1; Sun",
        Hop("198.51.100.7", "h.example", "a", "mx"),
    ),
    "a long name": (
        f"from {'a' * 2043} (h.example [198.51.100.7]) by mx (Postfix) with ESMTP id 1; Sun",
        Hop("198.51.100.7", "h.example", "a" * 2043, "mx"),
    ),
    "no from": ("by 2001:db8::5 with SMTP id x; Sun, 29 Nov 2026", Hop(by="2001:db8::5")),
    "a user": ("by mail.example (Postfix, from userid 1000) id 1; Sun", Hop(by="mail.example")),
    "an address that is none": (
        "from a (b [300.1.1.1]) by mx with SMTP; Sun",
        Hop("", "", "a", "mx"),
    ),
    "a scope": ("from a (b [fe80::1%eth0]) by mx with SMTP; Sun", Hop("", "", "a", "mx")),
    "an address behind the date": ("from a by mx; (x [192.0.2.1])", Hop("", "", "a", "mx")),
    "an address of the writer": ("from a by mx (mx [192.0.2.1]) with SMTP", Hop("", "", "a", "mx")),
    "no end": ("from a (b [192.0.2.1", Hop("", "", "a", "")),
    "empty": ("", Hop()),
}


@pytest.mark.parametrize(("field", "hop"), FORMS.values(), ids=FORMS)
def test_forms(field: str, hop: Hop) -> None:
    message = Message(f"Received: {field}\r\nSubject: x\r\n\r\n".encode())
    assert message.received == (hop,)


def field(address: str, by: str = "mx", protocol: str = "ESMTP") -> str:
    return f"Received: from h (h [{address}]) by {by} with {protocol} id 1; Sun\r\n"


def found(
    client: str, *fields: str, trusted: tuple[str, ...] = (), local: bool = False
) -> Boundary:
    message = Message("".join(fields).encode() + b"\r\n", Envelope(client=Client(address=client)))
    return boundary(message.envelope, message.received, networks(trusted), trusts_local=local)


OURS = ("192.0.2.0/28",)

BOUNDARIES = {
    "no relay": ("198.51.100.7", [field("203.0.113.9")], (), "198.51.100.7", 0, 1),
    "a trusted relay": ("192.0.2.1", [field("198.51.100.7")], OURS, "198.51.100.7", 1, 0),
    "two": (
        "192.0.2.1",
        [field("192.0.2.2"), field("198.51.100.7"), field("203.0.113.9")],
        OURS,
        "198.51.100.7",
        2,
        1,
    ),
    "a forged field that names a relay": (
        "198.51.100.7",
        [field("192.0.2.2"), field("203.0.113.9")],
        OURS,
        "198.51.100.7",
        0,
        2,
    ),
    "forged below the boundary": (
        "192.0.2.1",
        [field("198.51.100.7"), field("192.0.2.2"), field("203.0.113.9")],
        OURS,
        "198.51.100.7",
        1,
        2,
    ),
    "the relay's own mail": ("192.0.2.1", ["Received: by r (from userid 1)\r\n"], OURS, "", 1, 0),
    "nothing behind the relay": ("192.0.2.1", [], OURS, "192.0.2.1", 0, 0),
    "a user of the relay": (
        "192.0.2.1",
        [field("192.0.2.2", protocol="ESMTPSA"), field("203.0.113.9")],
        OURS,
        "192.0.2.2",
        1,
        1,
    ),
    "mapped": ("::ffff:192.0.2.1", [field("198.51.100.7")], OURS, "198.51.100.7", 1, 0),
    "local mail": ("", [field("198.51.100.7")], OURS, "", 0, 1),
}


@pytest.mark.parametrize(
    ("client", "fields", "trusted", "address", "relays", "beyond"),
    BOUNDARIES.values(),
    ids=BOUNDARIES,
)
def test_boundaries(
    client: str,
    fields: list[str],
    trusted: tuple[str, ...],
    address: str,
    relays: int,
    beyond: int,
) -> None:
    edge = found(client, *fields, trusted=trusted)
    assert (edge.client.address, edge.relays, len(edge.beyond)) == (address, relays, beyond)


@pytest.mark.parametrize("client", ["", "127.0.0.1", "::1"])
def test_this_host_may_be_a_relay(client: str) -> None:
    """As behind a content filter, or fetchmail."""
    assert found(client, field("198.51.100.7"), local=True).client.address == "198.51.100.7"
    assert found(client, field("198.51.100.7")).client.address == client


def test_a_thousand_fields_are_bounded() -> None:
    fields = [field("192.0.2.1")] * 1000
    message = Message("".join(fields).encode() + b"\r\n", Envelope())
    assert len(message.received) == FIELDS_LIMIT
    edge = found("192.0.2.1", *fields, field("203.0.113.9"), trusted=OURS)
    assert edge.client.address == "192.0.2.1"


@given(st.text(alphabet='()[]"\\;, .:frombywith%1a\r\n\t', max_size=200))
def test_nothing_raises(text: str) -> None:
    message = Message(b"Received: " + text.replace("\n", " ").encode() + b"\r\n\r\n")
    for hop in message.received:
        assert "%" not in hop.address
