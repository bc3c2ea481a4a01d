"""The journal's tables as one process has them open: one connection, one transaction at a time.

A message costs a tenth of a millisecond to learn, a statement of SQLAlchemy's as much again. So the
two questions that each message asks go to the driver prepared, and what was learned is entered for
many messages at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learned import AUTOMATIC, JournalError
from filterd.bayes.site.schema import SCHEMA, WINDOW, lessons
from filterd.database.copying import copy_tables
from filterd.database.engine import Database, DatabaseError, database, errors
from filterd.database.prepared import PreparedStatement

PENDING_LIMIT = 1000
"""Messages whose lessons are entered with one statement, some 300 octets each."""

_C = lessons.c
_OF_KEY = _C.key == sa.bindparam("key")
_IS_PERSONS = sa.func.substr(_C.source, 1, len(AUTOMATIC)) != AUTOMATIC

IS_IN_MODEL = _C.died.is_(None)
"""What the current model contains."""

_FIND = sa.select(_C.id, _C.source, _C.batch, _C.spam, _C.step, _C.counted, *WINDOW)
_FIND_WORD = sa.select(_C.id).where(_OF_KEY, _IS_PERSONS).limit(1)

_LEARNED = sa.insert(lessons)
_FORGOTTEN = (
    sa.update(lessons)
    .where(_C.id == sa.bindparam("number"))
    .values(died=sa.bindparam("generation"))
)


class JournalTables:
    """The tables of one folder's journal. Raises JournalError.

    where: as errors name it. alone: on PostgreSQL one process at a time has it so, others wait.
    """

    def __init__(self, folder: ModelFolder, *, alone: bool) -> None:
        self.where = "filters.bayes.database" if folder.database else str(folder.journal)
        self._new: list[dict[str, Any]] = []
        self._gone: list[dict[str, Any]] = []
        self._touched: set[bytes] = set()
        with self._errors(), ExitStack() as stack:
            self._database: Database = database(folder.database, folder.journal, SCHEMA)
            stack.callback(self._database.leave, self)
            connected = self._database.sole_connection if alone else self._database.connection
            self._sql = stack.enter_context(connected(self))
            self._find = PreparedStatement(self._sql, _FIND.where(_OF_KEY, IS_IN_MODEL).limit(1))
            self._find_word = PreparedStatement(self._sql, _FIND_WORD)
            self._stack = stack.pop_all()

    def is_in(self, file: Path) -> bool:
        """Return True if they are in that SQLite file."""
        mine = self._database.file
        return mine is not None and mine.path.absolute() == file.absolute()

    def close(self) -> None:
        """Close the connection; what was not committed is lost."""
        with self._errors():
            self._stack.close()

    def begin(self) -> None:
        """Begin a transaction."""
        with self._errors():
            # SQLAlchemy has begun one for what was read.
            self._sql.rollback()
            self._sql.begin()
            if self._sql.dialect.name == "sqlite":
                # Python's module would begin it with the first change only.
                self._sql.exec_driver_sql("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """End it; what was entered is durable."""
        self._enter()
        with self._errors():
            self._sql.commit()

    def rollback(self) -> None:
        """End it as if it had not been."""
        self._drop()
        with self._errors():
            self._sql.rollback()

    def find(self, key: bytes) -> tuple[Any, ...] | None:
        """Id, source, batch, class, step, whether it was counted, and the window's start, end and
        step, of what the model contains."""
        return self._one(self._find, key)

    def find_word(self, key: bytes) -> tuple[Any, ...] | None:
        """A row if a person taught the message, whether the model contains it or not."""
        return self._one(self._find_word, key)

    def learn(self, row: dict[str, Any]) -> None:
        """Enter a lesson, at the latest when somebody asks for it."""
        self._new.append(row)
        self._touch(row["key"])

    def forget(self, key: bytes, id: int, generation: int) -> None:
        """Enter the end of a lesson, at the latest when somebody asks for it."""
        self._gone.append({"number": id, "generation": generation})
        self._touch(key)

    def rows(self, wanted: sa.Select[*tuple[Any, ...]]) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        """What a query finds."""
        self._enter()
        with self._errors():
            return self._sql.execute(wanted).all()

    def scalar(self, wanted: sa.Select[*tuple[Any, ...]]) -> Any:
        """The first value that a query finds, None if there is none."""
        return next((row[0] for row in self.rows(wanted)), None)

    def change(self, change: sa.Insert | sa.Update | sa.Delete) -> int:
        """Change rows; how many."""
        self._enter()
        with self._errors():
            return self._sql.execute(change).rowcount

    def insert(self, table: sa.Table, row: dict[str, Any]) -> int:
        """Enter a row; its number."""
        self._enter()
        with self._errors():
            key = self._sql.execute(sa.insert(table).values(row)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def check(self) -> None:
        """Read all of an SQLite file, and look at the tables."""
        with self._errors():
            self._database.check(self)

    def copy(self, other: JournalTables) -> int:
        """Enter all rows of another journal; how many."""
        with self._errors():
            return copy_tables(other._sql, self._sql, SCHEMA)

    def _one(self, prepared: PreparedStatement, key: bytes) -> tuple[Any, ...] | None:
        if key in self._touched:
            self._enter()
        try:
            return prepared.first(key=key)
        except sa.exc.SQLAlchemyError:
            with self._errors():
                raise

    def _touch(self, key: bytes) -> None:
        self._touched.add(key)
        if len(self._touched) >= PENDING_LIMIT:
            self._enter()

    def _enter(self) -> None:
        if self._touched:
            with self._errors():
                for change, rows in ((_FORGOTTEN, self._gone), (_LEARNED, self._new)):
                    if rows:
                        self._sql.execute(change, rows)
            self._drop()

    def _drop(self) -> None:
        self._new, self._gone = [], []
        self._touched.clear()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with errors():
                yield
        except DatabaseError as error:
            raise JournalError(
                f"{self.where}: cannot be used as the training journal ({error.cause})"
            ) from error
