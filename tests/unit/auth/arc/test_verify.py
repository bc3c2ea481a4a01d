"""A chain of custody holds, or is broken in some way of many."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from filterd.auth.arc.fields import SETS_LIMIT
from filterd.auth.arc.verify import begin_arc, verify_arc
from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.limits import DkimLimits
from filterd.auth.dkim.verify import verify_dkim
from filterd.message import Message
from filterd.message.authentication import ArcCheck, AuthResult
from filterd.resolver.answer import DnsStatus
from tests.helpers.arc import NOW, RESULTS, by_hand, chain, hop, list_key
from tests.helpers.dkim import mail, published, signed, signing_key
from tests.helpers.zones import Zones

KEYS = [list_key(number) for number in range(1, 5)]


def checked(data: bytes, zones: Zones | None = None) -> ArcCheck:
    return verify_arc(Message(data), zones or published(*KEYS), now=NOW)


def test_a_message_without_a_chain() -> None:
    zones = published()
    assert checked(mail(), zones) == ArcCheck(AuthResult.NONE)
    assert zones.asked == []


def test_a_chain_of_three_hosts() -> None:
    found = checked(chain(3))
    assert found.result is AuthResult.PASS, found.reason
    assert found.instance == 3
    assert found.domains == ("list1.example", "list2.example", "list3.example")
    assert found.results == (RESULTS, RESULTS)
    assert found.oldest_pass == 0
    assert found.reason == ""


def test_who_changed_the_message_is_known() -> None:
    def footer(data: bytes) -> bytes:
        return data + b"-- \r\nto leave this list: ...\r\n"

    two = hop(chain(1), *KEYS[:2], change=footer)
    assert checked(two).oldest_pass == 2
    three = hop(two, *KEYS[:3])
    found = checked(three)
    assert (found.result, found.oldest_pass) == (AuthResult.PASS, 2)


def test_the_oldest_and_the_newest_results_are_told() -> None:
    data = chain(2)
    newest = "mx.third.example; arc=pass; dmarc=fail header.from=bank.example"
    found = checked(hop(data, *KEYS[:3], results=newest))
    assert found.results == (RESULTS, newest)


Change = Callable[[bytes], bytes]


def replaced(old: str, new: str, count: int = 1) -> Change:
    """Every time, or the first so many times from the top."""

    def change(data: bytes) -> bytes:
        assert old.encode() in data
        return data.replace(old.encode(), new.encode(), count)

    return change


def without(name: str, instance: int) -> Change:
    """The message without one field of the chain."""

    def change(data: bytes) -> bytes:
        found = field_of(data, name, instance)
        return data.replace(found, b"")

    return change


def twice(name: str, instance: int) -> Change:
    def change(data: bytes) -> bytes:
        return field_of(data, name, instance) + data

    return change


def field_of(data: bytes, name: str, instance: int) -> bytes:
    pattern = rb"^%s: i=%d;[^\n]*\n(?:[ \t][^\n]*\n)*" % (name.encode(), instance)
    found = re.search(pattern, data, re.MULTILINE)
    assert found is not None
    return found[0]


AAR, AMS, SEAL = "ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"

STRUCTURE: list[tuple[str, Change, str]] = [
    ("no seal", without(SEAL, 1), "set 1 has no ARC-Seal"),
    ("no signature", without(AMS, 2), "set 2 has no ARC-Message-Signature"),
    ("no results", without(AAR, 1), "set 1 has no ARC-Authentication-Results"),
    ("a seal twice", twice(SEAL, 2), "set 2 has 2 ARC-Seal"),
    ("results twice", twice(AAR, 1), "set 1 has 2 ARC-Authentication-Results"),
    ("a gap", replaced(": i=2;", ": i=3;", 3), "set 2 has no ARC-Authentication-Results"),
    ("i=0", replaced("Seal: i=2;", "Seal: i=0;"), "ARC-Seal: i= is not a number from 1 to 50"),
    ("i=51", replaced(": i=2;", ": i=51;", 3), f"{AAR}: i= is not a number from 1 to 50"),
    ("i=002", replaced("Seal: i=2;", "Seal: i=002;"), "ARC-Seal: i= is not a number from 1 to 50"),
    ("i=two", replaced("Seal: i=2;", "Seal: i=two;"), "ARC-Seal: i= is not a number from 1 to 50"),
    ("no i=", replaced("Seal: i=2;", "Seal:"), "ARC-Seal: no i="),
    ("i= twice", replaced("Seal: i=2;", "Seal: i=2; i=2;"), "ARC-Seal: i= twice"),
    (
        "results whose i= is not first",
        replaced("Results: i=2; mx.list.example;", "Results: mx.list.example; i=2;"),
        f'{AAR}: it does not begin with "i=", a number and ";"',
    ),
    (
        "results without semicolon",
        replaced("Results: i=2;", "Results: i=2"),
        f'{AAR}: it does not begin with "i=", a number and ";"',
    ),
    ("cv=none later", replaced("cv=pass", "cv=none"), "ARC-Seal 2: cv=none, expected cv=pass"),
    ("cv=pass first", replaced("cv=none", "cv=pass"), "ARC-Seal 1: cv=pass, expected cv=none"),
    ("cv=fail before", replaced("cv=none", "cv=fail"), "ARC-Seal 1: cv=fail, expected cv=none"),
    ("cv=fail", replaced("cv=pass", "cv=fail"), "list2.example sealed it as failed (cv=fail)"),
    ("cv=odd", replaced("cv=pass", "cv=odd"), "ARC-Seal 2: cv= is not none, pass or fail"),
    ("no cv=", replaced(" cv=pass;", ""), "ARC-Seal 2: cv= is not none, pass or fail"),
    ("h= in a seal", replaced("Seal: i=2;", "Seal: i=2; h=from;"), "ARC-Seal 2: h= is not allowed"),
    (
        "t= is not a time",
        replaced("t=1600000000", "t=now"),
        "ARC-Seal 2: t= is not a number, or has more than 76 digits",
    ),
    (
        "an old algorithm",
        replaced("ed25519-sha256", "rsa-sha1"),
        "ARC-Seal 2: rsa-sha1 is not accepted any more",
    ),
    ("no domain", replaced("d=list2.example", "d=..."), "ARC-Seal 2: d= is not a domain"),
    ("no tags", replaced("Seal: i=2;", "Seal: i=2; oops;"), 'ARC-Seal: a tag without "="'),
    (
        "the signature covers a seal",
        replaced("h=from:", "h=arc-seal:from:"),
        f"{AMS} 2: h= has ARC-Seal",
    ),
    ("From is not signed", replaced("h=from:from:", "h="), f"{AMS} 2: From is not signed"),
    (
        "it has expired",
        replaced("c=relaxed", "x=1; c=relaxed"),
        f"{AMS} 2: it expires before it was signed (x=)",
    ),
]


@pytest.mark.parametrize(
    ("change", "reason"), [row[1:] for row in STRUCTURE], ids=[row[0] for row in STRUCTURE]
)
def test_the_structure_is_checked_before_anything_is_asked(change: Change, reason: str) -> None:
    zones = published(*KEYS)
    found = checked(change(chain(2)), zones)
    assert (found.result, found.reason) == (AuthResult.FAIL, reason)
    assert (found.domains, found.results, found.oldest_pass) == ((), (), None)
    assert zones.asked == []


INSTANCES: list[tuple[str, Change, int]] = [
    ("the newest seal is missing", without(SEAL, 2), 2),
    ("an old seal is missing", without(SEAL, 1), 2),
    ("a number is left out", replaced(": i=2;", ": i=3;", 3), 3),
    ("a field has no number", replaced("Seal: i=2;", "Seal:"), 2),
    ("the newest says so", replaced("cv=pass", "cv=fail"), 2),
    ("the newest signature is useless", replaced("h=from:from:", "h="), 2),
    ("too many", lambda data: b"ARC-Seal: i=1\r\n" * 150 + data, SETS_LIMIT),
]


@pytest.mark.parametrize(
    ("change", "instance"), [row[1:] for row in INSTANCES], ids=[row[0] for row in INSTANCES]
)
def test_the_highest_instance_of_a_broken_chain(change: Change, instance: int) -> None:
    """The next set gets the next number."""
    found = checked(change(chain(2)))
    assert (found.result, found.instance) == (AuthResult.FAIL, instance)


def test_who_sealed_it_as_failed_may_not_be_known() -> None:
    found = checked(replaced("cv=pass; d=list2.example", "cv=fail; d=")(chain(2)))
    assert found.reason == "somebody sealed it as failed (cv=fail)"


def test_what_is_asked_of_keys_is_asked_of_seals() -> None:
    key = list_key(1, "rsa-sha256")
    data, zones = hop(mail(), key), published(key)
    limits = DkimLimits(most_bits=1024)
    found = verify_arc(Message(data), zones, limits, now=NOW)
    assert found.reason == ("ARC-Seal 1: b= has 256 octets, more than any accepted key makes")
    assert zones.asked == []


CHANGED = "what it covers was changed, or it is not a signature by its key"

CONTENT: list[tuple[str, Change, str]] = [
    (
        "the body",
        replaced("nothing", "something"),
        f"{AMS} 2 of list2.example: the body was changed after it was signed",
    ),
    ("From", replaced("Ann <ann", "Bob <ann"), f"{AMS} 2 of list2.example: {CHANGED}"),
    (
        "two From more",
        replaced("From: Ann", 2 * "From: boss@bank.example\r\n" + "From: Ann"),
        f"{AMS} 2 of list2.example: there is a From field that is not signed",
    ),
    (
        "what the newest found",
        replaced("spf=pass", "spf=fail"),
        f"{SEAL} 2 of list2.example: {CHANGED}",
    ),
    (
        "what the oldest found",
        lambda data: data[::-1].replace(b"ssap=fps", b"liaf=fps", 1)[::-1],
        f"{SEAL} 2 of list2.example: {CHANGED}",
    ),
]


@pytest.mark.parametrize(
    ("change", "reason"), [row[1:] for row in CONTENT], ids=[row[0] for row in CONTENT]
)
def test_what_was_signed_was_changed(change: Change, reason: str) -> None:
    found = checked(change(chain(2)))
    assert (found.result, found.reason) == (AuthResult.FAIL, reason)


def test_what_relaxed_forms_let_pass() -> None:
    data = chain(2)
    data = data.replace(b"ARC-Seal: ", b"arc-seal:  ", 1).replace(b"; t=", b";\r\n\tt=", 1)
    data = data.replace(b"From: Ann", b"FROM:  Ann").replace(b"nothing ", b"nothing  ")
    assert checked(data).result is AuthResult.PASS


def test_the_order_of_the_fields_does_not_matter() -> None:
    data = chain(2)
    seal = field_of(data, SEAL, 1)
    assert checked(seal + data.replace(seal, b"")).result is AuthResult.PASS


def test_a_seal_of_another_message_is_found_out() -> None:
    other = hop(mail(b"another\r\n"), KEYS[0])
    data = chain(1)
    mixed = data.replace(field_of(data, SEAL, 1), field_of(other, SEAL, 1))
    found = checked(mixed)
    assert (found.result, found.reason) == (
        AuthResult.FAIL,
        f"{SEAL} 1 of list1.example: {CHANGED}",
    )


def test_an_old_signature_that_no_longer_fits_breaks_nothing() -> None:
    """That is what lists do to it."""

    def renamed(data: bytes) -> bytes:
        return data.replace(b"Subject: ", b"Subject: [list] ", 1)

    data = hop(chain(2), *KEYS[:3], change=renamed)
    found = checked(hop(data, *KEYS))
    assert (found.result, found.oldest_pass) == (AuthResult.PASS, 3)


class Ears:
    """Hears what is asked, and in which order."""

    def __init__(self, zones: Zones) -> None:
        self.zones, self.heard = zones, list[tuple[str, str]]()

    def start(self, name: str, kind: object) -> None:
        self.heard.append(("start", name))

    def answer(self, name, kind):  # type: ignore[no-untyped-def]
        self.heard.append(("answer", name))
        return self.zones.answer(name, kind)


NAMES = [f"arc._domainkey.list{number}.example" for number in (3, 1, 2)]


def test_all_keys_are_asked_for_before_the_first_answer_is_read() -> None:
    ears = Ears(published(*KEYS))
    begin_arc(Message(chain(3)), ears, now=NOW)
    assert ears.heard == [("start", name) for name in NAMES]
    verify_arc(Message(chain(3)), ears, now=NOW)
    assert [kind for kind, _name in ears.heard[:6]] == ["start"] * 6
    assert {name for _kind, name in ears.heard} == set(NAMES)


def test_a_changed_body_needs_no_answer() -> None:
    ears = Ears(published(*KEYS))
    verify_arc(Message(replaced("nothing", "something")(chain(2))), ears, now=NOW)
    assert {kind for kind, _name in ears.heard} == {"start"}


@pytest.mark.parametrize("status", [DnsStatus.SERVFAIL, DnsStatus.TIMEOUT, DnsStatus.LIMIT])
def test_a_silent_name_server_is_not_a_broken_chain(status: DnsStatus) -> None:
    zones = published(KEYS[1], more=[("arc._domainkey.list1.example", status)])
    found = checked(chain(2), zones)
    assert found.result is AuthResult.TEMPERROR
    assert found.reason == f"{SEAL} 1 of list1.example: the DNS did not give the key: {status}"
    assert found.validation_status is AuthResult.FAIL
    assert (found.domains, found.results) == ((), ())


RECORDS: list[tuple[str, object, str]] = [
    ("no key", DnsStatus.NXDOMAIN, "there is no key record"),
    ("a key that was revoked", [b"v=DKIM1; k=ed25519; p="], "the key was revoked"),
    ("of another type", [signing_key().record.encode()], "the key is of type rsa"),
    ("another key", [KEYS[1].record.encode()], CHANGED),
    ("no record of a key", [b"v=spf1 -all"], "the key record: another version than DKIM1 (v=)"),
]


@pytest.mark.parametrize(
    ("record", "reason"), [row[1:] for row in RECORDS], ids=[row[0] for row in RECORDS]
)
def test_keys_that_prove_nothing(record: object, reason: str) -> None:
    name = "arc._domainkey.list1.example"
    found = checked(chain(1), published(more=[(name, record)]))
    assert (found.result, found.reason) == (
        AuthResult.FAIL,
        f"{AMS} 1 of list1.example: {reason}",
    )


def test_of_two_keys_one_is_enough() -> None:
    name = "arc._domainkey.list1.example"
    both = [KEYS[1].record.encode(), KEYS[0].record.encode()]
    assert checked(chain(1), published(more=[(name, both)])).result is AuthResult.PASS


BY_HAND: list[tuple[str, dict[str, str], str]] = [
    ("relaxed", {}, ""),
    ("simple", {"c": "simple/simple"}, ""),
    ("half of it simple", {"c": "relaxed/simple"}, ""),
    ("v= says nothing", {"v": "7"}, ""),
    ("results are signed, too", {"h": "from:arc-authentication-results"}, ""),
    ("a signature before it is signed, too", {"h": "from:arc-message-signature"}, ""),
    ("a name without field", {"h": "from:x-nothing:from"}, ""),
    ("it has not expired", {"t": "1599999000", "x": "1600000001"}, ""),
    ("it has just expired", {"x": "1599999999"}, ""),
    ("it has expired", {"x": "1599990000"}, f"{AMS} 1: it has expired (x=)"),
    ("of the future", {"t": "1600009999"}, f"{AMS} 1: signed in the future (t=)"),
    ("all is signed", {"l": "37"}, ""),
    (
        "the beginning of the body is signed",
        {"l": "10"},
        f"{AMS} 1 of list1.example: only a part of the body is signed (l=)",
    ),
    (
        "more than the body is signed",
        {"l": "1000"},
        f"{AMS} 1 of list1.example: only a part of the body is signed (l=)",
    ),
    ("From is not signed", {"h": "subject"}, f"{AMS} 1: From is not signed"),
    ("an empty name", {"h": "from::to"}, f"{AMS} 1: h= has a name that no field can have"),
]


@pytest.mark.parametrize(
    ("tags", "reason"), [row[1:] for row in BY_HAND], ids=[row[0] for row in BY_HAND]
)
def test_signatures_as_others_make_them(tags: dict[str, str], reason: str) -> None:
    found = checked(by_hand(mail(), KEYS[0], **tags))
    assert found.reason == reason
    assert found.result is (AuthResult.FAIL if reason else AuthResult.PASS)


def test_a_part_of_the_body_may_be_enough() -> None:
    data, zones = by_hand(mail(), KEYS[0], l="10"), published(KEYS[0])
    limits = DkimLimits(partly_signed=AuthResult.PASS)
    assert verify_arc(Message(data), zones, limits, now=NOW).result is AuthResult.PASS


def test_an_old_signature_of_a_part_of_the_body_is_not_looked_at() -> None:
    """Each l= would be a hash of its own."""
    data = hop(by_hand(mail(), KEYS[0], l="37"), *KEYS[:2])
    assert checked(data).oldest_pass == 2
    data = hop(by_hand(mail(), KEYS[0]), *KEYS[:2])
    assert checked(data).oldest_pass == 0


def test_an_old_signature_by_a_key_of_its_own_is_not_looked_at() -> None:
    """Each would be a question."""
    data = by_hand(mail(), KEYS[0], s="other")
    zones = published(
        KEYS[0], KEYS[1], more=[("other._domainkey.list1.example", [KEYS[0].record.encode()])]
    )
    assert checked(data, zones).result is AuthResult.PASS
    data = hop(data, *KEYS[:2], check=ArcCheck(AuthResult.PASS, 1))
    zones.asked.clear()
    assert checked(data, zones).oldest_pass == 2
    assert len({name for name, _kind in zones.asked}) == 2


def test_the_body_is_read_once_for_dkim_and_arc() -> None:
    key = signing_key("ed25519-sha256")
    data = hop(signed(mail(), key), KEYS[0])
    message = Message(data)
    body = CanonicalBody.of(message)
    zones = published(key, KEYS[0])
    begin_arc(message, zones, body=body, now=NOW)
    [dkim] = verify_dkim(message, zones, body=body)
    assert dkim.result is AuthResult.PASS
    assert verify_arc(message, zones, body=body, now=NOW).result is AuthResult.PASS
    assert body.passes == 1


@pytest.fixture(scope="module")
def longest() -> bytes:
    """As many sets as there may be, all of one host."""
    data = mail()
    for _ in range(SETS_LIMIT):
        data = hop(data, KEYS[0])
    return data


@pytest.mark.slow
def test_fifty_sets(longest: bytes) -> None:
    zones = published(KEYS[0])
    found = checked(longest, zones)
    assert (found.result, found.instance) == (AuthResult.PASS, SETS_LIMIT)
    assert set(found.domains) == {"list1.example"}
    assert len(set(zones.asked)) == 1


@pytest.mark.slow
def test_more_than_fifty_sets(longest: bytes) -> None:
    zones = published(KEYS[0])
    found = checked(b"ARC-Seal: i=51; cv=pass\r\n" + longest, zones)
    assert (found.result, found.reason) == (AuthResult.FAIL, "more than 50 sets")
    assert zones.asked == []
