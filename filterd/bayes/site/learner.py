"""Teaching a site's model: idempotent, crash-safe, and able to take everything back.

A learner is the one writer of a model folder (a lock sees to that). It works on a copy of the model
in memory; at a checkpoint it writes the next version, then commits the journal, then moves the link
that workers follow. A crash before the commit leaves the old model and the old journal, and a file
that nobody names; a crash after it leaves only the link behind. Opening a learner puts both right,
so the journal and the model always tell the same story and no message counts twice.

What a version added to the one before is kept as a *difference*. Weights are sums of exact steps
and counts are sums, so subtracting a difference takes a whole batch out again, in any order.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from enum import Enum
from pathlib import Path
from types import TracebackType

from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.reading import LessonReader, message_key
from filterd.bayes.model.store import Card, StoredModel, load, save
from filterd.bayes.model.tokens import Features, Hasher
from filterd.bayes.site import doubt
from filterd.bayes.site.difference import difference, subtract
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learned import AUTOMATIC, Batch, JournalError, LearnedMessage
from filterd.message import Message
from filterd.system.durable import write_atomically

CHECKPOINT_MESSAGES = 5000
CHECKPOINT_SECONDS = 30.0
"""The most that an interrupted run loses."""


AUTOMATIC_SHARE = 0.125
"""Weight of a lesson that no person gave. Five wrong ones at full weight move every message of a
site by several log-odds (docs/figures/accuracy.md, poisoning)."""


class LearnOutcome(Enum):
    """What teaching one message did."""

    LEARNED = "learned"
    MOVED = "moved"  # it had been learned as the other class
    KNOWN = "known"  # it had been learned as this class
    FORGOTTEN = "forgotten"
    UNKNOWN = "unknown"  # asked to forget what was never learned
    KEPT = "kept"  # a person said otherwise, and no machine overrules that


class Learner:
    """A batch of training under way. Use it as a context manager: leaving the block commits,
    leaving it by an exception keeps what was committed at checkpoints.

    source: who teaches (`cli:root`, `web:ann`, `auto:...`). fresh: begin with an empty model.
    doubting: labels that are probably wrong weigh less, and `doubted` counts them.
    Raises JournalError, ModelFileError, OSError.
    """

    def __init__(
        self,
        folder: ModelFolder,
        source: str,
        about: str = "",
        *,
        fresh: bool = False,
        doubting: bool = False,
    ) -> None:
        self.folder = folder
        self.source = source
        self.outcomes: Counter[LearnOutcome] = Counter()
        self._about = about
        self._fresh = fresh
        self._doubting = doubting
        self.doubted = 0
        self._batch = 0
        self._next = 0

    def __enter__(self) -> Learner:
        from filterd.bayes.site.journal_folder import open_to_learn  # noqa: PLC0415  (SQLAlchemy)

        self.folder.make()
        with ExitStack() as stack:
            stack.callback(os.close, self.folder.lock())
            self.journal = open_to_learn(self.folder)
            stack.callback(self.journal.close)
            self.stored = self._recovered()
            self._begin()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if kind is None:
                self._checkpoint(last=True)
            else:
                self.journal.rollback()

    def learn(self, message: Message, *, spam: bool) -> LearnOutcome:
        """Teach one message; a second time it changes nothing, as the other class it moves."""
        return self._learn(message_key(message), lambda: self._hasher.features(message), spam)

    @property
    def read(self) -> LessonReader:
        """Reads messages for `learn_read`, in this process or in others."""
        return LessonReader(self.stored.card.salt)

    def learn_read(self, seen: tuple[bytes, Features], *, spam: bool) -> LearnOutcome:
        """Teach one message that `read` has read."""
        key, features = seen
        return self._learn(key, lambda: features, spam)

    def _learn(self, key: bytes, read: Callable[[], Features], spam: bool) -> LearnOutcome:
        known = self.journal.find(key)
        if known is not None and known.lesson.spam == spam:
            self._remember_word(key, spam, known)
            return self._note(LearnOutcome.KNOWN)
        if self._automatic and self.journal.person_said(key):
            return self._note(LearnOutcome.KEPT)
        features = read()
        if known is not None:
            self.model.forget(features, known.lesson)
            self.journal.forgotten(key, known, self._next)
        if self._doubting:
            lesson, doubted = doubt.learn(self.model, features, spam=spam)
            self.doubted += doubted
        else:
            lesson = self.model.learn(features, spam=spam)
        if self._automatic:
            lesson = doubt.soften(self.model, features, lesson, AUTOMATIC_SHARE)
        self.journal.learned(key, lesson, self.source, self._batch, self._next)
        return self._note(LearnOutcome.MOVED if known else LearnOutcome.LEARNED)

    def forget(self, message: Message) -> LearnOutcome:
        """Take one message out of the model."""
        key = message_key(message)
        known = self.journal.find(key)
        if known is None:
            return self._note(LearnOutcome.UNKNOWN)
        if self._automatic and self.journal.person_said(key):
            return self._note(LearnOutcome.KEPT)
        self.model.forget(self._hasher.features(message), known.lesson)
        self.journal.forgotten(key, known, self._next)
        self._remember_word(key, known.lesson.spam, known)
        return self._note(LearnOutcome.FORGOTTEN)

    def _remember_word(self, key: bytes, spam: bool, known: LearnedMessage) -> None:
        """Enter that a person has judged a message that a machine had taught, so that no machine
        ever does again."""
        by_machine = known.source.startswith(AUTOMATIC)
        if by_machine and not self._automatic and not self.journal.person_said(key):
            self.journal.said(key, spam, self.source, self._batch, self._next)
            self._changed = True

    @property
    def _automatic(self) -> bool:
        return self.source.startswith(AUTOMATIC)

    def undo(self, number: int) -> Batch:
        """Take a whole batch out of the model, wherever it stands in the journal.

        Raises JournalError if the batch is not in force, or if later batches changed its messages.
        """
        batch = self.journal.batch(number)
        if batch.state != "in force":
            raise JournalError(f"batch {number} is not in force: {batch.state}")
        later = self.journal.later_batches_on(number)
        if later:
            names = ", ".join(map(str, later))
            raise JournalError(
                f"later batches changed messages of batch {number}; undo them first: {names}"
            )
        for generation in batch.generations:
            subtract(self._difference_path(generation), self.model)
        self.journal.undo_batch(batch, self._next, self._batch)
        self._changed = True
        return batch

    def version_before(self) -> int:
        """The version that was in force before this one. Raises JournalError if none is kept."""
        current = self.journal.current
        earlier = [g for g in self.folder.generations() if g < current and self.journal.is_live(g)]
        if not earlier:
            raise JournalError("no earlier version to go back to")
        return earlier[-1]

    def is_live(self, generation: int) -> bool:
        """Return True for a version that the journal knows the contents of."""
        return self.journal.is_live(generation)

    def go_back(self, generation: int) -> None:
        """Put an earlier version in force; what was learned later is not. Raises JournalError if
        the version's file is gone, ModelFileError if it is damaged."""
        there = [g for g in self.folder.generations() if self.journal.is_live(g)]
        if generation not in there:
            raise JournalError(
                f"there is no version {generation} to go back to; there are: "
                + ", ".join(map(str, there))
            )
        load(self.folder.version_path(generation))
        self.journal.rollback()
        with self.journal.transaction():
            self.journal.go_back(generation)
        self.folder.activate(generation)
        self.stored = load(self.folder.version_path(generation))
        self._begin()

    def adopt(self, stored: StoredModel) -> None:
        """Put a model that was made elsewhere in force as the next version, with its salt.

        The journal does not know what it learned: nothing of that can be forgotten, and this batch
        cannot be undone; going back to an earlier version can.
        """
        self.stored = replace(stored, card=replace(self.stored.card, salt=stored.card.salt))
        self.model = stored.model.copy()
        self._hasher = Hasher(stored.card.salt)
        self.journal.forget_all(self._next)
        self._changed = self._adopted = True

    def _begin(self) -> None:
        """Open a transaction for what comes, on a writable copy of the model."""
        self.model = OnlineModel.empty() if self._fresh else self.stored.model.copy()
        self._hasher = Hasher(self.stored.card.salt)
        self._next = max(self.journal.newest(), *self.folder.generations(), 0) + 1
        self._changed = self._fresh
        self._adopted = False
        self._since = 0
        self._time = time.monotonic()
        self.journal.begin()
        self._batch = self.journal.start_batch(self.source, self._about)
        if self._fresh:
            self.journal.forget_all(self._next)

    def _note(self, outcome: LearnOutcome) -> LearnOutcome:
        self.outcomes[outcome] += 1
        if outcome in (LearnOutcome.LEARNED, LearnOutcome.MOVED, LearnOutcome.FORGOTTEN):
            self._changed = True
            self._since += 1
            late = time.monotonic() - self._time > CHECKPOINT_SECONDS
            if self._since >= CHECKPOINT_MESSAGES or late:
                self._checkpoint(last=False)
        return outcome

    def _checkpoint(self, *, last: bool) -> None:
        """Write the version, commit the journal, move the link: in this order."""
        if not self._changed:
            self.journal.rollback()
            return
        generation = self._next
        # First: who has lost the journal's connection, and its lock with it, writes no file.
        self.journal.add_generation(generation, self._batch)
        card = replace(self.stored.card, generation=generation, origin="site")
        new = StoredModel(replace(card, created=Card.new().created), self.model)
        save(self.folder.version_path(generation), new)
        if not self._adopted:
            write_atomically(
                self._difference_path(generation), [difference(self.stored.model, self.model)]
            )
        self.journal.commit()
        self.folder.activate(generation)
        self.folder.prune()
        self.stored = load(self.folder.version_path(generation))
        self._fresh = self._changed = self._adopted = False
        self._next += 1
        self._since = 0
        self._time = time.monotonic()
        if not last:
            self.journal.begin()

    def _recovered(self) -> StoredModel:
        """The model that the journal describes, after putting right what a crash left behind."""
        current = self.journal.current
        for generation in self.folder.generations():
            if generation > self.journal.newest():
                self.folder.version_path(generation).unlink()
                self._difference_path(generation).unlink(missing_ok=True)
        for leftover in self.folder.path.glob(".*.fdm.*"):
            leftover.unlink(missing_ok=True)
        if current == 0:
            self.folder.link.unlink(missing_ok=True)
            return StoredModel(Card.new(), OnlineModel.empty())
        if self.folder.current() != current:
            self.folder.activate(current)
        return load(self.folder.version_path(current))

    def _difference_path(self, generation: int) -> Path:
        return self.folder.path / f"difference-{generation:06d}.npz"
