"""Received fields in the forms of many mail servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.rules.view.received import Relay, Skipped, read

POSTFIX = (
    "from client.example (mail.client.example [192.0.2.7]) by mx.example (Postfix) with ESMTP"
    " id 4F00 for <bob@mx.example>; Mon, 1 Jun 2026 10:00:00 +0200 (CEST)"
)


def relay(text: str) -> Relay:
    found = read(text)
    assert isinstance(found, Relay), text
    return found


# What stands there, and what is read: address, its name, what the client called itself, the writer.
FORMS = {
    "Postfix": (POSTFIX, "192.0.2.7", "mail.client.example", "client.example", "mx.example"),
    "Postfix, no name": (
        "from client.example (unknown [192.0.2.7]) by mx.example (Postfix) with SMTP id 1;",
        *("192.0.2.7", "", "client.example", "mx.example"),
    ),
    "IPv6": (
        "from client.example (m.example [IPv6:2001:db8::7]) by mx.example (Postfix) with ESMTPS id",
        *("2001:db8::7", "m.example", "client.example", "mx.example"),
    ),
    "IPv4 in IPv6": (
        "from client.example (m.example [::ffff:192.0.2.7]) by mx.example with esmtp; 1 Jun",
        *("192.0.2.7", "m.example", "client.example", "mx.example"),
    ),
    "sendmail": (
        "from client.example (m.example [192.0.2.7] (may be forged)) by mx.example (8.17/8) with",
        *("192.0.2.7", "m.example", "client.example", "mx.example"),
    ),
    "Exim": (
        "from m.example ([192.0.2.7] helo=client.example) by mx.example with esmtp (Exim 4.98) id",
        *("192.0.2.7", "m.example", "client.example", "mx.example"),
    ),
    "Exim, no name": (
        "from [192.0.2.7] (helo=client.example) by mx.example with smtp (Exim 4.98) id 1x",
        *("192.0.2.7", "", "client.example", "mx.example"),
    ),
    "qmail": (
        "from m.example (HELO client.example) (joe@192.0.2.7) by mx.example with SMTP; 1 Jun 2026",
        *("192.0.2.7", "m.example", "client.example", "mx.example"),
    ),
    "Exchange": (
        "from client.example (2001:db8::7) by mx.example (2001:db8::1) with mapi id"
        " 15.20.1943.23; Mon, 1 Jun 2026 10:00:00 +0200",
        *("2001:db8::7", "", "client.example", "mx.example"),
    ),
    "IIS": (
        "from client.example ([192.0.2.7]) by mx.example with Microsoft SMTPSVC(6.0.3790.0); Thu",
        *("192.0.2.7", "", "client.example", "mx.example"),
    ),
    "webmail": (
        "from 192.0.2.7 (SquirrelMail authenticated user joe) by web.example with HTTP; Sat",
        *("192.0.2.7", "", "", "web.example"),
    ),
    "no form, but address and writer": (
        "from somewhere, [192.0.2.7] it says, by mx.example whatever",
        *("192.0.2.7", "", "somewhere,", "mx.example"),
    ),
}


@pytest.mark.parametrize(("text", "ip", "rdns", "helo", "by"), FORMS.values(), ids=FORMS)
def test_a_form(text: str, ip: str, rdns: str, helo: str, by: str) -> None:
    found = relay(text)
    assert (found.ip, found.rdns, found.helo, found.by) == (ip, rdns, helo, by)


@pytest.mark.parametrize(
    "text",
    [
        "by mx.example (Postfix, from userid 1000) id 4F00; Mon, 1 Jun 2026 10:00:00 +0200",
        "(qmail 27981 invoked by uid 225); 14 Mar 2026 07:24:34 -0000",
        "from joe by mx.example with local (Exim 4.98) id 1x; Mon, 1 Jun 2026 10:00:00 +0200",
        "from joe@mx.example by mx.example by uid 7791 with qmail-scanner-1.14 (x)",
        "(from joe@localhost) by mx.example (8.17.1/8.17.1/Submit) id 4F00; Mon, 1 Jun 2026",
        "from mail pickup service by mx.example with Microsoft SMTPSVC",
    ],
)
def test_what_tells_of_no_other_host_is_passed_over(text: str) -> None:
    assert read(text) == Skipped()


def test_a_message_that_a_program_fetched() -> None:
    assert read("from pop.example by home.example with POP3; 14 Apr") == Skipped(was_fetched=True)


def test_an_unknown_form() -> None:
    assert read("from everywhere and nowhere") is None


@pytest.mark.parametrize(
    ("text", "auth"),
    [
        (POSTFIX, ""),
        (POSTFIX.replace("ESMTP", "ESMTPSA"), "ESMTPSA"),
        (
            "from c.example (m.example [192.0.2.7]) (Authenticated sender: joe) by mx.example"
            " (Postfix) with ESMTP id 4F00",
            "Postfix",
        ),
        (
            "from c.example (m.example [192.0.2.7]) (authenticated bits=0) by mx.example"
            " (8.17/8.17) with ESMTP id 4F00",
            "Sendmail",
        ),
        ("from 192.0.2.7 (SquirrelMail authenticated user joe) by w.example with HTTP;", "HTTP"),
    ],
)
def test_how_the_client_logged_in(text: str, auth: str) -> None:
    assert relay(text).auth == auth


def test_as_text() -> None:
    sender = POSTFIX.replace("; Mon", " (envelope-from <ann@client.example>); Mon")
    assert relay(sender).text == (
        "[ ip=192.0.2.7 rdns=mail.client.example helo=client.example by=mx.example ident="
        " envfrom=ann@client.example intl=0 id=4F00 auth= msa=0 ]"
    )


def test_octets_that_would_end_a_value() -> None:
    found = relay("from [10.0.0.1] (m.example [192.0.2.7]) by mx.example (Postfix) with SMTP id 12")
    assert found.helo == "!10.0.0.1!"


@given(st.text(alphabet="from by[]().;:@<> wiPostfxHELO1290.=", max_size=200))
def test_whatever_it_is_it_is_read(text: str) -> None:
    found = read("from " + text)
    if isinstance(found, Relay):
        assert not set(" []()<>|#") & set(found.ip + found.rdns + found.helo + found.by)
