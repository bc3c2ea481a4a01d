"""What recipients with a model of their own, or whose domain has one, get for a message."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from filterd.bayes.model.classifier import Learned, Opinion
from filterd.bayes.model.explain import words_at
from filterd.bayes.model.reading import hasher_of
from filterd.bayes.model.store import ModelFileError
from filterd.bayes.model.tokens import Features
from filterd.bayes.site.recipient_folder import RecipientFolder, StoredRecipient, owners_of
from filterd.chain.verdict import RecipientSymbols, Symbol
from filterd.filters.bayes.symbols import RECIPIENT
from filterd.message import Envelope

log = logging.getLogger(__name__)

LOOKED_AT = 50
"""Recipients of a message whose models are asked; mail to more is a list's."""

KEPT = 32
"""Models that a worker keeps in memory, 128 KiB each."""

LEAST = 0.01
"""A smaller difference in points is not reported."""

Points = Callable[[float, Learned], float]
"""The points of a log-odds of spam, when so much was learned."""


class RecipientModels:
    """Asks the models of a message's recipients. Files are looked at for each message and read
    again when they have changed; one that cannot be used is logged once and left out."""

    def __init__(self, models: Path) -> None:
        self._folder = RecipientFolder(models)
        self._kept: OrderedDict[str, tuple[object, StoredRecipient | None]] = OrderedDict()

    def symbols(
        self, opinion: Opinion, envelope: Envelope, points: Points
    ) -> Iterator[RecipientSymbols]:
        """What is added to each recipient's points, or taken off."""
        if not self._folder.path.is_dir():
            return
        by_salt = {one.hasher.salt: one.features for one in opinion.models}
        site = points(opinion.total, opinion.learned)
        for recipient in envelope.recipients[:LOOKED_AT]:
            found = [one for owner in owners_of(recipient.address) if (one := self._model(owner))]
            if not found:
                continue
            shift = 0.0
            for one in found:
                if one.salt not in by_salt:
                    by_salt[one.salt] = hasher_of(one.salt).features_of(opinion.text)
                shift += one.model.shift(by_salt[one.salt])
            own = found[-1].model
            learned = max(
                opinion.learned, Learned(own.spam, own.ham), key=lambda which: which.weight
            )
            difference = points(opinion.total + shift, learned) - site
            if abs(difference) >= LEAST:
                why = partial(detail, opinion, found[-1], by_salt[found[-1].salt], shift)
                yield RecipientSymbols(recipient.address, (Symbol(RECIPIENT, difference, why),))

    def _model(self, owner: str) -> StoredRecipient | None:
        path = self._folder.file(owner)
        try:
            status = path.stat()
        except OSError:
            self._kept.pop(owner, None)
            return None
        seen = (status.st_ino, status.st_mtime_ns)
        if owner in self._kept and self._kept[owner][0] == seen:
            self._kept.move_to_end(owner)
            return self._kept[owner][1]
        model = None
        try:
            model = self._folder.load(owner)
        except (ModelFileError, OSError) as error:
            log.error("the model of a recipient is not used: %s", error)
        self._kept[owner] = (seen, model)
        self._kept.move_to_end(owner)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return model


def detail(opinion: Opinion, stored: StoredRecipient, features: Features, shift: float) -> str:
    """Why, in one line: what is added to the log-odds, what was learned, the strongest words."""
    model = stored.model
    parts = [f"{shift:+.2f} to the log-odds for {stored.owner}"]
    parts.append(f"learned={model.spam} spam,{model.ham} ham")
    words = words_at(opinion.text, features, model.strongest(features, 6))
    parts.append(", ".join(f"{origin}:{word}({weight:+.2f})" for origin, word, weight in words))
    return " ".join(part for part in parts if part)
