"""From a day's messages to what reports say of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from filterd.dmarc import collecting
from filterd.dmarc.collecting import Collected, collect
from filterd.dmarc.feedback import DkimResult, OverrideReason, PolicyPublished, SpfResult
from filterd.history import Record
from filterd.history.record import TEXT_LIMIT
from filterd.message.authentication import AuthResult, DmarcPolicy
from tests.helpers.authenticated import PUBLISHED, authenticated, signature


def one(*records: Record) -> Collected:
    """What the only domain of these has."""
    (found,) = collect(records).values()
    return found


def rows(collected: Collected) -> list[tuple[str, int, str]]:
    return [(str(r.source), r.count, r.disposition) for r in collected.records()]


def test_messages_that_are_alike_are_one_record() -> None:
    found = one(
        authenticated("a", spf=True),
        authenticated("b", spf=True),
        authenticated("c"),
        authenticated("d", client="x[IPv6:2001:db8::1]", spf=True),
        authenticated("e", client="x[::ffff:192.0.2.1]"),
    )
    assert rows(found) == [
        ("192.0.2.1", 2, "none"),
        ("192.0.2.1", 2, "pass"),
        ("2001:db8::1", 1, "pass"),
    ]
    record = next(found.records())
    assert record.header_from == record.envelope_from == "example.org"
    assert record.spf == (SpfResult("example.org", "fail", "mfrom"),)


def test_the_policy_with_its_defaults() -> None:
    assert one(authenticated("a")).policy == PolicyPublished(
        "example.org", "reject", "quarantine", "quarantine", "r", "r", "0", "n", "treewalk"
    )
    all_said = "v=DMARC1;p=none;np=reject;t=y;adkim=s;aspf=s;fo=1:d;rua=mailto:a@example.org"
    assert one(authenticated("a", published=all_said)).policy == PolicyPublished(
        "example.org", "none", "none", "reject", "s", "s", "1:d", "y", "treewalk"
    )


def test_the_last_policy_of_the_day_counts() -> None:
    later = PUBLISHED.replace("reject", "none")
    found = one(authenticated("a"), authenticated("b", published=later))
    assert found.policy.p == "none"
    assert sum(record.count for record in found.records()) == 2


def test_each_policy_domain_has_its_own() -> None:
    found = collect(
        [
            authenticated("a"),
            authenticated("b", domain="foo.example.org"),
            authenticated("c", domain="bar.example.org", policy_domain="bar.example.org"),
        ]
    )
    assert {
        name: [record.header_from for record in collected.records()]
        for name, collected in found.items()
    } == {"example.org": ["example.org", "foo.example.org"], "bar.example.org": ["bar.example.org"]}


@pytest.mark.parametrize(
    "left_out",
    [
        authenticated("a", published="v=DMARC1; p=reject"),
        authenticated("a", policy_domain=""),
        authenticated("a", policy_domain="../../etc"),
        authenticated("a", policy_domain="a b\r\n.example"),
        authenticated("a", result=AuthResult.TEMPERROR),
        authenticated("a", action="tempfail"),
        authenticated("a", released="m0"),
        authenticated("a", stage="recipient"),
        authenticated("a", client="local[]"),
        authenticated("a", client="local[/run/mta]"),
    ],
)
def test_what_is_in_no_report(left_out: Record) -> None:
    assert collect([left_out]) == {}


def test_the_source_is_whoever_handed_the_message_to_our_relay() -> None:
    direct = authenticated("a", client="relay[203.0.113.9]")
    assert direct.authentication is not None
    relayed = replace(direct, authentication=replace(direct.authentication, client="192.0.2.7"))
    assert [str(one.source) for one in one(direct).records()] == ["203.0.113.9"]
    assert [str(one.source) for one in one(relayed).records()] == ["192.0.2.7"]


NONE, QUARANTINE, REJECT = DmarcPolicy.NONE, DmarcPolicy.QUARANTINE, DmarcPolicy.REJECT


@pytest.mark.parametrize(
    ("policy", "fields", "disposition", "reasons"),
    [
        (REJECT, {"spf": True}, "pass", []),
        (NONE, {"spf": True}, "none", []),
        # Held for another reason, which the report does not tell.
        (REJECT, {"spf": True, "action": "quarantine"}, "pass", []),
        (NONE, {"action": "quarantine"}, "none", []),
        (NONE, {"action": "reject"}, "none", []),
        (NONE, {"override": "mailing_list"}, "none", []),
        (QUARANTINE, {"action": "quarantine"}, "quarantine", []),
        (QUARANTINE, {"labelled": True}, "quarantine", []),
        (QUARANTINE, {"mta_quarantine": "DMARC"}, "quarantine", []),
        (QUARANTINE, {"action": "reject"}, "quarantine", []),
        (QUARANTINE, {}, "none", ["local_policy"]),
        (REJECT, {"action": "reject"}, "reject", []),
        (REJECT, {"action": "discard"}, "reject", []),
        (REJECT, {"action": "quarantine"}, "quarantine", ["local_policy"]),
        (REJECT, {"override": "trusted_forwarder"}, "none", ["trusted_forwarder"]),
        (REJECT, {"override": "mailing_list", "action": "quarantine"}, "none", ["mailing_list"]),
        (REJECT, {"override": "nonsense"}, "none", ["local_policy"]),
        (REJECT, {"testing": True}, "none", ["policy_test_mode", "local_policy"]),
        (REJECT, {"testing": True, "action": "quarantine"}, "quarantine", ["policy_test_mode"]),
        (REJECT, {"testing": True, "action": "reject"}, "quarantine", ["policy_test_mode"]),
        (QUARANTINE, {"testing": True}, "none", ["policy_test_mode"]),
        (NONE, {"testing": True}, "none", []),
    ],
)
def test_the_disposition_and_why(
    policy: DmarcPolicy, fields: dict[str, object], disposition: str, reasons: list[str]
) -> None:
    (record,) = one(authenticated("a", policy=policy, **fields)).records()  # type: ignore[arg-type]
    assert record.disposition == disposition
    assert record.reasons == tuple(map(OverrideReason, reasons))


def test_the_signatures_that_count_most_come_first() -> None:
    fail, permerror = AuthResult.FAIL, AuthResult.PERMERROR
    record = authenticated(
        "a",
        domain="news.example.org",
        dkim=(
            signature("list.example", fail),
            signature("other.example"),
            signature("example.org"),
            signature("news.example.org", permerror),
            signature("news.example.org"),
            signature("", permerror),
        ),
        dkim_aligned=True,
    )
    (found,) = one(record).records()
    assert found.dkim == (
        DkimResult("news.example.org", "s1", "pass"),
        DkimResult("example.org", "s1", "pass"),
        DkimResult("other.example", "s1", "pass"),
        DkimResult("list.example", "s1", "fail"),
        DkimResult("news.example.org", "s1", "permerror"),
    )


def test_many_signatures_are_cut() -> None:
    many = tuple(signature(f"d{number}.example") for number in range(100))
    (found,) = one(authenticated("a", dkim=many)).records()
    assert len(found.dkim) == collecting.SIGNATURES_LIMIT


def test_what_there_is_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "GROUPS_LIMIT", 3)
    monkeypatch.setattr(collecting, "DOMAINS_LIMIT", 1)
    records = [authenticated(f"m{n}", client=f"x[192.0.2.{n}]") for n in range(5)]
    other = authenticated("o", policy_domain="other.example")
    found = one(*records, *records, other)
    assert [record.count for record in found.records()] == [2, 2, 2]
    assert found.left_out == 4


def test_large_records_have_less_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "ROOM", 20_000)
    long = tuple(signature("d" * 200 + f"{n}.example", selector="s" * 60) for n in range(10))
    small = [authenticated(f"m{n}", client=f"x[192.0.2.{n}]") for n in range(20)]
    large = [authenticated(f"m{n}", client=f"x[192.0.2.{n}]", dkim=long) for n in range(20)]
    assert one(*small).left_out == 0
    assert 0 < one(*large).left_out < 20


def test_an_address_that_the_history_has_cut_gets_nothing() -> None:
    first = "v=DMARC1; p=none; rua=mailto:a@example.org"
    text = (first + ",mailto:" + "b" * TEXT_LIMIT)[:TEXT_LIMIT]
    found = one(authenticated("a", published=text))
    assert [uri.address for uri in found.record.rua] == ["a@example.org"]


def test_refusals_that_stand_for_many_count_as_many() -> None:
    (found,) = one(authenticated("a", repeated=4)).records()
    assert found.count == 5
