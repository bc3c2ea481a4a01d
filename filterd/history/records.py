"""The table of records in an SQLite file, or in a PostgreSQL database that hosts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from filterd.chain.verdict import Action
from filterd.database.engine import BrokenDatabaseError, Database, DatabaseError, database
from filterd.database.paging import end
from filterd.database.search import Coarse, Contains
from filterd.history import candidates
from filterd.history.conditions import statement
from filterd.history.query import HistoryQuery
from filterd.history.record import Record, fields_of
from filterd.history.results import (
    BrokenHistoryError,
    FilterFailures,
    HistoryError,
    HistoryPage,
)
from filterd.history.row import row
from filterd.history.schema import SCHEMA, records
from filterd.history.summary import HistorySummary, summarized

FAILURES_LIMIT = 100_000
"""Messages whose failures are counted, the newest ones."""

SYMBOLS_LIMIT = 20_000
"""Messages whose symbols are counted, the newest ones; it takes about 1.5 ms a thousand."""

_CHUNK = 500
"""Records that are made and sent to the database at a time."""

_PAGE = 2000
"""Records of a day that are read at a time."""

_LOOKED_AT = 20_000
"""Records among which eventful ones are looked for at a time."""

_SETTLING = 86400.0
"""Seconds; a record that is further ahead of the clock was noted by a clock that was wrong, and is
not waited for."""

_REASON, _VIRUS = '"reason":"', '"virus":"'
"""Stand in a record that has one (`Codec.text` leaves out what is empty)."""

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
"""For SQLite. Each count reads its own stretch of the index, nothing is sorted: a tenth of what
grouping all records takes."""


class Records:
    """The records of one site. Raises HistoryError, BrokenHistoryError.

    url: of the database, empty for the file. where: as errors name it.
    """

    def __init__(self, url: str, file: Path, where: str) -> None:
        self._where = where
        with self._errors():
            self._database: Database = database(url, file, SCHEMA)

    def open(self) -> None:
        """Make the tables ready."""
        with self._transaction():
            pass

    def add(self, rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
        """Add rows that `row` made; how many there were before and are now, as `span` counts."""
        with self._transaction() as connection:
            before = span(connection)
            insert(connection, rows)
            return before, span(connection)

    def copy(self, numbered: Iterable[tuple[int, Record]]) -> int:
        """Add records under their numbers; how many."""
        with self._transaction() as connection:
            return insert(connection, ({"rowid": n, **row(record)} for n, record in numbered))

    def search(self, query: HistoryQuery) -> HistoryPage:
        """One page of what fits. Raises ValueError for a question that cannot be asked."""
        wanted = statement(query)
        with self._transaction() as connection:
            found = connection.execute(wanted).all()
        rows = tuple(Record.decode(*row[1:]) for row in found[: query.limit])
        more = len(found) > query.limit
        return HistoryPage(rows, end(rows[-1].received, found[query.limit - 1][0]) if more else "")

    def candidates(self, coarse: Coarse, action: str) -> list[Record]:
        """See `History.candidates`."""
        wanted = candidates.statement(coarse, action)
        with self._transaction() as connection:
            return [Record.decode(*found) for found in connection.execute(wanted)]

    def between(self, since: float, until: float, text: str) -> Iterator[Record]:
        """See `History.between`. Each page is a transaction of its own: a day's mail takes
        minutes, and a long one would keep SQLite from tidying up its write-ahead log."""
        c = records.c
        found = (
            sa.select(c.rowid, c.id, c.received, c.action, c.score, c.rest)
            .where(c.received < until, Contains(sa.func.lower(c.rest), text))
            .order_by(c.received, c.rowid)
            .limit(_PAGE)
        )
        wanted = found.where(c.received >= since)
        while True:
            with self._transaction() as connection:
                rows = connection.execute(wanted).all()
            for found_row in rows:
                yield Record.decode(*found_row[1:])
            if len(rows) < _PAGE:
                return
            number, _, received, *_ = rows[-1]
            # The time by itself as well: that is what the index is of.
            wanted = found.where(
                c.received >= received,
                sa.or_(c.received > received, c.rowid > number),
            )

    def summary(self, since: float, until: float, most: int) -> HistorySummary:
        """See `History.summary`."""
        counted = self._newest(since, until, most + 1)
        # Of the one that is too many only that it is there is told.
        rows = islice(counted, most)
        found = summarized(since, until, rows, more=False)
        return replace(found, more=next(counted, None) is not None)

    def _newest(
        self, since: float, until: float, most: int
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Actions and fields of records, the newest first, read as `between` reads them. What
        cannot be read is passed over."""
        c = records.c
        found = (
            sa.select(c.rowid, c.received, c.action, c.rest)
            .where(c.received >= since)
            .order_by(c.received.desc(), c.rowid.desc())
            .limit(min(most, _PAGE))
        )
        wanted = found.where(c.received < until)
        while most > 0:
            with self._transaction() as connection:
                rows = connection.execute(wanted).all()
            for _, _, action, rest in rows[:most]:
                try:
                    yield action, fields_of(rest)
                except ValueError:
                    continue
            most -= len(rows)
            if len(rows) < _PAGE:
                return
            number, received, *_ = rows[-1]
            wanted = found.where(
                c.received <= received, sa.or_(c.received < received, c.rowid < number)
            )

    def newest_number(self) -> int:
        """See `History.newest_number`."""
        with self._transaction() as connection:
            return connection.scalar(sa.select(sa.func.max(records.c.rowid))) or 0

    def eventful(self, after: int, settled: float, limit: int) -> tuple[int, list[Record]]:
        """See `History.eventful`."""
        c = records.c
        numbers = (
            sa.select(c.rowid, c.received)
            .where(c.rowid > after)
            .order_by(c.rowid)
            .limit(_LOOKED_AT)
        )
        with self._transaction() as connection:
            last = after
            for number, received in connection.execute(numbers):
                if settled < received <= settled + _SETTLING:
                    break
                last = number
            rows = connection.execute(
                sa.select(c.rowid, c.id, c.received, c.action, c.score, c.rest)
                .where(
                    c.rowid > after,
                    c.rowid <= last,
                    sa.or_(
                        c.action != Action.ACCEPT.value,
                        c.failed != "",
                        Contains(c.rest, _REASON),
                        Contains(c.rest, _VIRUS),
                    ),
                )
                .order_by(c.rowid)
                .limit(limit)
            ).all()
        if len(rows) == limit:
            last = rows[-1][0]
        return last, [Record.decode(*row[1:]) for row in rows]

    def oldest(self) -> float | None:
        """See `History.oldest`."""
        with self._transaction() as connection:
            found: float | None = connection.scalar(sa.select(sa.func.min(records.c.received)))
        return found

    @staticmethod
    def refuse_wrong(query: HistoryQuery) -> None:
        """Raises ValueError for a question that cannot be asked."""
        statement(query)

    def flow(self, since: float, until: float, step: float) -> list[tuple[float, str, int]]:
        """See `History.flow`."""
        with self._transaction() as connection:
            if connection.dialect.name == "sqlite":
                values = {"since": since, "until": until, "step": step}
                found = connection.execute(sa.text(_FLOW), values).all()
            else:
                c = records.c
                number = sa.func.floor((c.received - since) / step).label("number")
                found = connection.execute(
                    sa.select(number, c.action, sa.func.count())
                    .where(c.received >= since, c.received < until)
                    .group_by("number", c.action)
                    .order_by("number", c.action)
                ).all()
        return [(since + number * step, action, count) for number, action, count in found]

    def top(self, since: float, limit: int) -> list[tuple[str, int]]:
        """See `History.top`."""
        c = records.c
        newest = (
            sa.select(c.symbols, c.received)
            .where(c.received >= since, c.action != "accept")
            .order_by(c.received.desc())
            .limit(SYMBOLS_LIMIT)
            .subquery()
        )
        query = (
            sa.select(newest.c.symbols, sa.func.count())
            .group_by(newest.c.symbols)
            .order_by(sa.func.max(newest.c.received).desc())
        )
        counted: Counter[str] = Counter()
        with self._transaction() as connection:
            for names, messages in connection.execute(query):
                for name in names.split():
                    counted[name] += messages
        return counted.most_common(limit)

    def failures(self, since: float) -> list[FilterFailures]:
        """See `History.failures`."""
        c = records.c
        query = (
            sa.select(c.id, c.received, c.action, c.score, c.rest)
            .where(c.failed != "", c.received >= since)
            .order_by(c.received.desc(), c.rowid.desc())
            .limit(FAILURES_LIMIT)
        )
        newest: dict[str, tuple[float, str, str]] = {}
        counted: Counter[str] = Counter()
        with self._transaction() as connection:
            for row in connection.execute(query):
                record = Record.decode(*row)
                for failure in record.failures:
                    if failure.filter:
                        found = (record.received, record.id, str(failure))
                        newest.setdefault(failure.filter, found)
                        counted[failure.filter] += 1
        return [FilterFailures(n, count, *newest[n]) for n, count in counted.most_common()]

    def expire(self, before: float, most: int) -> tuple[int, int]:
        """Delete what came before then, and all but so many; return how many went, and `span` of
        what is left."""
        c = records.c
        last = sa.select(c.rowid).order_by(c.rowid.desc()).limit(1).offset(most)
        with self._transaction() as connection:
            gone = connection.execute(sa.delete(records).where(c.received < before)).rowcount
            gone += connection.execute(
                sa.delete(records).where(c.rowid <= last.scalar_subquery())
            ).rowcount
            return gone, span(connection)

    def check(self) -> None:
        """Read all of an SQLite file, and look at the tables."""
        with self._errors():
            self._database.check(self)

    def put_aside(self, now: float) -> str:
        """Put the tables of a PostgreSQL database aside; the name under which they are kept."""
        with self._errors():
            return self._database.put_aside(self, now)

    def close(self) -> None:
        """Close this process's connections unless others use them; they open again."""
        with self._errors():
            self._database.leave(self)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with self._errors(), self._database.transaction(self) as connection:
            yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BrokenDatabaseError as error:
            raise BrokenHistoryError(
                f"{self._where}: {error.cause}", is_newer=error.is_newer
            ) from error
        except DatabaseError as error:
            raise HistoryError(f"{self._where}: {error.cause}") from error


def insert(connection: sa.Connection, rows: Iterable[dict[str, Any]]) -> int:
    """Add rows; how many."""
    added, rows = 0, iter(rows)
    while some := list(islice(rows, _CHUNK)):
        connection.execute(sa.insert(records), some)
        added += len(some)
    return added


def span(connection: sa.Connection) -> int:
    """How many records there are, by the numbers of the first and the last one: counting them would
    read them all."""
    numbers = records.c.rowid
    first, last = (
        connection.scalar(sa.select(numbers).order_by(order).limit(1))
        for order in (numbers.asc(), numbers.desc())
    )
    return 0 if first is None or last is None else last - first + 1
