"""Teaching the model of one recipient, or of a domain: what it learns counts for them alone."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import ExitStack
from types import TracebackType

from filterd.bayes.model.classifier import Classifier
from filterd.bayes.model.reading import hasher_of, message_key
from filterd.bayes.model.store import Card, load
from filterd.bayes.model.tokens import Features
from filterd.bayes.site.folder import ModelFolder, starter_path
from filterd.bayes.site.learner import LearnOutcome
from filterd.bayes.site.recipient_folder import (
    RecipientFolder,
    RecipientLesson,
    StoredRecipient,
    owner_of,
)
from filterd.message import Message


class RecipientLearner:
    """A batch of lessons for one owner. Use it as a context manager: leaving the block writes the
    model, leaving it by an exception writes nothing. One process at a time teaches a site.

    owner: a mailbox, or a domain as `@domain`. starter: whether the starter model has a say.
    Raises ValueError for an owner that is neither, ModelFileError, OSError.
    """

    def __init__(self, folder: ModelFolder, owner: str, *, starter: bool = True) -> None:
        self.folder = folder
        self.owner = owner_of(owner)
        self.outcomes: Counter[LearnOutcome] = Counter()
        self._starter = starter

    def __enter__(self) -> RecipientLearner:
        self.folder.make()
        with ExitStack() as stack:
            stack.callback(os.close, self.folder.lock())
            path = starter_path() if self._starter else None
            site = self.folder.load_current()
            starter = load(path) if path else None
            model = site or starter
            # Where no model has an opinion, this one begins with none.
            self._classifier = Classifier(site, starter) if model else None
            self._recipients = RecipientFolder(self.folder.path)
            found = self._recipients.load(self.owner)
            if found is None:
                found = StoredRecipient(self.owner, (model.card if model else Card.new()).salt)
            self.stored = found
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if kind is None and self.outcomes.keys() & _CHANGES:
                self.stored.taught = int(time.time())
                if self.stored.is_empty:
                    self._recipients.delete(self.owner)
                else:
                    self._recipients.save(self.stored)

    def learn(self, message: Message, *, spam: bool) -> LearnOutcome:
        """Teach one message; a second time it changes nothing, as the other class it moves."""
        key = message_key(message)
        known = self.stored.lessons.get(key)
        if known is not None and known.spam == spam:
            return self._note(LearnOutcome.KNOWN)
        features = self._features(message)
        if known is not None:
            self._take_back(key, features)
        step = self.stored.model.learn(features, self._total(message), spam=spam)
        self.stored.lessons[key] = RecipientLesson(spam, step)
        return self._note(LearnOutcome.LEARNED if known is None else LearnOutcome.MOVED)

    def forget(self, message: Message) -> LearnOutcome:
        """Take a message out again."""
        key = message_key(message)
        if key not in self.stored.lessons:
            return self._note(LearnOutcome.UNKNOWN)
        self._take_back(key, self._features(message))
        return self._note(LearnOutcome.FORGOTTEN)

    def _take_back(self, key: bytes, features: Features) -> None:
        lesson = self.stored.lessons.pop(key)
        self.stored.model.apply(features, lesson.step, spam=lesson.spam, sign=-1)

    def _features(self, message: Message) -> Features:
        return hasher_of(self.stored.salt).features(message)

    def _total(self, message: Message) -> float:
        """The log-odds without this model: the site's, for a mailbox with its domain's."""
        total = self._classifier.judge(message).total if self._classifier else 0.0
        domain = f"@{self.owner.rpartition('@')[2]}"
        if self.owner == domain or (above := self._recipients.load(domain)) is None:
            return total
        return total + above.model.shift(hasher_of(above.salt).features(message))

    def _note(self, outcome: LearnOutcome) -> LearnOutcome:
        self.outcomes[outcome] += 1
        return outcome


def delete_model(folder: ModelFolder, owner: str) -> bool:
    """Delete the model of this owner, as `owner_of` has it, while nobody teaches it; False if there
    is none. Raises OSError."""
    if not folder.path.is_dir():
        return False
    with ExitStack() as stack:
        stack.callback(os.close, folder.lock())
        return RecipientFolder(folder.path).delete(owner)


_CHANGES = {LearnOutcome.LEARNED, LearnOutcome.MOVED, LearnOutcome.FORGOTTEN}
