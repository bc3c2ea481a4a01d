"""HeaderEval, as tables: a header, a test, and whether it hits."""

from __future__ import annotations

import pytest

from filterd.message.message import Message
from filterd.rules.conf.rule import Option, Origin
from filterd.rules.evals.dates import parse_date
from filterd.rules.evals.header_eval import PLUGIN
from filterd.rules.view.view import View

TESTS = PLUGIN.tests


def view(header: str, **lines: str) -> View:
    options = {name: (Option(name, value, Origin("local.cf", 1)),) for name, value in lines.items()}
    return View(Message(header.encode("latin-1") + b"\n\nText\n"), options)


RECEIVED = (
    "Received: from a.example (b.example [192.0.2.7]) by c.example (Postfix) with SMTP id 123"
)
AT = f"{RECEIVED}; Mon, 1 Jun 2026 10:00:00 +0000\nDate: "

# Test and arguments, a header with a hit, the same without one.
CASES = {
    "missing To": (("check_for_missing_to_header",), "From: a@b.example", "To: a@b.example"),
    "illegal octets": (
        ("check_illegal_chars", "Subject", "0.1", "2"),
        "Subject: \xe4\xf6\xfc",
        "Subject: caf\xc3\xa9",
    ),
    "one sign is exempt": (
        ("check_illegal_chars", "Subject", "0.0", "1"),
        "Subject: \xa3\xa3",
        "Subject: 5 \xa3",
    ),
    "envelope sender and From": (
        ("check_for_matching_env_and_hdr_from",),
        "Return-Path: <A@b.example>\nFrom: a@b.example",
        "Return-Path: <x@b.example>\nFrom: a@b.example",
    ),
    "domains of both": (
        ("check_equal_from_domains",),
        "Return-Path: <a@x.example>\nFrom: a@b.example",
        "Return-Path: <a@m.b.example>\nFrom: a@b.example",
    ),
    "sorted recipients": (
        ("sorted_recipients",),
        "To: " + ", ".join(f"{name}@b.example" for name in "abcdefg"),
        "To: " + ", ".join(f"{name}@b.example" for name in "gabcdef"),
    ),
    "similar recipients": (
        ("similar_recipients", "0.5", "undef"),
        "To: " + ", ".join(f"ab{name}@b.example" for name in "abcdefg"),
        "To: " + ", ".join(f"{name}@b.example" for name in "abcdefg"),
    ),
    "capitals": (("subject_is_all_caps",), "Subject: Re: BUY IT NOW!", "Subject: Buy it now!"),
    "one word": (("subject_is_all_caps",), "Subject: BUY IT NOW!", "Subject: BUYITNOW!!!"),
    "user in the subject": (
        ("check_for_to_in_subject", "user"),
        "To: ann@b.example\nSubject: ann, look",
        "To: ann@b.example\nSubject: dann, look",
    ),
    "address in the subject": (
        ("check_for_to_in_subject", "address"),
        "To: ann@b.example\nSubject: for ann@b.example",
        "To: ann@b.example\nSubject: for ann",
    ),
    "count": (
        ("check_header_count_range", "Subject", "2", "999"),
        "Subject: a\nSubject: b",
        "Subject: a\nSubject: a",
    ),
    "template": (
        ("check_unresolved_template",),
        "X-Mailer: %RND_WORD",
        "Subject: %RND_WORD",
    ),
    "a date that is ahead": (
        ("check_for_shifted_date", "3", "6"),
        AT + "Mon, 1 Jun 2026 14:00:00 +0000",
        AT + "Mon, 1 Jun 2026 14:00:00 +0200",
    ),
    "a date that is behind": (
        ("check_for_shifted_date", "undef", "-96"),
        AT + "Mon, 18 May 2026 14:00:00 +0000",
        AT + "Mon, 1 Jun 2026 14:00:00 +0000",
    ),
    "long ago": (
        ("received_within_months", "6", "undef"),
        "Date: Mon, 1 Jun 1998 10:00:00 +0000",
        "Date: Thu, 1 Jan 2037 10:00:00 +0000",
    ),
    "ratware": (
        ("check_ratware_envelope_from",),
        "Return-Path: <x-b.com=ann@c.example>\nTo: ann@b.com".replace("=", "."),
        "Return-Path: <x@c.example>\nTo: ann@b.example",
    ),
    "Hotmail by HELO": (
        ("check_for_forged_hotmail_received_headers",),
        RECEIVED.replace("a.example", "hotmail.com"),
        RECEIVED,
    ),
    "Hotmail by From": (
        ("check_for_no_hotmail_received_headers",),
        RECEIVED + "\nFrom: a@hotmail.com",
        RECEIVED + "\nFrom: a@hotmail.example",
    ),
    "Yahoo": (
        ("check_for_forged_yahoo_received_headers",),
        RECEIVED + "\nFrom: a@yahoo.com",
        RECEIVED.replace("b.example", "web1.mail.yahoo.com") + "\nFrom: a@yahoo.com",
    ),
    "Gmail": (
        ("check_for_forged_gmail_received_headers",),
        RECEIVED + "\nFrom: a@gmail.com",
        RECEIVED + "\nFrom: a@gmail.com\nX-Received: by 10.1.1.1 with SMTP id x",
    ),
    "Juno": (
        ("check_for_forged_juno_received_headers",),
        RECEIVED + "\nFrom: a@juno.com",
        RECEIVED.replace("b.example", "x.juno.com")
        + "\nFrom: a@juno.com\nX-Mailer: Juno 5\nX-Originating-IP: 192.0.2.1",
    ),
    "AOL": (
        ("check_for_fake_aol_relay_in_rcvd",),
        "Received: from x by rly-xw01.mx.aol.com with QMQP; Sat",
        "Received: from x by rly-xw01.mx.aol.com (8.8.8/8.8.8/AOL-5.0.0) with SMTP",
    ),
    "no Received at all": (("gated_through_received_hdr_remover",), "From: a@b.example", RECEIVED),
    "Outlook's Message-ID": (
        ("check_outlook_message_id",),
        "Message-ID: <000001bd1234$00000001$00000001@x>\nDate: Mon, 1 Jun 2026 10:00:00 +0000",
        "Message-ID: <1.2@x>\nDate: Mon, 1 Jun 2026 10:00:00 +0000",
    ),
}


@pytest.mark.parametrize(("call", "hit", "miss"), CASES.values(), ids=CASES)
def test_it_hits_and_does_not(call: tuple[str, ...], hit: str, miss: str) -> None:
    name, *arguments = call
    assert TESTS[name](view(hit), *arguments)
    assert not TESTS[name](view(miss), *arguments)


def test_charsets_from_far_away() -> None:
    header = "Subject: =?gb2312?B?xOPVvw==?="
    check = TESTS["check_for_faraway_charset_in_headers"]
    assert check(view(header, ok_locales="en"))
    assert not check(view(header, ok_locales="en zh"))
    assert not check(view(header))


DATES = {
    "Thu, 1 Jan 1970 00:01:00 +0000": 60,
    "1 Jan 1970 01:00 +0100": 0,
    # As SpamAssassin has it: the time of ctime(3)'s form does not count.
    "Mon Jun  1 10:00:00 2026": 1780272000,
    "Mon, 1 Jun 26 10:00:00 GMT": 1780308000,
    "Mon, 1 Jun 2026 10:00:00 EST": 1780308000 + 5 * 3600,
    "Mon, 1 Jun 2026 10:00:00 XYZ": 1780308000,
    "31 Jun 2026 10:00:00 +0000": 1780308000 + 30 * 86400,
    "1 Jun 2026 25:99:99 +0000": 1780308000 + 13 * 3600 + 59 * 60 + 59,
    "1 Jun 126 10:00:00 +0000": 1780308000,
    "yesterday": None,
    "0 Jun 2026 10:00:00 +0000": None,
}


@pytest.mark.parametrize(("text", "seconds"), DATES.items())
def test_dates(text: str, seconds: int | None) -> None:
    assert parse_date(text) == seconds
