"""Training a model from labelled mail, in one pass.

The learners are online: what they learned last weighs most, so the order counts. An index is
chronological and is kept as it is. Anything else (a folder of spam, a folder of ham) is shuffled,
always the same way, or the model would end up believing in the class that came last.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from filterd.bayes.lab.parallel import ONE_READER, Readers
from filterd.mailfiles import corpora
from filterd.mailfiles.corpora import find_messages
from filterd.mailfiles.items import MailItem
from filterd.mailfiles.mail_file import CorpusError
from filterd.mailfiles.selection import Skips, only_mail

T = TypeVar("T")

SHUFFLE_SEED = 1

Progress = Callable[[int, int], None]
"""Called with (messages done, messages in all)."""


def no_progress(_done: int, _total: int) -> None:
    """For callers that show none."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where mail is, and its class where the caller knows it (None: as labels or folders say)."""

    path: str
    spam: bool | None = None


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a training run did.

    octets: of the messages; seconds: of wall time. doubted: (label, name) of messages whose label
    the teacher doubted. skips: what was left out because it is not mail, or was gone.
    """

    spam: int
    ham: int
    unlabelled: int
    octets: int
    seconds: float
    doubted: tuple[tuple[bool, str], ...] = ()
    skips: Skips = field(default_factory=Skips)


def labelled_items(sources: Sequence[Source], stack: ExitStack) -> tuple[list[MailItem], int]:
    """The labelled messages of all sources in the order in which to learn them, and how many had
    no label. Reading one that is not mail raises SkippedError.

    Raises CorpusError if a source cannot be read or nothing in it has a label."""
    items: list[MailItem] = []
    unlabelled = 0
    ordered = True
    for source in sources:
        found = list(find_messages(source.path, stack))
        ordered = ordered and len(sources) == 1 and source.spam is None and is_index(source.path)
        for item in found:
            label = item.label if source.spam is None else source.spam
            if label is None:
                unlabelled += 1
            else:
                items.append(only_mail(MailItem(label, item.name, item.read)))
    if not items:
        names = ", ".join(source.path for source in sources)
        raise CorpusError(
            f"{names}: no message has a label; an index file, folders named spam and ham, "
            "or --spam and --ham would say which is which"
        )
    if not ordered:
        random.Random(SHUFFLE_SEED).shuffle(items)  # noqa: S311  # no secret in an order
    return items, unlabelled


def is_index(path: str) -> bool:
    """Return True for an index file, or a folder that holds one."""
    return path != "-" and corpora.is_index(Path(path))


def train(
    sources: Sequence[Source],
    read: Callable[[bytes], T],
    teach: Callable[[T, bool], object],
    progress: Progress = no_progress,
    readers: Readers = ONE_READER,
    *,
    enlarge: Callable[[Sequence[MailItem]], list[MailItem]] = list,
) -> TrainReport:
    """Hand what `read` makes of every labelled message of the sources to `teach`, in their order,
    with True for spam; it returns True for a label that it doubts.

    enlarge: makes the messages that are learned of those that are there. Raises CorpusError, and
    what `readers` raises.
    """
    begin = time.monotonic()
    counts = {True: 0, False: 0}
    octets = 0
    doubted: list[tuple[bool, str]] = []
    skips = Skips()
    with ExitStack() as stack:
        items, unlabelled = labelled_items(sources, stack)
        items = enlarge(items)
        for done, one in enumerate(readers.read(items, read, skips=skips), 1):
            label = one.item.label
            assert label is not None
            if teach(one.seen, label) is True:
                doubted.append((label, one.item.name))
            counts[label] += 1
            octets += one.octets
            progress(done, len(items))
    seconds = time.monotonic() - begin
    return TrainReport(
        counts[True], counts[False], unlabelled, octets, seconds, tuple(doubted), skips
    )
