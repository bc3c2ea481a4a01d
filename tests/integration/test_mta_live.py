"""What our MTA says, delivers and tells its filters, beside the real sendmail and Postfix.

Each trial is played to both with the same scripted filters. These are the ones that once differed,
and some of each kind that did not; `python -m tests.transcripts.random_trials` makes up others.
"""

from __future__ import annotations

from struct import pack

import pytest

from tests.transcripts.live import Trial, compare
from tests.transcripts.replay import MODIFIED, PLAIN
from tests.transcripts.trials import HELLO, JOE, MX, SENDER, SUE, at_end, placed, plan, whole

MAIL = (HELLO, SENDER, JOE, "DATA", PLAIN)
FIELDS = (HELLO, SENDER, JOE, "DATA", MODIFIED)
LATER = (*MAIL, "FOO", "EHLO again.test", "FOO", SENDER, JOE, "RSET", "FOO", "QUIT")


def texts(stage: str, *said: bytes) -> str:
    """The n-th command of that stage is answered with the n-th text."""
    return repr({f"{stage}{n}": [("r", b"y", one + b"\0")] for n, one in enumerate(said, 1)})


CODES = [f"{code} 5.1.1 no".encode() for code in (450, 451, 452, 500, 550, 551, 553, 554, 599)]
TEXTS = [b"550 5.7.1", b"5500 x", b"550\tx", b"451x", b"550  5.7.1 two", b"550-a\r\n550 5.7.1 b"]
ALL = (
    b"j _ i b r s v Z n w f h u g {client_ptr} {daemon_addr} {daemon_family} {daemon_flags}"
    b" {daemon_info} {nrcpts} {nbadrcpts} {msg_size} {msg_id} {ntries} {addr_type} {dsn_ret}"
    b" {dsn_envid} {dsn_notify} {opMode} {deliveryMode} {quarantine} {mail_addr} {rcpt_addr}"
)
LISTS = b"".join(pack("!I", stage) + ALL + b"\0" for stage in range(7))
ARGUMENTS = (
    HELLO,
    f"{SENDER} SIZE=100 RET=HDRS ENVID=abc BODY=8BITMIME",
    JOE,
    f"{SUE} NOTIFY=NEVER",
    "DATA",
    PLAIN,
    SENDER,
    JOE,
    "DATA",
    PLAIN,
)

BLIND = b"From: a@x.test\r\nBcc: c@d.test\r\nSubject: s\r\n\r\nbody\r\n"
PROGRESS = [("sleep", 1.0), ("r", b"p", b"")] * 4
LATE = ("sleep", 3.5)
LIMITED = ", T=C:2s;S:2s;R:8s;E:3s"

SENDMAIL = [
    Trial("codes at MAIL", (HELLO, *[SENDER] * len(CODES)), (texts("M", *CODES),)),
    Trial("codes at RCPT", (HELLO, SENDER, *[JOE] * len(CODES)), (texts("R", *CODES),)),
    Trial("texts at MAIL", (HELLO, *[SENDER] * len(TEXTS)), (texts("M", *TEXTS),)),
    Trial(
        "refused at HELO",
        (HELLO, SENDER, "FOO", "VRFY joe", "EHLO x", JOE, "NOOP"),
        (texts("H", b"554 5.1.1 no"),),
    ),
    Trial("after the message", LATER),
    Trial("after a refusal", LATER, (plan(E=[("r", b"r", b"")]), "None")),
    Trial("after DISCARD at RCPT", LATER, ("None", plan(R=[("r", b"d", b"")]))),
    Trial(
        "DISCARD at an unknown command",
        ("FOO", *MAIL[:3], "FOO", *MAIL[3:], SENDER, JOE),
        ("None", plan(U2=[("r", b"d", b"")])),
    ),
    Trial(
        "unknown command, dead filter", (HELLO, SENDER, "FOO"), (plan(U=[("close",)]),), (", F=4",)
    ),
    Trial("all macros", ARGUMENTS, answers=((6, 0x1FF, 0, LISTS),)),
    Trial("no HELO, no brackets", ("MAIL FROM:alice@x.test", "RCPT TO:joe", "DATA", PLAIN)),
    Trial("null sender without From", (HELLO, "MAIL FROM:<>", JOE, "DATA", b"\r\nb\r\n")),
    Trial("one recipient, two spellings", (HELLO, SENDER, "RCPT TO:<JOE>", JOE, "DATA", PLAIN)),
    Trial(
        "own fields changed",
        FIELDS,
        (
            at_end(
                (b"h", b"Return-Path\0v\0"),
                (b"h", b"Date\0v\0"),
                (b"m", placed(1, b"Message-Id", b"v")),
            ),
            "None",
        ),
    ),
    Trial("Return-Path deleted", FIELDS, (at_end((b"m", placed(1, b"Return-Path", b""))),)),
    Trial(
        "line breaks in values",
        FIELDS,
        (
            at_end(
                (b"m", placed(1, b"X-A", b"two\nlines")),
                (b"h", b"X-N\0two\nlines\0"),
                (b"i", placed(10, b"X-I", b"two\nlines")),
            ),
            "None",
        ),
    ),
    Trial(
        "places beyond all",
        FIELDS,
        (
            at_end(
                (b"i", placed(0xFFFFFFFF, b"X-I", b"v")), (b"m", placed(0xFFFFFFFF, b"X-A", b"v"))
            ),
            "None",
        ),
    ),
    Trial(
        "a list of recipients",
        MAIL,
        (
            at_end(
                (b"+", b"Sue <sue@mx.example.test>, max" + MX),
                (b"-", b"Joe <JOE@mx.example.test>\0"),
            ),
        ),
    ),
    Trial("the same recipient again", MAIL, (at_end((b"+", b"joe\0"), (b"+", b"<JOE" + MX)),)),
    Trial("a program as recipient", MAIL, (at_end((b"+", b"|/bin/true\0"), (b"+", b"/x\0")),)),
    Trial("senders", MAIL, (at_end((b"e", b"Ann <ann@x.test>\0FOO=1\0"), (b"e", b"\0")),)),
    Trial(
        "three filters, one dead",
        MAIL,
        ("None", "None", plan(R=[("r", b"t", b"")])),
        (", F=T", "", ", F=R"),
        dead=(1,),
    ),
    Trial("version 2", (HELLO, SENDER, JOE, "FOO", "DATA", PLAIN), answers=((2, 0x1F, 0, b""),)),
    Trial(
        "all macros without HELO",
        (SENDER, JOE, "DATA", PLAIN, HELLO, "MAIL FROM:<joe>", JOE, "EHLO y", "MAIL FROM:<>"),
        answers=((6, 0x1FF, 0, LISTS),),
    ),
    Trial(
        "Bcc",
        (HELLO, SENDER, JOE, "DATA", BLIND),
        (at_end((b"h", b"To\0x@y.test\0"), (b"i", placed(10, b"Resent-Bcc", b"e@f.test"))), "None"),
    ),
    Trial(
        "Bcc beside To",
        (HELLO, SENDER, JOE, "DATA", b"To: x@y.test\r\n" + BLIND),
        (at_end((b"m", placed(1, b"To", b""))), "None"),
    ),
    *(
        Trial(
            f"E: over while it works, {flag or 'no flag'}",
            (*MAIL, SENDER),
            (plan(E=[("r", b"h", b"X-N\0v\0"), *PROGRESS, ("r", b"r", b"")]),),
            (flag + LIMITED,),
        )
        for flag in (", F=T", ", F=R", ", F=4", "")
    ),
    Trial(
        "E: over, then the final reply",
        (*MAIL, SENDER),
        (plan(E=[LATE, ("r", b"c", b"")]),),
        (f", F=T{LIMITED}",),
    ),
    Trial(
        "E: over, then an edit",
        (*MAIL, SENDER),
        (plan(E=[LATE, ("r", b"h", b"X-N\0v\0"), ("r", b"c", b"")]),),
        (f", F=T{LIMITED}",),
    ),
    Trial(
        "E: over in silence",
        (*MAIL, SENDER),
        (plan(E=[("none",)]),),
        (", F=T, T=C:2s;S:2s;R:4s;E:2s",),
    ),
]

POSTFIX = [
    Trial("all macros", ARGUMENTS, answers=((6, 0x1FF, 0, LISTS),)),
    Trial("no recipients, no such commands", (HELLO, SENDER, "DATA", "HELP", "EXPN joe")),
    Trial("version 3", (HELLO, SENDER, JOE, "FOO", "DATA", PLAIN), answers=((3, 0x1F, 0, b""),)),
    Trial(
        "bad text, accepted", MAIL, (plan(R=[("r", b"y", b"5\0")]),), (", default_action=accept",)
    ),
    Trial(
        "bad text, held",
        MAIL,
        (plan(L=[("r", b"y", b"5\0")]), "None"),
        (", default_action=quarantine", ""),
    ),
    Trial("held by the first", (*MAIL, SENDER), (at_end((b"q", b"why\0")), "None"), ("", "")),
    Trial(
        "recipients by the letter",
        MAIL,
        (at_end((b"+", b"Joe <joe" + MX[:-1] + b">\0"), (b"-", b"joe@MX.EXAMPLE.TEST\0")),),
    ),
    Trial(
        "fields that are dropped",
        (
            HELLO,
            "MAIL FROM:<>",
            JOE,
            "DATA",
            b"Return-Path: <x>\r\nBcc: y\r\nResent-Bcc: z\r\nSubject: s\r\n\r\nb\r\n",
        ),
    ),
    Trial("body without an end", MAIL, (at_end((b"b", b"new")), "None"), ("", "")),
    Trial("place beyond all", MAIL, (at_end((b"i", placed(0xFFFFFFFF, b"X-I", b"v"))),)),
    *(
        Trial(
            f"held at {stage}",
            (*MAIL, SENDER, JOE, "DATA", PLAIN),
            ("None", repr({f"{stage}": [("r", b"q", b"why"), ("r", b"c", b"")]}), "None"),
        )
        for stage in "CMRTBE"
    ),
    Trial("hung up on at HELO", (HELLO, SENDER), ("None", texts("H", b"421 4.7.0 go"), "None")),
    Trial("dead filter and VRFY", (HELLO, "VRFY joe", SENDER), (plan(H=[("close",)]),)),
]


TRIALS = [whole(one, "sendmail") for one in SENDMAIL] + [whole(one, "postfix") for one in POSTFIX]


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.mta}-{trial.name}")
def test_the_real_one_does_the_same(trial: Trial) -> None:
    assert compare(trial) == []
