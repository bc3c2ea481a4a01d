"""The journal of training: who taught the model what, when, and how to take it back.

A SQLite file beside the model versions. Each row of `lesson` is one message's part of the model:
its key, its class, what learning it added, and the generations of the model from which (`born`)
and until which (`died`) the model contains it. So the journal knows the contents of every
generation, and going back to an earlier one is two statements.

`current` in `meta` is the generation that the journal describes. It is committed after the model's
file is written and before the link `current` is moved; `filterd.bayes.site.learner` puts right what
a crash in between leaves behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filterd.bayes.model.online import Lesson
from filterd.system.durable import create_file

AUTOMATIC = "auto"
"""Sources that begin with this word are not persons; a person's label is never changed by them."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, source TEXT NOT NULL, about TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in force', 'undone', 'rolled back', 'an undo')),
    undone_by INTEGER REFERENCES batch);
CREATE TABLE IF NOT EXISTS generation (
    id INTEGER PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batch, written TEXT NOT NULL,
    live INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lesson (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, spam INTEGER NOT NULL, step REAL NOT NULL,
    counted INTEGER NOT NULL, source TEXT NOT NULL, time TEXT NOT NULL,
    batch INTEGER NOT NULL REFERENCES batch, born INTEGER NOT NULL, died INTEGER);
CREATE TABLE IF NOT EXISTS automatic (
    day TEXT NOT NULL, sender TEXT NOT NULL, learned INTEGER NOT NULL, PRIMARY KEY (day, sender));
CREATE INDEX IF NOT EXISTS lesson_key ON lesson (key);
CREATE INDEX IF NOT EXISTS lesson_batch ON lesson (batch);
"""


class JournalError(Exception):
    """A journal that cannot be used, or a request that it cannot grant."""


@dataclass(frozen=True, slots=True)
class LearnedMessage:
    """A message that the model contains."""

    id: int
    lesson: Lesson
    source: str
    batch: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of training. spam, ham: messages of it that the model contains now."""

    id: int
    started: str
    source: str
    about: str
    state: str
    generations: tuple[int, ...]
    spam: int
    ham: int


class LearningJournal:
    """One site's journal. Nothing is durable before `commit`. Raises JournalError."""

    def __init__(self, path: Path) -> None:
        try:
            # SQLite would make it readable for all, and its rollback journal with it.
            create_file(path)
            # A page cache of 64 MiB keeps the index of a few hundred thousand messages.
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30.0)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA cache_size = -65536")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(
                f"{path}: cannot be used as the training journal ({error})"
            ) from None
        self.path = path

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin; commit at the end, or roll back if an exception leaves the block."""
        self.begin()
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def begin(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @property
    def current(self) -> int:
        """The generation that the journal describes; 0 before the first."""
        row = self._db.execute("SELECT value FROM meta WHERE name = 'current'").fetchone()
        return int(row[0]) if row else 0

    @current.setter
    def current(self, generation: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('current', ?)", (generation,))

    def newest(self) -> int:
        """The highest generation ever written; numbers are never used twice."""
        row = self._db.execute("SELECT max(id) FROM generation").fetchone()
        return int(row[0] or 0)

    def start_batch(self, source: str, about: str) -> int:
        """Enter a new batch; return its number."""
        cursor = self._db.execute(
            "INSERT INTO batch (started, source, about, state) VALUES (?, ?, ?, 'in force')",
            (_now(), source, about),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def add_generation(self, generation: int, batch: int) -> None:
        """Enter a version of the model and make it current."""
        self._db.execute("INSERT INTO generation VALUES (?, ?, ?, 1)", (generation, batch, _now()))
        self.current = generation

    def find(self, key: bytes) -> LearnedMessage | None:
        """The message's entry, if the model contains it."""
        row = self._db.execute(
            "SELECT id, spam, step, counted, source, batch FROM lesson "
            "WHERE key = ? AND died IS NULL",
            (key,),
        ).fetchone()
        if row is None:
            return None
        return LearnedMessage(row[0], Lesson(bool(row[1]), row[2], bool(row[3])), row[4], row[5])

    def person_said(self, key: bytes) -> bool:
        """Return True if a person ever taught this message, also if that was taken back."""
        row = self._db.execute(
            "SELECT 1 FROM lesson WHERE key = ? AND source NOT LIKE ? LIMIT 1",
            (key, f"{AUTOMATIC}%"),
        ).fetchone()
        return row is not None

    def said(self, key: bytes, spam: bool, source: str, batch: int, generation: int) -> None:
        """Enter a person's word about a message that changes nothing in the model: it stands in no
        generation, and `person_said` finds it for ever."""
        self._db.execute(
            "INSERT INTO lesson (key, spam, step, counted, source, time, batch, born, died) "
            "VALUES (?, ?, 0.0, 0, ?, ?, ?, ?, ?)",
            (key, spam, source, _now(), batch, generation, generation),
        )

    def learned(self, key: bytes, lesson: Lesson, source: str, batch: int, generation: int) -> None:
        """Enter that the model contains the message from that generation on."""
        self._db.execute(
            "INSERT INTO lesson (key, spam, step, counted, source, time, batch, born) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key, lesson.spam, lesson.step, lesson.counted, source, _now(), batch, generation),
        )

    def count_automatic(self, sender: str) -> None:
        """Count a message that was learned without a person. sender: a hash of who sent it."""
        self._db.execute("DELETE FROM automatic WHERE day != ?", (_today(),))
        self._db.execute(
            "INSERT INTO automatic VALUES (?, ?, 1) "
            "ON CONFLICT (day, sender) DO UPDATE SET learned = learned + 1",
            (_today(), sender),
        )

    def learned_today(self, sender: str | None = None) -> int:
        """How many messages were learned today (UTC) without a person, of one sender or of all."""
        row = self._db.execute(
            "SELECT coalesce(sum(learned), 0) FROM automatic WHERE day = ? AND ? IN (sender, '')",
            (_today(), sender or ""),
        ).fetchone()
        return int(row[0])

    def forgotten(self, entry: LearnedMessage, generation: int) -> None:
        """Enter that the model does not contain the message from that generation on."""
        self._db.execute("UPDATE lesson SET died = ? WHERE id = ?", (generation, entry.id))

    def forget_all(self, generation: int) -> None:
        """Enter that the model of that generation begins with nothing."""
        self._db.execute("UPDATE lesson SET died = ? WHERE died IS NULL", (generation,))

    def contents(self) -> dict[bool, int]:
        """How many messages of spam (True) and ham (False) the current model contains."""
        rows = self._db.execute(
            "SELECT spam, count(*) FROM lesson WHERE died IS NULL GROUP BY spam"
        )
        return {True: 0, False: 0} | {bool(spam): count for spam, count in rows}

    def batches(self) -> list[Batch]:
        """All batches, the newest first."""
        rows = self._db.execute(
            "SELECT b.id, b.started, b.source, b.about, b.state, "
            "(SELECT group_concat(id) FROM generation WHERE batch = b.id AND live), "
            "(SELECT count(*) FROM lesson WHERE batch = b.id AND died IS NULL AND spam), "
            "(SELECT count(*) FROM lesson WHERE batch = b.id AND died IS NULL AND NOT spam) "
            "FROM batch b ORDER BY b.id DESC"
        )
        return [
            Batch(number, started, source, about, state, _numbers(generations), spam, ham)
            for number, started, source, about, state, generations, spam, ham in rows
        ]

    def batch(self, number: int) -> Batch:
        """One batch. Raises JournalError if there is none of that number."""
        for batch in self.batches():
            if batch.id == number:
                return batch
        raise JournalError(f"there is no batch {number}; `filterd model list` shows all")

    def later_batches_on(self, batch: int) -> list[int]:
        """Batches that took out or moved messages of this one."""
        rows = self._db.execute(
            "SELECT DISTINCT g.batch FROM lesson l JOIN generation g ON g.id = l.died "
            "JOIN batch b ON b.id = g.batch "
            "WHERE l.batch = ? AND g.batch != ? AND b.state = 'in force' ORDER BY 1",
            (batch, batch),
        )
        return [row[0] for row in rows]

    def undo_batch(self, batch: Batch, generation: int, by: int) -> None:
        """Enter that from that generation on, written by batch `by`, the model is as if the batch
        had not been."""
        for old in batch.generations:
            self._db.execute(
                "INSERT INTO lesson (key, spam, step, counted, source, time, batch, born) "
                "SELECT key, spam, step, counted, source, time, batch, ? FROM lesson "
                "WHERE died = ? AND born < died AND batch != ?",
                (generation, old, batch.id),
            )
        self._db.execute(
            "UPDATE lesson SET died = ? WHERE batch = ? AND died IS NULL", (generation, batch.id)
        )
        self._db.execute(
            "UPDATE batch SET state = 'undone', undone_by = ? WHERE id = ?", (by, batch.id)
        )
        self._db.execute("UPDATE batch SET state = 'an undo' WHERE id = ?", (by,))

    def is_live(self, generation: int) -> bool:
        """Return True for a generation that was not rolled back."""
        row = self._db.execute(
            "SELECT 1 FROM generation WHERE id = ? AND live", (generation,)
        ).fetchone()
        return row is not None

    def go_back(self, generation: int) -> None:
        """Make an earlier generation current; what came later stays here as history only."""
        self._db.execute("UPDATE lesson SET died = born WHERE born > ?", (generation,))
        self._db.execute(
            "UPDATE lesson SET died = NULL WHERE died > ? AND born <= ?", (generation, generation)
        )
        self._db.execute("UPDATE generation SET live = 0 WHERE id > ?", (generation,))
        self._db.execute(
            "UPDATE batch SET state = 'rolled back' "
            "WHERE id NOT IN (SELECT batch FROM generation WHERE live)"
        )
        # A batch whose undoing was rolled back is in force again.
        self._db.execute(
            "UPDATE batch SET state = 'in force' WHERE state = 'undone' AND undone_by IN "
            "(SELECT id FROM batch WHERE state = 'rolled back')"
        )
        self.current = generation


def _numbers(text: str | None) -> tuple[int, ...]:
    return tuple(sorted(int(number) for number in text.split(","))) if text else ()


def _today() -> str:
    return _now()[:10]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
