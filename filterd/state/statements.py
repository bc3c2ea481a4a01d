"""The statements that SQLite and PostgreSQL are asked, and their rows as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from filterd.state.facts import VALUE_LIMIT, StateEntry, StateKey, Window, slot_of
from filterd.state.schema import counts, entries

EXPIRE_BATCH = 500
"""Rows of each table that are deleted at a time: others wait for some milliseconds."""

_WINDOWS_KEPT = 2
"""Lengths of its window for which a count is kept: as long as its slot is the former one."""

_Insert = sqlite.Insert | postgresql.Insert
_Statement = sa.sql.dml.ReturningInsert[Any]


def _upserting(insert: _Insert, *, keeps: bool) -> _Statement:
    """Make an entry, or change one that is there. The new row's `last` is now. keeps: value and
    expiry stay."""
    c, new = entries.c, insert.excluded
    is_over = c.expires <= new.last
    is_new = sa.or_(is_over, c.first > new.last)
    changes: dict[str, Any] = {
        "first": sa.case((is_new, new.first), else_=c.first),
        "last": new.last,
        "count": sa.case((is_over, 1), else_=c.count + 1),
        "expires": sa.case((is_new, new.expires), else_=c.expires) if keeps else new.expires,
        "value": sa.case((is_over, new.value), else_=c.value) if keeps else new.value,
    }
    key = [c.kind, c.name]
    return insert.on_conflict_do_update(index_elements=key, set_=changes).returning(
        *entries.columns
    )


def _counting(insert: _Insert) -> _Statement:
    """`Window.plus`, in SQL."""
    c, new = counts.c, insert.excluded
    is_same = sa.or_(c.slot == new.slot, c.slot == new.slot + 1)
    changes: dict[str, Any] = {
        "slot": sa.case((is_same, c.slot), else_=new.slot),
        "latest": sa.case((is_same, c.latest + new.latest), else_=new.latest),
        "former": sa.case((is_same, c.former), (c.slot == new.slot - 1, c.latest), else_=0.0),
        "expires": new.expires,
    }
    key = [c.kind, c.name, c.seconds]
    return insert.on_conflict_do_update(index_elements=key, set_=changes).returning(*counts.columns)


# Made once: SQLAlchemy takes longer to make a statement than SQLite to carry it out.
_INSERTS: Mapping[str, Callable[[sa.Table], _Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
TOUCH = {name: _upserting(make(entries), keeps=True) for name, make in _INSERTS.items()}
PUT = {name: _upserting(make(entries), keeps=False) for name, make in _INSERTS.items()}
COUNT = {name: _counting(make(counts)) for name, make in _INSERTS.items()}
COUNT_ON = (
    sa.update(counts)
    .where(*(counts.c[n] == sa.bindparam(f"of_{n}") for n in ("kind", "name", "seconds", "slot")))
    .values(latest=counts.c.latest + sa.bindparam("amount"))
    .returning(*counts.columns)
)
"""Counts on in a slot that was begun: no index has to be changed."""
MARK_ON = (
    sa.update(entries)
    .where(
        *(entries.c[n] == sa.bindparam(f"of_{n}") for n in ("kind", "name")),
        entries.c.expires > sa.bindparam("now"),
    )
    .values(value=sa.bindparam("marks"))
    .returning(entries.c.value)
)
"""Another value for an entry, which lives as long as it would have: no index has to be changed."""
FIND_ENTRY = sa.select(entries).where(
    *(entries.c[name] == sa.bindparam(name) for name in ("kind", "name"))
)
FIND_COUNT = sa.select(counts).where(
    *(counts.c[name] == sa.bindparam(name) for name in ("kind", "name", "seconds"))
)


def entry_row(key: StateKey, now: float, lifetime: float, value: str) -> dict[str, Any]:
    """The row with which `TOUCH` and `PUT` make an entry or change it."""
    return {
        "kind": key.kind,
        "name": key.name,
        "first": now,
        "last": now,
        "count": 1,
        "expires": now + lifetime,
        "value": value[:VALUE_LIMIT],
    }


def has_key(table: sa.Table, key: StateKey) -> sa.ColumnElement[bool]:
    """The rows of a key."""
    return sa.and_(table.c.kind == key.kind, table.c.name == key.name)


def count_row(key: StateKey, seconds: int, amount: float, now: float) -> dict[str, Any]:
    """The row with which `COUNT` counts an amount."""
    slot = slot_of(now, seconds)
    return {
        "kind": key.kind,
        "name": key.name,
        "seconds": seconds,
        "slot": slot,
        "latest": amount,
        "former": 0.0,
        # From the end of the slot on, so that what is counted within it changes no expiry.
        "expires": (slot + 1.0 + _WINDOWS_KEPT) * seconds,
    }


def delete_expired(connection: sa.Connection, now: float) -> int:
    """Delete some of what has expired, the oldest first; how many rows."""
    gone = 0
    for table in (entries, counts):
        key = sa.tuple_(*table.primary_key.columns)
        oldest = (
            sa.select(*table.primary_key.columns)
            .where(table.c.expires <= now)
            .order_by(table.c.expires)
            .limit(EXPIRE_BATCH)
            # On PostgreSQL: neither wait for rows that others write, nor make them wait for each
            # other in a circle. SQLite has one writer.
            .with_for_update(skip_locked=True)
        )
        gone += connection.execute(sa.delete(table).where(key.in_(oldest))).rowcount
    return gone


def entry_of(row: Sequence[Any]) -> StateEntry:
    """A row of `entries`."""
    kind, name, first, last, count, expires, value = row
    return StateEntry(StateKey(kind, name), first, last, count, expires, value)


def window_of(row: Sequence[Any]) -> Window:
    """A row of `counts`."""
    _kind, _name, seconds, slot, latest, former, _expires = row
    return Window(seconds, slot, latest, former)
