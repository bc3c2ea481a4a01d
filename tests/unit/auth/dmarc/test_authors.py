"""The author domain: RFC 9989 §5.3.1, and messages without one or with several (§11.5)."""

from __future__ import annotations

import pytest

from filterd.auth.dmarc import author_domains, begin_dmarc, check_dmarc
from filterd.auth.dmarc.authors import DOMAINS_LIMIT, FIELDS_LIMIT
from filterd.message.address import DOMAIN_LIMIT
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
)
from filterd.message.mailboxes import FIELD_LIMIT, MAILBOXES_LIMIT
from filterd.message.message import Message
from filterd.resolver.answer import DnsStatus, RecordType
from tests.helpers.zones import Zones
from tests.unit.auth.dmarc import Zone, published

LONG = ".".join(["abcdefg"] * 40)


def mail(*fields: str | bytes) -> Message:
    octets = [one if isinstance(one, bytes) else one.encode() for one in fields]
    return Message(b"\r\n".join([*octets, b"Subject: Hello", b"", b"Hello\r\n"]))


DOMAINS: dict[str, tuple[str, ...]] = {
    "Ann <ann@mx.example>": ("mx.example",),
    "ann@mx.example": ("mx.example",),
    "ann@MX.Example": ("mx.example",),
    "<ann@mx.example> (Ann)": ("mx.example",),
    "Ann\r\n <ann@\r\n mx.example>": ("mx.example",),
    '"ann@bank.example" <ann@mx.example>': ("mx.example",),
    "ann@bank.example <ann@mx.example>": ("mx.example",),
    "=?utf-8?q?ann=40bank.example?= <ann@mx.example>": ("mx.example",),
    '"ann@bank.example"@mx.example': ("mx.example",),
    "ann@mx.example (ann@bank.example)": ("mx.example",),
    "<@bank.example:ann@mx.example>": ("mx.example",),
    "ann @ mx . example": ("mx.example",),
    "ann@mx.example.": ("mx.example",),
    "ann@müller.example": ("xn--mller-kva.example",),
    "ann@XN--MLLER-KVA.example": ("xn--mller-kva.example",),
    # Several authors of one domain are one author domain.
    "ann@mx.example, joe@mx.example": ("mx.example",),
    "ann@mx.example, joe@MX.example": ("mx.example",),
    "Team: ann@mx.example, joe@mx.example;": ("mx.example",),
    # Several domains.
    "ann@mx.example, joe@bank.example": ("mx.example", "bank.example"),
    "Team: ann@mx.example; joe@bank.example": ("mx.example", "bank.example"),
    "ann@mx.example joe@bank.example": ("mx.example", "bank.example"),
    "<ann@mx.example> <joe@bank.example>": ("mx.example", "bank.example"),
    "ann@bank.example@mx.example": ("bank.example", "mx.example"),
    "ann@mx.example, joe@a.mx.example": ("mx.example", "a.mx.example"),
    # What stands around an address, and no domain begins or ends with.
    "'ann@mx.example'": ("mx.example",),
    "`ann@mx.example`": ("mx.example",),
    "ann@mx.example/": ("mx.example",),
    "{ann@mx.example}, joe@=mx.example!": ("mx.example",),
    # Characters that nobody sees.
    "ann@mx.example\x01": ("mx.example",),
    "ann@m\x00x.example\x7f": ("mx.example",),
    "ann@\u200emx.example": ("mx.example",),
    "ann@mx\u202e.example\u2069": ("mx.example",),
    "ann@mx\u200b.ex\xadample\ufeff": ("mx.example",),
    "<\x02ann\x02@\x02mx.example\x02>": ("mx.example",),
    "ann@mx\x0b.exam\x0cple\x1f\x85": ("mx.example",),
    "ann@m\u200dx.exam\u200cple\u200d": ("mx.example",),
    "ann@mx\U000e0061.example": ("mx.example",),
    # Some readers take out comments and blanks, and decode words, before they look for the address.
    "ann@m(a)x.example": ("m", "mx.example"),
    "ann@mx.ex(a)(b)amp(c)le": ("mx.ex", "mx.examp", "mx.example"),
    "<ann@m(a)x.example>": ("m", "mx.example"),
    "ann@ba nk.example": ("ba", "bank.example"),
    "ann@=?utf-8?q?bank?=.example": ("bank.example",),
    "ann@=?utf-8?b?YmFuay5leGFtcGxl?=": ("bank.example",),
    "ann@=?utf-8?q?x=40bank.example?=": ("bank.example",),
    # What these do not join.
    "ann@mx.example (a) joe.public": ("mx.example",),
    "ann@mx.example(Ann)": ("mx.example",),
    "ann@mx.example Ann Smith": ("mx.example",),
    "root@localhost Cron Daemon": ("localhost",),
    # This one is part of a name.
    "ann@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example": ("xn--mgba3gch31f060k.example",),
    # None.
    "": (),
    "Ann": (),
    '"ann@mx.example"': (),
    "Undisclosed:;": (),
    "=?utf-8?q?ann=40mx.example?=": (),
    "ann@[192.0.2.1]": (),
    "ann@[IPv6:2001:db8::1]": (),
    "MAILER-DAEMON": (),
    # Too long for the DNS: what people see is the end.
    f"ann@{LONG}.bank.example": (f"{LONG}.bank.example"[-DOMAIN_LIMIT:].partition(".")[2],),
    f"ann@{LONG}.bänk.example": ("abcdefg." * 29 + "xn--bnk-qla.example",),
    "ann@" + "x" * 300 + ".bank.example": ("bank.example",),
    "ann@" + "x" * 300: (),
    "ann@" + "x" * 300 + "..bank.example": ("bank.example",),
    "ann@bank.example" + "." * 300: ("bank.example",),
    "ann@" + "x" * 242 + ".bank.example": ("x" * 242 + ".bank.example",),
    "a@1.example, a@2.example, a@3.example, a@4.example": (
        "1.example",
        "2.example",
        "3.example",
        "4.example",
    ),
}


@pytest.mark.parametrize(("value", "domains"), DOMAINS.items())
def test_the_domains_of_a_from_field(value: str, domains: tuple[str, ...]) -> None:
    found = author_domains(mail(f"From: {value}"))
    assert found.domains == domains
    assert bool(found.reason) is (len(domains) != 1)
    assert found.is_whole


@pytest.mark.parametrize(
    ("fields", "domains", "reason"),
    [
        ([], (), "no From field"),
        (["Sender: ann@mx.example"], (), "no From field"),
        (["From: Ann"], (), "From has no address"),
        (["From: ann@[192.0.2.1]"], (), "From has an IP address in place of a domain"),
        (["From: ann@mx.example", "From: ann@mx.example"], ("mx.example",), "several From fields"),
        (
            ["From: ann@mx.example", "FROM : joe@bank.example"],
            ("mx.example", "bank.example"),
            "2 author domains",
        ),
        (["From: Ann", "From: ann@mx.example"], ("mx.example",), "several From fields"),
        (["From: ann@mx.example"] * FIELDS_LIMIT, ("mx.example",), "several From fields"),
        (
            ["From: ann@mx.example"] * (FIELDS_LIMIT + 1),
            ("mx.example",),
            "too many From fields",
        ),
    ],
)
def test_why_there_is_not_one(fields: list[str], domains: tuple[str, ...], reason: str) -> None:
    found = author_domains(mail(*fields))
    assert (found.domains, found.reason) == (domains, reason)


def test_many_domains_are_not_all_looked_at_and_that_is_said() -> None:
    found = author_domains(mail("From: " + ",".join(f"a@{n}.example" for n in range(1000))))
    assert found.domains == tuple(f"{n}.example" for n in range(DOMAINS_LIMIT))
    assert (found.is_whole, found.reason) == (False, "more than 4 author domains")


def test_a_field_that_is_too_long_is_not_looked_at_to_its_end() -> None:
    found = author_domains(mail("From: ann@mx.example (" + "x" * FIELD_LIMIT + ") joe@b.example"))
    assert not found.is_whole
    found = author_domains(mail("From:ann@mx.example" + " " * (FIELD_LIMIT - 14)))
    assert found.is_whole


def test_who_is_behind_a_thousand_others_is_not_left_out_in_silence() -> None:
    found = author_domains(mail("From: " + "a@mx.example," * MAILBOXES_LIMIT + "joe@bank.example"))
    assert (found.domains, found.is_whole) == (("mx.example",), False)
    assert found.reason == "From is too long"
    found = author_domains(mail("From: " + ",".join(["a@mx.example"] * MAILBOXES_LIMIT)))
    assert (found.domains, found.is_whole) == (("mx.example",), True)


# What becomes of it.

ZONE: Zone = {
    **published(
        {
            "mx.example": "p=none",
            "bank.example": "p=reject",
            "shop.example": "p=quarantine",
            "bad.example": "p=bad",
        }
    ),
    "_dmarc.down.example": {"TXT": DnsStatus.SERVFAIL},
}


def checked(*fields: str | bytes, signed: str = "") -> DmarcCheck:
    dkim = [DkimCheck(AuthResult.PASS, domain) for domain in signed.split()]
    return check_dmarc(mail(*fields), None, dkim, Zones(ZONE))


@pytest.mark.parametrize(
    ("authors", "signed", "result", "domain"),
    [
        # A domain of one's own beside that of a bank proves nothing.
        ("a@mx.example, b@bank.example", "mx.example", "fail", "bank.example"),
        ("b@bank.example, a@mx.example", "mx.example", "fail", "bank.example"),
        ("a@mx.example, b@bank.example", "bank.example", "fail", "mx.example"),
        ("a@mx.example, b@bank.example", "mx.example bank.example", "pass", "mx.example"),
        # Of those that fail, the strictest.
        ("a@mx.example, b@shop.example, c@bank.example", "", "fail", "bank.example"),
        ("c@bank.example, b@shop.example, a@mx.example", "", "fail", "bank.example"),
        ("a@mx.example, b@shop.example", "", "fail", "shop.example"),
        # What cannot be known is worse than what passes.
        ("a@mx.example, b@none.example", "mx.example", "none", "none.example"),
        ("a@mx.example, b@bad.example", "mx.example", "permerror", "bad.example"),
        ("a@mx.example, b@down.example", "mx.example", "temperror", "down.example"),
        ("a@bank.example, b@down.example", "", "fail", "bank.example"),
        ("a@bad.example, b@none.example", "", "permerror", "bad.example"),
    ],
)
def test_of_several_author_domains_the_worst_result_counts(
    authors: str, signed: str, result: str, domain: str
) -> None:
    check = checked(f"From: {authors}", signed=signed)
    assert (check.result, check.domain) == (result, domain)
    assert "author domains" in check.reason


def test_two_from_fields_are_two_authors() -> None:
    check = checked("From: a@mx.example", "From: b@bank.example", signed="mx.example")
    assert (check.result, check.domain) == (AuthResult.FAIL, "bank.example")
    assert check.policy is DmarcPolicy.REJECT


def test_among_too_many_authors_one_may_be_that_is_not_looked_at() -> None:
    own = ", ".join(f"{n}@{n}.mx.example" for n in range(DOMAINS_LIMIT))
    check = checked(f"From: {own}, b@bank.example", signed="mx.example")
    assert check == DmarcCheck(AuthResult.PERMERROR, reason="more than 4 author domains")
    assert Authentication(dmarc=check).line == "more than 4 author domains"
    check = checked(f"From: c@bank.example, {own}", signed="mx.example")
    assert (check.result, check.policy) == (AuthResult.FAIL, DmarcPolicy.REJECT)


@pytest.mark.parametrize(
    "value", ["", "Ann", "ann@[192.0.2.1]", "=?utf-8?q?ann=40bank.example?=", "Undisclosed:;"]
)
def test_without_a_domain_dmarc_does_not_apply(value: str) -> None:
    check = checked(f"From: {value}", signed="mx.example")
    assert (check.result, check.domain) == (AuthResult.NONE, "")
    assert check.reason


@pytest.mark.parametrize(
    "value",
    [
        f"ann@{LONG}.bank.example",
        "ann@" + "x" * 300 + ".bank.example",
        "ann@" + "x" * 64 + ".bank.example",
        "ann@a..bank.example",
        "ann@\x00.bank.example",
        "ann@bank.example\x00, ann@bank.example",
        "ann@bank.example..",
    ],
)
def test_what_is_no_domain_and_ends_like_a_bank_fails_as_the_bank(value: str) -> None:
    check = checked(f"From: {value}", signed="mx.example")
    assert (check.result, check.policy_domain) == (AuthResult.FAIL, "bank.example")
    assert check.domain.isascii()
    assert check.domain.isprintable()
    assert len(check.domain) <= DOMAIN_LIMIT


def test_what_is_needed_is_asked_at_once() -> None:
    class Started(Zones):
        def start(self, name: str, kind: RecordType) -> None:
            self.asked.append((name, kind))

    questions = Started({})
    begin_dmarc(mail("From: a@mx.example, b@bank.example"), questions)
    assert {name for name, _ in questions.asked} == {
        "_dmarc.mx.example",
        "_dmarc.bank.example",
        "_dmarc.example",
        # Whether they exist: one of them may use up the time.
        "mx.example",
        "bank.example",
    }
    alone = Started({})
    begin_dmarc(mail("From: a@mx.example"), alone)
    assert {name for name, _ in alone.asked} == {"_dmarc.mx.example", "_dmarc.example"}
