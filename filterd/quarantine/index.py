"""The index of the quarantine: one row a message, for lists and searches.

The files are the truth; a row can be made again from them. SQLAlchemy Core over SQLite by default,
in WAL mode so that readers do not stop the writers, or over PostgreSQL where hosts share it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from filterd.quarantine.entry import Entry
from filterd.quarantine.files import StoreError

BUSY_LIMIT = 5.0
"""Seconds that a writer waits for another; the files are safe by then, so this costs no mail."""

_meta = sa.MetaData()

messages = sa.Table(
    "messages",
    _meta,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("received", sa.Float, nullable=False, index=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("recipients", sa.Text, nullable=False),
    sa.Column("client_address", sa.Text, nullable=False),
    sa.Column("queue_id", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("virus", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What a list shows of one kept message. received: seconds since 1970. path: of the folder."""

    id: str
    received: float
    size: int
    sender: str
    recipients: tuple[str, ...]
    client_address: str
    queue_id: str
    message_id: str
    subject: str
    reason: str
    action: str
    score: float
    virus: str
    path: str

    def to_json(self) -> dict[str, Any]:
        """The row as a plain value, the time as ISO 8601 in UTC."""
        from datetime import UTC  # noqa: PLC0415

        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["received"] = datetime.fromtimestamp(self.received, UTC).isoformat()
        plain["recipients"] = list(self.recipients)
        return plain


class Index:
    """The table of kept messages. Opened on first use, in each process anew after a fork."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._engine: sa.Engine | None = None
        self._owner = 0

    def add(self, entry: Entry, path: str) -> None:
        """Add the entry's row; a row of that id already there is replaced. Raises StoreError."""
        row = {
            "id": entry.id,
            "received": entry.received.timestamp(),
            "size": entry.size,
            "sender": _storable(entry.sender),
            "recipients": json.dumps([_storable(r) for r in entry.recipients]),
            "client_address": entry.client_address,
            "queue_id": entry.queue_id,
            "message_id": _storable(entry.message_id),
            "subject": _storable(entry.subject),
            "reason": entry.reason,
            "action": entry.action,
            "score": entry.score,
            "virus": _storable(entry.virus),
            "path": path,
        }
        with self._connection() as connection:
            connection.execute(sa.delete(messages).where(messages.c.id == entry.id))
            connection.execute(sa.insert(messages), [row])

    def remove(self, ids: Sequence[str]) -> None:
        """Take rows out. Raises StoreError."""
        with self._connection() as connection:
            connection.execute(sa.delete(messages).where(messages.c.id.in_(ids)))

    def ids(self) -> set[str]:
        """The ids of all rows. Raises StoreError."""
        with self._connection() as connection:
            return set(connection.scalars(sa.select(messages.c.id)))

    def newest(
        self, limit: int, *, reason: str = "", text: str = "", before: float | None = None
    ) -> list[Row]:
        """Rows, newest first. text: part of sender, recipients or subject. Raises StoreError."""
        query = sa.select(messages).order_by(messages.c.received.desc(), messages.c.id.desc())
        if reason:
            query = query.where(messages.c.reason == reason)
        if before is not None:
            query = query.where(messages.c.received < before)
        if text:
            columns = (messages.c.sender, messages.c.recipients, messages.c.subject)
            query = query.where(sa.or_(*(c.icontains(text, autoescape=True) for c in columns)))
        with self._connection() as connection:
            return [_row(found) for found in connection.execute(query.limit(limit)).mappings()]

    def counts(self) -> dict[str, int]:
        """How many messages there are, by reason. Raises StoreError."""
        query = sa.select(messages.c.reason, sa.func.count()).group_by(messages.c.reason)
        with self._connection() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        try:
            with self._opened().begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise StoreError(0, f"quarantine index: {cause}") from error

    def _opened(self) -> sa.Engine:
        # A connection must not cross a fork.
        if self._engine is None or self._owner != os.getpid():
            self._engine = sa.create_engine(self._location(), pool_size=1)
            self._owner = os.getpid()
            if self._engine.dialect.name == "sqlite":
                sa.event.listen(self._engine, "connect", _tune_sqlite)
            _meta.create_all(self._engine)
        return self._engine

    def _location(self) -> URL:
        if self._url:
            return make_url(self._url)
        self._folder.mkdir(0o700, parents=True, exist_ok=True)
        path = self._folder / "index.sqlite"
        # SQLite gives its journal files the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return URL.create("sqlite", database=str(path))


def _tune_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_LIMIT * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # The files are fsynced and can bring back any row, so the index need not wait for the disk.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _row(found: Any) -> Row:
    return Row(**{**found, "recipients": tuple(json.loads(found["recipients"]))})


def _storable(text: str) -> str:
    """The text without NUL and without lone surrogates, which databases refuse."""
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")
