"""SPF, DKIM, DMARC and Authentication-Results as rules ask for them."""

from __future__ import annotations

import pytest

from filterd.message.authentication import (
    ArcCheck,
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
)
from filterd.message.envelope import Client, Envelope
from filterd.message.message import Message
from filterd.rules.conf.rule import Option, Origin
from filterd.rules.evals import auth_res, dkim, dmarc, spf
from filterd.rules.view.view import View

TESTS = spf.PLUGIN.tests | dkim.PLUGIN.tests | dmarc.PLUGIN.tests | auth_res.PLUGIN.tests

PASSING = DkimCheck(AuthResult.PASS, "b.example", "s")
FAILING = DkimCheck(AuthResult.FAIL, "b.example", "s")


def view(found: Authentication | None = None, header: str = "", **lines: str) -> View:
    envelope = Envelope(sender="ann@b.example", client=Client("c.example", "192.0.2.7"))
    message = Message((header + "From: Ann <ann@b.example>\n\n").encode(), envelope)
    message.authentication = found
    options = {name: (Option(name, value, Origin("local.cf", 1)),) for name, value in lines.items()}
    return View(message, options)


def dmarc_of(result: AuthResult, policy: DmarcPolicy | None) -> Authentication:
    return Authentication(dmarc=DmarcCheck(result, "b.example", policy=policy))


SPF_PASS = Authentication(spf=SpfCheck(AuthResult.PASS), helo=SpfCheck(AuthResult.NONE))

CASES = {
    "SPF": (("check_for_spf_pass",), SPF_PASS, Authentication()),
    "SPF of HELO": (("check_for_spf_helo_none",), SPF_PASS, Authentication()),
    "not another result": (("check_for_spf_pass",), SPF_PASS, Authentication(spf=SPF_PASS.helo)),
    "signed": (("check_dkim_signed",), Authentication(dkim=(FAILING,)), Authentication()),
    "signed by": (
        ("check_dkim_signed", "*.example"),
        Authentication(dkim=(FAILING,)),
        Authentication(dkim=(DkimCheck(AuthResult.FAIL, "b.test"),)),
    ),
    "valid": (
        ("check_dkim_valid",),
        Authentication(dkim=(FAILING, PASSING)),
        Authentication(dkim=(FAILING,)),
    ),
    "of the author": (
        ("check_dkim_valid_author_sig",),
        Authentication(dkim=(PASSING,)),
        Authentication(dkim=(DkimCheck(AuthResult.PASS, "example"),)),
    ),
    "of the sender": (
        ("check_dkim_valid_envelopefrom",),
        Authentication(dkim=(PASSING,)),
        Authentication(dkim=(FAILING,)),
    ),
    "testing": (
        ("check_dkim_testing",),
        Authentication(dkim=(DkimCheck(AuthResult.FAIL, "b.example", testing=True),)),
        Authentication(dkim=(FAILING,)),
    ),
    "ARC": (
        ("check_arc_valid",),
        Authentication(arc=ArcCheck(AuthResult.PASS)),
        Authentication(arc=ArcCheck(AuthResult.FAIL)),
    ),
    "DMARC": (
        ("check_dmarc_pass",),
        dmarc_of(AuthResult.PASS, DmarcPolicy.REJECT),
        dmarc_of(AuthResult.FAIL, DmarcPolicy.REJECT),
    ),
    "DMARC, reject": (
        ("check_dmarc_reject",),
        dmarc_of(AuthResult.FAIL, DmarcPolicy.REJECT),
        dmarc_of(AuthResult.FAIL, DmarcPolicy.NONE),
    ),
    "DMARC, no record": (
        ("check_dmarc_missing",),
        dmarc_of(AuthResult.NONE, None),
        dmarc_of(AuthResult.FAIL, DmarcPolicy.NONE),
    ),
}


@pytest.mark.parametrize(("call", "hit", "miss"), CASES.values(), ids=CASES)
def test_it_hits_and_does_not(
    call: tuple[str, ...], hit: Authentication, miss: Authentication
) -> None:
    name, *arguments = call
    assert TESTS[name](view(hit), *arguments)
    assert not TESTS[name](view(miss), *arguments)
    assert not TESTS[name](view(None), *arguments)


def test_wanted_senders_that_pass() -> None:
    check = TESTS["check_for_spf_welcomelist_from"]
    assert check(view(SPF_PASS, welcomelist_from_spf="*@b.example"))
    assert check(view(SPF_PASS, welcomelist_auth="*@b.example"))
    assert not check(view(SPF_PASS, welcomelist_from_spf="*@c.example"))
    assert not check(view(Authentication(spf=SpfCheck(AuthResult.FAIL)), welcomelist_auth="*@*"))


def test_wanted_authors_that_signed() -> None:
    check = TESTS["check_for_dkim_welcomelist_from"]
    own, other = Authentication(dkim=(PASSING,)), DkimCheck(AuthResult.PASS, "list.example")
    assert check(view(own, welcomelist_from_dkim="*@b.example"))
    assert not check(view(own, welcomelist_from_dkim="*@b.example list.example"))
    by_list = Authentication(dkim=(other,))
    assert check(view(by_list, welcomelist_from_dkim="*@b.example list.example"))
    assert check(view(by_list, welcomelist_from_dkim="*@b.example .example"))
    assert not check(view(by_list, welcomelist_auth="*@b.example"))


def test_practices_that_an_administrator_says() -> None:
    check = TESTS["check_dkim_adsp"]
    assert check(view(Authentication(), adsp_override="*.example custom_med"), "2")
    assert check(view(Authentication(), adsp_override="b.example"), "*")
    assert not check(view(Authentication(), adsp_override="b.example unknown"), "*")
    assert not check(view(Authentication(dkim=(PASSING,)), adsp_override="b.example"), "D")


RESULTS = "Authentication-Results: mx.example; spf=pass smtp.mailfrom=b.example; dkim=fail (x;y)\n"


def stored(header: str, **lines: str) -> View:
    options = {name: (Option(name, value, Origin("local.cf", 1)),) for name, value in lines.items()}
    return View(Message((header + "From: ann@b.example\n\n").encode()), options)


def test_results_that_the_site_wrote() -> None:
    check = TESTS["check_authres_result"]
    one = stored(RESULTS)
    assert check(one, "spf", "pass")
    assert check(one, "dkim", "fail")
    assert check(one, "dmarc", "missing")
    assert not check(one, "spf", "missing")
    assert check(stored(RESULTS, authres_ignored_authserv="mx.example"), "spf", "missing")
    assert check(stored(RESULTS, authres_trusted_authserv="other.example"), "spf", "missing")
    assert check(stored(RESULTS, authres_trusted_authserv="MX.example"), "spf", "pass")


def test_results_that_come_from_outside_are_not_believed() -> None:
    check = TESTS["check_authres_result"]
    outside = "Received: from a.example (b.example [192.0.2.9]) by z.example (Postfix) with SMTP\n"
    assert check(stored(outside + RESULTS), "spf", "missing")
    assert check(stored(outside + RESULTS, authres_networks="all"), "spf", "pass")
    assert check(view(header=RESULTS), "spf", "missing")  # it comes in just now
