"""Answers that are read from their octets say what dnspython reads in them."""

from __future__ import annotations

import contextlib

import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.resolver.answer import DnsStatus, RecordType
from filterd.resolver.datagrams import _TYPES, is_plain, question_of, read_plain
from filterd.resolver.exchange import read_wire
from filterd.resolver.names import query_name, written
from filterd.resolver.resolver import Resolver
from filterd.resolver.settings import NameServer, ResolverSettings
from tests.helpers.name_server import Question, name_server, zone

SERVER = NameServer("127.0.0.1")
NAME = "9.113.0.203.bl.example"
QUESTION = question_of(NAME, RecordType.A)


def test_every_type_can_be_asked_for() -> None:
    for kind in RecordType:
        asked = dns.message.make_query(NAME, kind.value).to_wire()
        assert asked[12:] == question_of(NAME, kind)
    assert set(_TYPES) == set(RecordType)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        (NAME, True),
        ("_dmarc.example", True),
        ("a", True),
        ("A.example", False),
        ("a.example.", False),
        ("a..example", False),
        ("", False),
        ("müller.example", False),
        ("a\\.example", False),
        ("a" * 64 + ".example", False),
        (".".join(["a" * 49] * 5) + ".aaa", True),
        (".".join(["a" * 49] * 5) + ".aaaa", False),
    ],
)
def test_plain_names(name: str, plain: bool) -> None:
    assert is_plain(name) is plain
    if plain:
        assert written(query_name(name)) == name


LINES = st.sampled_from(
    [
        f"{NAME} 60 A 127.0.0.2",
        f"{NAME} 30 A 127.0.0.4",
        f"{NAME} 60 AAAA 2001:db8::1",
        f"{NAME} 60 CNAME other.example.",
        "other.example 60 A 127.0.0.2",
        f"{NAME} 60 TXT hello",
    ]
)
SOAS = st.sampled_from(
    [
        "bl.example 60 SOA ns.example h.example 1 2 3 4 30",
        "bl.example 10 SOA . . 1 2 3 4 30",
        ". 60 SOA ns.example h.example 1 2 3 4 4294967295",
        "bl.example 60 NS ns.example.",
    ]
)


@given(
    st.lists(LINES, max_size=4),
    st.lists(SOAS, max_size=3),
    st.sampled_from(["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR"]),
    st.booleans(),
)
def test_it_says_what_the_library_says(
    lines: list[str], soas: list[str], rcode: str, cut: bool
) -> None:
    response = dns.message.make_response(dns.message.make_query(NAME, "A", use_edns=0))
    response.set_rcode(dns.rcode.from_text(rcode))
    for section, given_lines in ((response.answer, lines), (response.authority, soas)):
        for line in given_lines:
            name, ttl, kind, data = line.split(None, 3)
            section.append(
                dns.rrset.from_text_list(
                    f"{name.rstrip('.')}.",
                    int(ttl),
                    "IN",
                    kind,
                    [data],
                    origin=dns.name.root,
                    relativize=False,
                )
            )
    if cut:
        response.flags |= dns.flags.TC
    wire = response.to_wire()
    plain = read_plain(wire, QUESTION, NAME)
    if plain is not None:
        assert plain == read_wire(wire, query_name(NAME), RecordType.A, SERVER)
    assert (plain is None) is (
        cut
        or rcode not in ("NOERROR", "NXDOMAIN")
        or any(f"{NAME} 60 A " not in line and f"{NAME} 30 A " not in line for line in lines)
        or (rcode == "NXDOMAIN" and bool(lines))
        or (not lines and sum("SOA" in soa for soa in soas) > 1)
    )


@given(st.binary(max_size=80), st.integers(0, 60))
def test_damaged_answers_raise_nothing(tail: bytes, keep: int) -> None:
    response = dns.message.make_response(dns.message.make_query(NAME, "A"))
    response.answer.append(dns.rrset.from_text(f"{NAME}.", 60, "IN", "A", "127.0.0.2"))
    wire = response.to_wire()
    found = read_plain(wire[: 12 + len(QUESTION) + keep] + tail, QUESTION, NAME)
    assert found is None or found.status in (DnsStatus.FOUND, DnsStatus.NODATA)


@pytest.mark.server
def test_ports_and_ids_change() -> None:
    """Over many questions neither can be guessed, and every one is answered."""
    ids: set[int] = set()

    def say(question: Question) -> bytes:
        ids.add(question.message.id)
        return zone()(question)  # type: ignore[return-value]

    with (
        name_server(say) as server,
        contextlib.closing(Resolver(ResolverSettings(nameservers=(server.address,)))) as asking,
    ):
        for round_ in range(10):
            pending = [asking.ask(f"h{round_}.{n}.example", RecordType.A) for n in range(100)]
            for one in pending:
                assert one.answer(60).status is DnsStatus.NXDOMAIN
        assert len(ids) > 900
        assert len(server.peers) > 8
