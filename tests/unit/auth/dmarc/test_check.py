"""Whether the author domain is proven: RFC 9989 §4.4, §4.10, §5.3, as situations.

A situation is: what domains publish (`v=DMARC1` left out), whose mail it says it is, what SPF and
DKIM found, and what follows: "pass", "fail reject" (the policy that is asked for) with the domain
whose record says so.
"""

from __future__ import annotations

import pytest

from filterd.auth.dmarc import check_dmarc
from filterd.auth.dmarc.check import IDENTIFIERS_LIMIT
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    SpfCheck,
    SpfIdentity,
)
from filterd.message.message import Message
from filterd.resolver.answer import DnsStatus
from tests.helpers.zones import Zones
from tests.unit.auth.dmarc import Zone, published


def identifiers(found: str) -> tuple[SpfCheck | None, list[DkimCheck]]:
    """`spf mx.example, dkim/fail a.example`: what was found, pass where nothing else stands."""
    spf, dkim = None, []
    for one in filter(None, found.split(", ")):
        method, domain = one.split(" ")
        method, _, result = method.partition("/")
        if method == "dkim":
            dkim.append(DkimCheck(AuthResult(result or "pass"), domain))
        else:
            identity = SpfIdentity.HELO if method == "helo" else SpfIdentity.MAIL_FROM
            spf = SpfCheck(AuthResult(result or "pass"), domain, identity)
    return spf, dkim


def mail(author: str) -> Message:
    return Message(f"From: Ann <ann@{author}>\r\n\r\nHello\r\n".encode())


def checked(zone: Zone, author: str, found: str = "") -> DmarcCheck:
    return check_dmarc(mail(author), *identifiers(found), Zones(zone))


def told(check: DmarcCheck) -> str:
    words = [check.result.value]
    if check.policy is not None and check.result is not AuthResult.PASS:
        words.append(check.policy.value)
    return " ".join([*words, *([f"by {check.policy_domain}"] if check.policy_domain else [])])


ORDINARY = {"mx.example": "p=reject"}
STRICT = {"mx.example": "p=reject; adkim=s; aspf=s"}
STRICT_DKIM = {"mx.example": "p=reject; adkim=s"}
STRICT_SPF = {"mx.example": "p=reject; aspf=s"}
NO_ORGANIZATION = {"mx.example": "p=reject; psd=n", "b.mx.example": "p=none; psd=n"}
SUFFIX = {"co.example": "p=reject; psd=y"}
BELOW_SUFFIX = {"co.example": "p=reject; psd=y", "a.co.example": "p=quarantine"}

PASS, FAIL, NONE = "pass by mx.example", "fail reject by mx.example", "none"

ALIGNMENT = [
    # §4.4: the same domain.
    ("the same by SPF", ORDINARY, "mx.example", "spf mx.example", PASS),
    ("the same by DKIM", ORDINARY, "mx.example", "dkim mx.example", PASS),
    ("the same by both", ORDINARY, "mx.example", "spf mx.example, dkim mx.example", PASS),
    (
        "by one of several signatures",
        ORDINARY,
        "mx.example",
        "dkim list.example, dkim/fail mx.example, dkim mx.example",
        PASS,
    ),
    ("in other letters", ORDINARY, "MX.Example", "dkim Mx.EXAMPLE", PASS),
    ("with a dot behind it", ORDINARY, "mx.example.", "spf mx.example.", PASS),
    ("with dots around it", ORDINARY, "..mx.example..", "spf mx.example", PASS),
    ("strictly by SPF", STRICT, "mx.example", "spf mx.example", PASS),
    ("strictly by DKIM", STRICT, "mx.example", "dkim mx.example", PASS),
    # Nothing that proves.
    ("nothing", ORDINARY, "mx.example", "", FAIL),
    ("SPF fails", ORDINARY, "mx.example", "spf/fail mx.example", FAIL),
    ("SPF softfail is not a pass", ORDINARY, "mx.example", "spf/softfail mx.example", FAIL),
    ("SPF neutral is not a pass", ORDINARY, "mx.example", "spf/neutral mx.example", FAIL),
    ("SPF none is not a pass", ORDINARY, "mx.example", "spf/none mx.example", FAIL),
    ("SPF permerror is not a pass", ORDINARY, "mx.example", "spf/permerror mx.example", FAIL),
    ("SPF of HELO does not count", ORDINARY, "mx.example", "helo mx.example", FAIL),
    ("DKIM fails", ORDINARY, "mx.example", "dkim/fail mx.example", FAIL),
    ("DKIM policy is not a pass", ORDINARY, "mx.example", "dkim/policy mx.example", FAIL),
    ("DKIM permerror is not a pass", ORDINARY, "mx.example", "dkim/permerror mx.example", FAIL),
    ("DKIM neutral is not a pass", ORDINARY, "mx.example", "dkim/neutral mx.example", FAIL),
    ("SPF passes for nobody", ORDINARY, "mx.example", "spf ", FAIL),
    # Others.
    ("another domain", ORDINARY, "mx.example", "spf other.example, dkim other.example", FAIL),
    ("another top", ORDINARY, "mx.example", "dkim mx.test", FAIL),
    ("a longer name", ORDINARY, "mx.example", "dkim xmx.example", FAIL),
    ("the name as a label of another", ORDINARY, "mx.example", "dkim mx.example.test", FAIL),
    ("the top itself", ORDINARY, "mx.example", "dkim example", FAIL),
    ("a name like it", ORDINARY, "mx.example", "dkim mx.exampie", FAIL),
    # Relaxed: one organizational domain.
    ("below by SPF", ORDINARY, "mx.example", "spf b.mx.example", PASS),
    ("below by DKIM", ORDINARY, "mx.example", "dkim b.mx.example", PASS),
    ("far below", ORDINARY, "mx.example", "dkim a.b.c.d.e.f.g.h.i.mx.example", PASS),
    ("above by SPF", ORDINARY, "a.mx.example", "spf mx.example", PASS),
    ("above by DKIM", ORDINARY, "a.mx.example", "dkim mx.example", PASS),
    ("beside by SPF", ORDINARY, "a.mx.example", "spf b.mx.example", PASS),
    ("beside by DKIM", ORDINARY, "a.mx.example", "dkim b.mx.example", PASS),
    ("of a name that does not exist", ORDINARY, "a.mx.example", "dkim a.mx.example", PASS),
    # Strict, each for itself.
    ("strict: below by SPF", STRICT, "mx.example", "spf b.mx.example", FAIL),
    ("strict: below by DKIM", STRICT, "mx.example", "dkim b.mx.example", FAIL),
    ("strict: above", STRICT, "a.mx.example", "spf mx.example, dkim mx.example", FAIL),
    ("strict below: the same", STRICT, "a.mx.example", "dkim a.mx.example", PASS),
    ("DKIM strict: SPF relaxed", STRICT_DKIM, "mx.example", "spf b.mx.example", PASS),
    ("DKIM strict: not relaxed", STRICT_DKIM, "mx.example", "dkim b.mx.example", FAIL),
    ("SPF strict: DKIM relaxed", STRICT_SPF, "mx.example", "dkim b.mx.example", PASS),
    ("SPF strict: not relaxed", STRICT_SPF, "mx.example", "spf b.mx.example", FAIL),
    (
        "the record that applies says how",
        {**STRICT, "a.mx.example": "p=reject"},
        "a.mx.example",
        "dkim b.mx.example",
        "pass by a.mx.example",
    ),
    (
        "strict in the author's own record",
        {**ORDINARY, "a.mx.example": "p=reject; adkim=s"},
        "a.mx.example",
        "dkim mx.example",
        "fail reject by a.mx.example",
    ),
    # psd=n: departments that are organizations of their own.
    (
        "psd=n: from one to the other",
        NO_ORGANIZATION,
        "b.mx.example",
        "dkim mx.example",
        "fail none by b.mx.example",
    ),
    ("psd=n: and back", NO_ORGANIZATION, "mx.example", "dkim b.mx.example", FAIL),
    (
        "psd=n: within the one below",
        NO_ORGANIZATION,
        "b.mx.example",
        "dkim c.b.mx.example",
        "pass by b.mx.example",
    ),
    ("psd=n: within the one above", NO_ORGANIZATION, "a.mx.example", "dkim c.mx.example", PASS),
    # psd=y: customers of one registry.
    ("psd=y: customers", SUFFIX, "a.co.example", "dkim b.co.example", "fail reject by co.example"),
    ("psd=y: one customer", SUFFIX, "a.co.example", "dkim x.a.co.example", "pass by co.example"),
    (
        "psd=y: the registry for its customer",
        SUFFIX,
        "a.co.example",
        "dkim co.example",
        "fail reject by co.example",
    ),
    (
        "psd=y: the customer for the registry",
        SUFFIX,
        "co.example",
        "dkim a.co.example",
        "fail reject by co.example",
    ),
    ("psd=y: the registry itself", SUFFIX, "co.example", "dkim co.example", "pass by co.example"),
    (
        "psd=y: customers with records",
        BELOW_SUFFIX,
        "a.co.example",
        "spf b.co.example",
        "fail quarantine by a.co.example",
    ),
    (
        "psd=y: below a customer with a record",
        BELOW_SUFFIX,
        "x.a.co.example",
        "spf y.a.co.example",
        "pass by a.co.example",
    ),
    # §11.8: a public suffix that publishes a record without psd=y.
    (
        "a suffix that does not say so",
        {"co.example": "p=none"},
        "a.co.example",
        "dkim b.co.example",
        "pass by co.example",
    ),
    (
        "a suffix that does not, a customer that does",
        {"co.example": "p=none", "a.co.example": "p=reject; psd=n"},
        "a.co.example",
        "dkim b.co.example",
        "fail reject by a.co.example",
    ),
    # §4.10.2: the organizational domains of both count.
    (
        "the identifier's record below",
        {**ORDINARY, "b.mx.example": "p=none"},
        "mx.example",
        "dkim a.b.mx.example",
        PASS,
    ),
    (
        "no record above: neighbours are strangers",
        {"a.mx.example": "p=reject"},
        "a.mx.example",
        "dkim b.mx.example",
        "fail reject by a.mx.example",
    ),
    (
        "no record above: the name above as well",
        {"a.mx.example": "p=reject"},
        "a.mx.example",
        "dkim mx.example",
        "fail reject by a.mx.example",
    ),
    (
        "labels that the short cut leaves out",
        {"mx.example": "p=reject", "h.mx.example": "p=none; psd=n"},
        "mx.example",
        "dkim a.b.c.d.e.f.g.h.mx.example",
        FAIL,
    ),
    ("a long author", ORDINARY, "a.b.c.d.e.f.g.h.i.mx.example", "spf mx.example", PASS),
    # A-labels.
    (
        "U-labels in From",
        {"xn--mller-kva.example": "p=reject"},
        "müller.example",
        "dkim xn--mller-kva.example",
        "pass by xn--mller-kva.example",
    ),
    (
        "U-labels in From, in capitals",
        {"xn--mller-kva.example": "p=reject"},
        "MÜLLER.example",
        "spf xn--mller-kva.example",
        "pass by xn--mller-kva.example",
    ),
    (
        "U-labels on both sides",
        {"xn--mller-kva.example": "p=reject"},
        "müller.example",
        "dkim müller.example",
        "pass by xn--mller-kva.example",
    ),
    (
        "U-labels below",
        {"xn--mller-kva.example": "p=reject"},
        "ä.müller.example",
        "dkim xn--mller-kva.example",
        "pass by xn--mller-kva.example",
    ),
    (
        "U-labels that only look alike",
        {"xn--mller-kva.example": "p=reject"},
        "müller.example",
        "dkim muller.example",
        "fail reject by xn--mller-kva.example",
    ),
    ("a full stop of another script", ORDINARY, "mx。example", "dkim mx.example", PASS),
    # One label.
    ("one label", {"example": "p=reject"}, "example", "dkim example", "pass by example"),
    ("one label, without a record", {}, "localhost", "dkim localhost", NONE),
]


@pytest.mark.parametrize(
    ("records", "author", "found", "expected"),
    [pytest.param(*row[1:], id=row[0]) for row in ALIGNMENT],
)
def test_alignment(records: dict[str, str], author: str, found: str, expected: str) -> None:
    assert told(checked(published(records), author, found)) == expected


ALL = "p=reject; sp=quarantine; np=none"
REPORTS = "rua=mailto:dmarc@mx.example"
EXISTS: Zone = {
    "real.mx.example": {"A": ["192.0.2.1"]},
    "text.mx.example": {"TXT": [b"v=spf1 -all"]},
    "x.between.mx.example": {"A": ["192.0.2.1"]},
    "alias.mx.example": {"CNAME": ["real.mx.example"]},
}

POLICY = [
    ("p for the domain", {"mx.example": ALL}, "mx.example", "fail reject by mx.example"),
    (
        "p for the domain though it exists not",
        {"ghost.mx.example": ALL},
        "ghost.mx.example",
        "fail reject by ghost.mx.example",
    ),
    ("sp for one below", {"mx.example": ALL}, "real.mx.example", "fail quarantine by mx.example"),
    (
        "sp for one that has other records",
        {"mx.example": ALL},
        "text.mx.example",
        "fail quarantine by mx.example",
    ),
    (
        "sp for one that has names below",
        {"mx.example": ALL},
        "between.mx.example",
        "fail quarantine by mx.example",
    ),
    ("sp for an alias", {"mx.example": ALL}, "alias.mx.example", "fail quarantine by mx.example"),
    ("np for one that is not", {"mx.example": ALL}, "ghost.mx.example", "fail none by mx.example"),
    (
        "np for one far below",
        {"mx.example": ALL},
        "a.b.c.d.e.f.g.h.i.mx.example",
        "fail none by mx.example",
    ),
    (
        "np for one that cannot be",
        {"mx.example": ALL},
        "x" * 64 + ".mx.example",
        "fail none by mx.example",
    ),
    ("np for empty labels", {"mx.example": ALL}, "a..mx.example", "fail none by mx.example"),
    (
        "no np: sp",
        {"mx.example": "p=none; sp=reject"},
        "ghost.mx.example",
        "fail reject by mx.example",
    ),
    (
        "no np, no sp: p",
        {"mx.example": "p=quarantine"},
        "ghost.mx.example",
        "fail quarantine by mx.example",
    ),
    (
        "no sp: p",
        {"mx.example": "p=quarantine; np=reject"},
        "real.mx.example",
        "fail quarantine by mx.example",
    ),
    (
        "only np",
        {"mx.example": "p=none; np=reject"},
        "ghost.mx.example",
        "fail reject by mx.example",
    ),
    (
        "sp of a record that is its own means nothing",
        {"mx.example": "p=none", "real.mx.example": ALL},
        "real.mx.example",
        "fail reject by real.mx.example",
    ),
    (
        "a record between means nothing",
        {"mx.example": "p=none", "b.mx.example": "p=reject; sp=reject"},
        "a.b.mx.example",
        "fail none by mx.example",
    ),
    (
        "sp of a public suffix",
        {"example": "p=none; sp=reject; np=quarantine; psd=y"},
        "mx.example",
        "fail reject by example",
    ),
    (
        "np of a public suffix",
        {"example": "p=none; sp=reject; np=quarantine; psd=y"},
        "other.example",
        "fail quarantine by example",
    ),
    (
        "p of a public suffix for itself",
        {"example": "p=reject; sp=none; psd=y"},
        "example",
        "fail reject by example",
    ),
    (
        "of a public suffix, not where the organization has one",
        {"example": "p=reject; psd=y", "mx.example": "p=none"},
        "real.mx.example",
        "fail none by mx.example",
    ),
    # Tags of RFC 7489 that are gone.
    (
        "pct means nothing",
        {"mx.example": "p=reject; pct=0"},
        "mx.example",
        "fail reject by mx.example",
    ),
    (
        "ri and rf mean nothing",
        {"mx.example": "p=reject; ri=x; rf=y"},
        "mx.example",
        "fail reject by mx.example",
    ),
    # Damaged records, §4.10.1.
    ("no p, but reports", {"mx.example": REPORTS}, "mx.example", "fail none by mx.example"),
    (
        "a bad p, but reports",
        {"mx.example": f"p=x; {REPORTS}"},
        "mx.example",
        "fail none by mx.example",
    ),
    (
        "a bad sp, but reports",
        {"mx.example": f"p=reject; sp=x; {REPORTS}"},
        "mx.example",
        "fail none by mx.example",
    ),
    (
        "a bad np, but reports",
        {"mx.example": f"p=reject; np=x; {REPORTS}"},
        "mx.example",
        "fail none by mx.example",
    ),
    (
        "a bad sp for one below, but reports",
        {"mx.example": f"p=reject; sp=x; {REPORTS}"},
        "real.mx.example",
        "fail none by mx.example",
    ),
    ("no p, no reports", {"mx.example": "adkim=s"}, "mx.example", "permerror by mx.example"),
    ("a bad p, no reports", {"mx.example": "p=x"}, "mx.example", "permerror by mx.example"),
    (
        "a bad sp, no reports",
        {"mx.example": "p=reject; sp=x"},
        "mx.example",
        "permerror by mx.example",
    ),
    (
        "a bad p, reports to nowhere",
        {"mx.example": "p=x; rua=dmarc@mx.example"},
        "mx.example",
        "permerror by mx.example",
    ),
    ("a record without a tag", {"mx.example": ""}, "mx.example", "permerror by mx.example"),
    ("psd=y alone", {"example": "psd=y"}, "mx.example", "permerror by example"),
    (
        "a bad record hides the one above",
        {"mx.example": "p=reject", "real.mx.example": "p=x"},
        "real.mx.example",
        "permerror by real.mx.example",
    ),
    (
        "damage elsewhere",
        {"mx.example": "p=reject; adkim=x; aspf; t=z; fo=9; rua=!"},
        "mx.example",
        "fail reject by mx.example",
    ),
    # No record: DMARC does not apply.
    ("no record", {}, "mx.example", "none"),
    ("a record of another domain", {"other.example": "p=reject"}, "mx.example", "none"),
    ("a record of a domain below", {"a.mx.example": "p=reject"}, "mx.example", "none"),
    ("a domain that is not", {"mx.example": "p=reject"}, "mx.test", "none"),
]


@pytest.mark.parametrize(
    ("records", "author", "expected"), [pytest.param(*row[1:], id=row[0]) for row in POLICY]
)
def test_the_policy_that_is_asked_for(records: dict[str, str], author: str, expected: str) -> None:
    assert told(checked({**EXISTS, **published(records)}, author)) == expected


def test_a_pass_has_the_policy_too() -> None:
    check = checked(
        {**EXISTS, **published({"mx.example": ALL})}, "real.mx.example", "dkim mx.example"
    )
    assert (check.result, check.policy) == (AuthResult.PASS, "quarantine")


@pytest.mark.parametrize(("tags", "testing"), [("t=y", True), ("t=n", False), ("", False)])
def test_a_record_that_is_only_tried(tags: str, testing: bool) -> None:
    check = checked(published({"mx.example": f"p=reject; {tags}"}), "mx.example")
    assert (told(check), check.testing) == (FAIL, testing)


def test_whose_record_it_is_and_what_it_says_stand_in_the_result() -> None:
    check = checked(published({"mx.example": "p=none; psd=n"}), "a.b.mx.example", "dkim mx.example")
    assert check.domain == "a.b.mx.example"
    assert check.organizational == check.policy_domain == "mx.example"
    assert check.record == "v=DMARC1; p=none; psd=n"
    assert (check.spf_aligned, check.dkim_aligned) == (False, True)


def test_what_comes_from_the_dns_is_printable() -> None:
    zone: Zone = {"_dmarc.mx.example": {"TXT": [b"v=DMARC1; p=reject; x=\r\nEvil: \xff\x00"]}}
    check = checked(zone, "mx.example")
    assert check.record == "v=DMARC1; p=reject; x=??Evil: ??"


def test_a_record_of_64_kilobytes_is_read_and_shown_in_part() -> None:
    text = "x=y; " * 12_000 + "adkim=s"
    check = checked(
        published({"mx.example": f"p=reject; {text}"}), "mx.example", "dkim a.mx.example"
    )
    assert told(check) == FAIL
    assert len(check.record) == 4096


# The DNS fails: neither pass nor fail (§5.3.6), unless it cannot matter.

BROKEN = [
    ("the author's record", "mx.example", "mx.example", "", "temperror"),
    (
        "the author's record, though all passes",
        "mx.example",
        "mx.example",
        "dkim mx.example",
        "temperror",
    ),
    ("a name between", "b.mx.example", "a.b.mx.example", "", "temperror"),
    (
        "the top, with nothing that could be aligned",
        "example",
        "mx.example",
        "dkim other.test",
        FAIL,
    ),
    ("the top, without identifiers", "example", "mx.example", "", FAIL),
    ("the top, with the same domain", "example", "mx.example", "dkim mx.example", PASS),
    (
        "the top, with a domain of the same top",
        "example",
        "mx.example",
        "dkim b.example",
        "temperror reject by mx.example",
    ),
    (
        "a neighbour who has nothing to do with it",
        "b.mx.example",
        "mx.example",
        "dkim mx.example",
        PASS,
    ),
    (
        "the identifier",
        "b.mx.example",
        "mx.example",
        "dkim b.mx.example",
        "temperror reject by mx.example",
    ),
    (
        "an identifier beside another one",
        "b.mx.example",
        "mx.example",
        "dkim b.mx.example, dkim c.mx.example",
        PASS,
    ),
    ("an identifier of somebody else", "other.example", "mx.example", "dkim other.example", FAIL),
]


@pytest.mark.parametrize(
    ("broken", "author", "found", "expected"), [pytest.param(*row[1:], id=row[0]) for row in BROKEN]
)
def test_a_question_that_fails(broken: str, author: str, found: str, expected: str) -> None:
    zone = published(ORDINARY)
    zone[f"_dmarc.{broken}"] = {"TXT": DnsStatus.SERVFAIL}
    check = checked(zone, author, found)
    assert told(check) == expected
    assert bool(check.reason) is (check.result is AuthResult.TEMPERROR)


def test_strict_alignment_does_not_need_the_organization() -> None:
    zone = published(STRICT)
    zone["_dmarc.example"] = {"TXT": DnsStatus.TIMEOUT}
    assert told(checked(zone, "mx.example", "dkim b.mx.example")) == FAIL


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("spf/temperror mx.example", "temperror reject by mx.example"),
        ("dkim/temperror b.mx.example", "temperror reject by mx.example"),
        ("spf/temperror mx.example, dkim mx.example", PASS),
        ("dkim/temperror mx.example, spf b.mx.example", PASS),
        ("dkim/temperror other.example", FAIL),
        ("spf/temperror other.example, dkim/temperror other.test", FAIL),
        ("helo/temperror mx.example", FAIL),
    ],
)
def test_spf_or_dkim_that_are_not_known(found: str, expected: str) -> None:
    assert told(checked(published(ORDINARY), "mx.example", found)) == expected


@pytest.mark.parametrize(
    ("tags", "found", "expected"),
    [
        ("p=none; np=reject", "", "temperror none by mx.example"),
        ("p=none; np=reject", "dkim mx.example", "pass by mx.example"),
        ("p=reject; np=reject", "", "fail reject by mx.example"),
        ("p=reject", "", "fail reject by mx.example"),
        ("p=none; sp=reject", "", "fail reject by mx.example"),
    ],
)
def test_whether_a_name_exists_is_not_known(tags: str, found: str, expected: str) -> None:
    zone = published({"mx.example": tags})
    zone["a.mx.example"] = {"TXT": DnsStatus.SERVFAIL}
    assert told(checked(zone, "a.mx.example", found)) == expected


@pytest.mark.parametrize(
    ("found", "spf", "dkim"),
    [
        ("spf mx.example, dkim mx.example", True, True),
        ("spf b.mx.example, dkim b.mx.example", True, True),
        ("spf mx.example, dkim other.example", True, False),
        ("spf other.example, dkim a.mx.example, dkim b.mx.example", False, True),
        ("spf/temperror mx.example, dkim mx.example", False, True),
    ],
)
def test_what_is_aligned_stands_in_the_result(found: str, spf: bool, dkim: bool) -> None:
    check = checked(published(ORDINARY), "mx.example", found)
    assert (check.spf_aligned, check.dkim_aligned) == (spf, dkim)


def test_why_it_is_not_known_stands_in_the_result() -> None:
    zone = published({**ORDINARY, "bad.example": "p=bad"})
    assert checked(zone, "bad.example").reason == (
        "the record of bad.example has no policy that can be used, and wants no reports"
    )
    check = checked(zone, "mx.example", "spf/temperror a.mx.example")
    assert check.reason == "SPF of a.mx.example is not known"
    check = checked(zone, "mx.example", "dkim/temperror a.mx.example")
    assert check.reason == "DKIM of a.mx.example is not known"
    zone["_dmarc.down.example"] = {"TXT": DnsStatus.SERVFAIL}
    answer = "no answer about _dmarc.down.example: servfail of _dmarc.down.example"
    assert checked(zone, "down.example").reason == answer
    several = check_dmarc(mail("mx.example>, <b@down.example"), None, (), Zones(zone))
    assert (several.result, several.reason) == (AuthResult.FAIL, "2 author domains")
    several = check_dmarc(mail("none.example>, <b@down.example"), None, (), Zones(zone))
    assert several.reason == f"2 author domains; {answer}"


# Without a record, the author is still known where an identity is the author domain itself.


@pytest.mark.parametrize(
    ("found", "author"),
    [
        ("dkim mx.example", "mx.example"),
        ("spf mx.example", "mx.example"),
        ("dkim a.mx.example", ""),
        ("dkim example", ""),
        ("", ""),
    ],
)
def test_without_a_record_only_the_domain_itself_is_aligned(found: str, author: str) -> None:
    check = checked({}, "mx.example", found)
    assert (check.result, check.organizational) == (AuthResult.NONE, "mx.example")
    assert Authentication(dmarc=check).author == author


# Hostile.


def test_a_thousand_signatures_lead_to_a_few_walks() -> None:
    questions = Zones(published(ORDINARY))
    dkim = [DkimCheck(AuthResult.PASS, f"a.b.c.d.e.{number}.mx.example") for number in range(1000)]
    dkim = [DkimCheck(AuthResult.TEMPERROR, f"x{one.domain}") for one in dkim] + dkim
    assert told(check_dmarc(mail("mx.example"), None, dkim, questions)) == PASS
    zone = published({**ORDINARY, **{f"{n}.mx.example": "p=none; psd=n" for n in range(1000)}})
    questions = Zones(zone)
    assert told(check_dmarc(mail("mx.example"), None, dkim, questions)) == FAIL
    walks = [name for name, _ in questions.asked if name.startswith("_dmarc.a.")]
    assert len(walks) == IDENTIFIERS_LIMIT
    assert len({name for name, _ in questions.asked}) <= 8 + 1 + 8 * IDENTIFIERS_LIMIT


def test_the_true_signature_among_a_thousand_counts() -> None:
    dkim = [DkimCheck(AuthResult.PASS, f"{number}.mx.example") for number in range(1000)]
    zone = published({**ORDINARY, **{f"{n}.mx.example": "p=none; psd=n" for n in range(1000)}})
    dkim.append(DkimCheck(AuthResult.PASS, "mx.example"))
    assert told(check_dmarc(mail("mx.example"), None, dkim, Zones(zone))) == PASS
