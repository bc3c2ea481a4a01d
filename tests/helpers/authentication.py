"""The filter `auth` in front of a name server, and mail that proves who sent it or does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signing import SigningKey
from filterd.chain.headers import LabelSettings
from filterd.chain.services import Services
from filterd.chain.verdict import AddField, Verdict
from filterd.filters.auth.filter import Auth
from filterd.filters.auth.settings import AuthSettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.resolver.settings import ResolverSettings

OWN = "192.0.2.1"
"""A host of bank.example."""

OTHER = "198.51.100.7"
"""A host of nobody whose name is of interest."""

LINES = (
    f'bank.example 60 TXT "v=spf1 ip4:{OWN} -all"',
    'soft.example 60 TXT "v=spf1 ~all"',
    f'list.example 60 TXT "v=spf1 ip4:{OTHER} -all"',
    f'free.example 60 TXT "v=spf1 ip4:{OWN} -all"',
    '_dmarc.bank.example 60 TXT "v=DMARC1; p=reject"',
    '_dmarc.shop.example 60 TXT "v=DMARC1; p=quarantine"',
    '_dmarc.none.example 60 TXT "v=DMARC1; p=none"',
    '_dmarc.test.example 60 TXT "v=DMARC1; p=reject; t=y"',
    '_dmarc.trial.example 60 TXT "v=DMARC1; p=quarantine; t=y"',
)
"""What the domains of the tests publish."""


def key_line(key: SigningKey) -> str:
    """The line of the zone that publishes a key."""
    text = key.record
    parts = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    return f"{key_name(key.domain, key.selector)} 60 TXT {parts}"


@contextlib.contextmanager
def auth(
    server: str,
    *,
    trusted: Sequence[str] = (),
    labels: LabelSettings | None = None,
    **settings: Any,
) -> Iterator[Auth]:
    """The filter, asking that name server. An answer is waited for as long as no test lasts."""
    asked = ResolverSettings(nameservers=(server,) if server else (), timeout=30.0)
    services = Services(asked, trusted, labels=labels or LabelSettings("mx.example"))
    made = AuthSettings(**{"wait": 60.0, **settings}).build_with(services)
    assert isinstance(made, Auth)
    made.prepare()
    try:
        yield made
    finally:
        services.resolver.close()


def mail(
    author: str = "ann@bank.example",
    *,
    sender: str = "bounces@other.example",
    client: str = OTHER,
    helo: str = "host.other.example",
    login: str = "",
    fields: str = "",
) -> Message:
    """A message by an author, from a client."""
    envelope = Envelope(
        sender,
        (Recipient("joe@mx.example"),),
        Client("host.other.example", client, 1025, helo),
        macros={"{auth_authen}": login} if login else {},
    )
    head = f"{fields}From: {author}\r\nTo: joe@mx.example\r\nSubject: hi\r\n\r\n"
    return Message(head.encode() + b"hello\r\n", envelope, "id1")


def verdict(filter: Auth, message: Message) -> Verdict:
    """What the filter says, asked as the chain asks it."""
    filter.ask(message)
    return filter.examine(message)


def points(told: Verdict) -> dict[str, float]:
    """Points by symbol."""
    return {one.name: one.score for one in told.symbols}


def field(told: Verdict, name: str) -> str:
    """The value of an added field, unfolded."""
    for edit in told.edits:
        if isinstance(edit, AddField) and edit.name == name:
            return edit.value.replace("\n\t", " ")
    return ""
