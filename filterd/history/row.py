"""A record as a row of the table: its whole, and what searches look at."""

from __future__ import annotations

import json
from typing import Any

from filterd.database.storable import storable
from filterd.history.record import Record
from filterd.message.address import readable

SMALL = 2000
"""Characters of a record's text below which nothing in it needs to be cut."""

FIXED = ("id", "queue_id", "message_id", "client", "sender")
"""Values of a record that stand in its words between sender and recipients."""

_END = "\x1f"
"""Stands between the texts of the words' last line."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)


def row(record: Record) -> dict[str, Any]:
    """The values of a row by column, cut to size: a report may name a hundred thousand
    recipients."""
    text = record.encode()
    if len(text) > SMALL or "NaN" in text or "Infinity" in text:
        record = record.cut()
        text = record.encode()
    # One spelling of each mailbox, for searches and for what a reviewer may see.
    sender, recipients = readable(record.sender), [readable(one) for one in record.recipients]
    failed = [failure.filter for failure in record.failures if failure.filter]
    values = [getattr(record, name) for name in FIXED if name != "sender"]
    # In the Subject's line: a line more would be taken for a recipient.
    last = (record.subject, record.header_from, record.virus, *record.attachments)
    end = _END.join(" ".join(one.split("\n")) for one in last)
    words = (sender, *values, sender, *recipients, end.rstrip(_END))
    return {
        "id": storable(record.id),
        "received": record.received,
        "action": record.action.value,
        "score": record.score,
        "recipients": _ENCODER.encode([storable(one).casefold() for one in recipients]),
        "symbols": storable(f" {' '.join([symbol.name for symbol in record.symbols])} "),
        "failed": storable(f" {' '.join(failed)} ") if failed else "",
        "words": storable("\n".join(words)).casefold(),
        "rest": text,
    }
