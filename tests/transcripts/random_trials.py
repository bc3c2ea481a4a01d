"""`python -m tests.transcripts.random_trials sendmail|postfix FIRST LAST`: look for differences.

Each number makes a trial of its own: filters and what they answer, F= or default actions, what is
negotiated, edits in any order, what the client says. It is played to the real MTA and to ours; what
differs is printed. Known and wanted differences are in docs/mta.md.
"""

from __future__ import annotations

import logging
import random
import sys
from struct import pack
from typing import Any

from tests.transcripts.live import HEALTHY, Trial, compare
from tests.transcripts.replay import MODIFIED, PLAIN, SHORT

Step = tuple[Any, ...]

TEXTS = [
    b"550 5.7.1 no\0",
    b"451 4.7.1 later\0",
    b"421 4.7.0 go\0",
    b"550 plain\0",
    b"250 2.0.0 ok\0",
    b"550-5.7.1 one\r\n550 5.7.1 two\0",
    b"554 5.1.1 no\0",
    b"450 4.2.0 wait\0",
    b"55\0",
    b"550\0",
    b"",
    b"550 5.7.1 100%% sure\0",
    b"550 5.7.1 50% off\0",
    b"550 4.7.1 other class\0",
    b"5500 x\0",
    b"451-4.7.1 one\r\n451 two\0",
    b"550 5.7.1 no\0more\0",
    b"451x\0",
    b"550 5.7 short\0",
]
NAMES = [
    b"Subject",
    b"X-A",
    b"x-a",
    b"X-B",
    b"X-New",
    b"Date",
    b"Message-Id",
    b"Received",
    b"Return-Path",
    b"Bcc",
    b"MESSAGE-ID",
    b"Content-Type",
]
VALUES = [
    b"v1",
    b"",
    b" lead",
    b"two\n lines",
    b"two\nlines",
    b"caf\xc3\xa9",
    b"x" * 200,
    b"a\r\n b",
    b" ",
    b"trail  ",
]
ADDRESSES = [
    b"<sue@mx.example.test>",
    b"sue@mx.example.test",
    b"<joe@mx.example.test>",
    b"joe",
    b"JOE@mx.example.test",
    b"<>",
    b"",
    b"Sue <sue@mx.example.test>",
]
SENDERS = [b"<new@x.test>", b"new@x.test", b"<>", b"", b"joe"]
BODIES = [b"new\r\n", b"new", b"", b"a\r", b"\nb\r\n", b".\r\n", b"lf\n", b"z" * 5000 + b"\r\n"]
LISTS = [b"j i {mail_addr}", b"i {rcpt_addr} {client_addr}", b"r s {msg_id}", b"{nosuch} j", b""]
CODES = [b"Z", b"p", b"4", b"f", b"h", b"q", b"O", b"l", b"m", b"i", b"b", b"+", b"-", b"e"]
NO_REPLY = 0xFF080
"""Protocol steps that are not answered; a scripted filter answers all the same."""

HELLO, SENDER = "EHLO client.test", "MAIL FROM:<alice@x.test>"
JOE, SUE = "RCPT TO:<joe@mx.example.test>", "RCPT TO:<sue@mx.example.test>"
CLOCKS = {
    "sendmail": ", T=C:2s;S:2s;R:2s;E:6s",
    "postfix": ", command_timeout=2s, content_timeout=2s, connect_timeout=2s",
}
FAILURES = {
    "sendmail": ["", ", F=T", ", F=R", ", F=4", ", F=RT", ", F=4R"],
    "postfix": [
        "",
        *(f", default_action={one}" for one in ("accept", "reject", "quarantine", "tempfail")),
    ],
}


def answer(chance: random.Random) -> Step:
    """One reply, or what is none."""
    plain: list[Step] = [("r", code, b"") for code in (b"r", b"t", b"d", b"a", b"s", b"c")]
    kind = chance.choice(["plain", "plain", "text", "odd", "close"])
    if kind == "plain":
        return chance.choice(plain)
    if kind == "text":
        return ("r", b"y", chance.choice(TEXTS))
    if kind == "odd":
        return ("r", chance.choice(CODES), chance.choice([b"", b"junk\0", b"X-A\0b\0"]))
    return ("close",)


def edit(chance: random.Random) -> Step:
    """One change at end of message."""
    field = chance.choice(NAMES) + b"\0" + chance.choice(VALUES) + b"\0"
    match chance.choice("hhiimmb+2-eqp"):
        case "h":
            return ("r", b"h", field)
        case "i":
            places = [0, 1, 2, 5, 8, 9, 10, 13, 99, 0xFFFFFFFF]
            return ("r", b"i", pack("!I", chance.choice(places)) + field)
        case "m":
            return ("r", b"m", pack("!I", chance.choice([0, 1, 1, 2, 3, 9])) + field)
        case "b":
            return ("r", b"b", chance.choice(BODIES))
        case "+":
            return ("r", b"+", chance.choice(ADDRESSES) + b"\0")
        case "2":
            return ("r", b"2", chance.choice(ADDRESSES[:3]) + b"\0NOTIFY=NEVER\0")
        case "-":
            return ("r", b"-", chance.choice(ADDRESSES) + b"\0")
        case "e":
            return ("r", b"e", chance.choice(SENDERS) + b"\0")
        case "q":
            return ("r", b"q", b"why\0")
    return ("r", b"p", b"")


def plan(chance: random.Random) -> str:
    """What one filter does."""
    if chance.random() < 0.15:
        return "None"
    if chance.random() < 0.5:
        steps = [edit(chance) for _ in range(chance.randint(1, 5))]
        last = ("r", b"c", b"") if chance.random() < 0.7 else answer(chance)
        return repr({"E": [*steps, last]})
    stages = ["C", "H", "M", "M2", "R", "R2", "T", "L", "L2", "N", "B", "E", "E2", "U"]
    return repr({chance.choice(stages): [answer(chance)] for _ in range(chance.randint(1, 3))})


def negotiated(chance: random.Random) -> tuple[int, int, int, bytes]:
    if chance.random() < 0.6:
        return HEALTHY
    version = chance.choice([6, 6, 2, 3, 4, 5])
    actions = chance.choice([0x1FF, 0x3F, 0x1F, 0, 0x1FD])
    steps = sum(1 << bit for bit in range(21) if chance.random() < 0.15) & ~NO_REPLY
    lists = b""
    if actions & 0x100 and chance.random() < 0.4:
        wanted = chance.sample(range(7), chance.randint(1, 3))
        lists = b"".join(pack("!I", one) + chance.choice(LISTS) + b"\0" for one in wanted)
    return version, actions, steps & 0x7F if version == 2 else steps, lists


def client(chance: random.Random) -> tuple[str | bytes, ...]:
    """A dialogue of one to three transactions, some of them out of order."""
    message = chance.choice([PLAIN, MODIFIED, SHORT, b"", b"Subject: only\r\n", b"\r\nbody\r\n"])
    rest: list[str | bytes] = ["DATA", message]
    usual: list[list[str | bytes]] = [
        [SENDER, JOE, *rest],
        [SENDER, JOE, SUE, *rest],
        [SENDER, JOE, "RSET"],
        ["NOOP"],
        ["FOO"],
        [SENDER, JOE, "FOO bar", *rest],
        [SENDER, JOE, "EHLO again.test", SENDER, JOE, *rest],
        [SENDER, "DATA", JOE, *rest],
        [JOE, SENDER, JOE, *rest],
        ["MAIL FROM:<>", JOE, *rest],
        [SENDER, SENDER, JOE, *rest],
        ["HELP foo"],
        [SENDER, "RCPT TO:<JOE>", *rest],
        ["MAIL FROM:alice@x.test SIZE=100", "RCPT TO:joe@mx.example.test NOTIFY=NEVER", *rest],
    ]
    said: list[str | bytes] = [HELLO] if chance.random() < 0.9 else []
    for _ in range(chance.randint(1, 3)):
        said += chance.choice(usual)
    return (*said, "RSET", "MAIL FROM:<bob@x.test>", "QUIT")


def trial(number: int, mta: str) -> Trial:
    """The trial of that number, the same each time."""
    chance = random.Random(number)
    count = chance.choice([1, 1, 1, 2, 2, 3])
    return Trial(
        f"random {number}",
        client(chance),
        tuple(plan(chance) for _ in range(count)),
        tuple(chance.choice(FAILURES[mta]) + CLOCKS[mta] for _ in range(count)),
        tuple(negotiated(chance) for _ in range(count)),
        mta=mta,
    )


def main(arguments: list[str]) -> int:
    """Play a range of trials. Returns 1 if one differs, 64 for arguments that make no sense."""
    if len(arguments) != 3 or arguments[0] not in CLOCKS:
        sys.stderr.write(f"{__doc__}\n")
        return 64
    mta, first, last = arguments[0], int(arguments[1]), int(arguments[2])
    logging.disable(logging.CRITICAL)
    differing = 0
    for number in range(first, last + 1):
        one = trial(number, mta)
        found = compare(one)
        differing += bool(found)
        for line in found:
            print(f"{mta} {number} {one.plans} {one.equates}: {line}")
    print(f"{differing} of {last - first + 1} differ")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
