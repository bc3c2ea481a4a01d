"""Parameters of MAIL and RCPT: the replies are those of sendmail 8.17."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.smtp.parameters import (
    announced_size,
    bad_recipient_parameter,
    bad_sender_parameter,
)


def path(text: str) -> EnvelopePath:
    return EnvelopePath("a@x.test", "<a@x.test>", tuple(text.split()))


def told(text: str, *, recipient: bool = False, dsn: bool = True) -> str:
    check = bad_recipient_parameter if recipient else bad_sender_parameter
    reply = check(path(text), dsn=dsn)
    return "" if reply is None else b"\n".join(reply.lines).decode()


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("SIZE=", ""),
        ("SIZE=x", ""),
        ("SIZE=99x", ""),
        ("SIZE=+5", ""),
        ("SIZE", "501 5.5.2 SIZE requires a value"),
        ("SIZE=-5", "552 5.2.3 Message size invalid"),
        ("SIZE=9223372036854775807", ""),
        ("SIZE=9223372036854775808", "552 5.2.3 Message size exceeds maximum value"),
        (f"SIZE={'9' * 1000}", "552 5.2.3 Message size exceeds maximum value"),
        ("SIZE==5", "555 5.5.4 5 parameter unrecognized"),
        ("BODY", "501 5.5.2 BODY requires a value"),
        ("BODY=8bitmime BODY=7BIT", ""),
        ("BODY=7bitx", "501 5.5.4 Unknown BODY type 7bitx"),
        ("RET=full", ""),
        ("RET", "501 5.5.2 RET requires a value"),
        ("RET=", '501 5.5.2 Bad argument "" to RET'),
        ("RET=xyZ", '501 5.5.2 Bad argument "xyZ" to RET'),
        ("RET=HDRS RET=FULL", "501 5.5.0 Duplicate RET parameter"),
        ("ENVID=", ""),
        ("ENVID=a+2B+3d", ""),
        ("ENVID", "501 5.5.2 ENVID requires a value"),
        ("ENVID=a+2", "501 5.5.4 Syntax error in ENVID parameter value"),
        ("ENVID=+4g", "501 5.5.4 Syntax error in ENVID parameter value"),
        ("ENVID=\udcfc", "501 5.5.4 Syntax error in ENVID parameter value"),
        ("ENVID=a=b", "555 5.5.4 b parameter unrecognized"),
        ("ENVID=a ENVID=b", "501 5.5.0 Duplicate ENVID parameter"),
        ("AUTH=<>", ""),
        ("AUTH", "501 5.5.2 AUTH= requires a value"),
        ("AUTH=a+zz", "501 5.5.4 Syntax error in AUTH parameter value"),
        ("AUTH=b AUTH=c", "501 5.5.0 Duplicate AUTH parameter"),
        ("BY=120;R BY=-10;NT", ""),
        ("BY=+120;r", ""),
        ("BY", "501 5.5.2 BY= requires a value"),
        ("BY=", "501 5.5.2 BY= missing ';'"),
        ("BY=12x;R", "501 5.5.2 BY= missing ';'"),
        ("BY=;R", "501 5.5.4 mode R requires BY time > 0"),
        ("BY=-10;R", "501 5.5.4 mode R requires BY time > 0"),
        ("BY=120;X", "501 5.5.2 illegal by-mode 'X'"),
        ("BY=120;Rx", "501 5.5.2 illegal by-trace 'x'"),
        ("BY=9999999999;N", "501 5.5.2 BY=9999999999;N out of range"),
        ("SMTPUTF8", "555 5.5.4 SMTPUTF8 parameter unrecognized"),
        ("FOO=1 SIZE", "555 5.5.4 FOO parameter unrecognized"),
        ("RET=x FOO", '501 5.5.2 Bad argument "x" to RET'),
        ("a_b=c", "555 5.5.4 a parameter unrecognized"),
        ("SIZE_=5", "555 5.5.4 SIZE parameter unrecognized"),
        ("=x", "555 5.5.4  parameter unrecognized"),
        ("NOTIFY=NEVER", "555 5.5.4 NOTIFY parameter unrecognized"),
    ],
)
def test_parameters_of_a_sender(text: str, reply: str) -> None:
    assert told(text) == reply


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("BY=30;R", ""),
        ("BY=29;R", "555 5.5.2 time 29 less than 30"),
        ("BY=+20;R", "555 5.5.2 time 20 less than 30"),
        ("BY=5;N", ""),
        ("BY=-999999999;N", ""),
        ("BY=-1000000000;N", "501 5.5.2 BY=-1000000000;N out of range"),
        (f"BY={'9' * 1000}", f"501 5.5.2 BY={'9' * 1000} out of range"),
        ("BY=120;", "501 5.5.2 illegal by-mode '?'"),
        ("BY=120;\udcfc", "501 5.5.2 illegal by-mode '?'"),
        ("BY=120;N\udcfc", "501 5.5.2 illegal by-trace '?'"),
        # What stands behind the trace does not count.
        ("BY=120;RTX", ""),
    ],
)
def test_the_time_for_a_delivery(text: str, reply: str) -> None:
    found = bad_sender_parameter(path(text), shortest_by=30)
    assert (b"" if found is None else found.lines[0]) == reply.encode()


def test_who_does_not_offer_deliverby_does_not_know_it() -> None:
    found = bad_sender_parameter(path("BY=120;R"), shortest_by=None)
    assert found is not None
    assert found.lines == (b"555 5.5.4 BY parameter unrecognized",)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("NOTIFY=never ORCPT=rfc822;joe", ""),
        ("NOTIFY=Success,FAILURE,delay", ""),
        ("NOTIFY", "501 5.5.2 NOTIFY requires a value"),
        ("NOTIFY=NEVER,SUCCESS", '501 5.5.4 Bad argument "NEVER"  to NOTIFY'),
        ("NOTIFY=SUCCESS,BAD", '501 5.5.4 Bad argument "BAD"  to NOTIFY'),
        ("ORCPT=rfc822;+41", ""),
        ("ORCPT=a+2;b", ""),
        ("ORCPT", "501 5.5.2 ORCPT requires a value"),
        ("ORCPT=x", "501 5.5.4 Syntax error in ORCPT parameter value"),
        ("ORCPT=;x", "501 5.5.4 Syntax error in ORCPT parameter value"),
        ("ORCPT=rfc822;a+", "501 5.5.4 Syntax error in ORCPT parameter value"),
        ("ORCPT=rfc822;a=b", "555 5.5.4 b parameter unrecognized"),
        ("ORCPT=x;y ORCPT=z;w", "501 5.5.0 Duplicate ORCPT parameter"),
        ("SIZE=4", "555 5.5.4 SIZE parameter unrecognized"),
    ],
)
def test_parameters_of_a_recipient(text: str, reply: str) -> None:
    assert told(text, recipient=True) == reply


@pytest.mark.parametrize("text", ["RET=FULL", "RET", "RET=x", "ENVID=+", "NOTIFY=x", "ORCPT"])
def test_who_allows_no_notifications_does_not_look_at_them(text: str) -> None:
    name = text.partition("=")[0]
    assert told(text, recipient=name in ("NOTIFY", "ORCPT"), dsn=False) == (
        f"504 5.7.0 Sorry, {name} not supported, we do not allow DSN"
    )


def test_the_last_size_counts() -> None:
    assert announced_size(path("SIZE=2001 BODY=7BIT size=1x")) == 1
    assert announced_size(path("SIZE=x")) == announced_size(path("")) == 0


@pytest.mark.slow
@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=30), max_size=5))
def test_any_parameters_are_valid_or_refused(words: list[str]) -> None:
    one = EnvelopePath("a", "<a>", tuple(words))
    for check in (bad_sender_parameter, bad_recipient_parameter):
        reply = check(one)
        assert reply is None or reply.code >= 500
    assert isinstance(announced_size(one), int)
