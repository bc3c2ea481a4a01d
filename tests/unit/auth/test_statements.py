"""What is found out, as Authentication-Results state it, and what those of others mean."""

from __future__ import annotations

import pytest

from filterd.auth.received_spf import received_spf
from filterd.auth.results import parse, written
from filterd.auth.statements import authentication_of, results_of
from filterd.message.authentication import (
    ArcCheck,
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
    SpfIdentity,
)

LONG = "a." * 150
"""Labels that make a name longer than names are."""

PASS, FAIL, NONE = AuthResult.PASS, AuthResult.FAIL, AuthResult.NONE
TEMPERROR = AuthResult.TEMPERROR

HELO = SpfCheck(PASS, "host.bank.example", SpfIdentity.HELO)
SIGNED = DkimCheck(PASS, "bank.example", "s1", "@bank.example", "rsa-sha256", 2048, "ab/cdefg")


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (Authentication(), "none"),
        (
            Authentication(
                SpfCheck(PASS, "bank.example"),
                HELO,
                (SIGNED,),
                DmarcCheck(PASS, "bank.example", dkim_aligned=True),
                ArcCheck(PASS, 2, ("list.example",), oldest_pass=2),
            ),
            "spf=pass smtp.mailfrom=bank.example;\n"
            "\tspf=pass smtp.helo=host.bank.example;\n"
            "\tdkim=pass header.d=bank.example header.s=s1 header.a=rsa-sha256\n"
            '\theader.b="ab/cdefg";\n'
            "\tdmarc=pass header.from=bank.example;\n"
            "\tarc=pass header.oldest-pass=2",
        ),
        (
            Authentication(arc=ArcCheck(TEMPERROR, 1, reason="no answer")),
            'arc=fail reason="no answer"',
        ),
        (
            Authentication(
                SpfCheck(FAIL, "list.example"),
                SpfCheck(NONE, "h.example", SpfIdentity.HELO),
                (),
                DmarcCheck(FAIL, "bank.example", policy=DmarcPolicy.REJECT),
                ArcCheck(NONE),
                override="mailing_list",
            ),
            "spf=fail smtp.mailfrom=list.example;\n\tdkim=none;\n"
            '\tdmarc=fail reason="mailing list" header.from=bank.example\n\tpolicy.dmarc=reject',
        ),
        (
            Authentication(
                SpfCheck(AuthResult.PERMERROR, "a.example", reason='two\r\n records "v=spf1"'),
                dmarc=DmarcCheck(NONE, "a.example"),
            ),
            "spf=permerror reason=\"two?? records 'v=spf1'\" smtp.mailfrom=a.example;\n"
            "\tdkim=none;\n\tdmarc=none header.from=a.example",
        ),
    ],
)
def test_what_is_stated(found: Authentication, lines: str) -> None:
    assert written(results_of(found, "mx.example")) == f"mx.example;\n\t{lines}"


def test_of_many_signatures_some_are_stated() -> None:
    many = Authentication(dkim=(SIGNED,) * 1000)
    assert len(results_of(many, "mx.example").results) == 20


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["mx.example; none"], Authentication()),
        (
            [
                "mx.example; dmarc=pass (p=reject dis=none) header.from=Bank.example.",
                "mx.example; spf=pass smtp.mailfrom=ann@bank.example",
                "mx.example; dkim=pass header.d=bank.example header.s=s1 "
                "header.i=@bank.example header.a=rsa-sha256 header.b=abcd",
            ],
            Authentication(
                SpfCheck(PASS, "bank.example"),
                dkim=(
                    DkimCheck(PASS, "bank.example", "s1", "@bank.example", "rsa-sha256", 0, "abcd"),
                ),
                dmarc=DmarcCheck(PASS, "bank.example", dkim_aligned=True),
            ),
        ),
        (
            ["mx.example; spf=hardfail smtp.helo=h.example; spf=softfail smtp.mailfrom=a.example"],
            Authentication(
                SpfCheck(AuthResult.SOFTFAIL, "a.example"),
                SpfCheck(FAIL, "h.example", SpfIdentity.HELO),
            ),
        ),
        (
            [
                "mx.example; spf=fail smtp.mailfrom=a.example",
                "mx.example; spf=pass smtp.mailfrom=b.example",
            ],
            Authentication(SpfCheck(FAIL, "a.example")),
        ),
        (
            [
                "mx.example; spf=sure smtp.mailfrom=a.example; dkim=none; "
                "iprev=pass policy.iprev=192.0.2.1"
            ],
            Authentication(),
        ),
        (
            [
                "mx.example; spf=pass smtp.mailfrom=müller.example; "
                "dmarc=fail policy.dmarc=reject header.from=a.example"
            ],
            Authentication(
                SpfCheck(PASS, "xn--mller-kva.example"),
                dmarc=DmarcCheck(FAIL, "a.example", policy=DmarcPolicy.REJECT),
            ),
        ),
    ],
)
def test_what_is_read(texts: list[str], found: Authentication) -> None:
    assert authentication_of(map(parse, texts)) == found


def test_received_spf() -> None:
    check = SpfCheck(PASS, "a.example", mechanism="ip4:192.0.2.0/24")
    told = received_spf(
        check, host="mx.example", client="192.0.2.1", sender="ann@a.example", helo="h.example"
    )
    assert told == (
        'pass\n\tidentity=mailfrom;\n\tclient-ip=192.0.2.1;\n\tenvelope-from="ann@a.example";\n'
        '\thelo=h.example;\n\tmechanism="ip4:192.0.2.0/24";\n\treceiver=mx.example'
    )
    hostile = SpfCheck(AuthResult.PERMERROR, "a.example", SpfIdentity.HELO, reason="x\r\nBcc: y")
    told = received_spf(hostile, host="mx.example", client="::1", sender="", helo='a"\r\n')
    assert told == (
        'permerror\n\tidentity=helo;\n\tclient-ip="::1";\n\thelo="a\\"??";\n'
        '\tproblem="x??Bcc: y";\n\treceiver=mx.example'
    )


def test_a_domain_that_is_too_long_is_none_and_what_is_said_is_bounded() -> None:
    text = f'mx; dkim=pass reason="{LONG}" header.d={LONG}bank.example header.b={LONG}'
    (found,) = authentication_of([parse(text)]).dkim
    assert found.domain == ""
    assert len(found.reason) == len(found.signature) == 300 == len(LONG)
    (found,) = authentication_of([parse(text.replace(LONG, 2 * LONG))]).dkim
    assert len(found.reason) == len(found.signature) == 300
