"""Whatever stands in From and in the DNS: a result, and never more than so many questions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.auth.dmarc import author_domains, begin_dmarc, check_dmarc
from filterd.auth.dmarc.authors import DOMAINS_LIMIT
from filterd.auth.dmarc.check import IDENTIFIERS_LIMIT
from filterd.auth.dmarc.walk import QUERIES_LIMIT
from filterd.message.authentication import AuthResult, DkimCheck, SpfCheck
from filterd.message.message import Message
from filterd.resolver.answer import DnsAnswer, DnsStatus, Record, RecordType
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver
from filterd.resolver.settings import ResolverSettings
from tests.helpers.zones import Zones
from tests.unit.auth.dmarc import Zone, published

QUESTIONS = DOMAINS_LIMIT * (QUERIES_LIMIT + 1) + IDENTIFIERS_LIMIT * QUERIES_LIMIT

LABELS = st.sampled_from(["a", "b", "mx", "example", "ü", "x" * 63, "x" * 64, "", "\x00", "_", "*"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=12).map(".".join)
TAGS = st.sampled_from(
    [
        "p=none",
        "p=quarantine",
        "p=reject",
        "p=bad",
        "sp=none",
        "sp=reject",
        "np=none",
        "np=reject",
        "psd=y",
        "psd=n",
        "psd=u",
        "adkim=s",
        "aspf=s",
        "t=y",
        "rua=mailto:a@b.example",
        "\xff",
    ]
)
RECORDS = st.lists(TAGS, max_size=5).map(lambda tags: ("v=DMARC1;" + ";".join(tags)).encode())
TEXTS = st.lists(st.one_of(RECORDS, st.binary(max_size=40)), max_size=3)
ANSWERS: st.SearchStrategy[list[bytes] | DnsStatus] = st.one_of(TEXTS, st.sampled_from(DnsStatus))
RESULTS = st.sampled_from(AuthResult)


class AnyZone(Zones):
    """Answers at random, the same to the same question."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__({})
        self._data = data
        self._given: dict[str, DnsAnswer] = {}

    def answer(self, name: str, kind: RecordType) -> DnsAnswer:
        self.asked.append((name, kind))
        if name not in self._given:
            found = self._data.draw(ANSWERS)
            if isinstance(found, DnsStatus):
                self._given[name] = DnsAnswer(found)
            else:
                records: tuple[Record, ...] = tuple(found)
                self._given[name] = DnsAnswer(DnsStatus.FOUND, records)
        return self._given[name]


@given(
    st.lists(DOMAINS, max_size=6),
    st.one_of(st.none(), st.builds(SpfCheck, RESULTS, DOMAINS)),
    st.lists(st.builds(DkimCheck, RESULTS, DOMAINS), max_size=20),
    st.data(),
)
def test_any_from_and_any_zone(
    domains: list[str], spf: SpfCheck | None, dkim: list[DkimCheck], data: st.DataObject
) -> None:
    message = Message(("From: " + ", ".join(f"a@{one}" for one in domains) + "\r\n\r\n").encode())
    questions = AnyZone(data)
    check = check_dmarc(message, spf, dkim, questions)
    assert len(set(questions.asked)) <= QUESTIONS
    for text in (check.domain, check.policy_domain, check.organizational, check.record):
        assert text.isascii()
        assert text.isprintable() or not text
    assert check.reason.isascii()
    if check.result is AuthResult.PASS:
        assert check.spf_aligned or check.dkim_aligned
        assert check.policy_domain
    if check.result is AuthResult.FAIL:
        assert not (check.spf_aligned or check.dkim_aligned)
        assert check.policy is not None
    if check.result in (AuthResult.TEMPERROR, AuthResult.PERMERROR):
        assert check.reason


@given(st.binary(max_size=200))
def test_any_octets_in_from(octets: bytes) -> None:
    message = Message(b"From: " + octets + b"\r\n\r\n")
    found = author_domains(message)
    assert len(found.domains) <= DOMAINS_LIMIT
    check = check_dmarc(message, None, (), Zones({}))
    assert check.result in (AuthResult.NONE, AuthResult.PERMERROR)


SAFE = st.sampled_from(["a", "b", "c", "mx", "example"])
NAMES = st.lists(SAFE, min_size=1, max_size=4).map(".".join)
ZONES = st.dictionaries(NAMES, st.lists(TAGS, max_size=3).map("; ".join), max_size=5)


@given(ZONES, NAMES, NAMES)
def test_more_that_is_proven_makes_no_result_worse(
    records: dict[str, str], author: str, other: str
) -> None:
    message = Message(f"From: a@{author}\r\n\r\n".encode())
    zone: Zone = published(records)
    proven = DkimCheck(AuthResult.PASS, author)
    alone = check_dmarc(message, None, [proven], Zones(zone))
    both = check_dmarc(message, None, [DkimCheck(AuthResult.PASS, other), proven], Zones(zone))
    nothing = check_dmarc(message, None, [], Zones(zone))
    assert alone == both
    assert alone.dkim_aligned or alone.result is AuthResult.PERMERROR
    assert (alone.policy, alone.policy_domain) == (nothing.policy, nothing.policy_domain)
    assert (alone.result is AuthResult.PASS) is (nothing.result is AuthResult.FAIL)


@given(ZONES, NAMES, NAMES)
def test_alignment_goes_both_ways_where_the_record_is_the_same(
    records: dict[str, str], one: str, other: str
) -> None:
    def passes(author: str, signer: str) -> DmarcCheckResult:
        message = Message(f"From: a@{author}\r\n\r\n".encode())
        found = check_dmarc(message, None, [DkimCheck(AuthResult.PASS, signer)], Zones(zone))
        return found.policy_domain, found.result

    zone = published({name: tags.replace("adkim=s", "") for name, tags in records.items()})
    first, second = passes(one, other), passes(other, one)
    if first[0] == second[0]:
        assert first == second


DmarcCheckResult = tuple[str, AuthResult]


@pytest.mark.parametrize(
    "value",
    ["ann@mx.example", "ann@a..b", "ann@" + "x" * 64, "ann@\x00", "ann@ü\udc80.example", "ann@*"],
)
def test_without_a_name_server_nothing_is_known(value: str) -> None:
    questions = DnsLookups(Resolver(ResolverSettings(enabled=False)))
    message = Message(b"From: " + value.encode("utf-8", "surrogateescape") + b"\r\n\r\n")
    begin_dmarc(message, questions)
    assert check_dmarc(message, None, (), questions).result in (
        AuthResult.TEMPERROR,
        AuthResult.NONE,
    )
