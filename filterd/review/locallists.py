"""The local lists of a site: what they say, and changes by admins, which can be undone.

The lists stay files that people edit. A change is refused if the file is not the one any more that
the person has seen, and what it replaces is kept beside it (`.NAME.former`).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.config.load import Settings
from filterd.filters.locallists.settings import LocalListsSettings
from filterd.filters.locallists.text import ListSummary, ListText, TextLine
from filterd.filters.senders.list import SIZE_LIMIT, ListEntryError
from filterd.quarantine import Store, StoreError
from filterd.quarantine.journal import What
from filterd.review.former import Former
from filterd.review.list_values import (
    ChangedMeanwhileError,
    ListChange,
    ListChangeError,
    ListFileError,
    ListState,
    SiteList,
    UnknownListError,
    Use,
)
from filterd.system.bounded import read_regular
from filterd.system.display import printable
from filterd.system.durable import PRIVATE_FILE, locked, write_atomically

if TYPE_CHECKING:
    from filterd.review.access import Access

log = logging.getLogger(__name__)

SHOWN_LIMIT = 500
"""Characters of a line that journal and log repeat."""

UNDONE, AGAIN = "undone: ", "done again: "

CHANGED = "the file was changed meanwhile, so nothing was written; look at it again"


class SiteLists:
    """The lists of the chain's filters. Methods raise ActionError for somebody who is not an
    admin, and ListChangeError."""

    def __init__(
        self, settings: Settings, store: Store, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._summaries: dict[Path, tuple[str, ListSummary]] = {}

    @property
    def is_used(self) -> bool:
        """True if a filter of the chain has lists."""
        return any(one.lists for one in self._settings.in_chain(LocalListsSettings).values())

    @property
    def _lists(self) -> dict[str, SiteList]:
        uses: dict[Path, list[Use]] = {}
        for filter, settings in self._settings.in_chain(LocalListsSettings).items():
            for own in settings.lists:
                # What a link points to now is changed, not the link.
                path = Path(os.path.realpath(own.file))
                uses.setdefault(path, []).append(Use(filter, own, settings.early))
        return {
            name: SiteList(name, path, tuple(its))
            for (path, its), name in zip(uses.items(), names_of([*uses]), strict=True)
        }

    def all(self, access: Access) -> list[ListState]:
        """All lists, in the order of the settings."""
        access.require("lists")
        return [self._state(one) for one in self._lists.values()]

    def one(self, access: Access, name: str) -> ListState:
        """One list. Raises UnknownListError."""
        access.require("lists")
        return self._state(self._list(name))

    def add(
        self, access: Access, name: str, typed: str, note: str = "", version: str = ""
    ) -> ListChange:
        """Put an entry at the end of a list. version: of the file that the person has seen; empty
        if that does not matter."""
        with self._changing(access, name, version) as (one, text):
            line = text.written(typed, note, len(text) + 1)
            assert line.entry is not None
            if (same := text.find(line.entry)) is not None:
                raise ListChangeError(f"{line.entry} is in line {same.number} already")
            words = f"{line.entry} is listed"
            what: What = "allowed" if one.uses[0].own.kind == "allow" else "blocked"
            return self._write(one, text, text.added(line), access.who, what, words, line, note)

    def change(
        self, access: Access, name: str, version: str, number: int, typed: str, note: str = ""
    ) -> ListChange:
        """Put another entry, or another note, in the place of a line."""
        with self._changing(access, name, version) as (one, text):
            old = _line(text, number)
            # What a page cannot show came back as it was shown; it must not become that.
            typed = _kept(typed, str(old.entry or old.text))
            line = text.written(typed, _kept(note, old.note), number)
            assert line.entry is not None
            same = text.find(line.entry)
            if same is not None and same.number != number:
                raise ListChangeError(f"{line.entry} is in line {same.number} already")
            words = f"line {number} is {line.text}, it was {_shown(old)}"
            what: What = "allowed" if one.uses[0].own.kind == "allow" else "blocked"
            return self._write(one, text, text.changed(line), access.who, what, words, line, note)

    def remove(
        self, access: Access, name: str, version: str, number: int, note: str = ""
    ) -> ListChange:
        """Take a line out of a list."""
        with self._changing(access, name, version) as (one, text):
            line = _line(text, number)
            words = f"line {number}, {_shown(line)}, is removed"
            new = text.removed(number)
            return self._write(one, text, new, access.who, "unlisted", words, None, note)

    def undo(self, access: Access, name: str, version: str) -> ListChange:
        """Make the list what it was before the last change here; that is a change as well."""
        with self._changing(access, name, version) as (one, text):
            former = self._former(one)
            if former is None or former.after != text.version:
                raise ListChangeError("there is no change that could be undone")
            words = _undone(former.change)
            new = ListText(former.data, one.abouts)
            return self._write(one, text, new, access.who, "undone", words, None, "", checked=False)

    def _list(self, name: str) -> SiteList:
        try:
            return self._lists[name]
        except KeyError:
            raise UnknownListError("there is no such list") from None

    def _state(self, one: SiteList) -> ListState:
        try:
            text = self._text(one)
        except (ListFileError, ListEntryError) as error:
            return ListState(one, None, ListSummary(), error=str(error))
        former = self._former(one)
        edited = former is not None and former.after != text.version
        return ListState(one, text, self._summary(one, text), None if edited else former, edited)

    def _summary(self, one: SiteList, text: ListText) -> ListSummary:
        version, summary = self._summaries.get(one.path, ("", ListSummary()))
        if version != text.version:
            summary = text.summary()
            self._summaries[one.path] = text.version, summary
        return summary

    def _text(self, one: SiteList) -> ListText:
        """Raises ListFileError, ListEntryError."""
        return ListText(self._data(one), one.abouts)

    def _data(self, one: SiteList) -> bytes:
        try:
            return read_regular(one.path, SIZE_LIMIT)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _trouble(one, "read", error) from None

    def _former(self, one: SiteList) -> Former | None:
        try:
            return Former.read(one.path)
        except OSError as error:
            log.warning("%s: what the last change replaced cannot be read: %s", one.path, error)
            return None

    @contextmanager
    def _changing(
        self, access: Access, name: str, version: str
    ) -> Iterator[tuple[SiteList, ListText]]:
        """The list and its text, while nobody else changes it here."""
        access.require("lists")
        one = self._list(name)
        try:
            with locked(one.path):
                text = self._text(one)
                if version and version != text.version:
                    raise ChangedMeanwhileError(CHANGED)
                yield one, text
        except ListEntryError as error:
            raise ListChangeError(str(error)) from None
        except StoreError:
            raise
        except OSError as error:
            raise _trouble(one, "changed", error) from None

    def _write(
        self,
        one: SiteList,
        old: ListText,
        new: ListText,
        who: str,
        what: What,
        words: str,
        line: TextLine | None,
        note: str,
        *,
        checked: bool = True,
    ) -> ListChange:
        """Write the list durably, then the journal. Raises ListChangeError, OSError, StoreError."""
        before, after = self._summary(one, old), new.summary()
        if checked and after.wrong > before.wrong:
            raise ListChangeError(after.mistakes[-1].what)

        def check() -> None:
            if self._data(one) != old.data:
                raise ChangedMeanwhileError(CHANGED)

        mode, owner = _mode_and_owner(one)
        Former(old.data, new.version, self._clock(), who, words).write(one.path, mode, owner)
        write_atomically(one.path, [new.data], mode, owner=owner, check=check)
        self._summaries[one.path] = new.version, after
        told = f"{one.name}: {words}" + (f"; {note}" if note and note not in words else "")
        log.info("local list changed by %s: %s", who, told)
        self._store.note(what, "", who, told)
        return ListChange(words, new.version, line.number if line is not None else 0)


def names_of(paths: Sequence[Path]) -> list[str]:
    """What different files are called: the name, with as many folders before it as tell it from the
    others."""
    parts = [path.parts[1:] for path in paths]
    found = []
    for own in parts:
        number = 1
        while sum(own[-number:] == other[-number:] for other in parts) > 1:
            number += 1
        found.append("/".join(own[-number:]))
    return found


def _undone(change: str) -> str:
    """What to undo a change is called. The words do not grow with each time."""
    if change.startswith(UNDONE):
        return AGAIN + change.removeprefix(UNDONE)
    return UNDONE + change.removeprefix(AGAIN)


def _line(text: ListText, number: int) -> TextLine:
    try:
        return text.line(number)
    except IndexError:
        raise UnknownListError(f"there is no line {number}") from None


def _kept(typed: str, old: str) -> str:
    """The old text if somebody left it as it was shown."""
    return old if typed == printable(old) else typed


def _shown(line: TextLine) -> str:
    """A line as it is told: somebody may have written anything by hand."""
    return printable(line.text.strip(), SHOWN_LIMIT)


def _mode_and_owner(one: SiteList) -> tuple[int, tuple[int, int] | None]:
    """The mode that the file keeps, and user and group, -1 for one who need not be kept. Raises
    ListFileError for one that is not to be changed."""
    try:
        status = one.path.stat()
    except FileNotFoundError:
        return PRIVATE_FILE, None
    if not os.access(one.path, os.W_OK):
        raise ListFileError(
            f"{one.name} is read-only for filterd; expected a file that its user may write"
        )
    mode = status.st_mode & 0o777
    if os.geteuid() == 0:
        return mode, (status.st_uid, status.st_gid)
    if os.geteuid() != status.st_uid and status.st_uid != 0:
        raise ListFileError(
            f"{one.name} belongs to uid {status.st_uid}, who could not edit it any more; expected "
            "a file of filterd's user"
        )
    if not (mode >> 3) & ~mode & 0o7:
        # The group may do nothing that others may not.
        return mode, None
    if status.st_gid not in (os.getegid(), *os.getgroups()):
        raise ListFileError(
            f"{one.name} belongs to group {status.st_gid}, whose members would be locked out; "
            "expected a group of filterd's user"
        )
    return mode, (-1, status.st_gid)


def _trouble(one: SiteList, verb: str, error: OSError) -> ListFileError:
    log.error("%s: cannot be %s: %s", one.path, verb, error)
    return ListFileError(f"{one.name} cannot be {verb}: {error.strerror}")
