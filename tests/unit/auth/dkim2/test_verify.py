"""DKIM2: what hosts signed and changed on the way verifies, and each fault is found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest

from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.record import key_name
from filterd.auth.dkim2.limits import AGE_LIMIT, FUTURE_LIMIT
from filterd.auth.dkim2.verify import begin_dkim2, verify_dkim2
from filterd.message import Message
from filterd.message.authentication import AuthResult, Dkim2Check
from filterd.resolver.answer import DnsStatus
from tests.helpers.dkim import mail, published, signed, signing_key
from tests.helpers.dkim2 import (
    ANN,
    BOB,
    BOUNCES,
    FOOTER,
    LIST,
    NOW,
    UNDO,
    b64,
    came,
    changed,
    first,
    instance,
    key,
    listed,
    sign2,
)
from tests.helpers.zones import Zones

PASS, FAIL = AuthResult.PASS, AuthResult.FAIL
PERMERROR, TEMPERROR = AuthResult.PERMERROR, AuthResult.TEMPERROR

KEYS = [key(number) for number in range(4)]
RSA = key(0, "rsa-sha256", "rsa")


def checked(message: Message | bytes, zones: Zones | None = None) -> Dkim2Check:
    """The result; of mere octets as the list gets them from Ann."""
    found = came(message) if isinstance(message, bytes) else message
    return verify_dkim2(found, zones or published(*KEYS, RSA), now=NOW)


def at_bob(data: bytes, zones: Zones | None = None) -> Dkim2Check:
    """The result where the list sent it."""
    return checked(came(data, BOUNCES, BOB), zones)


def result(check: Dkim2Check) -> str:
    return f"{check.result}: {check.reason}" if check.reason else str(check.result)


def test_a_message_without_it() -> None:
    zones = published()
    assert checked(signed(mail(), signing_key()), zones) == Dkim2Check(AuthResult.NONE)
    assert zones.asked == []


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
@pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"no line end", b"text\r\n\r\n\r\n"])
def test_one_host(algorithm: str, body: bytes) -> None:
    own = signing_key(algorithm, "bank.example", "own")
    found = checked(sign2(instance(mail(body)), own), published(own))
    assert found == Dkim2Check(PASS, 1, ("bank.example",))


def test_a_list_that_says_what_it_changed() -> None:
    assert at_bob(listed()) == Dkim2Check(
        PASS, 2, ("bank.example", "list1.example"), ("list1.example",)
    )


def test_a_host_that_changes_nothing() -> None:
    data = sign2(first(), key(1), 2, sender=BOUNCES, recipients=(BOB,))
    assert at_bob(data) == Dkim2Check(PASS, 2, ("bank.example", "list1.example"))


def test_an_instance_without_a_recipe_changed_nothing() -> None:
    data = sign2(instance(first(), 2), key(1), 2, sender=BOUNCES, recipients=(BOB,), of=2)
    assert at_bob(data) == Dkim2Check(PASS, 2, ("bank.example", "list1.example"))
    data = sign2(instance(first() + FOOTER, 2), key(1), 2, sender=BOUNCES, recipients=(BOB,), of=2)
    assert result(at_bob(data)) == "fail: Message-Instance m=1 body hash sha256 mismatch"


def test_what_nobody_signs_may_come_and_go() -> None:
    data = first(mail(b"x\r\n", b"X-Mine: 1", b"Received: by a", b"Auto-Submitted: no"))
    data = data.replace(b"X-Mine: 1\r\n", b"").replace(b"by a", b"by b")
    data = b"Received-SPF: pass\r\nAuthentication-Results: mx; none\r\n" + data
    assert result(checked(data.replace(b"Auto-Submitted: no\r\n", b""))) == "pass"


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "the body": lambda data: data.replace(b"nothing happened", b"pay here"),
    "a line more": lambda data: data + b"more\r\n",
    "a field": lambda data: data.replace(b"To: bob", b"To: rob"),
    "a field less": lambda data: data.replace(b"To: bob@mx.example\r\n", b""),
    "a field more": lambda data: data.replace(b"To: bob", b"Cc: x@x.example\r\nTo: bob"),
    "a second From": lambda data: data.replace(b"From: ", b"From: x@x.example\r\nFrom: "),
    "an empty field": lambda data: data.replace(b"To: bob", b"Cc:\r\nTo: bob"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_changed_breaks_it(change: Callable[[bytes], bytes]) -> None:
    for data, check in ((first(), checked), (listed(), at_bob)):
        assert change(data) != data
        found = check(change(data))
        assert found.result is FAIL
        assert re.search(r"^Message-Instance m=[12] (header|body) hash sha256 mis", found.reason)
        assert found.domains == ()


def test_the_order_of_fields_of_one_name_counts() -> None:
    data = first(mail(b"", b"Comments: one", b"Comments: two"))
    assert checked(data).result is PASS
    one, two = b"Comments: one\r\n", b"Comments: two\r\n"
    assert checked(data.replace(one + two, two + one)).result is FAIL
    # That of different names does not.
    date = b"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\n"
    assert checked(data.replace(date, b"").replace(b"From: ", date + b"From: ")).result is PASS


@pytest.mark.slow
def test_every_octet_of_the_fields_is_signed() -> None:
    data = first(tags="n=nonce; f=exploded , feedback; xyz=1;", more_keys=(RSA,))
    end = data.index(b"From: ")
    assert checked(data).result is PASS
    blanks = {at for at in range(end) if data[at : at + 1] in b" \t\r\n"}
    colons = {at for at, octet in enumerate(data[:end]) if octet == ord(":")}
    for place in range(0, end, 3):
        if place in blanks | colons:
            continue
        octet = b"B" if data[place : place + 1] != b"B" else b"C"
        broken = data[:place] + octet + data[place + 1 :]
        if broken[:end].lower() != data[:end].lower():
            assert checked(broken).result is not PASS, broken[:end]


def test_blanks_in_the_fields_do_not_count() -> None:
    data = first()
    assert result(checked(data.replace(b"; ", b" ;\r\n\t "))) == "pass"
    assert result(checked(data.replace(b"; t=", b";t="))) == "pass"


def test_names_of_tags_in_any_case() -> None:
    data = instance(mail()).replace(b" m=1; h=", b" M=1; H=")
    data = sign2(data, key(), tags="N=Some;")
    assert result(checked(data)) == "pass"
    twice = first(tags="n=a; N=b;")
    assert result(checked(twice)) == "permerror: DKIM2-Signature: n= twice"


def test_two_signatures_of_one_host_both_count() -> None:
    data = first(more_keys=(RSA,))
    assert result(checked(data)) == "pass"
    other = signing_key("rsa-sha256", "bank.example", "other")
    record = [other.record.encode()]
    zones = published(key(), more=[(key_name("bank.example", "rsa"), record)])
    assert result(checked(data, zones)) == (
        "fail: DKIM2-Signature i=1 selector rsa: incorrect signature"
    )


def test_algorithms_that_are_not_known_do_not_count() -> None:
    later = f",pq:mldsa44-sha512:{b64(b'signature')}"
    assert result(checked(first(sets=later))) == "pass"
    only = first().replace(b":ed25519-sha256:", b":ed25519-sha999:")
    assert result(checked(only)) == (
        "fail: DKIM2-Signature i=1 has no signature that can be verified"
    )


def test_hashes_of_both_kinds() -> None:
    for algorithms in (("sha512",), ("sha256", "sha512")):
        data = sign2(instance(mail(), algorithms=algorithms), key())
        assert result(checked(data)) == "pass"
        assert result(checked(data + b"more\r\n")).endswith(f"body hash {algorithms[0]} mismatch")
    left = changed(sign2(instance(mail(), algorithms=("sha512",)), key()))
    data = instance(left, 2, UNDO, ("sha512",))
    data = sign2(data, key(1), 2, sender=BOUNCES, recipients=(BOB,), of=2)
    assert result(at_bob(data)) == "pass"
    unknown = instance(mail()).replace(b"sha256:", b"sha3:")
    assert result(checked(sign2(unknown, key()))) == (
        "fail: Message-Instance m=1 has no hash that is known"
    )


def test_one_of_two_hashes_is_not_enough() -> None:
    data = instance(mail(), algorithms=("sha256", "sha512"))
    wrong = instance(mail(b"other\r\n"), algorithms=("sha512",))
    other = re.search(rb"sha512:[^;]+", wrong)
    assert other is not None
    start, _, _ = data.partition(b"sha512:")
    mixed = start + other[0] + data[data.index(b";", len(start)) :]
    assert result(checked(sign2(mixed, key()))).startswith("fail: Message-Instance m=1")


# --- what the fields may be

SIGNATURE_FAULTS: Mapping[str, tuple[bytes, bytes, str]] = {
    "no i": (b" i=1;", b"", "no i="),
    "i of 0": (b" i=1;", b" i=0;", "i= is not a number from 1 to 32"),
    "a large i": (b" i=1;", b" i=33;", "i= is not a number from 1 to 32"),
    "i is a word": (b" i=1;", b" i=one;", "i= is not a number, or has more than 76 digits"),
    "a gap": (b" i=1;", b" i=2;", "DKIM2-Signature i=1 missing"),
    "no m": (b"1; m=1;", b"1;", "no m="),
    "an m that is not there": (b" m=1; t=", b" m=2; t=", "Message-Instance m=2 missing"),
    "no t": (b"t=1790000000;", b"", "no t="),
    "no d": (b"d=bank.example;", b"", "no d="),
    "d of one label": (b"d=bank.example;", b"d=bank;", "d= is not a domain"),
    "d with a letter that no name has": (b"d=bank", b"d=b/nk", "d= is not a domain"),
    "no mf": (b" mf=", b" mx=", "no mf="),
    "no rt": (b" rt=", b" rx=", "no rt="),
    "nd beside mf": (b" mf=", b" nd=a.example; mf=", "nd= was unexpected"),
    "nd beside rt": (b" mf=", b" nd=a.example; mx=", "nd= was unexpected"),
    "mf is not base64": (b" mf=", b" mf=.", "mf= is not base64"),
    "one recipient is empty": (b" rt=", b" rt=,", "rt= is not base64, padded"),
    "no s": (b" s=d2:", b" x=d2:", "no s="),
    "two parts": (b"s=d2:", b"s=", "s= is not selector, algorithm and signature"),
    "no selector": (b"s=d2:", b"s=:", "s= has no selector"),
    "no algorithm": (b":ed25519-sha256:", b"::", "s= has no selector, or no algorithm"),
    "another type": (b"ed25519-sha256", b"rsa-sha256", "public key algorithm mismatch"),
    "no semicolons": (b"; t=", b" t=", "m= is not a number"),
    "no equals sign": (b" i=1;", b" i=1; what;", 'a tag without "="'),
}


@pytest.mark.parametrize(("old", "new", "reason"), SIGNATURE_FAULTS.values(), ids=SIGNATURE_FAULTS)
def test_a_fault_in_a_signature(old: bytes, new: bytes, reason: str) -> None:
    data = first()
    assert data.count(old) == 1
    found = checked(data.replace(old, new))
    assert found.result is PERMERROR
    assert reason in found.reason


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tags": f"n={'x' * 64};"}, ""),
        ({"tags": "n=;"}, ""),
        ({"tags": "n=a=b:c,d\\;"}, ""),
        (
            {"tags": f"n={'x' * 65};"},
            "n= has more than 64 characters, or one that is not printable",
        ),
        ({"tags": "n=caf\xe9;"}, "n= has more than 64 characters, or one that is not printable"),
        ({"tags": "f= feedback , unknown;"}, ""),
        ({"more_keys": (key(),)}, "a duplicate selector"),
        ({"sets": f",x:later:{b64(b'1')},x:later:{b64(b'2')}"}, "a duplicate selector"),
        (
            {"more_keys": tuple(key(0, "ed25519-sha256", f"s{n}") for n in range(2))},
            "more selectors than allowed",
        ),
        (
            {"sets": "".join(f",s{n}:later:{b64(b'1')}" for n in range(8))},
            "s= has more than 8 signatures",
        ),
        (
            {"sets": f",x:rsa-sha256:{b64(b'1' * 1025)}"},
            "larger than those of any key that is accepted",
        ),
        ({"at": NOW - AGE_LIMIT}, ""),
        ({"at": NOW - AGE_LIMIT - 1}, "signature expired"),
        ({"at": NOW + FUTURE_LIMIT}, ""),
        ({"at": NOW + FUTURE_LIMIT + 1}, "signed in the future"),
    ],
)
def test_what_a_signature_may_say(options: dict[str, Any], reason: str) -> None:
    found = checked(first(**options))
    assert found.result is (PERMERROR if reason else PASS), found.reason
    assert reason in found.reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b" m=1; h", b" h", "no m="),
        (b" m=1; h", b" m=2; h", "Message-Instance m=1 missing"),
        (b" h=", b" x=", "no h="),
        (b"sha256:", b"", "h= is not a name and two hashes"),
        (b"sha256:", b"sha256:A", "h= is not base64"),
        (b"sha256:", b"sha512:", "h= has a hash that is not of 64 octets"),
        (b"=;", b";", "h= is not base64"),
        (b"=;", b"=:AAAA;", "h= is not a name and two hashes"),
    ],
)
def test_a_fault_in_an_instance(old: bytes, new: bytes, reason: str) -> None:
    data = instance(mail())
    assert data.count(old) == 1
    found = checked(sign2(data.replace(old, new), key()))
    assert found.result is PERMERROR
    assert reason in found.reason


@pytest.mark.parametrize("place", [1, 2])
def test_a_hash_that_is_too_short(place: int) -> None:
    data = instance(mail())
    start = data.index(b"sha256:")
    end = data.index(b";", start)
    parts = data[start:end].split(b":")
    parts[place] = b64(b"x" * 31).encode()
    data = data[:start] + b":".join(parts) + data[end:]
    assert "h= has a hash that is not of 32 octets" in checked(sign2(data, key())).reason


def test_an_algorithm_twice() -> None:
    data = instance(mail(), algorithms=("sha256", "sha256"))
    assert "a duplicate hash algorithm" in checked(sign2(data, key())).reason


def test_base64_has_its_padding_and_zero_bits() -> None:
    ann = b64(f"<{ANN}>").encode()
    # The padding is missing, the last bits are not zero, the padding is in the middle.
    for wrong in (b"PD4", b"PD5=", b"PD4=PD4="):
        assert "mf= is not base64" in checked(first().replace(ann, wrong)).reason


# --- what belongs together


def test_fields_of_one_sort_alone() -> None:
    data = first()
    no_instance = re.sub(rb"Message-Instance:[^\r]*\r\n", b"", data)
    assert result(checked(no_instance)) == "permerror: there is no Message-Instance"
    assert result(checked(instance(mail()))) == "permerror: there is no DKIM2-Signature"


def test_numbers_twice_and_gaps() -> None:
    data = first()
    field = data[: data.index(b"Message-Instance")]
    assert result(checked(field + data)) == "permerror: DKIM2-Signature i=1 is there twice"
    double = sign2(instance(instance(mail())), key())
    assert result(checked(double)) == "permerror: Message-Instance m=1 is there twice"
    above = sign2(instance(instance(mail()), 2), key())
    assert result(checked(above)) == "permerror: Message-Instance m=2 is not signed"


def test_a_later_signature_of_an_older_instance() -> None:
    data = sign2(listed(), key(2), 3, sender="x@list2.example", of=1)
    assert checked(data).reason == "DKIM2-Signature i=3 has a lower m= than before"


def test_a_signature_of_a_host_between_cannot_go() -> None:
    data = sign2(listed(recipients=("x@list2.example",)), key(2), 3, sender="x@list2.example", of=2)
    message = came(data, "x@list2.example")
    assert result(checked(message)) == "pass"
    fields = re.split(rb"(?=DKIM2-Signature:)", data)
    without = fields[1] + fields[3]
    assert checked(came(without, "x@list2.example")).reason == "DKIM2-Signature i=2 missing"


def test_the_order_of_the_fields_does_not_count() -> None:
    data = listed()
    start, end = data.index(b"Message-Instance: m=2"), data.index(b"DKIM2-Signature: i=1")
    moved = data[start:end] + data[:start] + data[end:]
    assert moved != data
    assert result(at_bob(moved)) == "pass"


# --- the way


@pytest.mark.parametrize(
    ("sender", "recipients", "reason"),
    [
        (ANN, (LIST,), ""),
        ("ann@BANK.Example", ("talk@LIST1.example",), ""),
        (ANN, (), ""),
        ("Ann@bank.example", (LIST,), "MAIL FROM did not match"),
        ("", (LIST,), "MAIL FROM did not match"),
        ("ann@sub.bank.example", (LIST,), "MAIL FROM did not match"),
        (ANN, ("Talk@list1.example",), "RCPT TO did not match"),
        (ANN, (LIST, "other@list1.example"), "RCPT TO did not match"),
        ("\udcff@bank.example", (LIST,), "MAIL FROM did not match"),
    ],
)
def test_a_copy_that_goes_elsewhere_is_a_replay(
    sender: str, recipients: tuple[str, ...], reason: str
) -> None:
    message = came(first(), sender, *(recipients or (LIST,)))
    found = checked(message)
    assert found.result is (PERMERROR if reason else PASS)
    assert found.reason == (f"DKIM2-Signature i=1 {reason}" if reason else "")


def test_more_recipients_may_be_signed() -> None:
    assert checked(first(recipients=("x@x.example", LIST))).result is PASS


def test_a_bounce_has_no_sender() -> None:
    assert result(checked(came(first(sender=""), ""))) == "pass"


@pytest.mark.parametrize(
    ("sender", "domain", "passes"),
    [
        ("a@bank.example", "bank.example", True),
        ("a@x.bank.example", "bank.example", True),
        ("a@bank.example", "x.bank.example", False),
        ("a@mybank.example", "bank.example", False),
        ("a@b\xe4nk.example", "xn--bnk-qla.example", True),
        ("postmaster", "bank.example", False),
    ],
)
def test_who_may_sign_for_a_sender(sender: str, domain: str, passes: bool) -> None:
    own = signing_key("ed25519-sha256", domain, "own")
    found = checked(came(sign2(instance(mail()), own, sender=sender), sender), published(own))
    assert found.result is (PASS if passes else PERMERROR)
    assert found.reason == ("" if passes else "DKIM2-Signature i=1 MAIL FROM and d= do not match")


@pytest.mark.parametrize("path", [ANN, f"<{ANN}", f"{ANN}>", ">", "<"])
def test_paths_have_angle_brackets(path: str) -> None:
    for route in (
        f"mf={b64(path)}; rt={b64(f'<{LIST}>')};",
        f"mf={b64(f'<{ANN}>')}; rt={b64(f'<{LIST}>')},{b64(path)};",
    ):
        found = checked(first(route=route))
        assert found.result is PERMERROR
        assert "path without angle brackets" in found.reason


def test_a_host_that_did_not_get_it() -> None:
    data = sign2(first(), key(2), 2, sender="x@list2.example", recipients=(BOB,))
    assert checked(came(data, "x@list2.example", BOB)).reason == (
        "DKIM2-Signature i=2 MAIL FROM did not match RCPT TO of the one before"
    )
    null = sign2(first(), key(1), 2, sender="", recipients=(BOB,))
    assert "did not match RCPT TO" in checked(came(null, "", BOB)).reason


def test_a_domain_that_signs_for_the_next() -> None:
    def forwarded(next_domain: str, *, of: int = 1) -> bytes:
        data = sign2(first(), key(of), 2, route=f"nd={next_domain};")
        return sign2(data, key(2), 3, sender="x@list2.example", recipients=(BOB,))

    found = checked(came(forwarded("list2.example"), "x@list2.example", BOB))
    assert found.result is PASS
    assert found.domains == ("bank.example", "list1.example", "list2.example")
    below = first(recipients=("talk@lists.list1.example",))
    data = sign2(below, key(1), 2, route="nd=list2.example;")
    data = sign2(data, key(2), 3, sender="x@list2.example", recipients=(BOB,))
    assert result(checked(came(data, "x@list2.example", BOB))) == "pass"
    wrong = checked(came(forwarded("list3.example"), "x@list2.example", BOB))
    assert wrong.reason == "DKIM2-Signature i=2 nd= does not match"
    stranger = checked(came(forwarded("list2.example", of=3), "x@list2.example", BOB))
    assert "i=2 MAIL FROM did not match RCPT TO" in stranger.reason


def test_the_newest_has_a_way() -> None:
    data = sign2(first(), key(1), 2, route="nd=list2.example;")
    assert checked(data).reason == "DKIM2-Signature i=2 unexpected nd= tag"


# --- keys

RECORD = key().record.encode()
NAME = key_name("bank.example", "d2")


@pytest.mark.parametrize(
    ("records", "outcome", "reason"),
    [
        ([RECORD], PASS, ""),
        ([RECORD.replace(b"p=", b"h=sha1; p=")], PASS, ""),
        ([], PERMERROR, "public key does not exist"),
        ([RECORD, RECORD], PERMERROR, "public key has multiple records"),
        ([b"v=spf1 -all"], PERMERROR, "the key record: "),
        ([RECORD.partition(b"p=")[0] + b"p="], PERMERROR, "the key was revoked"),
        ([b"v=DKIM1; k=ed25519; p=AAAA"], PERMERROR, "p= is not a key of type ed25519"),
        ([RSA.record.encode()], PERMERROR, "public key algorithm mismatch: it is of type rsa"),
        ([key(1).record.encode()], FAIL, "incorrect signature"),
        (DnsStatus.SERVFAIL, TEMPERROR, "the DNS did not give the key"),
        (DnsStatus.TIMEOUT, TEMPERROR, "the DNS did not give the key"),
    ],
)
def test_the_key(records: Any, outcome: AuthResult, reason: str) -> None:
    found = checked(first(), Zones({NAME: {"TXT": records}}))
    assert found.result is outcome
    assert reason in found.reason
    assert found.sequence == 1


@pytest.mark.slow
@pytest.mark.parametrize("bits", [512, 768, 1024, 4096])
def test_sizes_of_rsa_keys(bits: int) -> None:
    own = signing_key("rsa-sha256", "bank.example", f"r{bits}", max(bits, 1024))
    record = own.record.encode()
    if bits < 1024:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            PublicFormat,
        )

        modulus = (1 << bits) - 1
        weak = rsa.RSAPublicNumbers(65537, modulus).public_key()
        info = weak.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        record = b"v=DKIM1; k=rsa; p=" + b64(info).encode()
    zones = Zones({key_name("bank.example", f"r{bits}"): {"TXT": [record]}})
    found = checked(sign2(instance(mail()), own), zones)
    assert found.result is (PASS if bits >= 1024 else PERMERROR), found.reason


def test_what_is_wrong_counts_more_than_a_missing_answer() -> None:
    for record, outcome in ((RECORD, TEMPERROR), (key(1).record.encode(), FAIL)):
        zones = Zones(
            {
                key_name("list1.example", "d2"): {"TXT": DnsStatus.TIMEOUT},
                NAME: {"TXT": [record]},
            }
        )
        assert at_bob(listed(), zones).result is outcome


class Started(Zones):
    """Keeps what was begun to ask, too."""

    def __init__(self) -> None:
        keys = {key_name(one.domain, one.selector): one.record.encode() for one in KEYS}
        super().__init__({name: {"TXT": [record]} for name, record in keys.items()})
        self.started: list[str] = []

    def start(self, name: str, kind: object) -> None:
        self.started.append(name)


def test_questions_start_at_once_and_the_body_is_read_once() -> None:
    message = came(listed(), BOUNCES, BOB)
    zones, body = Started(), CanonicalBody.of(message)
    begin_dkim2(message, zones, body=body, now=NOW)
    assert zones.started == [NAME, key_name("list1.example", "d2")]
    assert body.passes == 0
    assert verify_dkim2(message, zones, body=body, now=NOW).result is PASS
    assert body.passes == 1


def test_what_cannot_pass_asks_nothing() -> None:
    zones = Started()
    for data in (first(tags="i=1;"), first(at=1.0), instance(mail()), mail()):
        begin_dkim2(came(data), zones, now=NOW)
        verify_dkim2(came(data), zones, now=NOW)
    other = came(first(), "other@bank.example")
    begin_dkim2(other, zones, now=NOW)
    verify_dkim2(other, zones, now=NOW)
    assert zones.started == []
    # For a changed body the questions are under way; nobody waits for them.
    begin_dkim2(came(first() + b"more\r\n"), zones, now=NOW)
    assert verify_dkim2(came(first() + b"more\r\n"), zones, now=NOW).result is FAIL
    assert zones.started
    assert zones.asked == []


def test_many_hosts() -> None:
    data = first(recipients=("x@list1.example",))
    for number in range(2, 12):
        data = sign2(
            data,
            key((number - 2) % 3 + 1),
            number,
            sender=f"x@list{(number - 2) % 3 + 1}.example",
            recipients=(f"x@list{(number - 1) % 3 + 1}.example",),
        )
    found = checked(came(data, "x@list1.example", "x@list2.example"))
    assert found.result is PASS, found.reason
    assert found.sequence == 11
    assert all(one != other for one, other in pairwise(found.domains))
