"""Situations that other projects' tests of milters have, played to ours and to the real MTAs.

They are those of go-milter's integration tests and of Postfix's own tests of cleanup(8): what a
filter may do at each stage, to each part of a message, and what is left when it goes away while it
does so. Several messages of a trial share a connection, as they do there.
"""

from __future__ import annotations

from dataclasses import replace
from struct import pack
from typing import Any

import pytest

from tests.transcripts.live import Trial, compare
from tests.transcripts.replay import PLAIN
from tests.transcripts.trials import HELLO, JOE, MX, SENDER, SUE, placed, whole

Steps = list[tuple[Any, ...]]

ACCEPT, REJECT, TEMPFAIL, DISCARD, GO_ON, SKIP = (("r", one, b"") for one in b"a r t d c s".split())
CHUNK = b"chunk of a new body\r\n" * 3000
ADDRESSED = (
    b"From: <>\r\nTo: <joe@mx.example.test>\r\nSubject: test\r\n"
    b"Date: Fri, 10 Mar 2023 23:29:35 +0000 (UTC)\r\nMessage-ID: <id@x.test>\r\n\r\nbody\r\n"
)
ODD = (
    b"A:1\r\nB:\r\nC: \r\nSubject:no blank\r\nD: one\r\n two\r\nX-Long: " + b"w" * 900 + b"\r\n"
    b"A: 2\r\n\r\n"
)


def messages(count: int, data: bytes = PLAIN, *, to: tuple[str, ...] = (JOE,)) -> tuple[Any, ...]:
    """So many messages of one client."""
    return (HELLO, *((SENDER, *to, "DATA", data) * count))


def each(stage: str, *plans: Steps) -> str:
    """The n-th command of that stage is answered by the n-th plan."""
    return repr({f"{stage}{n}": steps for n, steps in enumerate(plans, 1) if steps})


def edits(*several: tuple[bytes, bytes]) -> Steps:
    return [*(("r", *one) for one in several), GO_ON]


def said(text: bytes) -> Steps:
    return [("r", b"y", text + b"\0")]


def added(name: bytes, value: bytes = b"Test") -> tuple[bytes, bytes]:
    return b"h", name + b"\0" + value + b"\0"


def inserted(index: int, name: bytes, value: bytes = b"Test") -> tuple[bytes, bytes]:
    return b"i", placed(index, name, value)


def changed(name: bytes, value: bytes, index: int = 1) -> tuple[bytes, bytes]:
    return b"m", placed(index, name, value)


FIELDS = each(
    "E",
    edits(added(b"X-ADD1"), added(b"X-ADD2")),
    edits(inserted(1, b"X-First1"), inserted(2, b"X-First2")),
    edits(inserted(0, b"X-Top1"), inserted(0, b"X-Top2")),
    edits(inserted(3, b"X-Middle1"), inserted(4, b"X-Middle2")),
    edits(changed(b"To", b"<joe@mx.example.test>,\n <to@y.test>")),
    edits(changed(b"Subject", b"")),
    edits(changed(b"Subject", b"changed")),
    edits(added(b"X-MultiLine", b"Line1\n\tLine2\n\tLine3")),
    edits(
        inserted(1, b"X-First1"),
        inserted(2, b"X-First2"),
        changed(b"Subject", b""),
        inserted(5, b"X-Before-DATE"),
        added(b"X-ADD1"),
        added(b"X-ADD2"),
    ),
)
"""go-milter: header."""

ODD_FIELDS = each(
    "E",
    edits(changed(b"A", b"longer than it was"), changed(b"A", b"", 2)),
    edits(changed(b"A", b"", 1), changed(b"A", b"first now", 1), changed(b"A", b"one more", 9)),
    edits(changed(b"B", b"filled"), changed(b"C", b"filled"), changed(b"Subject", b"blank")),
    edits(changed(b"D", b"1"), changed(b"X-Long", b"short"), changed(b"Nowhere", b"")),
    edits(changed(b"Nowhere", b"added"), added(b"B"), changed(b"B", b"", 2)),
    edits(changed(b"X-Long", b"v" * 2000), added(b"X-Also-Long", b"w" * 2000)),
    edits(changed(b"Received", b""), changed(b"received", b"", 1)),
    edits(*(inserted(0, b"X-%d" % n) for n in range(60))),
    edits(*(added(b"X-Same", b"%d" % n) for n in range(20)), changed(b"X-Same", b"", 7)),
    edits(added(b"X-Gone"), changed(b"X-Gone", b""), inserted(99, b"X-Beyond")),
)
"""Postfix: short fields that grow, long ones that shrink, what is not there, what is new."""

BODIES = each(
    "E",
    edits((b"b", b"one\r\ntwo\r\n")),
    edits((b"b", b"")),
    edits((b"b", b"no end")),
    edits((b"b", b"first "), (b"b", b"and second\r\n")),
    edits((b"b", CHUNK), (b"b", CHUNK)),
    edits((b"b", b".\r\n..\r\n.leading\r\n")),
    edits(added(b"X-Only")),
)
"""go-milter: body; Postfix: shorter, longer, none."""

IN_PARTS = {
    "a field": edits((b"b", b"twice\r\n"), added(b"X-Between"), (b"b", b"goes on\r\n")),
    "a word that it works": edits((b"b", b"late\r\n"), (b"p", b""), (b"b", b"goes on\r\n")),
}
"""What a filter says between two parts of a new body."""

PEOPLE = each(
    "E",
    edits((b"+", b"<sue" + MX[:-1] + b">\0")),
    edits((b"-", b"<joe" + MX[:-1] + b">\0"), (b"+", b"<sue" + MX[:-1] + b">\0")),
    edits((b"+", b"<sue" + MX[:-1] + b">\0"), (b"-", b"<sue" + MX[:-1] + b">\0")),
    edits((b"-", b"<nobody" + MX[:-1] + b">\0")),
    edits((b"-", b"<joe" + MX[:-1] + b">\0")),
    edits((b"e", b"<another@x.test>\0"), added(b"X-From")),
    edits((b"e", b"<>\0"), (b"e", b"<third@x.test>\0")),
    edits((b"q", b"held by the test\0"), added(b"X-Held")),
)
"""go-milter: mail-from change, rcpt-to add and change; Postfix: additions that are taken back."""

JOE_ADDRESS = b"<joe" + MX[:-1] + b">\0"
WITH_PARAMETERS = each(
    "E",
    edits((b"2", b"<sue" + MX[:-1] + b">\0NOTIFY=NEVER\0")),
    edits((b"2", JOE_ADDRESS + b"NOTIFY=NEVER\0"), (b"2", JOE_ADDRESS + b"NOTIFY=NEVER\0")),
    edits((b"-", JOE_ADDRESS), (b"+", JOE_ADDRESS), (b"+", JOE_ADDRESS)),
    edits((b"-", JOE_ADDRESS), (b"2", JOE_ADDRESS + b"NOTIFY=NEVER\0")),
    edits(*((b"-", JOE_ADDRESS), (b"2", JOE_ADDRESS + b"NOTIFY=NEVER\0")) * 2),
    edits((b"e", b"<m@x.test>\0RET=HDRS ENVID=env-for-m\0")),
    edits(
        (b"e", b"<m@x.test>\0RET=HDRS ENVID=env-for-m\0"),
        (b"e", b"<n@x.test>\0RET=FULL ENVID=env-for-n\0"),
    ),
    edits((b"2", b"<sue" + MX[:-1] + b">\0ORCPT=rfc822;sue+20too\0")),
    edits((b"2", b"<sue" + MX[:-1] + b">\0ORCPT=rfc822;sue+00too\0"), added(b"X-After")),
    edits((b"e", b"<m@x.test>\0RET=HDRS ENVID=env-+00-m\0"), added(b"X-After")),
    edits((b"e", b"<m@x.test>\0RET=HDRS ENVID=env-+09-m\0"), added(b"X-After")),
)
"""Postfix: recipients that are added with parameters, taken out and back, twice; senders' too."""

AT_MAIL = (
    HELLO,
    *(SENDER, SENDER, SENDER),
    *(JOE, "DATA", PLAIN),
    *(SENDER, JOE, "DATA", PLAIN),
    "MAIL FROM:<refused@x.test>",
    *(SENDER, JOE, "DATA", PLAIN),
)
BOTH = (
    Trial("header fields", messages(9, ADDRESSED), (FIELDS, "None")),
    Trial("odd header fields", messages(10, ODD), (ODD_FIELDS, "None")),
    Trial("bodies", messages(7), (BODIES, "None")),
    Trial("edits of a message without a body", messages(2, b"Subject: x\r\n"), (BODIES, "None")),
    *(
        Trial(f"{what} between parts of a body", messages(2), (each("E", steps), "None"))
        for what, steps in IN_PARTS.items()
    ),
    Trial("people", messages(8), (PEOPLE, "None")),
    Trial("people with parameters", messages(11), (WITH_PARAMETERS, "None")),
    Trial(
        "decisions at MAIL",
        AT_MAIL,
        (
            each(
                "M",
                said(b"555 5.0.0 custom"),
                [TEMPFAIL],
                [DISCARD],
                [GO_ON],
                [REJECT],
                [ACCEPT],
            ),
        ),
    ),
    Trial(
        "decisions at RCPT",
        (
            *(HELLO, SENDER, JOE, SUE, "DATA", PLAIN),
            *(SENDER, JOE, SUE, JOE, "RSET", SENDER, SUE, JOE, "DATA", PLAIN),
            *(SENDER, JOE, SUE, "DATA", PLAIN),
            *(SENDER, JOE, "DATA", PLAIN),
        ),
        (
            each(
                "R",
                [REJECT],
                [GO_ON],
                [REJECT],
                [GO_ON],
                [GO_ON],
                [GO_ON],
                said(b"555 5.0.0 custom"),
                [DISCARD],
                [GO_ON],
                [TEMPFAIL],
            ),
        ),
    ),
    Trial(
        "decisions at DATA",
        messages(6),
        (
            each(
                "T",
                said(b"555 5.0.0 custom"),
                [DISCARD],
                [REJECT],
                [TEMPFAIL],
                [ACCEPT],
                [GO_ON],
            ),
            "None",
        ),
    ),
    Trial(
        "refused in two lines, then accepted",
        messages(3, to=(SUE, JOE)),
        (
            repr(
                {
                    "R1": [REJECT],
                    "E1": said(b"550-5.7.1 We do not like you\r\n550 5.7.1 very much, go away"),
                    "E2": [REJECT],
                    "E3": [ACCEPT],
                }
            ),
        ),
    ),
    Trial(
        "one filter is satisfied early, and asked again with the next message",
        messages(3, PLAIN + b"line\r\n" * 30_000),
        (
            repr({"B1": [SKIP], "L2": [ACCEPT], "R3": [ACCEPT]}),
            each("E", edits(added(b"X-Second")), edits(added(b"X-Second"))),
        ),
        answers=((6, 0x1FF, 0x400, b""),),
    ),
)
"""Played to both MTAs."""


def lost(*before: tuple[bytes, bytes]) -> str:
    """The filter goes away when it has begun with this."""
    return repr({"E": [*(("r", *one) for one in before), ("close",)]})


LOST = {
    "after fields": lost(added(b"X-Half")),
    "in a new body": lost(added(b"X-Half"), (b"b", CHUNK)),
    "in a packet of a new body": repr(
        {"E": [("r", b"b", b"half\r\n"), ("raw", pack("!I", 5000) + b"bcut"), ("close",)]}
    ),
    "after a recipient": lost(
        (b"+", b"<sue" + MX[:-1] + b">\0"), (b"-", b"<joe" + MX[:-1] + b">\0")
    ),
}
"""What a filter had done when it went away."""

ALL = [whole(one, mta) for mta in ("sendmail", "postfix") for one in BOTH] + [
    whole(Trial(f"lost {name}, {what}", messages(2), (plan, "None"), equates), mta)
    for name, plan in LOST.items()
    for mta, what, equates in (
        ("sendmail", "F=", ("", ", F=T")),
        ("sendmail", "F=T", (", F=T", ", F=T")),
        ("postfix", "accept", (", default_action=accept", "")),
        ("postfix", "tempfail", ("", "")),
    )
    # What 3.7 lets through there it damages; newer releases and ours refuse it.
    if (what, "body" in name) != ("accept", True)
]
TRIALS = [replace(one, clock=False) for one in ALL]
"""None is about the clock, and some take long."""


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.mta}-{trial.name}")
def test_the_real_one_does_the_same(trial: Trial) -> None:
    assert compare(trial) == []
