"""What the doctor says of name servers, lists, and this host's name in the DNS."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from filterd.chain.chain import ChainSettings
from filterd.chain.headers import LabelSettings
from filterd.chain.links import LinkSettings
from filterd.config.load import FilterSettings, Settings
from filterd.doctor.budgets import chain_warnings
from filterd.doctor.dns import dns
from filterd.doctor.findings import Level
from filterd.filters.dnslists.settings import DnsList, DnsListsSettings
from filterd.resolver.settings import ResolverSettings
from tests.helpers.name_server import Question, Script, name_server, zone
from tests.helpers.process import free_port

pytestmark = pytest.mark.server

HOST = (
    "mx.test 60 A 198.51.100.7",
    "7.100.51.198.in-addr.arpa 60 PTR mx.test.",
)


def settings(
    servers: Sequence[str], *lists: DnsList, host: str = "mx.test", enabled: bool = True
) -> Settings:
    return Settings(
        chain=ChainSettings(filters=("dnslists",)),
        resolver=ResolverSettings(nameservers=tuple(servers), enabled=enabled),
        labels=LabelSettings(hostname=host),
        filters={"dnslists": FilterSettings(LinkSettings(), DnsListsSettings(lists))},
    )


def told(script: Script, *lists: DnsList, host: str = "mx.test") -> dict[str, tuple[Level, str]]:
    """What is said about the last of each."""
    with name_server(script) as server:
        found = list(dns(settings([server.address], *lists, host=host)))
    for one in found:
        assert (one.level is Level.OK) == (one.advice == "")
    return {one.about: (one.level, one.found) for one in found}


ADDRESSES = DnsList("bl.test", symbol="BL")
NAMES = DnsList("ur.test", symbol="URIBL", ask=("url",))


@pytest.mark.parametrize(("wait", "timeout", "warned"), [(4.0, 30.0, False), (4.0, 4.0, True)])
def test_a_filter_that_waits_longer_than_it_may(wait: float, timeout: float, warned: bool) -> None:
    given = settings([], ADDRESSES)
    own = FilterSettings(LinkSettings(timeout=timeout), DnsListsSettings((ADDRESSES,), wait=wait))
    found = chain_warnings(dataclasses.replace(given, filters={"dnslists": own}))
    assert bool(found) is warned
    assert all("dnslists waits 4 s" in one for one in found)


def test_nothing_is_asked_unless_filters_ask() -> None:
    assert list(dns(settings([]))) == []


def test_all_is_well() -> None:
    script = zone(*HOST, "2.0.0.127.bl.test 60 A 127.0.0.2", "test.ur.test 60 A 127.0.0.2")
    with name_server(script) as server:
        found = list(dns(settings([server.address], ADDRESSES, NAMES)))
    assert [one.level for one in found] == [Level.OK] * 4
    assert [one.about for one in found] == ["resolver", "dnslists", "dnslists", "own name"]


def answers(answer: str) -> Script:
    def say(question: Question) -> bytes:
        if "bl.test" in question.name:
            return question.answer(f"{question.name} 60 A {answer}")
        return zone(*HOST)(question)  # type: ignore[return-value]

    return say


LISTS = {
    "lists everything": (answers("127.0.0.2"), Level.FAIL, "lists everything"),
    "refuses": (answers("127.255.255.254"), Level.FAIL, "127.255.255.254, which is an error"),
    "was sold": (answers("192.0.2.80"), Level.FAIL, "192.0.2.80, which is an error"),
    "is empty": (zone(*HOST), Level.WARN, "does not list its test entry 127.0.0.2"),
}


@pytest.mark.parametrize(("script", "level", "text"), LISTS.values(), ids=LISTS)
def test_lists(script: Script, level: Level, text: str) -> None:
    found = told(script, ADDRESSES)
    assert found["dnslists"][0] is level
    assert text in found["dnslists"][1]
    assert found["own name"][0] is Level.OK


OWN_NAMES = {
    "one label": ("localhost", zone(), "not a full host name"),
    "no address": ("mx.test", zone(), "no public address"),
    "private": ("mx.test", zone("mx.test 60 A 10.0.0.1"), "no public address"),
    "no PTR": ("mx.test", zone("mx.test 60 A 198.51.100.7"), "PTR record says nxdomain"),
    "another PTR": (
        "mx.test",
        zone("mx.test 60 A 198.51.100.7", "7.100.51.198.in-addr.arpa 60 PTR pc7.isp.test."),
        "PTR record says pc7.isp.test",
    ),
}


@pytest.mark.parametrize(("host", "script", "text"), OWN_NAMES.values(), ids=OWN_NAMES)
def test_own_names(host: str, script: Script, text: str) -> None:
    level, said = told(script, host=host)["own name"]
    assert level is Level.WARN
    assert text in said


def test_a_name_server_that_is_away_and_one_that_answers() -> None:
    with name_server(zone(*HOST)) as server:
        found = list(dns(settings([f"127.0.0.1:{free_port()}", server.address])))
    assert [(one.about, one.level) for one in found] == [
        ("resolver", Level.FAIL),
        ("resolver", Level.OK),
        ("own name", Level.OK),
    ]


def test_no_name_server_answers() -> None:
    found = list(dns(settings([f"127.0.0.1:{free_port()}"], ADDRESSES)))
    assert [(one.about, one.level) for one in found] == [("resolver", Level.FAIL)]


def test_a_resolver_that_rewrites_no() -> None:
    found = told(lambda question: question.answer(f"{question.name} 60 A 192.0.2.80"))
    assert found["resolver"] == (Level.FAIL, found["resolver"][1])
    assert "192.0.2.80 for a name that does not exist" in found["resolver"][1]


def test_switched_off() -> None:
    (found,) = dns(settings(["127.0.0.1"], ADDRESSES, enabled=False))
    assert (found.about, found.level) == ("resolver", Level.WARN)


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.resolver.resolver.system_servers", lambda: ())
    (found,) = dns(settings([], ADDRESSES))
    assert (found.about, found.level) == ("resolver", Level.FAIL)
