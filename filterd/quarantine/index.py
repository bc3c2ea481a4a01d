"""The index of the quarantine: rows for lists and searches, and the states that releases claim.

Files and journal are the truth; every row can be rebuilt from them. SQLAlchemy Core over SQLite
by default, in WAL mode so that readers do not stop the writers, or over PostgreSQL where hosts
share it. What may happen only once (a release) is decided here, by an update of one row that only
one of several processes can win.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from filterd.database.engine import Database
from filterd.database.paging import end
from filterd.database.storable import storable
from filterd.message.address import readable
from filterd.quarantine.database import index_database, store_errors
from filterd.quarantine.entry import Entry
from filterd.quarantine.files import StoreError
from filterd.quarantine.journal import Delivery, DeliveryState
from filterd.quarantine.query import SEARCHED, Query, counting, placing, statement
from filterd.quarantine.rows import delivery_of, delivery_row
from filterd.quarantine.schema import NAME_LENGTH, deliveries, digests, messages, seen
from filterd.quarantine.words import State
from filterd.system.bounded import json_value

BATCH = 100
"""Messages that are added in one transaction; others who write wait for it some hundredths of a
second."""

_CHUNK = 500
"""Ids in one statement; SQLite takes 999 parameters in its oldest form."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a list shows of one kept message. received: seconds since 1970. path: of the file."""

    id: str
    received: float
    size: int
    sender: str
    recipients: tuple[str, ...]
    client_address: str
    queue_id: str
    message_id: str
    header_from: str
    subject: str
    reason: str
    action: str
    score: float
    symbols: tuple[str, ...]
    virus: str
    path: str
    state: str
    pinned: bool

    def to_json(self) -> dict[str, Any]:
        """The row as a plain value, the time as ISO 8601 in UTC."""
        plain = asdict(self)
        plain["received"] = datetime.fromtimestamp(self.received, UTC).isoformat()
        return plain


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order of the query; next: `Query.after` for the next page, empty at the end."""

    rows: tuple[Row, ...]
    next: str


class Index:
    """The tables of kept messages. Opened on first use; all of one process share what is open."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder

    def add(self, entry: Entry, path: str, delivery_state: DeliveryState) -> None:
        """Add the entry's rows; if its id is known, nothing changes. Raises StoreError."""
        self.add_all([(entry, path, delivery_state)])

    def add_all(self, entries: Sequence[tuple[Entry, str, DeliveryState]]) -> None:
        """Add the rows of several, `BATCH` in a transaction. Raises StoreError."""
        # In one order everywhere, so that two who add the same ones do not wait for each other.
        entries = sorted(entries, key=lambda one: one[0].id)
        for start in range(0, len(entries), BATCH):
            some = entries[start : start + BATCH]
            with self.connection() as connection:
                try:
                    _lock(connection, [entry.id for entry, _path, _state in some])
                    for entry, path, delivery_state in some:
                        _add(connection, entry, path, delivery_state)
                    continue
                except sa.exc.DBAPIError as error:
                    # Somebody else has just added one of them, or is at it.
                    if not (isinstance(error, sa.exc.IntegrityError) or _is_deadlock(error)):
                        raise
                    connection.rollback()
            if len(some) > 1:
                for one in some:
                    self.add_all([one])

    def remove(self, ids: Sequence[str]) -> None:
        """Take rows out. Raises StoreError."""
        with self.connection() as connection:
            for some in _chunks(ids):
                _lock(connection, some)
                connection.execute(sa.delete(messages).where(messages.c.id.in_(some)))
                connection.execute(sa.delete(deliveries).where(deliveries.c.id.in_(some)))
                connection.execute(sa.delete(seen).where(seen.c.id.in_(some)))

    def states(self, ids: Sequence[str] | None = None) -> dict[str, tuple[str, bool]]:
        """State and pin of every row, by id; with ids those of them that are there. Raises
        StoreError."""
        query = sa.select(messages.c.id, messages.c.state, messages.c.pinned)
        parts = [query]
        if ids is not None:
            parts = [query.where(messages.c.id.in_(some)) for some in _chunks(ids)]
        with self.connection() as connection:
            return {row[0]: (row[1], row[2]) for part in parts for row in connection.execute(part)}

    def search(self, query: Query) -> Page:
        """One page of matching messages. Raises QueryError, StoreError."""
        with self.connection() as connection:
            rows = connection.execute(statement(query)).mappings().all()
        shown = rows[: query.limit]
        goes_on = len(rows) > len(shown)
        next = end(shown[-1]["place"], shown[-1]["id"]) if goes_on else ""
        return Page(tuple(map(row_of, shown)), next)

    def place(self, id: str, sort: str) -> str:
        """`Query.after` for what comes behind that message in a list; empty if it is not in the
        index. Raises QueryError, StoreError."""
        with self.connection() as connection:
            found = connection.scalar(placing(id, sort))
        return "" if found is None else end(found, id)

    def count(self, query: Query) -> int:
        """How many messages match, counted up to `COUNT_LIMIT` + 1. Raises QueryError,
        StoreError."""
        with self.connection() as connection:
            return connection.scalar(counting(query)) or 0

    def counts(self) -> list[tuple[str, str, int, int]]:
        """By reason and state: how many messages, how many octets. Raises StoreError."""
        c = messages.c
        query = sa.select(c.reason, c.state, sa.func.count(), sa.func.sum(c.size)).group_by(
            c.reason, c.state
        )
        with self.connection() as connection:
            return [(r[0], r[1], r[2], int(r[3])) for r in connection.execute(query)]

    def oldest(self) -> Iterator[tuple[str, float, int]]:
        """Id, time and size of what may expire, oldest first: not pinned, not under way, bytes
        still there. Raises StoreError."""
        c = messages.c
        query = (
            sa.select(c.id, c.received, c.size)
            .order_by(c.received, c.id)
            .where(c.state.not_in(("deleted", "expired", "releasing")), sa.not_(c.pinned))
        )
        with self.connection() as connection:
            rows = connection.execute(query).all()
        return ((row[0], row[1], row[2]) for row in rows)

    def newest(self) -> float | None:
        """When the newest message came, seconds since 1970; None if there is none. Raises
        StoreError."""
        with self.connection() as connection:
            found = connection.scalar(sa.select(sa.func.max(messages.c.received)))
        return None if found is None else float(found)

    def totals(self) -> tuple[int, int]:
        """How many messages still have their bytes, and how many octets. Raises StoreError."""
        c = messages.c
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(c.size), 0)).where(
            c.state.not_in(("deleted", "expired"))
        )
        with self.connection() as connection:
            row = connection.execute(query).one()
        return row[0], int(row[1])

    def claim(
        self, id: str, recipients: Sequence[str], states: Sequence[str], now: float, form: str
    ) -> tuple[str, ...]:
        """Set these copies to `releasing` if they are in one of these states (`""`: there is no
        copy yet); return those that this call has won. Raises StoreError."""
        c = deliveries.c
        won = []
        for recipient in recipients:
            mine = (c.id == id, c.recipient == storable(recipient))
            with self.connection() as connection:
                _lock(connection, [id])
                done = connection.execute(
                    sa.update(deliveries)
                    .where(*mine, c.state.in_(states))
                    .values(state="releasing", changed=now, attempts=c.attempts + 1, form=form)
                )
                if done.rowcount == 0 and "" in states:
                    if connection.scalar(sa.select(c.id).where(*mine)) is not None:
                        continue
                    fresh = Delivery(recipient, State.RELEASING, now, attempts=1, form=form)
                    try:
                        connection.execute(sa.insert(deliveries), [delivery_row(id, fresh)])
                    except sa.exc.IntegrityError:
                        connection.rollback()
                        continue
                elif done.rowcount == 0:
                    continue
                _summarize(connection, id)
            won.append(recipient)
        return tuple(won)

    def update(self, id: str, delivery_state: DeliveryState) -> None:
        """Write the delivery state of a message. Raises StoreError."""
        with self.connection() as connection:
            _lock(connection, [id])
            rows = [delivery_row(id, d) for d in delivery_state.deliveries]
            names = [row["recipient"] for row in rows]
            others = (deliveries.c.id == id, deliveries.c.recipient.not_in(names))
            connection.execute(sa.delete(deliveries).where(*others))
            _put_deliveries(connection, rows)
            connection.execute(
                sa.update(messages)
                .where(messages.c.id == id)
                .values(state=delivery_state.state.value, pinned=delivery_state.pinned)
            )
            if delivery_state.purged:
                connection.execute(sa.delete(seen).where(seen.c.id == id))

    def saw(self, id: str, reviewer: str) -> None:
        """Note that a reviewer has seen a message; of one that is not in the index nothing is
        noted. Raises StoreError."""
        mark = {"id": id, "reviewer": storable(reviewer)[:NAME_LENGTH]}
        with self.connection() as connection:
            _lock(connection, [id])
            is_there = sa.select(messages.c.id).where(messages.c.id == id)
            if connection.scalar(is_there) is not None:
                new = _insert(connection)(seen).values(mark)
                connection.execute(new.on_conflict_do_nothing())

    def seen(self, ids: Sequence[str], reviewer: str) -> frozenset[str]:
        """Those of these messages that a reviewer has seen. Raises StoreError."""
        mine = sa.select(seen.c.id).where(seen.c.reviewer == storable(reviewer)[:NAME_LENGTH])
        with self.connection() as connection:
            return frozenset(
                id
                for some in _chunks(ids)
                for id in connection.scalars(mine.where(seen.c.id.in_(some)))
            )

    def settle(self, id: str, delivery: Delivery) -> None:
        """Write the state of one copy. Raises StoreError."""
        with self.connection() as connection:
            _lock(connection, [id])
            _put_deliveries(connection, [delivery_row(id, delivery)])
            _summarize(connection, id)

    def mark(self, id: str, copies: Sequence[Delivery]) -> None:
        """Write what their recipients want of these copies, and nothing else. Raises StoreError."""
        c = deliveries.c
        with self.connection() as connection:
            _lock(connection, [id])
            for copy in copies:
                row = delivery_row(id, copy)
                connection.execute(
                    sa.update(deliveries)
                    .where(c.id == id, c.recipient == row["recipient"])
                    .values({name: row[name] for name in _WISHES})
                )

    def deliveries(self, id: str) -> tuple[Delivery, ...]:
        """The copies of one message. Raises StoreError."""
        query = sa.select(deliveries).where(deliveries.c.id == id).order_by(deliveries.c.recipient)
        with self.connection() as connection:
            return tuple(delivery_of(found) for found in connection.execute(query).mappings())

    def copies_of(self, ids: Sequence[str]) -> dict[str, tuple[Delivery, ...]]:
        """The copies of several messages, by id. Raises StoreError."""
        query = sa.select(deliveries).order_by(deliveries.c.recipient)
        found: dict[str, tuple[Delivery, ...]] = dict.fromkeys(ids, ())
        with self.connection() as connection:
            for some in _chunks(ids):
                wanted = query.where(deliveries.c.id.in_(some))
                for row in connection.execute(wanted).mappings():
                    found[row["id"]] += (delivery_of(row),)
        return found

    def waiting(self, now: float, claimed_before: float) -> list[tuple[str, Delivery]]:
        """Copies whose release is due again, and those claimed so long ago that the process that
        did is no more. Raises StoreError."""
        c = deliveries.c
        due = sa.and_(c.state == "failed", c.again_at > 0, c.again_at <= now)
        lost = sa.and_(c.state == "releasing", c.changed < claimed_before)
        query = sa.select(deliveries).where(sa.or_(due, lost)).order_by(c.id, c.recipient)
        with self.connection() as connection:
            found = connection.execute(query).mappings().all()
        return [(row["id"], delivery_of(row)) for row in found]

    def close(self) -> None:
        """Close the connections unless others in this process use them; they open again."""
        with store_errors():
            self._database.leave(self)

    def check(self) -> None:
        """Raises BrokenIndexError if the index has to be rebuilt from files and journal, StoreError
        if it is not available."""
        with store_errors():
            self._database.check(self)

    def begin_anew(self, now: float) -> str:
        """Set aside what cannot be used and make empty tables; return the name under which it is
        kept. Who was told what by digests, and who has seen what, is taken over if it can be read.
        Raises StoreError."""
        saved: dict[sa.Table, list[dict[str, Any]]] = {}
        for table in (digests, seen):
            with suppress(StoreError), self._as_it_is() as connection:
                found = connection.execute(sa.select(table)).mappings()
                saved[table] = [dict(row) for row in found]
        with store_errors():
            aside = self._database.put_aside(self, now)
        for table, rows in saved.items():
            with suppress(StoreError), self.connection() as connection:
                if rows:
                    connection.execute(sa.insert(table), rows)
        return aside

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """One transaction. Raises StoreError for whatever the database says, BrokenIndexError if it
        cannot be used any more."""
        with store_errors(), self._database.transaction(self) as connection:
            yield connection

    @contextmanager
    def _as_it_is(self) -> Iterator[sa.Connection]:
        """A connection to tables of any kind. Raises StoreError."""
        with store_errors(), self._database.connection(self, ready=False) as connection:
            yield connection

    @cached_property
    def _database(self) -> Database:
        return index_database(self._url, self._folder)


def _is_deadlock(error: sa.exc.DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "40P01"


def _add(connection: sa.Connection, entry: Entry, path: str, delivery_state: DeliveryState) -> None:
    known = sa.select(messages.c.id).where(messages.c.id == entry.id)
    if connection.scalar(known) is not None:
        return
    row: dict[str, Any] = {
        "id": entry.id,
        "received": entry.received.timestamp(),
        "size": entry.size,
        # One spelling of each mailbox, for searches and for what a reviewer may see; releases
        # take the client's from the description.
        "sender": storable(readable(entry.sender)),
        "recipients": json.dumps(
            [storable(readable(r)) for r in entry.recipients], ensure_ascii=False
        ),
        "client_address": entry.client_address,
        "queue_id": entry.queue_id,
        "message_id": storable(entry.message_id),
        "header_from": storable(entry.header_from),
        "subject": storable(entry.subject),
        "reason": str(entry.reason),
        "action": entry.action.value,
        "score": entry.score,
        "symbols": f" {' '.join(s.name for s in entry.symbols)} ",
        "virus": storable(entry.virus),
        "path": path,
        "state": delivery_state.state.value,
        "pinned": delivery_state.pinned,
    }
    words = [str(row[name]) for name in SEARCHED]
    words += [storable(" ".join(name.split())) for name in entry.attachments]
    row["words"] = "\n".join(words).casefold()
    connection.execute(sa.insert(messages), [row])
    # A copy that somebody claimed while its message had no row stays as it is.
    mine = sa.select(deliveries.c.recipient).where(deliveries.c.id == entry.id)
    there = set(connection.scalars(mine))
    rows = [delivery_row(entry.id, d) for d in delivery_state.deliveries]
    fresh = [row for row in rows if row["recipient"] not in there]
    _put_deliveries(connection, fresh, keep=True)
    if there:
        _summarize(connection, entry.id)


def _summarize(connection: sa.Connection, id: str) -> None:
    """Write the state of the whole message again."""
    found = connection.execute(sa.select(deliveries).where(deliveries.c.id == id)).mappings()
    state = DeliveryState(tuple(map(delivery_of, found))).state
    connection.execute(sa.update(messages).where(messages.c.id == id).values(state=state.value))


def row_of(found: Any) -> Row:
    """The value that a row of `messages` stands for."""
    lists = {
        "recipients": tuple(json_value(found["recipients"])),
        "symbols": tuple(found["symbols"].split()),
    }
    return Row(**{**{name: found[name] for name in Row.__slots__}, **lists})


def _lock(connection: sa.Connection, ids: Sequence[str]) -> None:
    """Let nobody else write these messages' rows until the transaction ends, also where there are
    none yet; in the order of ids, so that no two wait for each other. SQLite has one writer at a
    time anyhow."""
    if connection.dialect.name != "postgresql":
        return
    for id in sorted(ids):
        # https://www.postgresql.org/docs/15/explicit-locking.html#ADVISORY-LOCKS
        key = sa.func.hashtextextended(id, _LOCK_SEED)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


_LOCK_SEED = 0x66696C74
"""Keeps our locks apart from those of other programs in the same database."""


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids, so many at a time as one statement takes."""
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _insert(connection: sa.Connection) -> Any:
    """An insert that can say what happens where the row is there."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  (loaded by the connection)

        return postgresql.insert
    return sqlite.insert


def _put_deliveries(
    connection: sa.Connection, rows: list[dict[str, Any]], *, keep: bool = False
) -> None:
    """Write copies' rows in place of those that are there, or with `keep` only where none is.

    In one statement a row: between a look and an insert another process may write the same one.
    """
    insert = _insert(connection)
    # In one order everywhere, so that two who write the same ones do not wait for each other.
    for row in sorted(rows, key=lambda row: str(row["recipient"])):
        new = insert(deliveries).values(row)
        if keep:
            connection.execute(new.on_conflict_do_nothing(index_elements=_KEY))
            continue
        values = {name: new.excluded[name] for name in row if name not in _KEY}
        connection.execute(new.on_conflict_do_update(index_elements=_KEY, set_=values))


_WISHES = ("asked", "refused", "dismissed", "request_note")

_KEY = ("id", "recipient")
"""What makes a copy the one that it is."""
