"""Stages of an SMTP session: what a filter is told, and which stages it wants."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from filterd.chain.chain import Chain
from filterd.chain.filter import built
from filterd.chain.links import Link
from filterd.chain.services import Services
from filterd.chain.stages import COMMANDS, Session, Stage, stages_of
from filterd.chain.verdict import NO_OPINION, Symbol, Verdict
from filterd.message import Client, Envelope, Message, Recipient
from filterd.resolver.settings import ResolverSettings


class AtHelo:
    name = "at_helo"

    def helo(self, session: Session) -> Verdict:
        return Verdict(symbols=(Symbol("HELO_" + session.helo.upper()),))


class AtSome:
    name = "at_some"

    def __init__(self, *stages: Stage | str) -> None:
        self.stages = frozenset(stages)

    def connect(self, _session: Session) -> Verdict:
        return NO_OPINION

    def recipient(self, _session: Session, _recipient: Recipient) -> Verdict:
        return NO_OPINION


def test_a_filter_is_asked_where_it_has_a_method_and_its_settings_want_that() -> None:
    assert stages_of(AtHelo()) == {Stage.HELO}
    assert stages_of(AtSome()) == set()
    assert stages_of(AtSome("recipient")) == {Stage.RECIPIENT}
    assert stages_of(object()) == set()


@pytest.mark.parametrize("stage", ["data", "no such stage"])
def test_a_stage_that_a_filter_cannot_be_asked_at_is_a_mistake_of_the_filter(stage: str) -> None:
    with pytest.raises(ValueError, match=stage):
        stages_of(AtSome(stage))


def test_every_stage_has_its_command() -> None:
    assert list(COMMANDS) == list(Stage)


def test_what_a_session_says_of_itself() -> None:
    client = Client("mail.a.example", "192.0.2.1", 2525, "mail.a.example")
    macros = {"{auth_authen}": "ann", "{tls_version}": "TLSv1.3"}
    session = Session(
        "s1",
        Stage.SENDER,
        Envelope("ann@a.example", client=client, macros=macros),
        symbols=(Symbol("RCVD_IN_DNSWL_HI", -3.0),),
        deadline=time.monotonic() - 1,
    )
    assert session.client == client
    assert (session.helo, session.authenticated, session.tls) == (
        "mail.a.example",
        "ann",
        "TLSv1.3",
    )
    assert session.seconds_left == 0
    assert session.found("RCVD_IN_DNSWL_MED", "RCVD_IN_DNSWL_HI")
    assert not session.found("RCVD_IN_DNSWL_MED")
    bare = Session("s2")
    assert (bare.client.address, bare.helo, bare.authenticated, bare.tls) == ("", "", "", "")
    assert bare.seconds_left > 0


@dataclass(frozen=True)
class NeedsResolver:
    def build_with(self, services: Services) -> AtHelo:
        assert services.resolver is services.resolver
        assert services.resolver.settings.timeout == 1.5
        return AtHelo()


@dataclass(frozen=True)
class NeedsNothing:
    def build(self) -> AtHelo:
        return AtHelo()


@pytest.mark.parametrize("settings", [NeedsResolver(), NeedsNothing()])
def test_a_filter_gets_what_the_site_offers_if_it_asks(
    settings: NeedsResolver | NeedsNothing,
) -> None:
    assert built(settings, Services(ResolverSettings(timeout=1.5))).name == "at_helo"


class TellsWhatWasFound:
    def __init__(self, name: str) -> None:
        self.name = name

    def examine(self, message: Message) -> Verdict:
        found = "+".join(symbol.name for symbol in message.symbols)
        return Verdict(symbols=(Symbol(self.name.upper(), 0.0, found),))


def test_a_filter_sees_what_those_before_it_found_and_one_of_stages_examines_nothing() -> None:
    links = [Link(TellsWhatWasFound("a")), Link(AtHelo()), Link(TellsWhatWasFound("b"))]
    found = Chain(links).examine(Message(b"\r\n"))
    assert [(symbol.name, symbol.detail) for symbol in found.verdict.symbols] == [
        ("A", ""),
        ("B", "A"),
    ]
    assert list(found.milliseconds) == ["a", "b"]
