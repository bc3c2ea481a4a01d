"""All who compare mailboxes, domains or networks agree, however these are spelled."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.bayes.site.autolearn import sender_of
from filterd.chain import marks
from filterd.chain.headers import LabelSettings
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicyRule, PolicySettings
from filterd.chain.verdict import NO_OPINION
from filterd.filters.parts.rules import EffectiveRule, PartRules
from filterd.filters.parts.settings import PartRule
from filterd.filters.senders.filter import _Lookup
from filterd.filters.senders.list import SenderEntry
from filterd.history import History, HistoryQuery, HistorySettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.address import Mailbox, canonical_domain, listed_domain, reaches, readable
from filterd.message.matching import client_matches, is_in_networks, mapped, networks
from filterd.mta.delivery.builtin import BuiltInRouter
from filterd.mta.settings import MtaSettings
from filterd.quarantine import QuarantineSettings, Store
from filterd.quarantine.query import Query
from filterd.review.reviewer import Reviewer
from filterd.web.guard import ConnectionLimits, Guard
from filterd.web.throttle import network
from tests.helpers.entries import new
from tests.helpers.reports import record, revised


class Address(NamedTuple):
    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


TEAM, OTHER = Address("team", "müller.example"), Address("sales", "mx.example")


def domains(domain: str) -> st.SearchStrategy[str]:
    """Its spellings: capitals, a dot at the end, A-labels, octets of UTF-8."""
    cases = st.sampled_from([str.lower, str.upper, str.title])
    encodings = st.sampled_from([str, canonical_domain, octets])
    dots = st.sampled_from(["", "."])
    return st.builds(lambda case, encode, dot: encode(case(domain)) + dot, cases, encodings, dots)


def octets(text: str) -> str:
    return text.encode().decode("ascii", "surrogateescape")


def patterns(address: Address, detail: str = "") -> st.SearchStrategy[str]:
    """The spellings of one mailbox as people write them into settings and lists."""
    local = address.local + detail
    locals_ = st.sampled_from([local, local.upper(), f'"{local}"', f'"\\{local}"'])
    return st.builds("{}@{}".format, locals_, domains(address.domain))


def spellings(address: Address, detail: str = "") -> st.SearchStrategy[str]:
    """Those that an envelope may have besides."""
    around = st.sampled_from(["{}", "<{}>", "<@relay.example:{}>", "@a.example,@[192.0.2.1]:{}"])
    return st.builds(str.format, around, patterns(address, detail))


def by_policy(pattern: str, address: str) -> bool:
    rule = PolicyRule("one", recipients=(pattern,), label=1.0, quarantine=2.0, reject=3.0)
    decision = Policy(PolicySettings(rules=(rule,))).decide(
        NO_OPINION, Envelope("a@x.example", (Recipient(address),))
    )
    return decision.outcomes[0].rule == "one"


def by_parts(pattern: str, address: str) -> bool:
    plain = EffectiveRule("default", frozenset(), frozenset(), frozenset(), {})
    rules = PartRules(plain, [PartRule("one", recipients=(pattern,))], ())
    (profile,) = rules.of(Envelope("a@x.example", (Recipient(address),)))
    return profile.name == "one"


def by_senders(pattern: str, address: str) -> bool:
    return found_by_senders(SenderEntry("allow", pattern), address, "joe@mx.example")


def by_recipient_of_sender(pattern: str, address: str) -> bool:
    return found_by_senders(SenderEntry("allow", "a@x.example", pattern), "a@x.example", address)


def found_by_senders(entry: SenderEntry, sender: str, recipient: str) -> bool:
    return _Lookup([entry]).find(Envelope(sender, (Recipient(recipient),))) is not None


def by_reviewer(pattern: str, address: str) -> bool:
    """A reviewer of that mailbox."""
    return Reviewer("r", "reviewer", recipients=frozenset({pattern})).may_see([address])


def by_reaches(pattern: str, address: str) -> bool:
    return reaches({readable(pattern)}, (), address)


USERS: list[Callable[[str, str], bool]] = [
    by_policy,
    by_parts,
    by_senders,
    by_recipient_of_sender,
    by_reviewer,
    by_reaches,
]


@given(patterns(TEAM), spellings(TEAM))
def test_all_find_a_mailbox_however_it_is_spelled(pattern: str, address: str) -> None:
    assert {user.__name__: user(pattern, address) for user in USERS} == {
        user.__name__: True for user in USERS
    }


@given(patterns(TEAM), spellings(TEAM, "+billing"))
def test_all_find_a_mailbox_with_a_detail(pattern: str, address: str) -> None:
    assert all(user(pattern, address) for user in USERS)


@given(patterns(TEAM, "+billing"), spellings(TEAM))
def test_a_pattern_with_a_detail_is_for_that_alone(pattern: str, address: str) -> None:
    assert not any(user(pattern, address) for user in USERS)


@given(patterns(TEAM), spellings(OTHER))
def test_nobody_finds_another_mailbox(pattern: str, address: str) -> None:
    assert not any(user(pattern, address) for user in USERS)


@given(domains(TEAM.domain), spellings(TEAM))
def test_all_find_a_domain(domain: str, address: str) -> None:
    by_domain = Reviewer("r", "reviewer", domains=frozenset({domain}))
    assert by_domain.may_see([address])
    assert reaches((), {listed_domain(domain)}, address)
    assert all(user(domain, address) for user in (by_policy, by_parts, by_senders))
    assert BuiltInRouter(
        MtaSettings(hostname="mx.example", local_domains=(domain,), mail=Path("mail"))
    ).resolve(str(Mailbox.parse(address)))


@given(spellings(TEAM), spellings(TEAM))
def test_one_mailbox_has_one_mark_one_name_in_lists_and_one_share_of_autolearn(
    one: str, other: str
) -> None:
    assert readable(one) == readable(other)
    assert marks.envelope_id(b"k" * 32, "id1", b"", [one], now=1.0) == marks.envelope_id(
        b"k" * 32, "id1", b"", [other], now=1.0
    )
    senders = {sender_of(Message(b"", Envelope(address), id="x")) for address in (one, other)}
    assert len(senders) == 1


def test_searches_find_every_spelling(tmp_path: Path) -> None:
    """The stores are searched by SQL: with what they keep of each spelling."""
    written = [
        "team@müller.example",
        "TEAM@MÜLLER.example",
        "team@xn--mller-kva.example",
        "team@XN--MLLER-KVA.example.",
        octets("team@müller.example"),
        '"team"@müller.example',
        "<@relay.example:team@müller.example>",
        "team+billing@müller.example",
    ]
    store = Store(QuarantineSettings(tmp_path / "q"))
    history = History(tmp_path / "history.sqlite3", HistorySettings())
    for number, address in enumerate(written):
        envelope = Envelope("a@x.example", (Recipient(address),))
        store.put(revised(new(f"id{number}"), envelope=envelope, held_for=(address,)))
        history.add([record(f"id{number}", 1e9 + number, recipients=(address,))])
    for asked in written[:-1]:
        reviewer = Reviewer("r", "reviewer", recipients=frozenset({asked}))
        conditions = [
            {"visible": reviewer.visible},
            {"domain": canonical_domain(Mailbox.parse(asked).domain).upper()},
            {"domain": f"@{Mailbox.parse(asked).domain}."},
        ]
        for condition in conditions:
            kept = store.index.search(Query(**condition)).rows  # type: ignore[arg-type]
            noted = history.search(HistoryQuery(**condition)).rows  # type: ignore[arg-type]
            assert len(kept) == len(noted) == len(written), (asked, condition)
    store.close()


V4 = st.ip_addresses(v=4).map(str)


def by_policy_rule(text: str, address: str) -> bool:
    rule = PolicyRule("one", clients=(text,), label=1.0, quarantine=2.0, reject=3.0)
    envelope = Envelope("a@x.example", (Recipient("j@mx.example"),), Client("c", address))
    return Policy(PolicySettings(rules=(rule,))).decide(NO_OPINION, envelope).outcomes[0].rule == (
        "one"
    )


def by_labels(text: str, address: str) -> bool:
    return LabelSettings(outbound_clients=(text,)).is_outbound(
        Envelope("a@x.example", client=Client("c", address))
    )


def by_parts_clients(text: str, address: str) -> bool:
    plain = EffectiveRule("default", frozenset(), frozenset(), frozenset(), {})
    envelope = Envelope("a@x.example", client=Client("c", address))
    return PartRules(plain, [], networks([text])).direction(envelope) == "outbound"


def by_mark(text: str, address: str) -> bool:
    key = b"k" * 32
    mark = marks.envelope_id(key, "id1", b"x", ["j@mx.example"], now=1.0)
    envelope = Envelope("", (Recipient("j@mx.example"),), Client("c", address), (f"ENVID={mark}",))
    return marks.Verifier(key, [text], lambda: 1.0)(Message(b"x", envelope, id="y")) is not None


def by_guard(text: str, address: str) -> bool:
    return is_in_networks(address, Guard(ConnectionLimits(), [text])._trusted)


NETWORKS = [by_policy_rule, by_labels, by_parts_clients, by_mark, by_guard]


@given(V4, st.integers(8, 32), V4, st.booleans(), st.booleans())
def test_all_agree_about_networks_however_addresses_are_written(
    network_address: str, bits: int, address: str, mapped_network: bool, mapped_address: bool
) -> None:
    plain = ip_network((network_address, bits), strict=False)
    # Loopback is this host's own, whatever the networks.
    for member in (address, str(plain[-1])):
        if ip_address(member).is_loopback:
            continue
        text = f"::ffff:{network_address}/{96 + bits}" if mapped_network else f"{plain}"
        written = f"::ffff:{member}" if mapped_address else member
        expected = ip_address(member) in plain
        assert {user.__name__: user(text, written) for user in NETWORKS} == {
            user.__name__: expected for user in NETWORKS
        }


def test_this_host_is_named_local() -> None:
    for address in ("", "127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert client_matches(Client("localhost", address), ("local",), networks(("local",)))
    with pytest.raises(ValueError, match=r"'local' is not a network; expected \"192.0.2.0/24\" or"):
        networks(("local",), local=False)


def test_one_site_is_one_site() -> None:
    assert network("::ffff:192.0.2.1") == network("192.0.2.1") == "192.0.2.1"
    assert network("2001:db8:0:1::5") == network("2001:DB8:0:1:ffff::9") == "2001:db8:0:1::"
    assert network("testclient") == "testclient"


def test_a_network_in_mapped_addresses_is_the_same_network() -> None:
    (plain,) = networks(("192.0.2.77/24",))
    assert plain.version == 4
    assert mapped(plain) == ip_network("::ffff:c000:200/120")
    assert networks((str(mapped(plain)),)) == (plain,)
    assert networks(("::/0", "::ffff:0:0/95")) == (
        ip_network("::/0"),
        ip_network("::fffe:0:0/95"),
    )


def test_addresses_are_read_in_one_place() -> None:
    """What else makes an address of a text does not know of IPv4-mapped ones. (Nor do a hosts
    file and its readers, and an SPF record: there one that is mapped is another address; and
    rules, which find an address as it stands in Received, without that prefix.)"""
    package = Path(__file__).resolve().parents[2] / "filterd"
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"\bip_(address|network|interface)\b", path.read_text(encoding="utf-8"))
    }
    literal = {
        "mta/maps/hosts.py",
        "auth/spf/record.py",
        "auth/spf/evaluation.py",
        "rules/view/ip_text.py",
    }
    assert found - literal == {"message/envelope.py", "message/matching.py"}
