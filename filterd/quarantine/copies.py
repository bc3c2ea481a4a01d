"""Copies by their recipients: what is held for a mailbox, and what recipients want of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from filterd.database.storable import storable
from filterd.quarantine.index import Index, Row, row_of
from filterd.quarantine.journal import Delivery, Event, marked
from filterd.quarantine.rows import delivery_of
from filterd.quarantine.schema import deliveries, messages
from filterd.quarantine.words import WAITING_STATES, State

if TYPE_CHECKING:
    from filterd.quarantine.store import Store

Wish = Literal["requested", "refused", "dismissed", "wanted"]
"""`journal.RECIPIENT_EVENTS`."""

NAMES_LIMIT = 200
"""Spellings of a person's addresses that are looked for."""

_PLAIN_START = re.compile(r"[a-z0-9._-]*+")


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """A message, and one recipient's copy of it."""

    row: Row
    copy: Delivery


def held_copies(
    index: Index,
    addresses: Iterable[str],
    is_own: Callable[[str], bool],
    limit: int,
    reasons: Sequence[str],
) -> list[HeldCopy]:
    """What waits for these mailboxes and was kept for one of these reasons, newest first; nothing
    with a virus and nothing that its recipient does not want.

    addresses: as `readable` spells them. is_own: whether an address as it came is one of them.
    Raises StoreError.
    """
    d, m = deliveries.c, messages.c
    waits = (d.state.in_(WAITING_STATES), d.dismissed == 0)
    spelled = sa.func.lower(d.recipient)
    starts = [spelled.startswith(one, autoescape=True) for one in _starts(addresses)]
    with index.connection() as connection:
        near = connection.scalars(sa.select(d.recipient).where(*waits, sa.or_(*starts)).distinct())
        names = sorted(filter(is_own, near))[:NAMES_LIMIT]
        return _found(
            connection,
            sa.select(deliveries, messages)
            .join(messages, m.id == d.id)
            .where(*waits, d.recipient.in_(names), m.virus == "", m.reason.in_(reasons))
            .order_by(m.received.desc(), m.id.desc())
            .limit(limit),
        )


def asked_for(index: Index, limit: int, since: float = 0.0) -> list[HeldCopy]:
    """Copies whose recipients ask for their release, since after then, the oldest request first.
    Raises StoreError."""
    d = deliveries.c
    with index.connection() as connection:
        return _found(
            connection,
            sa.select(deliveries, messages)
            .join(messages, messages.c.id == d.id)
            .where(d.asked > since, d.state.in_((State.HELD.value, State.FAILED.value)))
            .order_by(d.asked, d.id, d.recipient)
            .limit(limit),
        )


def mark(
    store: Store, what: Wish, id: str, recipients: Iterable[str], who: str, note: str = ""
) -> tuple[str, ...]:
    """Write down what recipients want of their copies, or that they do not get it; return those of
    whom it is new, and whose copy is still there. Raises as `Store.get` does."""
    wanted = frozenset(recipients)
    with store.journal.locked():
        state = store.delivery_state(id)
        copies = [
            copy
            for copy in state.deliveries
            if copy.recipient in wanted
            and copy.state in (State.HELD, State.FAILED)
            and _is_new(copy, what)
        ]
        if not copies:
            return ()
        own = tuple(copy.recipient for copy in copies)
        event = Event(what, id, who, own, note, time=store.clock())
        store.journal.append(event)
    store.index.mark(id, [marked(copy, event) for copy in copies])
    return own


def _is_new(copy: Delivery, what: Wish) -> bool:
    match what:
        case "requested":
            return not copy.asked
        case "refused":
            return bool(copy.asked)
        case "dismissed":
            return not copy.dismissed
    return bool(copy.dismissed)


def _starts(addresses: Iterable[str]) -> Iterator[str]:
    """How spellings of these addresses begin, in small letters: in quotation marks or not, and with
    whatever detail."""
    for address in addresses:
        found = _PLAIN_START.match(address.lower())
        plain = found[0] if found else ""
        yield from (plain, f'"{plain}', f"<{plain}")


def _found(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> list[HeldCopy]:
    copies, rows = [*deliveries.c], [*messages.c]
    named = query.with_only_columns(
        *(column.label(f"d_{column.name}") for column in copies),
        *(column.label(f"m_{column.name}") for column in rows),
        maintain_column_froms=True,
    )
    return [
        HeldCopy(
            row_of({column.name: one[f"m_{column.name}"] for column in rows}),
            delivery_of({column.name: one[f"d_{column.name}"] for column in copies}),
        )
        for one in connection.execute(named).mappings()
    ]


def named(recipients: Sequence[str], stored: str) -> str:
    """The recipient, of these, whom the index knows under that name; the name where none is."""
    return next((one for one in recipients if storable(one) == stored), stored)
