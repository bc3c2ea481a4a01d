"""What lines of sendmail's and Postfix's logs say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.maillog.lines import (
    LINE_LIMIT,
    DeliveryAttempt,
    NewQueueId,
    next_queue_id,
    parsed,
    parsed_text,
    queue_id_of,
)

NOW = datetime(2026, 11, 30, 12).timestamp()


def attempt(line: str) -> DeliveryAttempt:
    found = parsed(line, NOW)
    assert isinstance(found, DeliveryAttempt)
    return found


def test_postfix() -> None:
    found = attempt(
        "Nov 30 11:59:01 mx postfix/smtp[7931]: 4cbdb56t4MzPjfw: to=<sue@far.example>, "
        "orig_to=<sue@mx.example>, relay=mail.far.example[192.0.2.7]:25, delay=5.4, "
        "delays=0.08/0.01/3.5/1.9, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 01E12901F9D)"
    )
    assert found == DeliveryAttempt(
        datetime(2026, 11, 30, 11, 59, 1).timestamp(),
        "postfix/smtp",
        "4cbdb56t4MzPjfw",
        ("sue@far.example",),
        "sent",
        "250 2.0.0 Ok: queued as 01E12901F9D",
        original="sue@mx.example",
        relay="mail.far.example[192.0.2.7]:25",
        delay=5.4,
        dsn="2.0.0",
    )


@pytest.mark.parametrize(
    "tls", ["dane", "may?", "may:none", "dane/requiretls", "dane/!requiretls:nocertmatch"]
)
def test_what_postfix_3_11_adds(tls: str) -> None:
    found = attempt(
        "2026-11-30T11:59:01.123456+00:00 mx postfix-out/smtp[1]: 01E12901F9D: "
        "to=<sue@far.example>, relay=mail.far.example[192.0.2.7]:25, delay=1.2, "
        f"delays=0.1/0/0.6/0.5, tls={tls}, dsn=4.7.4, status=deferred (TLS is required)"
    )
    assert (found.tls, found.dsn, found.status) == (tls, "4.7.4", "deferred")
    assert found.time == datetime(2026, 11, 30, 11, 59, 1, 123456, UTC).timestamp()


def test_sendmail() -> None:
    found = attempt(
        "Nov 30 11:59:01 mx sendmail[17614]: 6AUBx1Mp017614: "
        "to=<joe@mx.example>,<sue@mx.example>, ctladdr=<ann@mx.example> (1000/1000), "
        "delay=1+02:00:03, xdelay=00:00:01, mailer=esmtp, pri=30089, "
        "relay=mail.far.example. [192.0.2.7], dsn=2.0.0, stat=Sent (<x@y>, status=bounced)"
    )
    assert found.recipients == ("joe@mx.example", "sue@mx.example")
    assert (found.relay, found.delay) == ("mail.far.example. [192.0.2.7]", 93603.0)
    assert (found.status, found.dsn) == ("sent", "2.0.0")
    assert found.reply == "Sent (<x@y>, status=bounced)"


@pytest.mark.parametrize(
    ("dsn", "text", "status"),
    [
        ("4.0.0", "Deferred: Connection refused by mail.far.example.", "deferred"),
        ("5.1.1", "User unknown", "bounced"),
        ("", "queued", "queued"),
        ("", "quarantined", "held"),
        ("", "Please try again later", "refused"),
        ("2.1.5", "alias expanded", "sent"),
    ],
)
def test_what_texts_of_sendmail_mean(dsn: str, text: str, status: str) -> None:
    told = f"dsn={dsn}, " if dsn else ""
    line = f"Nov  3 01:02:03 mx sm-mta[1]: 6AUBx1Mp017614: to=<joe@mx>, {told}stat={text}"
    assert (attempt(line).status, attempt(line).reply) == (status, text)


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ('<"a, status=sent (x)"@mx>', '"a, status=sent (x)"@mx'),
        ("<a, status=sent (x)@mx>", "a, status=sent (x)@mx"),
        (r'<"a\", status=sent"@mx>', r'"a\", status=sent"@mx'),
        ("<>", ""),
        ('"|/usr/bin/prog a, b"', '"|/usr/bin/prog a, b"'),
    ],
)
def test_an_address_is_no_field(address: str, read: str) -> None:
    line = f"Nov 30 01:02:03 mx postfix/local[1]: 01E12901F9D: to={address}, relay=local, "
    found = attempt(line + "delay=0, dsn=5.1.1, status=bounced (unknown user)")
    assert (found.recipients, found.status, found.relay) == ((read,), "bounced", "local")


@pytest.mark.parametrize(
    "line",
    [
        # Text of strangers in other lines.
        "Nov 30 01:02:03 mx postfix/cleanup[1]: 01E12901F9D: message-id=<x 01E12901F9E: "
        "to=<joe@mx>, dsn=2.0.0, status=sent (ok)>",
        "Nov 30 01:02:03 mx sendmail[1]: 6AUBx1Mp017614: from=<a, to=<joe@mx>, stat=Sent",
        "Nov 30 01:02:03 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550",
        "Nov 30 01:02:03 mx postfix/qmgr[1]: 01E12901F9D: removed",
        # No status, no recipient, an invalid time.
        "Nov 30 01:02:03 mx postfix/smtp[1]: 01E12901F9D: to=<joe@mx>, relay=x",
        "Nov 30 01:02:03 mx postfix/smtp[1]: 01E12901F9D: to",
        "Nov 31 01:02:03 mx postfix/smtp[1]: 01E12901F9D: to=<joe@mx>, status=sent (x)",
        "Bad 30 01:02:03 mx postfix/smtp[1]: 01E12901F9D: to=<joe@mx>, status=sent (x)",
        "9999-99-99T99:99:99 mx postfix/smtp[1]: 01E12901F9D: to=<joe@mx>, status=sent (x)",
        'Nov 30 01:02:03 mx postfix/smtp[1]: 01E12901F9D: to=<"joe@mx>, status=sent (x)',
        "",
    ],
)
def test_what_says_nothing(line: str) -> None:
    assert parsed(line, NOW) is None


def test_a_line_beyond_the_limit_is_not_read() -> None:
    head = "Nov 30 01:02:03 mx postfix/smtp[1]: 01E12901F9D: to=<joe@mx>, status=sent ("
    assert parsed(head + "x" * (LINE_LIMIT - len(head)), NOW) is not None
    assert parsed(head + "x" * LINE_LIMIT, NOW) is None


def test_a_time_without_a_year_is_the_last_such() -> None:
    end = "mx postfix/smtp[1]: 01E12901F9D: to=<joe@mx>, status=sent (x)"
    assert attempt(f"Dec  9 10:00:00 {end}").time == datetime(2025, 12, 9, 10).timestamp()
    assert attempt(f"Feb 29 10:00:00 {end}").time == datetime(2024, 2, 29, 10).timestamp()
    # A clock that is a little ahead; and the other side of a new year.
    assert attempt(f"Nov 30 12:00:09 {end}").time == datetime(2026, 11, 30, 12, 0, 9).timestamp()
    new_year = datetime(2026, 12, 31, 23, 59, 59).timestamp()
    found = parsed(f"Jan  1 00:00:01 {end}", new_year)
    assert found is not None
    assert found.time == datetime(2027, 1, 1, 0, 0, 1).timestamp()


@pytest.mark.parametrize(
    ("text", "new", "is_report"),
    [
        ("6AUBx1Mp017614: 6AUBx1Mp017615: clone: owner=sue", "6AUBx1Mp017615", False),
        ("6AUBx1Mp017614: 6AUBx1Mp017615: DSN: User unknown", "6AUBx1Mp017615", True),
        ("01E12901F9D: sender non-delivery notification: 01E12901F9E", "01E12901F9E", True),
        ("4cbdb56t4MzPjfw: sender delay notification: 4cbdb56t4MzPjfx", "4cbdb56t4MzPjfx", True),
    ],
)
def test_new_entries_of_the_queue(text: str, new: str, is_report: bool) -> None:
    found = parsed_text(text, "x", 5.0)
    assert found == NewQueueId(5.0, "x", text.partition(":")[0], new, is_report)


@pytest.mark.parametrize(
    ("relay", "reply", "id"),
    [
        (
            "127.0.0.1[127.0.0.1]:10025",
            "250 2.0.0 Ok: queued as 4cbdb56t4MzPjfw",
            "4cbdb56t4MzPjfw",
        ),
        ("localhost[::1]:25", "250 2.0.0 Ok: queued as 01E12901F9D", "01E12901F9D"),
        (
            "[127.0.0.1] [127.0.0.1]",
            "Sent (6AUBx1Mp017614 Message accepted for delivery)",
            "6AUBx1Mp017614",
        ),
        # Another host may say any id.
        ("evil.example[192.0.2.6]:25", "250 2.0.0 Ok: queued as 01E12901F9D", ""),
        ("local", "delivered to mailbox", ""),
    ],
)
def test_where_it_goes_on(relay: str, reply: str, id: str) -> None:
    one = DeliveryAttempt(0.0, "x", "01E12901F9C", ("joe@mx",), "sent", reply, relay=relay)
    assert next_queue_id(one) == id


def test_the_queue_id_of_a_line() -> None:
    assert queue_id_of("Nov 30 01:02:03 mx postfix/qmgr[1]: 01E12901F9D: removed") == "01E12901F9D"
    solaris = "Nov 30 01:02:03 mx sendmail[1]: [ID 801593 mail.info] 6AUBx1Mp017614: to=<joe@mx>"
    assert queue_id_of(solaris) == "6AUBx1Mp017614"
    assert queue_id_of("anything: 01E12901F9D: removed") == ""


@given(st.text(alphabet='to=<">, \\status=sent(): ab\n', max_size=200))
def test_no_address_makes_a_delivery_of_a_failure(local: str) -> None:
    """Where the MTA writes quotation marks around it, as it should."""
    quoted = '"' + local.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "?") + '"'
    found = attempt(
        f"Nov 30 01:02:03 mx postfix/smtp[1]: 01E12901F9D: to=<{quoted}@mx>, relay=none, "
        "delay=1, dsn=5.1.1, status=bounced (no)"
    )
    assert (found.recipients, found.status) == ((f"{quoted}@mx",), "bounced")


@given(st.text(max_size=300))
def test_any_text_is_borne(text: str) -> None:
    parsed(text, NOW)
    parsed_text(f"01E12901F9D: to={text}", "x", 0.0)
    parsed(f"Nov 30 01:02:03 mx postfix/smtp[1]: {text}", NOW)
