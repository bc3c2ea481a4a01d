"""The journal of training: who taught the model what, when, and how to take it back.

An SQLite file beside the model versions, or tables in a PostgreSQL database. Each row of `lesson`
is one message's part of the model: its key, its class, what learning it added, and the generations
of the model from which (`born`) and until which (`died`) the model contains it. So the journal
knows the contents of every generation, and going back to an earlier one is two statements.

`current` in `meta` is the generation that the journal describes. It is committed after the model's
file is written and before the link `current` is moved; `filterd.bayes.site.learner` puts right what
a crash in between leaves behind. Whose journal it is: `filterd.bayes.site.journal_folder`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from filterd.bayes.model.online import Lesson, WindowStep
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal_tables import IS_IN_MODEL, JournalTables
from filterd.bayes.site.learned import Batch, JournalError, LearnedMessage
from filterd.bayes.site.schema import WINDOW, automatic, batches, facts, generations, lessons


class LearningJournal:
    """The journal of one folder. Nothing is durable before `commit`. Raises JournalError.

    alone: for who learns. On PostgreSQL one process at a time has it so, and others wait; with an
    SQLite file the lock of the folder sees to that.
    """

    def __init__(self, folder: ModelFolder, *, alone: bool = False) -> None:
        self._tables = JournalTables(folder, alone=alone)
        self.where = self._tables.where
        self.is_in = self._tables.is_in
        self.check = self._tables.check
        self.close = self._tables.close
        self.begin = self._tables.begin
        self.commit = self._tables.commit
        self.rollback = self._tables.rollback

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

    @property
    def current(self) -> int:
        """The generation that the journal describes; 0 before the first."""
        return self._fact("current") or 0

    @current.setter
    def current(self, generation: int) -> None:
        self._state("current", generation)

    @property
    def folder(self) -> int | None:
        """Number of the folder whose models it describes; None where that was never entered."""
        return self._fact("folder")

    @folder.setter
    def folder(self, number: int) -> None:
        self._state("folder", number)

    def copy(self, other: LearningJournal) -> int:
        """Enter all that another journal has into this one, which has nothing; how many rows."""
        return self._tables.copy(other._tables)

    def newest(self) -> int:
        """The highest generation ever written; numbers are never used twice."""
        return int(self._tables.scalar(sa.select(sa.func.max(generations.c.id))) or 0)

    def start_batch(self, source: str, about: str) -> int:
        """Enter a new batch; return its number."""
        row = {"started": _now(), "source": source, "about": about, "state": "in force"}
        return self._tables.insert(batches, row)

    def add_generation(self, generation: int, batch: int) -> None:
        """Enter a version of the model and make it current."""
        row = {"id": generation, "batch": batch, "written": _now(), "live": True}
        self._tables.change(sa.insert(generations).values(row))
        self.current = generation

    def find(self, key: bytes) -> LearnedMessage | None:
        """The message's entry, if the model contains it."""
        row = self._tables.find(key)
        if row is None:
            return None
        id, source, batch, *lesson = row
        return LearnedMessage(id, _lesson(*lesson), source, batch)

    def person_said(self, key: bytes) -> bool:
        """Return True if a person ever taught this message, also if that was taken back."""
        return self._tables.find_word(key) is not None

    def said(self, key: bytes, spam: bool, source: str, batch: int, generation: int) -> None:
        """Enter a person's word about a message that changes nothing in the model: it stands in no
        generation, and `person_said` finds it for ever."""
        row = _row(key, Lesson(spam, 0.0, False), source, batch, generation)
        self._tables.change(sa.insert(lessons).values({**row, "died": generation}))

    def learned(self, key: bytes, lesson: Lesson, source: str, batch: int, generation: int) -> None:
        """Enter that the model contains the message from that generation on."""
        self._tables.learn(_row(key, lesson, source, batch, generation))

    def count_automatic(self, sender: str) -> None:
        """Count a message that was learned without a person. sender: a hash that stands for its
        sender."""
        c, today = automatic.c, _today()
        self._tables.change(sa.delete(automatic).where(c.day != today))
        mine = sa.update(automatic).where(c.day == today, c.sender == sender)
        if not self._tables.change(mine.values(learned=c.learned + 1)):
            row = {"day": today, "sender": sender, "learned": 1}
            self._tables.change(sa.insert(automatic).values(row))

    def learned_today(self, sender: str | None = None) -> int:
        """How many messages were learned today (UTC) without a person, of one sender or of all."""
        c = automatic.c
        wanted = [c.day == _today()] + ([c.sender == sender] if sender else [])
        return int(self._tables.scalar(sa.select(sa.func.sum(c.learned)).where(*wanted)) or 0)

    def forgotten(self, key: bytes, entry: LearnedMessage, generation: int) -> None:
        """Enter that the model does not contain the message from that generation on."""
        self._tables.forget(key, entry.id, generation)

    def forget_all(self, generation: int) -> None:
        """Enter that the model of that generation begins with nothing."""
        self._tables.change(sa.update(lessons).where(IS_IN_MODEL).values(died=generation))

    def contents(self) -> dict[bool, int]:
        """How many messages of spam (True) and ham (False) the current model contains."""
        c = lessons.c
        counted = sa.select(c.spam, sa.func.count()).where(IS_IN_MODEL).group_by(c.spam)
        found = {True: 0, False: 0}
        for spam, count in self._tables.rows(counted):
            found[spam] = count
        return found

    def batches(self) -> list[Batch]:
        """All batches, the newest first."""
        return self._batches()

    def batch(self, number: int) -> Batch:
        """The batch of that number. Raises JournalError if there is no such batch."""
        for batch in self._batches(number):
            return batch
        raise JournalError(f"there is no batch {number}; `filterd model list` shows all")

    def later_batches_on(self, batch: int) -> list[int]:
        """Batches that took out or moved messages of this one."""
        b, g = batches.c, generations.c
        later = (
            sa.select(g.batch)
            .distinct()
            .select_from(lessons)
            .join(generations, g.id == lessons.c.died)
            .join(batches, b.id == g.batch)
            .where(lessons.c.batch == batch, g.batch != batch, b.state == "in force")
            .order_by(g.batch)
        )
        return [row[0] for row in self._tables.rows(later)]

    def undo_batch(self, batch: Batch, generation: int, by: int) -> None:
        """Enter that from that generation on, written by batch `by`, the model is as if the batch
        had not been."""
        c = lessons.c
        kept = (c.key, c.spam, c.step, c.counted, c.source, c.time, c.batch, *WINDOW)
        for old in batch.generations:
            again = sa.select(*kept, sa.literal(generation)).where(
                c.died == old, c.born < c.died, c.batch != batch.id
            )
            self._tables.change(sa.insert(lessons).from_select([*kept, c.born], again))
        mine = sa.update(lessons).where(c.batch == batch.id, IS_IN_MODEL)
        self._tables.change(mine.values(died=generation))
        self._set_state(batches.c.id == batch.id, "undone", undone_by=by)
        self._set_state(batches.c.id == by, "an undo")

    def is_live(self, generation: int) -> bool:
        """Return True for a generation that was not rolled back."""
        g = generations.c
        return self._tables.scalar(sa.select(g.id).where(g.id == generation, g.live)) is not None

    def go_back(self, generation: int) -> None:
        """Make an earlier generation current; what came later stays here as history only."""
        c, b, g = lessons.c, batches.c, generations.c
        self._tables.change(sa.update(lessons).where(c.born > generation).values(died=c.born))
        revived = sa.update(lessons).where(c.died > generation, c.born <= generation)
        self._tables.change(revived.values(died=None))
        self._tables.change(sa.update(generations).where(g.id > generation).values(live=False))
        live = sa.select(g.batch).where(g.live)
        self._set_state(b.id.not_in(live), "rolled back")
        # A batch whose undoing was rolled back is in force again.
        undoing = sa.select(b.id).where(b.state == "rolled back")
        self._set_state(sa.and_(b.state == "undone", b.undone_by.in_(undoing)), "in force")
        self.current = generation

    def _batches(self, number: int | None = None) -> list[Batch]:
        b, g, c = batches.c, generations.c, lessons.c
        wanted = [] if number is None else [b.id == number]
        live = sa.select(g.batch, g.id).where(g.live).order_by(g.id)
        versions: dict[int, list[int]] = defaultdict(list)
        for batch, generation in self._tables.rows(live):
            versions[batch].append(generation)
        counted = (
            sa.select(c.batch, c.spam, sa.func.count())
            .where(IS_IN_MODEL, *([] if number is None else [c.batch == number]))
            .group_by(c.batch, c.spam)
        )
        learned = {(batch, spam): count for batch, spam, count in self._tables.rows(counted)}
        rows = self._tables.rows(
            sa.select(b.id, b.started, b.source, b.about, b.state)
            .where(*wanted)
            .order_by(b.id.desc())
        )
        return [
            Batch(
                id,
                started,
                source,
                about,
                state,
                tuple(versions[id]),
                learned.get((id, True), 0),
                learned.get((id, False), 0),
            )
            for id, started, source, about, state in rows
        ]

    def _set_state(self, which: sa.ColumnElement[bool], state: str, **values: int) -> None:
        self._tables.change(sa.update(batches).where(which).values(state=state, **values))

    def _fact(self, name: str) -> int | None:
        found = self._tables.scalar(sa.select(facts.c.value).where(facts.c.name == name))
        return None if found is None else int(found)

    def _state(self, name: str, value: int) -> None:
        mine = sa.update(facts).where(facts.c.name == name)
        if not self._tables.change(mine.values(value=value)):
            self._tables.change(sa.insert(facts).values(name=name, value=value))


def _lesson(
    spam: int, step: float, counted: int, start: int | None, end: int | None, moved: float | None
) -> Lesson:
    window = None
    if start is not None and end is not None and moved is not None:
        window = WindowStep(start, end, moved)
    return Lesson(bool(spam), step, bool(counted), window)


def _row(key: bytes, lesson: Lesson, source: str, batch: int, generation: int) -> dict[str, Any]:
    window = lesson.window
    return {
        "key": key,
        "spam": lesson.spam,
        "step": lesson.step,
        "counted": lesson.counted,
        "source": source,
        "time": _now(),
        "batch": batch,
        "born": generation,
        "window_start": window.start if window else None,
        "window_end": window.end if window else None,
        "window_step": window.step if window else None,
    }


def _today() -> str:
    return _now()[:10]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
