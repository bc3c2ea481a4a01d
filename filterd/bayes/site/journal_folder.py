"""Which journal belongs to which folder of models, and the way from the file into a database.

A journal describes the model files of one folder. With those of another, a learner would delete
versions as leftovers and subtract what was never added. So the folder has a number, which the
journal has too, and a learner begins only where both are the same.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing

from filterd.bayes.site.folder import NUMBER, NUMBER_LENGTH, ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.bayes.site.learned import JournalError
from filterd.database.sqlite import SqliteFile

log = logging.getLogger(__name__)


def open_to_learn(folder: ModelFolder) -> LearningJournal:
    """The folder's journal, for its one learner, who has the folder's lock.

    A database that no folder uses yet takes over what the journal in the folder says. Raises
    JournalError, also for the journal of another folder; ModelFileError, OSError.
    """
    journal = LearningJournal(folder, alone=True)
    try:
        _claim(journal, folder)
        check_folder(journal, folder)
        _check_version(journal, folder)
    except BaseException:
        journal.close()
        raise
    return journal


def open_to_read(folder: ModelFolder) -> LearningJournal | None:
    """The journal as it is, None where nothing was learned yet. Raises JournalError, also for that
    of another folder; ModelFileError, OSError."""
    has_file = folder.journal.exists()
    if not folder.database:
        return _opened(folder) if has_file else None
    if has_file:
        with closing(LearningJournal(folder)) as journal:
            is_used = journal.folder is not None
        if not is_used:
            # Nobody has learned since `database` was set.
            return _opened(ModelFolder(folder.path))
    return _opened(folder)


def check_folder(journal: LearningJournal, folder: ModelFolder) -> None:
    """Look whether the journal describes this folder's models, all of them. Raises JournalError,
    ModelFileError, OSError."""
    theirs, ours = journal.folder, folder.number()
    if theirs is not None and theirs != ours:
        has = "has none" if ours is None else f"is {_digits(ours)}"
        raise JournalError(
            f"{journal.where}: describes the models of another folder, whose id is "
            f"{_digits(theirs)}; that of {folder.path} (its file {NUMBER}) {has}; expected a "
            "journal of its own for each folder"
        )
    in_force = folder.current()
    if in_force is not None and in_force > journal.newest():
        raise JournalError(
            f"{journal.where}: does not know version {in_force}, which is in force in "
            f"{folder.path}; expected the journal that was written with it. To go on without it: "
            f"copy {folder.version_path(in_force).name} to another folder, remove {folder.link}, "
            "and give the copy to `filterd model activate`"
        )


def _check_version(journal: LearningJournal, folder: ModelFolder) -> None:
    current = journal.current
    if current and not folder.version_path(current).exists():
        raise JournalError(
            f"{journal.where}: describes version {current}, and there is no "
            f"{folder.version_path(current)}; put the file back, or the folder and its journal as "
            "they were together"
        )


def _opened(folder: ModelFolder) -> LearningJournal:
    journal = LearningJournal(folder)
    try:
        check_folder(journal, folder)
    except BaseException:
        journal.close()
        raise
    return journal


def _claim(journal: LearningJournal, folder: ModelFolder) -> None:
    """Enter the folder's number into a journal that has none."""
    is_moved = not journal.is_in(folder.journal) and folder.journal.exists()
    if journal.folder is None:
        if not is_moved:
            check_folder(journal, folder)
        number = folder.make_number()
        with journal.transaction():
            if is_moved:
                _take_over(journal, folder)
            journal.folder = number
    if is_moved and journal.folder == folder.number():
        _put_file_aside(folder)


def _take_over(journal: LearningJournal, folder: ModelFolder) -> None:
    """Copy what the file in the folder says."""
    with closing(_opened(ModelFolder(folder.path))) as file:
        copied = journal.copy(file)
    log.info("%s: %d rows copied to %s", folder.journal, copied, journal.where)


def _put_file_aside(folder: ModelFolder) -> None:
    """Rename the file, which would be an old journal if `database` were unset. Nobody writes to it:
    the lock of the folder is held."""
    try:
        aside = SqliteFile(folder.journal).put_aside(time.time(), "moved")
    except OSError as error:
        log.warning("%s: was copied, but keeps its name: %s", folder.journal, error)
        return
    log.info("%s: kept as %s", folder.journal, aside.name)


def _digits(number: int) -> str:
    return f"{number:0{NUMBER_LENGTH}x}"
