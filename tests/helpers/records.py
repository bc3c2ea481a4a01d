"""Records of messages for a history, and one whose clock stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filterd.history import History, HistorySettings
from tests.helpers.reports import record, report

NOW = 1_800_000_000.0

RECORDS = (
    record(
        "a",
        NOW,
        "q1",
        message_id="<1@x>",
        client="c[192.0.2.7]",
        sender="ann@a.test",
        recipients=("joe@mx.test",),
        subject="Cheap pills",
        size=100,
        action="quarantine",
        reason="spam",
        score=9.0,
        required=5.0,
        symbols=(("BAYES_99", 9.0),),
        milliseconds={"bayes": 1.5},
    ),
    record(
        "b",
        NOW + 1,
        sender="bob@b.test",
        recipients=("sue@mx.test",),
        subject="100% off_now",
        action="reject",
        symbols=(("CLAM_VIRUS", 0.0),),
    ),
    record(
        "c",
        NOW + 2,
        recipients=("max@other.test",),
        subject="Gr\u00fc\u00dfe",
        action="accept",
        symbols=(("BAYES_00", -1.0),),
    ),
    record(
        "d",
        NOW + 3,
        sender="eve@sub.a.test",
        recipients=("joe@mx.test", "x\udce9@y.test"),
        action="accept",
        failures={"clamav": "unavailable: no answer"},
    ),
)
"""Four messages, a second apart: a, b, c, d."""

REPORT = report(
    "m1",
    queue_id="q",
    message_id="<m>",
    client="c[192.0.2.1]",
    sender="a@b.test",
    recipients=("joe@mx.test",),
    size=5,
    score=1.5,
    required=5.0,
    symbols=[("GTUBE", 1.5)],
    milliseconds={"gtube": 0.1},
)
"""What the daemon notes of one message."""


def opened(folder: Path, **settings: Any) -> History:
    """A history in the folder, a minute after NOW by its clock."""
    return History(folder / "history.sqlite3", HistorySettings(**settings), lambda: NOW + 60)


CASES: list[tuple[dict[str, Any], str]] = [
    ({}, "dcba"),
    ({"sender": "ANN@"}, "a"),
    ({"sender": "mx.test"}, ""),
    ({"recipient": "JOE"}, "da"),
    ({"domain": "a.test"}, "a"),
    ({"domain": "@mx.test"}, "dba"),
    ({"domain": "x.test"}, ""),
    ({"text": "pills"}, "a"),
    ({"text": "100%"}, "b"),
    ({"text": "GR\u00dc"}, "c"),
    ({"text": "192.0.2.7"}, "a"),
    ({"text": "\udce9"}, "d"),
    ({"action": "accept"}, "dc"),
    ({"symbol": "bayes_99"}, "a"),
    ({"symbol": "BAYES"}, ""),
    ({"failed": "clamav"}, "d"),
    ({"failed": "clam"}, ""),
    ({"since": NOW + 2}, "dc"),
    ({"until": NOW + 1}, "a"),
    ({"limit": 2}, "dc"),
    ({"visible": ("@mx.test",)}, "dba"),
    ({"visible": ("joe@mx.test", "MAX@other.test")}, "dca"),
    ({"visible": ("oe@mx.test", "@test", "@x.test")}, ""),
    ({"visible": ("@",)}, ""),
    ({"action": "accept", "recipient": "joe", "text": "eve"}, "d"),
]
"""What is asked of `RECORDS`, and the ids of what is found, newest first."""
