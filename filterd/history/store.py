"""The records in one SQLite file, newest first, found by the words of `filterd quarantine list`.

A lost record is not lost mail, so nothing here is fsynced before an answer: the daemon writes in
batches, from a thread of its own. WAL mode lets readers and the writer work at the same time. What
becomes of a file that cannot be used is in `filterd.history.recovery`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.database.sqlite import connections_to, is_broken
from filterd.history.query import HistoryQuery, conditions_of, storable, within, without_hidden
from filterd.history.record import Record
from filterd.history.settings import HistorySettings
from filterd.message.address import readable

VERSION = 2
"""Of the tables, in the file's `user_version`."""

BUSY_SECONDS = 5.0
"""For which a writer waits for another one."""

PAGE_LIMIT = 1000
"""Records of one page."""

TOP_LIMIT = 100_000
"""Messages whose failures are counted, the newest ones."""

SYMBOLS_LIMIT = 20_000
"""Messages whose symbols are counted, the newest ones; it takes about 1.5 ms a thousand."""

COLUMNS = "id, received, action, score, recipients, symbols, failed, words, rest"

_TABLES = """
CREATE TABLE records (
    id TEXT NOT NULL, received REAL NOT NULL, action TEXT NOT NULL, score REAL NOT NULL,
    recipients TEXT NOT NULL, symbols TEXT NOT NULL, failed TEXT NOT NULL, words TEXT NOT NULL,
    rest TEXT NOT NULL
);
CREATE INDEX records_newest ON records (received, action);
CREATE INDEX records_by_action ON records (action, received);
CREATE INDEX records_failed ON records (received) WHERE failed <> '';
"""

_FLOW = """
WITH RECURSIVE
    actions (action) AS (
        SELECT MIN(action) FROM records
        UNION ALL SELECT (SELECT MIN(r.action) FROM records r WHERE r.action > a.action)
        FROM actions a WHERE a.action IS NOT NULL
    ),
    bins (number) AS (
        SELECT 0 WHERE :since < :until
        UNION ALL SELECT number + 1 FROM bins WHERE :since + (number + 1) * :step < :until
    )
SELECT number, action, (
    SELECT COUNT(*) FROM records r INDEXED BY records_by_action
    WHERE r.action = a.action AND r.received >= :since + number * :step
    AND r.received < MIN(:until, :since + (number + 1) * :step)
) AS messages
FROM bins, actions a WHERE action IS NOT NULL AND messages > 0 ORDER BY number, action
"""
"""Each count reads its own stretch of the index, nothing is sorted: a tenth of what grouping all
records takes."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)


class HistoryError(OSError):
    """The file cannot be read or written; the text says why."""


class BrokenHistoryError(HistoryError):
    """What is in the file cannot be used: it is damaged, or of another version of filterd."""


class OtherVersionError(sqlite3.DatabaseError):
    """Tables of another version of filterd."""

    def __init__(self, version: int) -> None:
        super().__init__(f"its tables are of version {version}, this filterd's are of {VERSION}")
        self.sqlite_errorcode = sqlite3.SQLITE_SCHEMA


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first; next: what `after` must be for those behind, empty at the end."""

    rows: tuple[Record, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class FilterFailures:
    """Messages without a filter's opinion, and the newest of them: when, which, why."""

    filter: str
    messages: int
    last: float
    id: str
    detail: str


class History:
    """The records of one site, in one file. Safe for several threads and processes."""

    def __init__(
        self, file: Path, settings: HistorySettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.file = file
        self.settings = settings
        self._clock = clock
        self._connections = connections_to(file, prepare)
        self.known = 0
        """Records that were here after the last `add` or `expire`."""

    def add(self, records: Sequence[Record]) -> int:
        """Note messages. Raises BrokenHistoryError, HistoryError.

        Returns how many records that were here after the last `add` or `expire` of this object are
        gone: somebody else removed the file, or its write-ahead log.
        """
        with self._connected() as connection:
            vanished = max(self.known - span(connection), 0)
            insert(connection, ((None, record) for record in records))
            known = span(connection)
        self.known = known
        return vanished

    def search(self, query: HistoryQuery) -> Page:
        """One page of what fits, an empty one while there is no file. Raises ValueError for a
        question that cannot be asked, HistoryError."""
        if not 1 <= query.limit <= PAGE_LIMIT:
            raise ValueError(f"limit is {query.limit}; expected 1 to {PAGE_LIMIT}")
        conditions, values = ["1"], list[object]()
        for condition in conditions_of(query):
            conditions.append(condition.sql)
            values += condition.values
        if not self.file.exists():
            return Page(())
        # Only fixed text is put together here; what was asked for goes by placeholders.
        sql = (
            "SELECT rowid, id, received, action, score, rest FROM records "  # noqa: S608
            f"WHERE {' AND '.join(conditions)} ORDER BY received DESC, rowid DESC LIMIT ?"
        )
        found = self._read(sql, (*values, query.limit + 1))
        rows = tuple(Record.decode(*row[1:]) for row in found[: query.limit])
        more = len(found) > query.limit
        return Page(rows, f"{rows[-1].received!r},{found[query.limit - 1][0]}" if more else "")

    def flow(self, since: float, until: float, step: float) -> list[tuple[float, str, int]]:
        """Messages by time and action: (beginning of the bin, action, messages), in order of time.

        since, until: seconds since 1970; step: seconds of one bin. Raises HistoryError.
        """
        found = self._read(_FLOW, {"since": since, "until": until, "step": step})
        return [(since + number * step, action, count) for number, action, count in found]

    def top(self, since: float, limit: int) -> list[tuple[str, int]]:
        """The symbols that most messages had of those that were not simply accepted.

        Raises HistoryError.
        """
        found = self._read(
            "SELECT symbols, COUNT(*) FROM (SELECT symbols, received FROM records "
            "WHERE received >= ? AND action <> 'accept' ORDER BY received DESC LIMIT ?) "
            "GROUP BY symbols ORDER BY MAX(received) DESC",
            (since, SYMBOLS_LIMIT),
        )
        counted: Counter[str] = Counter()
        for names, messages in found:
            for name in names.split():
                counted[name] += messages
        return counted.most_common(limit)

    def failures(self, since: float) -> list[FilterFailures]:
        """What filters failed since then (seconds since 1970), the most first.

        Raises HistoryError.
        """
        sql = (
            "SELECT received, rest, action, score, id FROM records "
            "WHERE failed <> '' AND received >= ? ORDER BY received DESC LIMIT ?"
        )
        found = self._read(sql, (since, TOP_LIMIT))
        newest: dict[str, tuple[float, str, str]] = {}
        counted: Counter[str] = Counter()
        for received, rest, action, score, id in found:
            for failure in Record.decode(id, received, action, score, rest).failures:
                if failure.filter:
                    newest.setdefault(failure.filter, (received, id, str(failure)))
                    counted[failure.filter] += 1
        return [FilterFailures(n, count, *newest[n]) for n, count in counted.most_common()]

    def expire(self, *, by_age: bool = True) -> int:
        """Let go what is too old or too much; how many records. by_age: False while the clock is in
        doubt. Raises HistoryError."""
        oldest = self._clock() - self.settings.keep_days * 86400 if by_age else 0.0
        with self._connected() as connection:
            gone = connection.execute("DELETE FROM records WHERE received < ?", (oldest,)).rowcount
            gone += connection.execute(
                "DELETE FROM records WHERE rowid <= "
                "(SELECT rowid FROM records ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
                (self.settings.keep_messages,),
            ).rowcount
            known = span(connection)
        self.known = min(self.known, known)
        return gone

    def close(self) -> None:
        """Close this process's connections that nobody uses; others are opened when needed."""
        self._connections.close()

    def trouble(self) -> str:
        """Why the file cannot be used, empty if it can or is not there yet. Raises HistoryError for
        what is not the file's fault: a lock, a permission."""
        try:
            found = self._read("PRAGMA integrity_check(1)", ())
        except BrokenHistoryError as error:
            return str(error)
        text = str(found[0][0]) if found else "ok"
        return "" if text == "ok" else text

    def _read(self, sql: str, values: Sequence[object] | dict[str, object]) -> list[Any]:
        """The rows. Reading makes no file: the daemon could not write one that root made."""
        if not self.file.exists() and not self.file.is_symlink():
            return []
        with self._connected() as connection:
            return connection.execute(sql, values).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A transaction; SQLite's troubles are HistoryErrors."""
        path = self.file
        try:
            if fault := self._connections.file.fault():
                raise BrokenHistoryError(fault)
            with self._connections.lent(BUSY_SECONDS) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            kind = BrokenHistoryError if is_broken(error) else HistoryError
            raise kind(f"{path}: {error}") from error
        except HistoryError:
            raise
        except OSError as error:
            raise HistoryError(f"{path}: {error.strerror or error}") from error


def prepare(connection: sqlite3.Connection) -> None:
    """What each new connection is told; makes the tables of an empty file.

    Raises sqlite3.Error, and OtherVersionError for tables of another version.
    """
    for function in (within, without_hidden):
        connection.create_function(function.__name__, -1, function, deterministic=True)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == VERSION:
                return
            if connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]:
                raise OtherVersionError(version)
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute(f"SELECT {COLUMNS} FROM records LIMIT 0")  # noqa: S608  (fixed text)


def insert(connection: sqlite3.Connection, records: Iterable[tuple[int | None, Record]]) -> None:
    """Add records under these numbers, None: the next one. Raises sqlite3.Error."""
    sql = f"INSERT INTO records (rowid, {COLUMNS}) VALUES ({', '.join('?' * 10)})"  # noqa: S608
    connection.executemany(sql, ((number, *_row(record)) for number, record in records))


def span(connection: sqlite3.Connection) -> int:
    """How many records there are, by the numbers of the first and the last one: counting them would
    read them all."""
    first, last = connection.execute(
        "SELECT (SELECT MIN(rowid) FROM records), (SELECT MAX(rowid) FROM records)"
    ).fetchone()
    return 0 if first is None else int(last) - int(first) + 1


def _row(record: Record) -> tuple[object, ...]:
    # One spelling of each mailbox, for searches and for what a reviewer may see.
    sender, recipients = readable(record.sender), tuple(map(readable, record.recipients))
    failed = [storable(failure.filter) for failure in record.failures if failure.filter]
    words = (
        record.id,
        record.queue_id,
        record.message_id,
        record.client,
        sender,
        *recipients,
        record.subject,
    )
    return (
        storable(record.id),
        record.received,
        record.action.value,
        record.score,
        _ENCODER.encode([storable(r).casefold() for r in recipients]),
        f" {' '.join(storable(symbol.name) for symbol in record.symbols)} ",
        f" {' '.join(failed)} " if failed else "",
        storable("\n".join((sender, *words))).casefold(),
        record.encode(),
    )
