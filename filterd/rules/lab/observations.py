"""Which rules hit in which labelled message: what statistics and scores are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from filterd.bayes.lab.evaluate import Examined
from filterd.bayes.lab.train import Progress, Source, labelled_items, no_progress
from filterd.mailfiles.items import MailItem
from filterd.mailfiles.mail_file import SkippedError
from filterd.mailfiles.selection import Skips

Check = Callable[[bytes], Iterable[str]]
"""The names of the rules that hit in a message."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One message. spam: its label. hits: names of rules. log_odds: what the classifier said before
    it learned this message; None without one."""

    name: str
    spam: bool
    hits: frozenset[str]
    log_odds: float | None = None


def observe(
    sources: Iterable[Source],
    check: Check,
    classifier: Examined | None = None,
    progress: Progress = no_progress,
    skips: Skips | None = None,
) -> list[Observation]:
    """Check all labelled messages of the sources, in order. The classifier judges each message, and
    then learns it. Raises CorpusError."""
    with ExitStack() as stack:
        items, _unlabelled = labelled_items(list(sources), stack)
        return list(_observed(items, check, classifier, progress, skips or Skips()))


def _observed(
    items: list[MailItem],
    check: Check,
    classifier: Examined | None,
    progress: Progress,
    skips: Skips,
) -> Iterator[Observation]:
    for number, item in enumerate(items, 1):
        progress(number, len(items))
        try:
            data = item.read()
        except SkippedError as error:
            skips.add(error)
            continue
        log_odds = None
        if classifier is not None:
            seen = classifier.read(data)
            log_odds = classifier.score(seen)
            classifier.learn(seen, bool(item.label))
        yield Observation(item.name, bool(item.label), frozenset(check(data)), log_odds)
