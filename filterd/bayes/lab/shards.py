"""Training one model of several parts of the mail at once, and merging what they learned.

Each part is every n-th message, so all parts see all times and both classes, and learns a model of
its own under the same salt; `online.merged` then adds the counts and averages the weights
(R. McDonald, K. Hall, G. Mann, "Distributed Training Strategies for the Structured Perceptron",
NAACL 2010, call it parameter mixing). It depends on the number of parts, not on who trains them.
How near it comes to one model that learned everything in order: docs/figures/accuracy.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from filterd.bayes.lab.parallel import Readers
from filterd.bayes.lab.train import Source, TrainReport, labelled_items
from filterd.bayes.model.online import OnlineModel, merged
from filterd.bayes.model.reading import hasher_of
from filterd.mailfiles.items import MailItem
from filterd.mailfiles.mail_file import SkippedError
from filterd.mailfiles.selection import Skips
from filterd.message import Message


@dataclass(frozen=True, slots=True)
class _Trainer:
    salt: bytes

    def __call__(self, items: Sequence[MailItem]) -> tuple[OnlineModel, Skips]:
        model, hasher, skips = OnlineModel.empty(), hasher_of(self.salt), Skips()
        for item in items:
            try:
                data = item.read()
            except SkippedError as error:
                skips.add(error)
                continue
            model.learn(hasher.features(Message(data)), spam=bool(item.label))
        return model, skips


def train_parts(
    sources: Sequence[Source], salt: bytes, shards: int, readers: Readers
) -> tuple[OnlineModel, TrainReport]:
    """`train_shards` of all labelled messages of the sources."""
    begin = time.monotonic()
    with ExitStack() as stack:
        items, unlabelled = labelled_items(sources, stack)
        model, skips = train_shards(items, salt, shards, readers)
    seconds = time.monotonic() - begin
    return model, TrainReport(model.spam, model.ham, unlabelled, 0, seconds, skips=skips)


def train_shards(
    items: Sequence[MailItem], salt: bytes, shards: int, readers: Readers
) -> tuple[OnlineModel, Skips]:
    """Train a model of labelled messages in that many parts, which `readers` train at once; return
    it and what was left out.

    On a cluster its workers read the mail themselves, so paths mean the same there. Raises
    CorpusError, ValueError for more parts than messages, and what `readers` raises.
    """
    if not 1 <= shards <= len(items):
        raise ValueError(f"{shards} parts of {len(items)} messages; 1 to {len(items)} would do")
    trained = readers.map(_Trainer(salt), [items[n::shards] for n in range(shards)])
    skips = Skips()
    for _model, some in trained:
        skips.merge(some)
    return merged([model for model, _some in trained]), skips
