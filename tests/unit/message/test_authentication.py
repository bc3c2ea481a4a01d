"""What is known of who sent a message, in the words of people."""

from __future__ import annotations

import pytest

from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
)

PASS, FAIL = AuthResult.PASS, AuthResult.FAIL


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (DmarcCheck(PASS, "bank.example", spf_aligned=True), "passes as bank.example"),
        (DmarcCheck(AuthResult.NONE, "bank.example", dkim_aligned=True), "passes as bank.example"),
        (
            DmarcCheck(FAIL, "bank.example", policy=DmarcPolicy.REJECT),
            "claims bank.example, but fails; its owner asks to reject such mail",
        ),
        (
            DmarcCheck(FAIL, "bank.example", policy=DmarcPolicy.NONE),
            "claims bank.example, but fails",
        ),
        (
            DmarcCheck(FAIL, "bank.example", policy=DmarcPolicy.REJECT, testing=True),
            "claims bank.example, but fails; its owner asks to quarantine such mail",
        ),
        (
            DmarcCheck(FAIL, "bank.example", policy=DmarcPolicy.QUARANTINE, testing=True),
            "claims bank.example, but fails",
        ),
        (
            DmarcCheck(AuthResult.TEMPERROR, "bank.example"),
            "claims bank.example, could not be checked: the DNS did not answer",
        ),
        (
            DmarcCheck(AuthResult.PERMERROR, "bank.example"),
            "claims bank.example, whose DMARC record cannot be used",
        ),
        (
            DmarcCheck(AuthResult.NONE, "bank.example"),
            "claims bank.example, unproven: that domain publishes no DMARC policy",
        ),
        (DmarcCheck(AuthResult.PERMERROR, reason="two author domains"), "two author domains"),
        (None, ""),
    ],
)
def test_in_one_line(found: DmarcCheck | None, line: str) -> None:
    assert Authentication(dmarc=found).line == line


@pytest.mark.parametrize(
    ("domain", "proven"),
    [
        ("a.example", True),
        ("sub.a.example", True),
        ("b.example", True),
        ("example", False),
        ("xa.example", False),
        ("c.example", False),
    ],
)
def test_whose_mail_it_is(domain: str, proven: bool) -> None:
    found = Authentication(
        spf=SpfCheck(PASS, "a.example"),
        dkim=(DkimCheck(FAIL, "c.example"), DkimCheck(PASS, "b.example")),
    )
    assert found.passes_for(domain) is proven
    assert not found.may_pass_for(domain)


def test_of_whom_nobody_knows_whether_he_is_proven() -> None:
    found = Authentication(
        spf=SpfCheck(AuthResult.TEMPERROR, "a.example"),
        dkim=(DkimCheck(AuthResult.TEMPERROR, "b.example"), DkimCheck(FAIL, "c.example")),
        dmarc=DmarcCheck(AuthResult.TEMPERROR, "d.example"),
    )
    domains = ("a.example", "x.b.example", "c.example", "d.example", "x.d.example", "")
    assert [found.may_pass_for(one) for one in domains] == [True, True, False, True, False, False]


def test_what_dmarc_denies_nothing_else_proves() -> None:
    """A signature of the domain above stands for one below it, unless its owner asks for a strict
    alignment: then DMARC fails, and entries that demand proof must not count."""
    above = (DkimCheck(PASS, "bank.example"),)
    strict = DmarcCheck(FAIL, "news.bank.example", "news.bank.example", policy=DmarcPolicy.NONE)
    assert Authentication(dkim=above).passes_for("news.bank.example")
    assert not Authentication(dkim=above, dmarc=strict).passes_for("news.bank.example")
    assert Authentication(dkim=above, dmarc=strict).passes_for("bank.example")
    passes = DmarcCheck(PASS, "news.bank.example", dkim_aligned=True)
    assert Authentication(dkim=above, dmarc=passes).passes_for("news.bank.example")
