"""How the terminal shows the quarantine: tables of messages, of one message, of its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from filterd.chain.headers import points
from filterd.chain.report import remaining
from filterd.chain.sentence import sentence
from filterd.cli.listing import shown
from filterd.quarantine import Entry
from filterd.quarantine.index import Row
from filterd.quarantine.journal import DeliveryState, Event
from filterd.system.display import exactly, size, when, when_short

NARROW = 110
"""Columns below which a list leaves recipients out; most are one's own."""

FIXED = 62
"""Columns that id, time, state, reason and score take, with the gaps between them."""


def message_table(rows: Iterable[Row], width: int) -> Table:
    """The list, one line a message, for so many columns; a narrow one leaves recipients out."""
    is_narrow = width < NARROW
    names = ("from", "subject") if is_narrow else ("from", "to", "subject")
    room = max((width - FIXED) // len(names) - 2, 6)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "received", "state", "reason", *names):
        limit = room if name in names else None
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=limit)
    table.add_column("score", justify="right", no_wrap=True)
    for row in rows:
        people = {
            "from": row.sender or "<>",
            "to": ", ".join(row.recipients),
            "subject": row.subject,
        }
        table.add_row(
            row.id,
            when_short(row.received),
            row.state + (" *" if row.pinned else ""),
            row.reason,
            *(shown(people[name]) for name in names),
            points(row.score),
        )
    return table


OUTCOMES = 100
"""Recipients whose outcomes are shown; `--json` has all."""


def description(entry: Entry, delivery_state: DeliveryState, path: str) -> Table:
    """Everything about one message."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    client = f"{entry.client_name} [{entry.client_address}] helo={entry.helo}"
    for name, value in (
        ("verdict", sentence(entry)),
        ("id", entry.id),
        ("state", delivery_state.state + (", pinned" if delivery_state.pinned else "")),
        ("received", exactly(entry.received.timestamp())),
        ("queue-id", entry.queue_id),
        ("client", client),
        ("sender", entry.sender or "<>"),
        ("recipients", ", ".join(entry.recipients)),
        ("held for", ", ".join(entry.held_for) or "nobody (a copy)"),
        ("message-id", entry.message_id),
        ("from", entry.header_from),
        ("subject", entry.subject),
        ("size", f"{entry.size} bytes"),
        ("reason", entry.reason),
        ("answer", entry.action),
        ("virus", entry.virus),
        ("score", f"{points(entry.score)} (labelled from {points(entry.required)})"),
    ):
        if value:
            table.add_row(name, shown(value))
    for one in entry.outcomes[:OUTCOMES]:
        table.add_row("outcome", shown(f"{one.recipient}: {one.action}, rule {one.rule}"))
    if len(entry.outcomes) > OUTCOMES:
        table.add_row("outcome", f"and {len(entry.outcomes) - OUTCOMES} more recipients")
    for symbol in entry.symbols:
        table.add_row("symbol", shown(f"{points(symbol.score):>7}  {symbol.name}  {symbol.detail}"))
    for number, part in enumerate(entry.removed, 1):
        table.add_row("removed", shown(f"{number}. {part.filename}: {part.reason}"))
    times = ", ".join(f"{name} {taken:.1f} ms" for name, taken in entry.milliseconds.items())
    if times:
        table.add_row("times", shown(times))
    for failure in entry.failures:
        table.add_row("failed", shown(f"{failure.filter or 'no filter'}: {failure}"))
    for label, text in remaining(entry):
        table.add_row(label.lower(), shown(text))
    for copy in delivery_state.deliveries:
        words = [copy.state, when(copy.changed), copy.reply]
        if copy.again_at:
            words.append(f"next try {when(copy.again_at)}")
        told = ", ".join(filter(None, words))
        table.add_row("copy", shown(f"{copy.recipient}: {told}"))
    table.add_row("file", shown(path))
    return table


def event_table(events: Iterable[Event]) -> Table:
    """What was done, oldest first."""
    table = Table("time", "what", "id", "who", "recipients", "why or reply", box=None)
    for event in events:
        table.add_row(
            when(event.time),
            event.what,
            event.id,
            shown(event.who),
            shown(", ".join(event.recipients)),
            shown("; ".join(filter(None, (event.note, event.reply)))),
        )
    return table


def stats_table(counts: Iterable[tuple[str, str, int, int]]) -> Table:
    """Counts by reason and state."""
    table = Table("reason", "state", box=None, pad_edge=False, header_style="bold")
    table.add_column("messages", justify="right")
    table.add_column("bytes", justify="right")
    for reason, state, number, octets in counts:
        table.add_row(reason, state, str(number), size(octets))
    return table


def outcome_line(id: str, one: Mapping[str, Any]) -> str:
    """What became of one recipient of a release, as `ActionResult.detail` tells it."""
    if not one["done"]:
        return f"{id}: {one['recipient']}: was {one['state']} already ({one['reply']})"
    tail = f"; next try {when(one['again_at'])}" if one["again_at"] else ""
    return f"{id}: {one['recipient']}: {one['state']} ({one['reply']}){tail}"
