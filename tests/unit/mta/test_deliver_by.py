"""Deliver By (RFC 2852): what goes to the next server, and what the sender hears. As sendmail 8.17
does it."""

from __future__ import annotations

import time
from dataclasses import replace
from email import message_from_bytes
from typing import Any
from unittest import mock

import pytest

from filterd.mta.delivery.relay import SmtpMailer
from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome, DeliveryPlace
from filterd.mta.delivery.transaction import OutgoingMail, Result
from filterd.mta.mail.deliver_by import DeliverBy
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.queue.bounce import Bouncer
from filterd.mta.queue.recipient_report import RecipientReport, failed, success
from tests.helpers.smtp_server import HELLO, OK, server

LATER = DeliveryError("not now", temporary=True, code="4.2.0")
ENTRY = QueueEntry("6AN0000000001", "ann@x.test", (Target("joe"),), arrived=1000.0)


def sent(by: str, offered: str, notice: str = "") -> tuple[Result, list[str]]:
    """What became of a message for a server with these extensions, and MAIL and RCPT as it heard
    them, ten seconds after the message came."""
    lines = ["250-mx.test", *(f"250-{one}" for one in offered.split(",")), "250 HELP"]
    hello = "".join(f"{line}\r\n" for line in lines).encode()
    mail = OutgoingMail(
        "ann@x.test",
        ("joe@far.test",),
        b"Subject: one\n\nbody\n",
        dsn=("", (notice,)),
        by=DeliverBy.parse(by),
        arrived=1000.0,
    )
    clock = mock.patch("filterd.mta.delivery.transaction.time", mock.Mock(time=lambda: 1010.0))
    replies = [HELLO[0], hello, OK, OK, b"354 go on\r\n", OK, OK]
    with server(replies) as heard, clock:
        (result,) = SmtpMailer("[127.0.0.1]", "mx.example", port=heard.port).deliver(mail)
        heard.wait_for(b"QUIT\r\n")
    said = heard.data.decode().split("\r\n")
    return result, [line for line in said if line.startswith(("MAIL", "RCPT"))]


@pytest.mark.parametrize(
    ("by", "offered", "parameter"),
    [
        ("110;R", "DELIVERBY", " BY=100;R"),
        ("110;RT", "DELIVERBY 50", " BY=100;RT"),
        ("110;R", "DELIVERBY 100", " BY=100;R"),
        ("110;nt", "DELIVERBY 500", " BY=100;NT"),
        ("-100;N", "DELIVERBY", " BY=-110;N"),
        ("110;N", "SIZE", " SIZE=22"),
    ],
)
def test_the_next_server_hears_how_long_it_has(by: str, offered: str, parameter: str) -> None:
    result, said = sent(by, offered)
    assert isinstance(result, DeliveryPlace)
    assert said == [f"MAIL FROM:<ann@x.test>{parameter}", "RCPT TO:<joe@far.test>"]


@pytest.mark.parametrize(
    ("by", "offered", "words"),
    [
        ("110;R", "DSN", "Server does not support Deliver By"),
        ("110;RT", "DELIVERBY 101", "Message can't be delivered in time; 100 < 101"),
        ("10;R", "DELIVERBY", "Message can't be delivered in time; 0 < 1"),
    ],
)
def test_mail_that_may_be_late_is_not_given_on(by: str, offered: str, words: str) -> None:
    result, said = sent(by, offered)
    assert isinstance(result, DeliveryError)
    assert (str(result), result.temporary, result.code) == (words, False, "5.4.7")
    assert said == []


@pytest.mark.parametrize(
    ("notice", "seen"),
    [
        ("", " NOTIFY=FAILURE,DELAY"),
        (" NOTIFY=SUCCESS", " NOTIFY=SUCCESS,DELAY"),
        (" NOTIFY=delay ORCPT=rfc822;j", " NOTIFY=delay ORCPT=rfc822;j"),
        (" NOTIFY=FAILURE ORCPT=rfc822;j", " NOTIFY=FAILURE,DELAY ORCPT=rfc822;j"),
        (" ORCPT=rfc822;j", " NOTIFY=FAILURE,DELAY ORCPT=rfc822;j"),
        (" NOTIFY=NEVER", " NOTIFY=NEVER"),
    ],
)
def test_a_server_that_does_not_know_it_tells_of_delays(notice: str, seen: str) -> None:
    assert sent("100;N", "DSN", notice)[1][1] == f"RCPT TO:<joe@far.test>{seen}"
    assert sent("100;N", "DSN,DELIVERBY", notice)[1][1] == f"RCPT TO:<joe@far.test>{notice}"


@pytest.mark.parametrize(
    ("by", "offered", "notify", "told"),
    [
        ("9;N", "", "", "relayed (Deliver-By notify mode)"),
        ("9;N", "DSN", "FAILURE", "relayed (Deliver-By notify mode)"),
        ("9;NT", "DSN", "NEVER", ""),
        ("9;N", "DSN DELIVERBY", "", ""),
        ("9;NT", "DSN DELIVERBY", "", "relayed (Deliver-By trace mode)"),
        ("9;R", "DELIVERBY", "", ""),
        ("9;RT", "DELIVERBY", "", "relayed (Deliver-By trace mode)"),
        ("9;RT", "DELIVERBY", "SUCCESS", "relayed (to non-DSN-aware mailer)"),
        ("9;N", "local", "SUCCESS", "delivered (to mailbox)"),
        ("9;N", "local", "", "relayed (Deliver-By notify mode)"),
        ("", "", "SUCCESS", "relayed (to non-DSN-aware mailer)"),
        ("", "DSN", "SUCCESS", ""),
        ("", "local", "success,DELAY", "delivered (to mailbox)"),
        ("", "local", "", ""),
    ],
)
def test_what_the_sender_hears_of_a_delivery(by: str, offered: str, notify: str, told: str) -> None:
    target = Target("joe", (f"NOTIFY={notify}",) if notify else ())
    place = DeliveryPlace.to("mx.test", frozenset(offered.split()))
    outcome = DeliveryOutcome(target, "esmtp", place, is_local=offered == "local")
    report = success(outcome, DeliverBy.parse(by) if by else None)
    assert (f"{report.action} ({report.comment})" if report else "") == told


def fields_of(entry: QueueEntry, *reports: RecipientReport) -> tuple[str, list[Any]]:
    """The subject of a report, and the groups of fields of its status."""
    made = Bouncer("mx.test", lambda: "ID")(entry, reports, b"Subject: one\n\nbody\n")
    assert made is not None
    message: Any = message_from_bytes(made[1])
    return message["Subject"], message.get_payload()[1].get_payload()


def test_a_report_says_until_when_it_was_to_be_delivered() -> None:
    entry = replace(ENTRY, sender_parameters=("BY=120;R",))
    subject, (whole, joe) = fields_of(entry, failed(Target("joe"), LATER))
    assert subject == "Returned mail: see transcript for details"
    assert whole["Deliver-By-Date"].startswith("Thu, 01 Jan 1970 ")
    assert whole["Deliver-By-Date"] != whole["Arrival-Date"]
    assert (joe["Action"], joe["Status"]) == ("failed", "4.2.0")


def test_a_warning_is_not_a_failure() -> None:
    late = RecipientReport(Target("joe"), "delayed", LATER)
    receipt = RecipientReport(Target("sue"), "delivered", comment="to mailbox")
    subject, (whole, joe, sue) = fields_of(replace(ENTRY, expires=9000.0), late, receipt)
    assert subject == "Warning: could not send message yet"
    assert "Deliver-By-Date" not in whole
    assert joe["Action"] == "delayed"
    assert joe["Will-Retry-Until"].startswith("Thu, 01 Jan 1970 ")
    assert (sue["Action"], sue["Status"]) == ("delivered (to mailbox)", "2.1.5")


@pytest.mark.parametrize(
    ("by", "subject"),
    [
        ("BY=120;N", "Warning: Delivery time (120s) exceeded"),
        ("BY=120;NT", "Warning: Delivery time (120s) exceeded"),
        ("BY=999999999;N", "Warning: could not send message yet"),
        ("BY=-120;N", "Warning: could not send message yet"),
        ("BY=999999999;R", "Warning: could not send message yet"),
    ],
)
def test_a_warning_names_the_time_that_was_exceeded(by: str, subject: str) -> None:
    entry = replace(ENTRY, arrived=time.time() - 121, sender_parameters=(by,))
    found, (whole, joe) = fields_of(entry, RecipientReport(Target("joe"), "delayed", LATER))
    assert found == subject
    assert "Deliver-By-Date" in whole
    assert joe["Action"] == "delayed"


def test_who_wants_no_receipts_gets_none_and_nobody_is_told_of_the_success_of_a_report() -> None:
    receipt = RecipientReport(Target("sue"), "relayed", comment="Deliver-By trace mode")
    quiet = Bouncer("mx.test", lambda: "ID", receipts=False)
    assert quiet(ENTRY, [receipt], b"") is None
    assert quiet(ENTRY, [receipt, failed(Target("joe"), LATER)], b"") is not None
    assert Bouncer("mx.test", lambda: "ID")(replace(ENTRY, sender=""), [receipt], b"") is None
