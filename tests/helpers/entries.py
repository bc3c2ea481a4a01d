"""Messages for a quarantine."""

from __future__ import annotations

from datetime import UTC, datetime

from filterd.chain.verdict import RemovedPart, Symbol
from filterd.message import Client, Envelope, Recipient
from filterd.quarantine import NewEntry
from tests.helpers.reports import new_entry

RECEIVED = datetime(2026, 11, 23, 1, 2, 3, 456789, UTC)
"""When every entry of `new` was received, unless a test says otherwise."""

HOSTILE = b"Subject: caf\xe9 \xff\r\nX:\r\n\r\nbare\rcr \x00 nul\r\n.\r\nno newline at the end"
"""Octets that a store, a page or a client could be tempted to change."""


def new(id: str = "id1", data: bytes = HOSTILE) -> NewEntry:
    """A message as the pipeline hands it to the store: spam for ann and joe, held for joe alone."""
    return new_entry(
        id=id,
        data=data,
        envelope=Envelope(
            "a\udce9@x.test",
            (Recipient("ann@mx.test"), Recipient("joe@mx.test")),
            Client("c.x.test", "192.0.2.7", helo="c"),
            macros={"i": "q1", "{daemon_name}": "MTA"},
        ),
        held_for=("joe@mx.test",),
        reason="spam",
        action="quarantine",
        score=9.5,
        required=5.0,
        symbols=(Symbol("BAYES_99", 9.5, "why"),),
        virus="",
        removed=(RemovedPart("a\u202e.exe", "banned", 10, 20),),
        received=RECEIVED,
    )
