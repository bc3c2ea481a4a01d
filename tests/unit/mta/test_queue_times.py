"""How long mail waits in the queue, by a sendmail.cf."""

from __future__ import annotations

import pytest

from filterd.mta.sendmail.cf_files import parse_cf
from filterd.mta.sendmail.queue_times import REPORTS, lifetime, patience, seconds

CF = """\
V10
Plist=-30
Pfirst-class=0
O Timeout.queuewarn=4h
O Timeout.queuewarn.urgent=1h
O Timeout.queuereturn=5d
O Timeout.queuereturn.urgent=2d
O Timeout.queuereturn.non-urgent=7d
O Timeout.queuereturn.dsn=1d
"""


@pytest.mark.parametrize(
    ("header", "warned", "returned"),
    [
        ("Subject: x\n", 4, 5),
        ("Priority: urgent\n", 1, 2),
        ("PRIORITY: Non-Urgent \n", 4, 7),
        ("Priority: soon\n", 4, 5),
        ("Precedence: list\n", 0, 5),
        ("Precedence: first-class\nPriority: urgent\n", 1, 2),
        ("Subject: x\n\nPriority: urgent\n", 4, 5),
    ],
)
def test_priority_and_precedence_of_a_message_count(
    header: str, warned: int, returned: int
) -> None:
    cf, message = parse_cf(CF), f"{header}\nbody\n".encode()
    assert patience(cf)(message) == warned * 3600
    assert lifetime(cf)(message) == returned * 86400
    assert seconds(cf, "queuereturn", REPORTS) == 86400


def test_a_file_that_says_nothing_warns_nobody() -> None:
    cf = parse_cf("V10\n")
    assert patience(cf)(b"Priority: urgent\n\n") == lifetime(cf)(b"\n") == 0.0
