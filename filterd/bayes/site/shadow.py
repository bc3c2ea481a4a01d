"""A candidate model beside the one in force: it scores the same mail and only the log hears of it.

`shadow.fdm` in the folder of models is the candidate: a hard link to a version, or a copy of a file
from elsewhere, so that nothing that happens to its source disturbs it. Workers look for it once a
second. Whatever goes wrong with a candidate costs one line in the log and never a verdict.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path

from filterd.bayes.model.classifier import Opinion
from filterd.bayes.model.online import logistic
from filterd.bayes.model.store import ModelFileError, StoredModel, load
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site.folder import ModelFolder
from filterd.message import Message
from filterd.system.durable import rename

log = logging.getLogger(__name__)

NAME = "shadow.fdm"

SPAM_FROM = 0.9
HAM_BELOW = 0.1
"""The zones between which a difference is logged: spam is what the default table of points labels,
ham what it gives no points."""


def zone(probability: float) -> str:
    """`spam`, `unsure` or `ham`."""
    return "spam" if probability >= SPAM_FROM else "ham" if probability < HAM_BELOW else "unsure"


def shadow_path(folder: ModelFolder) -> Path:
    """Where the candidate is, if there is one."""
    return folder.path / NAME


def set_candidate(folder: ModelFolder, candidate: Path) -> StoredModel:
    """Make a model file the candidate; running workers follow within a second.

    Raises ModelFileError if it is not good, OSError.
    """
    stored = load(candidate)
    folder.make()
    temporary = folder.path / f".{NAME}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(candidate)
    except OSError:  # another file system
        shutil.copyfile(candidate, temporary)
        temporary.chmod(0o600)
    rename((temporary, shadow_path(folder)))
    return stored


def clear_candidate(folder: ModelFolder) -> bool:
    """End it. Returns False if there was no candidate. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        shadow_path(folder).unlink()
        return True
    return False


class Shadow:
    """The candidate as a worker sees it. `judge` never raises an Exception."""

    def __init__(self, folder: Path) -> None:
        self._folder = ModelFolder(folder)
        self._seen: object = None
        self._candidate: tuple[StoredModel, Hasher] | None = None

    def look(self) -> None:
        """Load the candidate if it has changed. Costs one `stat` if not."""
        path = shadow_path(self._folder)
        try:
            status = path.stat()
        except OSError:
            self._seen = self._candidate = None
            return
        generation = (status.st_ino, status.st_mtime_ns)
        if generation == self._seen:
            return
        self._seen, self._candidate = generation, None
        try:
            stored = load(path)
            # 8 MiB a worker while there is a candidate, or it would cost half as much again.
            stored.model.settle()
        except (ModelFileError, OSError) as error:
            log.error("the candidate is not used: %s", error)
            return
        self._candidate = stored, Hasher(stored.card.salt)
        log.info("candidate model %s scores mail too", stored.card.generation)

    def judge(self, message: Message, opinion: Opinion) -> None:
        """Log where the candidate puts the message into another zone."""
        if self._candidate is None:
            return
        stored, hasher = self._candidate
        try:
            # Under the same salt the features are the same, and they are most of the work.
            features = next(
                (v.features for v in opinion.models if v.stored.card.salt == stored.card.salt), None
            )
            if features is None:
                features = hasher.features_of(opinion.text)
            p = logistic(stored.model.score(features).total)
        # Whatever it is, it is the candidate's, and mail must not suffer from it.
        except Exception as error:  # noqa: BLE001
            log.error(
                "the candidate failed and is not used any more: id=%s %s: %s",
                message.id,
                type(error).__name__,
                error,
            )
            self._candidate = None
            return
        ours, its = zone(opinion.probability), zone(p)
        if ours != its:
            log.info(
                "shadow id=%s zone=%s p=%.4f candidate=%s zone=%s p=%.4f",
                message.id,
                ours,
                opinion.probability,
                stored.card.generation,
                its,
                p,
            )
