"""Messages that DNS lists are asked about, and the filter that asks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from filterd.chain.services import Services
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import Verdict
from filterd.filters.dnslists.filter import DnsLists
from filterd.filters.dnslists.settings import DnsList, DnsListsSettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.resolver.settings import ResolverSettings


@contextlib.contextmanager
def dns_lists(
    server: str,
    *lists: DnsList,
    trusted: Sequence[str] = (),
    resolver: dict[str, object] | None = None,
    **settings: object,
) -> Iterator[DnsLists]:
    """The filter, asking that name server. A question waits as long as no test lasts."""
    asking: dict[str, object] = {"timeout": 30.0, **(resolver or {})}
    services = Services(
        ResolverSettings(nameservers=(server,) if server else (), **asking),  # type: ignore[arg-type]
        trusted,
    )
    given: dict[str, object] = {"wait": 30.0, **settings}
    made = DnsListsSettings(lists, **given).build_with(services)  # type: ignore[arg-type]
    assert isinstance(made, DnsLists)
    made.prepare()
    try:
        yield made
    finally:
        services.resolver.close()


def mail(
    text: str = "hello",
    *,
    client: str = "203.0.113.9",
    name: str = "",
    helo: str = "",
    sender: str = "",
    kind: str = "text/plain",
    fields: str = "",
    login: str = "",
) -> Message:
    """A message from a client."""
    envelope = Envelope(
        sender,
        (Recipient("joe@mx.example"),),
        Client(name or f"[{client}]", client, 1025, helo),
        macros={"{auth_authen}": login} if login else {},
    )
    head = f"{fields}Content-Type: {kind}; charset=utf-8\r\n\r\n"
    return Message(head.encode() + text.encode(), envelope, "id1")


def found(filter: DnsLists, message: Message) -> dict[str, float]:
    """Symbol → points, asked ahead as in the chain."""
    return points(verdict(filter, message))


def session(
    stage: Stage = Stage.SENDER,
    *,
    client: str = "203.0.113.9",
    helo: str = "",
    sender: str = "",
    login: str = "",
    memory: dict[str, object] | None = None,
) -> Session:
    """The same client at a stage of its session."""
    macros = {"{auth_authen}": login} if login else {}
    envelope = Envelope(sender, (), Client(f"[{client}]", client, 1025, helo), macros=macros)
    return Session("s1", stage, envelope, "t1", memory={} if memory is None else memory)


def verdict(filter: DnsLists, message: Message) -> Verdict:
    filter.ask(message)
    return filter.examine(message)


def points(verdict: Verdict) -> dict[str, float]:
    return {symbol.name: symbol.score for symbol in verdict.symbols}


def details(verdict: Verdict) -> dict[str, str]:
    return {symbol.name: symbol.detail for symbol in verdict.symbols}
