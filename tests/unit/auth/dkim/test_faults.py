"""What is wrong with a signature or its key, and what the result says of it."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest

from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.limits import DEFAULT, DkimLimits
from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signature import Signature
from filterd.auth.dkim.verify import begin_dkim, verify_dkim
from filterd.message import Message
from filterd.message.authentication import AuthResult, DkimCheck
from filterd.resolver.answer import DnsStatus, Record
from tests.helpers.dkim import mail, partly_signed, published, signed, signing_key
from tests.helpers.zones import Zones

KEY = signing_key("ed25519-sha256")
NOW = 1_800_000_000.0
DATA = signed(mail(), KEY, now=NOW - 60)
RECORD = KEY.record.encode()
PUBLIC = RECORD.partition(b"p=")[2]
RSA_RECORD = signing_key().record.encode()


def check(data: bytes, zones: Zones | None = None, limits: DkimLimits = DEFAULT) -> DkimCheck:
    """The only result."""
    [found] = verify_dkim(Message(data), zones or published(KEY), limits, now=NOW)
    return found


def changed(*changes: tuple[bytes, bytes]) -> bytes:
    """The signed message with something else in its signature."""
    field, _, rest = DATA.partition(b"\r\nFrom:")
    for old, new in changes:
        assert old in field
        field = field.replace(old, new, 1)
    return field + b"\r\nFrom:" + rest


def test_unchanged_it_passes() -> None:
    found = check(DATA)
    assert (found.result, found.bits, found.reason) == (AuthResult.PASS, 256, "")


BH = DATA.partition(b"bh=")[2].partition(b";")[0]
H = DATA.partition(b"h=")[2].partition(b";")[0]

LETTERS = DATA.partition(b"\tb=")[2].partition(b"\r\nFrom:")[0]

FAULTS: dict[str, tuple[tuple[bytes, bytes], str]] = {
    "version 2": ((b"v=1;", b"v=2;"), "v= is not 1"),
    "no version": ((b"v=1;", b""), "no v="),
    "no algorithm": ((b"a=ed25519-sha256;", b""), "no a="),
    "SHA-1": ((b"a=ed25519-sha256", b"a=rsa-sha1"), "rsa-sha1 is not accepted any more"),
    "SHA-512": ((b"a=ed25519-sha256", b"a=rsa-sha512"), "an unknown algorithm (a=)"),
    "the other type": ((b"a=ed25519-sha256", b"a=rsa-sha256"), "the key is of type ed25519"),
    "an empty domain": ((b"d=bank.example", b"d="), "an empty d="),
    "one label": ((b"d=bank.example", b"d=example"), "d= is not a domain"),
    "an address": ((b"d=bank.example", b"d=[192.0.2.1]"), "d= is not a domain"),
    "a blank in the domain": ((b"d=bank.example", b"d=bank. example"), "d= is not a domain"),
    "a line end in the domain": ((b"d=bank.example", b"d=bank\r\n .example"), "d= is not a domain"),
    "a bare CR in the domain": ((b"d=bank.example", b"d=bank\r.example"), "d= is not a domain"),
    "octets of no text": ((b"d=bank.example", b"d=b\xffnk.example"), "d= is not a domain"),
    "a long domain": ((b"d=bank", b"d=" + b"a." * 200 + b"bank"), "d= is not a domain"),
    "an empty label": ((b"d=bank", b"d=.bank"), "d= is not a domain"),
    "no selector": ((b"s=mail;", b""), "no s="),
    "a strange selector": ((b"s=mail", b"s=ma/il"), "s= is not a selector"),
    "a long label": ((b"s=mail", b"s=" + b"a" * 64), "d= and s= make no name"),
    "an unknown form": ((b"c=relaxed/relaxed", b"c=relaxed/nofws"), "canonicalization"),
    "three forms": ((b"c=relaxed/relaxed", b"c=relaxed/relaxed/simple"), "canonicalization"),
    "an empty form": ((b"c=relaxed/relaxed", b"c=/relaxed"), "canonicalization"),
    "no names": ((b"h=" + H, b"h="), "an empty h="),
    "an empty name": ((b"h=" + H, b"h=from::to"), "h= has a name that no field can have"),
    "a blank in a name": ((b"h=" + H, b"h=from:reply to"), "h= has a name"),
    "From is not signed": ((b"h=" + H, b"h=to:subject"), "From is not signed"),
    "no hash": ((b"bh=" + BH, b"q=dns/txt"), "no bh="),
    "a short hash": ((b"bh=" + BH, b"bh=" + BH[:40]), "bh= has 30 octets; SHA-256 has 32"),
    "an empty hash": ((b"bh=" + BH, b"bh="), "bh= has 0 octets"),
    "a long hash": ((b"bh=" + BH, b"bh=" + BH[:-1] + b"AAAA"), "bh= has 35 octets"),
    "no base64": ((b"bh=" + BH, b"bh=" + b"?" * 44), "bh= is not base64"),
    "another identity": ((b"t=", b"i=@other.example; t="), "the domain of i="),
    "one that only ends so": ((b"t=", b"i=@mybank.example; t="), "the domain of i="),
    "an identity above": ((b"t=", b"i=@example; t="), "the domain of i="),
    "an identity without @": ((b"t=", b"i=bank.example; t="), "the domain of i="),
    "an empty identity": ((b"t=", b"i=; t="), "the domain of i="),
    "an encoded identity": ((b"t=", b"i=a=40other.example; t="), "the domain of i="),
    "no DNS": ((b"t=", b"q=https; t="), "q= is not dns/txt"),
    "a strange length": ((b"t=", b"l=-1; t="), "l= is not a number"),
    "77 digits": ((b"t=", b"l=" + b"1" * 77 + b"; t="), "l= is not a number"),
    "Arabic digits": ((b"t=", "l=٣; t=".encode()), "l= is not a number"),
    "a large length": ((b"t=", b"l=" + b"9" * 76 + b"; t="), "l= is more than the body has"),
    "strange times": ((b"t=", b"t=now; r="), "t= is not a number"),
    "from the future": ((b"t=", b"t=1800003700; r="), "signed in the future (t=)"),
    "expired": ((b"t=", b"x=1799996000; r="), "it has expired (x=)"),
    "expires first": ((b"t=", b"x=1790000000; t="), "it expires before it was signed (x=)"),
    "twice": ((b"t=", b"d=bank.example; t="), "d= twice"),
    "no equals sign": ((b"t=", b"what; t="), 'a tag without "="'),
    "an empty tag": ((b"t=", b"; t="), 'a tag without "="'),
    "no name": ((b"t=", b"=3; t="), "a tag with an invalid name"),
    "a strange name": ((b"t=", b"1x=3; t="), "a tag with an invalid name"),
    "a NUL": ((b"t=", b"r=\0; t="), "octets in r= that no tag may have"),
    "many tags": ((b"t=", b"".join(b"z%d=; " % n for n in range(70)) + b"t="), "more than 64 tags"),
    "a long tag": ((b"t=", b"z=" + b"a" * 20_000 + b"; t="), "more than 16384 octets of tags"),
    "no equals sign at the end": ((LETTERS, LETTERS + b"; what"), 'a tag without "="'),
    "an empty signature": ((LETTERS, b""), "an empty b="),
    "513 names": ((b"h=" + H, b"h=" + b":".join([b"from"] * 513)), "h= has more than 512 names"),
    "many names": ((b"h=", b"h=" + b"a:" * 600), "h= has more than 512 names"),
    "10,000 names": ((b"h=", b"h=" + b"subject:" * 10_000), "more than 16384 octets of tags"),
}


@pytest.mark.parametrize(("change", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_a_permerror(change: tuple[bytes, bytes], reason: str) -> None:
    found = check(changed(change))
    assert found.result is AuthResult.PERMERROR
    assert reason in found.reason
    assert found.reason.isascii() and found.reason.isprintable()


FINE = {
    "a domain in other letters": (b"d=bank.example", b"d=BANK.Example."),
    "an identity below": (b"t=", b"i=ann@mail.bank.example; t="),
    "an unknown tag": (b"t=", b"zz=top; t="),
    "a clock that is an hour fast": (b"t=", b"t=1800003600; r="),
    "expired for an hour": (b"t=", b"x=1799996400; r="),
    "expires at once": (b"t=", b"x=1799999999; t=1799999999; r="),
    "a semicolon at the end": (LETTERS, LETTERS + b" ;\r\n\t"),
    "white space in names": (b"h=" + H, b"h=from \r\n\t: to"),
    "512 names": (b"h=" + H, b"h=" + b":".join([b"from"] * 512)),
    "DNS among others": (b"t=", b"q=https:dns/txt; t="),
    "white space": (b"a=ed25519-sha256;", b"\ta \r\n = ed25519-sha256\r\n\t;"),
}


@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_what_is_no_fault_is_compared(change: tuple[bytes, bytes]) -> None:
    # The signature covers its own field.
    assert check(changed(change)).result is AuthResult.FAIL
    assert "signed fields were changed" in check(changed(change)).reason


def test_a_domain_in_other_letters_is_told_in_small_ones() -> None:
    found = check(changed((b"d=bank.example", b"d=BANK.Example.")))
    assert found.domain == "bank.example"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("ann", "ann@mail.bank.example"),
        ("ann=2Bx", "ann+x@mail.bank.example"),
        ("a n\r\n\tn", "ann@mail.bank.example"),
        ("a" * 64, "a" * 64 + "@mail.bank.example"),
        ("a" * 65, "@mail.bank.example"),
        ("änn", "@mail.bank.example"),
        ("ann=0D=0Ax", "@mail.bank.example"),
        ("", "@mail.bank.example"),
    ],
)
def test_an_identity_is_told_if_it_can_be_shown(written: str, told: str) -> None:
    value = f"i={written}@MAIL.bank.example; t=".encode()
    assert check(changed((b"t=", value))).auid == told


@pytest.mark.parametrize(
    ("form", "header", "body"),
    [
        (b"", "simple", "simple"),
        (b"c=relaxed;", "relaxed", "simple"),
        (b"c=simple/relaxed;", "simple", "relaxed"),
        (b"c=RELAXED/relaxed;", "relaxed", "relaxed"),
    ],
)
def test_the_canonical_forms(form: bytes, header: str, body: str) -> None:
    value = Message(changed((b"c=relaxed/relaxed;", form))).header_fields[0].raw_value
    found = Signature.parse(value, NOW)
    assert (found.header, found.body) == (header, body)


def test_u_labels_are_a_labels() -> None:
    found = check(changed((b"d=bank.example", "d=müller.example".encode())))
    assert (found.domain, found.reason) == ("xn--mller-kva.example", "there is no key record")


@pytest.mark.parametrize(("written", "told"), [("rsa-sha1", "rsa-sha1"), ("evil-sha256", "")])
def test_an_algorithm_that_is_told(written: str, told: str) -> None:
    found = check(changed((b"a=ed25519-sha256", f"a={written}".encode())))
    assert (found.domain, found.algorithm) == ("bank.example", told)


def test_a_fault_says_whose_signature_it_is() -> None:
    found = check(changed((b"bh=" + BH, b"bh=" + BH[:20])))
    assert (found.domain, found.selector) == ("bank.example", "mail")
    assert found.algorithm == "ed25519-sha256"
    assert len(found.signature) == 8


NAME = key_name("bank.example", "mail")

KEYS: dict[str, tuple[Sequence[Record] | DnsStatus, AuthResult, str]] = {
    "timeout": (DnsStatus.TIMEOUT, AuthResult.TEMPERROR, "the DNS did not give the key: timeout"),
    "servfail": (DnsStatus.SERVFAIL, AuthResult.TEMPERROR, "servfail"),
    "limit": (DnsStatus.LIMIT, AuthResult.TEMPERROR, "limit"),
    "no data": (DnsStatus.NODATA, AuthResult.PERMERROR, "there is no key record"),
    "no name": (DnsStatus.NXDOMAIN, AuthResult.PERMERROR, "there is no key record"),
    "revoked": ([b"v=DKIM1; k=ed25519; p="], AuthResult.PERMERROR, "the key was revoked"),
    "no key": ([b"v=DKIM1; k=ed25519"], AuthResult.PERMERROR, "the key record: no p="),
    "SPF": ([b"v=spf1 -all"], AuthResult.PERMERROR, "another version than DKIM1 (v=)"),
    "words": ([b"hello"], AuthResult.PERMERROR, 'a tag without "="'),
    "empty": ([b""], AuthResult.PERMERROR, 'a tag without "="'),
    "another type": ([RSA_RECORD], AuthResult.PERMERROR, "the key is of type rsa"),
    "a type of no one": ([RECORD.replace(b"ed25519", b"ed448")], AuthResult.PERMERROR, "(k=)"),
    "another hash": ([RECORD + b"; h=sha1"], AuthResult.PERMERROR, "sha256 is not allowed (h=)"),
    "another service": ([RECORD + b"; s=tlsrpt"], AuthResult.PERMERROR, "not for mail (s=)"),
    "no base64": ([b"k=ed25519; p=!!!!"], AuthResult.PERMERROR, "p= is not base64"),
    "short": ([b"k=ed25519; p=AAAA"], AuthResult.PERMERROR, "p= is not a key of type ed25519"),
    "large": ([RECORD + b"; n=" + b"a" * 5000], AuthResult.PERMERROR, "more than 4096 octets"),
    "twice": ([RECORD + b"; k=ed25519"], AuthResult.PERMERROR, "k= twice"),
    "another key": (
        [b"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="],
        AuthResult.FAIL,
        "signed fields were changed, or it is not a signature by this key",
    ),
    "beside SPF": ([b"v=spf1 -all", RECORD], AuthResult.PASS, ""),
    "beside a revoked one": ([b"k=ed25519; p=", RECORD], AuthResult.PASS, ""),
    "beside one of RSA": ([RSA_RECORD, RECORD], AuthResult.PASS, ""),
    "two that cannot be used": ([RSA_RECORD, b"k=ed25519; p="], AuthResult.PERMERROR, "type rsa"),
    "blanks in lists": ([RECORD + b"; h= sha1 : sha256 ; s= x :\temail"], AuthResult.PASS, ""),
    "behind seven others": ([b"v=spf1 -all"] * 7 + [RECORD], AuthResult.PASS, ""),
    "behind eight others": ([b"v=spf1 -all"] * 8 + [RECORD], AuthResult.PERMERROR, "version"),
    "for mail": ([RECORD + b"; s=email"], AuthResult.PASS, ""),
    "without a version": ([b"k=ed25519;p=" + PUBLIC], AuthResult.PASS, ""),
    "a version at the end": ([b"k=ed25519;p=" + PUBLIC + b";v=DKIM1"], AuthResult.PASS, ""),
    "without padding": ([b"k=ed25519;p=" + PUBLIC.rstrip(b"=")], AuthResult.PASS, ""),
    "blanks in the key": (
        [b"k=ed25519;p=" + b" ".join([PUBLIC[:9], PUBLIC[9:]])],
        AuthResult.PASS,
        "",
    ),
    "notes": ([RECORD + b"; n=any=20words; g=*; s=*:x; h=sha1:sha256;"], AuthResult.PASS, ""),
}


@pytest.mark.parametrize(("answer", "result", "reason"), KEYS.values(), ids=KEYS)
def test_what_the_dns_says(
    answer: Sequence[Record] | DnsStatus, result: AuthResult, reason: str
) -> None:
    found = check(DATA, Zones({NAME: {"TXT": answer}}))
    assert found.result is result
    assert reason in found.reason


def test_a_changed_body_fails_whatever_the_dns_says() -> None:
    data = DATA + b"one more line\r\n"
    for status in (DnsStatus.TIMEOUT, DnsStatus.NXDOMAIN):
        found = check(data, Zones({NAME: {"TXT": status}}))
        assert found.result is AuthResult.FAIL
        assert found.reason == "the body was changed after it was signed"


def test_a_testing_key_is_told() -> None:
    zones = Zones({NAME: {"TXT": [RECORD + b"; t=y"]}})
    assert check(DATA, zones).testing
    assert check(DATA, zones).result is AuthResult.PASS
    assert check(DATA + b"more\r\n", zones).testing


def test_a_strict_key_signs_for_no_domain_below() -> None:
    strict = Zones({NAME: {"TXT": [RECORD + b"; t=y:s"]}})
    below = signed(mail(), KEY, now=NOW, auid="ann@mail.bank.example")
    assert check(below, published(KEY)).auid == "ann@mail.bank.example"
    assert check(below, published(KEY)).result is AuthResult.PASS
    assert check(below, strict).reason == "the key is not for domains below d= (t=s)"
    same = signed(mail(), KEY, now=NOW, auid="@bank.example")
    assert check(same, strict).result is AuthResult.PASS


def der(modulus: int, exponent: int) -> bytes:
    """An RSAPublicKey (RFC 8017 appendix A.1.1)."""

    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        octets = (size.bit_length() + 7) // 8
        length = bytes([size]) if size < 128 else bytes([0x80 | octets]) + size.to_bytes(octets)
        return bytes([tag]) + length + content

    def integer(value: int) -> bytes:
        return element(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))

    return element(0x30, integer(modulus) + integer(exponent))


@pytest.mark.parametrize(
    ("bits", "exponent", "result", "reason"),
    [
        (512, 3, "policy", "an RSA key of 512 bits; accepted are 1024 to 4096"),
        (1023, 3, "policy", "an RSA key of 1023 bits"),
        (1024, 3, "fail", "not a signature by this key"),
        (4096, 65537, "fail", "not a signature by this key"),
        (4097, 65537, "policy", "an RSA key of 4097 bits"),
        (16_384, 65537, "policy", "an RSA key of 16384 bits"),
        (65_536, 65537, "permerror", "the key record: more than 4096 octets of tags"),
        (2048, 1, "permerror", "p= is not a key of type rsa"),
        (2048, 2**63 + 1, "fail", "not a signature by this key"),
        (2048, 2**64 + 1, "policy", "an RSA key whose exponent has more than 64 bits"),
        (2048, 2**2047 + 1, "permerror", "p= is not a key of type rsa"),
    ],
)
def test_the_size_of_an_rsa_key(bits: int, exponent: int, result: str, reason: str) -> None:
    key = signing_key()
    record = b"p=" + base64.b64encode(der(2 ** (bits - 1) + 1, exponent))
    found = check(signed(mail(), key, now=NOW), Zones({NAME: {"TXT": [record]}}))
    assert (found.result, reason in found.reason) == (result, True), found.reason


def test_a_signature_larger_than_any_key() -> None:
    found = check(changed((LETTERS, base64.b64encode(bytes(600)))))
    assert found.reason == "b= has 600 octets, more than any accepted key makes"


def test_a_signature_by_the_largest_key_that_is_accepted() -> None:
    key = signing_key("rsa-sha256", bits=1024)
    data = signed(mail(), key, now=NOW)
    assert check(data, published(key), DkimLimits(most_bits=1024)).result is AuthResult.PASS
    found = check(data, published(key), DkimLimits(least_bits=512, most_bits=1016))
    assert found.reason == "b= has 128 octets, more than any accepted key makes"


def test_a_partly_signed_body() -> None:
    found = check(partly_signed(mail(b"signed\r\nadded\r\n"), 8, KEY))
    assert (found.result, found.unsigned) == (AuthResult.POLICY, 7)
    assert found.reason == "the last 7 octets of the body are not signed (l=)"
    found = check(
        partly_signed(mail(b"signed\r\nadded\r\n"), 8, KEY),
        limits=DkimLimits(partly_signed=AuthResult.PASS),
    )
    assert (found.result, found.unsigned, found.reason) == (AuthResult.PASS, 7, "")


def test_a_length_that_counts_the_whole_body() -> None:
    found = check(partly_signed(mail(b"signed\r\n"), 8, KEY))
    assert (found.result, found.unsigned) == (AuthResult.PASS, 0)


def test_what_was_appended_to_a_partly_signed_body_is_counted() -> None:
    data = partly_signed(mail(b"signed\r\n"), 8, KEY)
    found = check(data + b"appended \r\n")
    assert (found.result, found.unsigned) == (AuthResult.POLICY, 10)
    assert check(data.replace(b"\r\n\r\nsigned", b"\r\n\r\nSigned")).result is AuthResult.FAIL


def test_a_second_from_field_that_is_not_signed() -> None:
    once = signed(mail(), KEY, now=NOW, names=["from", "to"])
    found = check(b"From: Eve <eve@evil.example>\r\n" + once)
    assert (found.result, found.reason) == (
        AuthResult.POLICY,
        "there is a From field that is not signed",
    )
    over_signed = b"From: Eve <eve@evil.example>\r\n" + DATA
    assert check(over_signed).result is AuthResult.FAIL


def test_the_name_of_the_field_is_signed_as_it_is_spelled() -> None:
    simple = signed(mail(), KEY, now=NOW, header=Canonicalization.SIMPLE)
    assert check(simple).result is AuthResult.PASS
    assert check(simple.replace(b"DKIM-S", b"Dkim-S")).result is AuthResult.FAIL
    assert check(DATA.replace(b"DKIM-S", b"Dkim-S")).result is AuthResult.PASS


def test_a_signature_of_signatures_is_not_one_of_itself() -> None:
    names = ["from", "dkim-signature", "dkim-signature"]
    other = signing_key("ed25519-sha256", "list.example", "s2")
    data = signed(DATA, other, now=NOW, names=names)
    zones = published(KEY, other)
    top, below = verify_dkim(Message(data), zones, now=NOW)
    assert (top.result, below.result) == (AuthResult.PASS, AuthResult.PASS)
    without = data.replace(b"s=mail;", b"s=male;")
    assert verify_dkim(Message(without), zones, now=NOW)[0].result is AuthResult.FAIL


def test_no_signature_is_no_result() -> None:
    assert verify_dkim(Message(mail()), published(KEY)) == ()
    assert verify_dkim(Message(b""), published(KEY)) == ()


def test_all_keys_are_asked_for_before_the_first_answer() -> None:
    class Order(Zones):
        def start(self, name: str, kind: object) -> None:
            events.append(f"start {name}")

        def answer(self, name: str, kind: object) -> object:  # type: ignore[override]
            events.append(f"answer {name}")
            return super().answer(name, kind)  # type: ignore[arg-type]

    events: list[str] = []
    other = signing_key("ed25519-sha256", "list.example", "s2")
    data = signed(mail(), KEY, other)
    zones = Order({})
    verify_dkim(Message(data), zones)
    first, second = key_name("list.example", "s2"), NAME
    assert events == [f"start {first}", f"start {second}", f"answer {first}", f"answer {second}"]
    events.clear()
    begin_dkim(Message(data), zones)
    assert events == [f"start {first}", f"start {second}"]
