"""Autolearn, the side that mail passes: is this message evident, and a copy into the queue.

A message is evident when what *other* filters found about it is beyond a limit; the classifier's
own opinion counts nothing, or it would teach itself what it believes already. All that a worker
does is to write a copy into a bounded folder; `filterd.bayes.site.autolearn_learning` learns from
it later, in a process of its own. A copy that is lost, by a full disk or a crash, is a lesson less.

No import here is heavier than the standard library: settings and workers load it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge, Gt, Lt

from filterd.message import Message
from filterd.message.address import Mailbox
from filterd.message.envelope import ip
from filterd.system.durable import write_atomically

log = logging.getLogger(__name__)

FOLDER = "autolearn"
"""The queue's folder, in the folder of models."""

MESSAGE_LIMIT = 256 << 10
"""Octets of a message that is queued. Larger ones are not missed: their class is evident anyway."""

_SENDER_LENGTH = 8  # octets of a sender's hash


@dataclass(frozen=True)
class AutolearnSettings:
    """Settings `[autolearn]`."""

    enabled: Annotated[
        bool, Doc("learn mail that other filters are sure about, without a person")
    ] = False
    interval: Annotated[
        int,
        Ge(0),
        Doc(
            "seconds between two runs of learning by the daemon; 0: never, a timer "
            "runs `filterd learn auto`"
        ),
    ] = 600
    spam_points: Annotated[
        float, Gt(0), Doc("points of the other filters from which a message is learned as spam")
    ] = 15.0
    ham_points: Annotated[
        float, Lt(0), Doc("points of the other filters up to which it is learned as ham")
    ] = -15.0
    not_evidence: Annotated[
        tuple[str, ...],
        Doc(
            "symbols that do not count, as patterns: those of classifiers, which would teach "
            "themselves, and GTUBE, a line that anybody can put below honest text"
        ),
    ] = ("BAYES_*", "SKLEARN_*", "GTUBE")
    disputed: Annotated[
        bool,
        Doc(
            "learn a message even if the site's own model, once trained, is sure of the other class"
        ),
    ] = False
    per_sender: Annotated[
        int, Gt(0), Doc("messages of one sender's domain that are learned in a day")
    ] = 5
    per_day: Annotated[int, Gt(0), Doc("messages of all senders that are learned in a day")] = 100
    queue_messages: Annotated[
        int, Gt(0), Doc("copies waiting to be learned; more are not kept")
    ] = 1000


@dataclass(frozen=True, slots=True)
class Queued:
    """A copy in the queue. sender: a hash that stands for its sender."""

    path: Path
    spam: bool
    sender: str


def evident(points: Iterable[tuple[str, float]], settings: AutolearnSettings) -> bool | None:
    """True for spam, False for ham, None where the other filters are not sure.

    points: (symbol, points) of everything that was found.
    """
    total = sum(
        score
        for name, score in points
        if not any(fnmatchcase(name, pattern) for pattern in settings.not_evidence)
    )
    if total >= settings.spam_points:
        return True
    if total <= settings.ham_points:
        return False
    return None


def sender_of(message: Message) -> str:
    """A hash of the sender: the reverse-path's domain, or the client where that is empty.

    The domain, since its owner has as many addresses as they like.
    """
    client = message.envelope.client.address
    name = Mailbox.parse(message.envelope.sender).domain or str(ip(client) or client)
    return hashlib.blake2b(
        name.encode("utf-8", "surrogateescape"), digest_size=_SENDER_LENGTH
    ).hexdigest()


class Queue:
    """The folder of copies. models: the folder of models that it is in."""

    def __init__(self, models: Path, settings: AutolearnSettings) -> None:
        self.folder = models / FOLDER
        self.settings = settings
        self._trouble = False

    def offer(self, message: Message, points: Iterable[tuple[str, float]]) -> bool:
        """Queue a copy if the message is evident and there is room. Returns True if it was queued.

        Raises nothing that disk or message cause: mail goes on. Not synced: nothing was promised.
        """
        spam = evident(points, self.settings)
        if spam is None or len(message.data) > MESSAGE_LIMIT:
            return False
        sender = sender_of(message)
        name = f"{'spam' if spam else 'ham'}-{sender}-{message.id}.eml"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._has_room(sender):
                return False
            write_atomically(self.folder / name, [message.data], synced=False)
        except (OSError, ValueError) as error:
            if not self._trouble:
                log.warning("nothing is queued to be learned: %s: %s", self.folder, error)
            self._trouble = True
            return False
        self._trouble = False
        return True

    def _has_room(self, sender: str) -> bool:
        """A sender's share is what may be learned of it in a day, so that it crowds out nobody."""
        names = [path.name for path in self.folder.iterdir()]
        theirs = sum(f"-{sender}-" in name for name in names)
        return len(names) < self.settings.queue_messages and theirs < self.settings.per_sender

    def waiting(self) -> list[Queued]:
        """The copies that wait, the oldest first. Raises OSError."""
        if not self.folder.is_dir():
            return []
        found = []
        for path in sorted(self.folder.glob("*.eml"), key=lambda path: path.stem.split("-")[-1]):
            word, _, rest = path.stem.partition("-")
            sender = rest.partition("-")[0]
            if word in ("spam", "ham") and len(sender) == 2 * _SENDER_LENGTH:
                found.append(Queued(path, word == "spam", sender))
        return found
