"""Which relays are believed."""

from __future__ import annotations

import pytest

from filterd.message.envelope import Client, Envelope
from filterd.message.message import Message
from filterd.rules.conf.rule import Option, Origin
from filterd.rules.view.relays import Trust, networks_left_out, relays_of
from filterd.rules.view.view import View


def received(ip: str, by: str = "mx.example", *, protocol: str = "ESMTP") -> str:
    return f"from a.example (b.example [{ip}]) by {by} (Postfix) with {protocol} id 4F00"


def options(**lines: str) -> dict[str, tuple[Option, ...]]:
    return {name: (Option(name, value, Origin("local.cf", 1)),) for name, value in lines.items()}


OUTSIDE, OWN, PRIVATE = received("192.0.2.7"), received("198.51.100.1"), received("10.0.0.1")
MSA, HOME = received("198.51.100.9"), received("203.0.113.5")

# Options, fields from the top; how many are trusted, and how many internal.
BELIEVED = {
    "nobody says: only private networks": ({}, [PRIVATE, OUTSIDE, PRIVATE], 1, 1),
    "nobody says: who logged in": ({}, [received("192.0.2.7", protocol="ESMTPSA"), OUTSIDE], 1, 1),
    "trusted": ({"trusted_networks": "198.51.100/24"}, [OWN, OUTSIDE, OWN], 1, 1),
    "this host is always": (
        {"trusted_networks": "198.51.100.1"},
        [received("127.0.0.1"), OWN],
        2,
        2,
    ),
    "private networks are not": ({"trusted_networks": "198.51.100.1"}, [PRIVATE, OWN], 0, 0),
    "the first network that matches": (
        {"trusted_networks": "!198.51.100.1 198.51.100.0/24"},
        [MSA, OWN],
        1,
        1,
    ),
    "trusted, not internal": (
        {"trusted_networks": "198.51.100.0/24 192.0.2.7", "internal_networks": "198.51.100.0/24"},
        [OWN, OUTSIDE, HOME],
        2,
        1,
    ),
    "internal stands for both": ({"internal_networks": "198.51.100.0/24"}, [OWN, OUTSIDE], 1, 1),
    "internal, not trusted: left out": (
        {"trusted_networks": "198.51.100.0/24", "internal_networks": "198.51.0.0/16"},
        [OWN, OUTSIDE],
        1,
        0,
    ),
    "an MSA that is not trusted": (
        {"trusted_networks": "198.51.100.1", "msa_networks": "198.51.0.0/16"},
        [OWN, OUTSIDE],
        1,
        1,
    ),
    "behind an MSA": (
        {"trusted_networks": "198.51.100.0/24", "msa_networks": "198.51.100.9"},
        [MSA, HOME, OUTSIDE],
        3,
        3,
    ),
}


@pytest.mark.parametrize(
    ("lines", "fields", "trusted", "internal"), BELIEVED.values(), ids=BELIEVED
)
def test_who_is_believed(
    lines: dict[str, str], fields: list[str], trusted: int, internal: int
) -> None:
    found = relays_of(fields, Trust.of(options(**lines)))
    assert (len(found.trusted), len(found.internal)) == (trusted, internal)
    assert found.all == found.trusted + found.untrusted
    assert len(found.internal) + len(found.external) == len(fields)


def test_fields_that_are_not_known_are_counted() -> None:
    found = relays_of(["from nowhere", PRIVATE, "by mx.example"], Trust())
    assert (found.unparsed, found.last_trusted) == (1, 2)


CLIENT = Client("mail.client.example", "192.0.2.7", 25, "client.example")


def incoming(**envelope: object) -> View:
    macros = {"j": "mx.example", "i": "4F00"} | dict(envelope.pop("macros", {}))  # type: ignore[call-overload]
    return View(Message(b"Subject: x\r\n\r\n", Envelope(client=CLIENT, macros=macros, **envelope)))  # type: ignore[arg-type]


def test_a_message_that_comes_in_has_its_client_on_top() -> None:
    view = incoming(sender="ann@client.example")
    relay = view.relays.external[0]
    assert (relay.ip, relay.rdns, relay.helo, relay.by, relay.id) == (
        *("192.0.2.7", "mail.client.example", "client.example", "mx.example", "4F00"),
    )
    assert view.header_all.startswith(b"Received: from client.example ")
    assert view.header("EnvelopeFrom") == b"ann@client.example"
    assert view.header("Received") is not None


def test_a_client_that_logged_in_is_trusted() -> None:
    view = incoming(macros={"{auth_authen}": "ann"})
    assert [relay.auth for relay in view.relays.trusted] == ["ESMTPA"]


def test_stored_mail_has_no_client() -> None:
    view = View(Message(b"Subject: x\r\n\r\n"))
    assert view.relays.all == []
    assert view.header("Received") is None


def test_an_address_that_a_field_names() -> None:
    data = b"X-Originating-IP: [192.0.2.9]\r\nReceived: " + OUTSIDE.encode() + b"\r\n\r\n"
    lines = options(originating_ip_headers="X-Originating-IP X-Other")
    assert [relay.ip for relay in View(Message(data), lines).relays.all] == [
        "192.0.2.7",
        "192.0.2.9",
    ]


# Options, and the networks that are told as not trusted.
LEFT_OUT: list[tuple[dict[str, str], list[str]]] = [
    ({}, []),
    ({"trusted_networks": "10/8", "internal_networks": "10.1/16 !192.0.2.1 127.0.0.1"}, []),
    ({"trusted_networks": "10.1/16", "internal_networks": "10/8 10.1.1.1"}, ["10.0.0.0/8"]),
    ({"trusted_networks": "!10.1.1.1 10/8", "internal_networks": "10.1.1.1"}, ["10.1.1.1/32"]),
    ({"trusted_networks": "10/8", "msa_networks": "192.0.2.1"}, ["192.0.2.1/32"]),
    ({"internal_networks": "10/8", "msa_networks": "10.1.1.1 2001:db8::/32"}, ["2001:db8::/32"]),
    ({"msa_networks": "192.0.2.1"}, []),
]


@pytest.mark.parametrize(("lines", "expected"), LEFT_OUT)
def test_networks_that_are_not_trusted_are_told(lines: dict[str, str], expected: list[str]) -> None:
    told = [problem.text for problem in networks_left_out(options(**lines))]
    assert len(told) == len(expected)
    for text, network in zip(told, expected, strict=True):
        assert f": {network} is not in " in text
