"""Comparing files, journal and index, and making the index agree with the others.

An index that cannot be used at all (damaged, cut short, another program's tables) is set aside
under a name with the date, and rebuilt.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.quarantine import deletion
from filterd.quarantine.entry import Entry
from filterd.quarantine.files import STORING_LIMIT, StoreError
from filterd.quarantine.journal import DeliveryState, Event, delivery_state_of

if TYPE_CHECKING:
    from filterd.quarantine.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What was found. added: ids that were missing in the index; stale: rows without files;
    restated: rows whose state was not the journal's; damaged: files that do not fit their
    description, with the reason; finished: ids of which a process that died had left a deletion, or
    what takes it back, half done. fault: why the index could not be used at all; aside: the name
    under which it is kept."""

    checked: int
    added: tuple[str, ...]
    stale: tuple[str, ...]
    restated: tuple[str, ...]
    damaged: tuple[tuple[str, str], ...]
    finished: tuple[str, ...] = ()
    fault: str = ""
    aside: str = ""


def fsck(store: Store, *, repair: bool = True, rebuild: bool = False) -> FsckReport:
    """Compare, and with `repair` correct the index. rebuild: rebuild it in any case.

    Raises StoreError.
    """
    began = store.clock()
    fault, aside = _look_at_index(store, repair=repair, rebuild=rebuild)
    known = {} if fault and not aside else store.index.states()
    events: defaultdict[str, list[Event]] = defaultdict(list)
    for event in store.journal.events():
        events[event.id].append(event)
    seen: set[str] = set()
    added, restated, damaged, finished = [], [], [], []
    missing: list[tuple[Entry, str, DeliveryState]] = []
    for day in store.files.days():
        for description in sorted(day.glob("*.json")):
            id, message = description.stem, description.with_suffix(".eml")
            seen.add(id)
            try:
                entry = store.files.describe(description)
            except StoreError as error:
                damaged.append((id, str(error)))
                continue
            delivery_state = delivery_state_of(
                entry.held_for, events[id], entry.received.timestamp()
            )
            # A second look at the journal: somebody may be at it.
            if not deletion.is_finished(message, delivery_state) and not deletion.is_finished(
                message, delivery_state := store.delivery_state(id)
            ):
                finished.append(id)
                if repair:
                    deletion.finish(store, id)
            # What was deleted since the journal was read is not damaged.
            trouble = "" if delivery_state.gone else _disagreement(entry, message)
            if trouble and not store.delivery_state(id).gone:
                damaged.append((id, trouble))
            if id not in known:
                added.append(id)
                missing.append((entry, str(message), delivery_state))
            elif (
                known[id] != (delivery_state.state, delivery_state.pinned)
                and known[id][0] != "releasing"
            ):
                # A release that is under way stands in the index first; one that began since
                # the journal was read is left alone as well.
                restated.append(id)
                if repair and (fresh := store.delivery_state(id)).state != "releasing":
                    store.index.update(id, fresh)
        damaged += _undescribed(store, day)
        if repair:
            store.index.add_all(missing)
            _sweep(store, day)
        missing.clear()
    stale = tuple(sorted(known.keys() - seen))
    if repair:
        store.index.remove(stale)
        _catch_up(store, set(added), began)
    return FsckReport(
        len(seen),
        tuple(added),
        stale,
        tuple(restated),
        tuple(damaged),
        tuple(finished),
        fault,
        aside,
    )


def add_missing(store: Store) -> int:
    """Add the rows of messages that the index has not heard of for `STORING_LIMIT`, without reading
    what it knows; return how many. Raises StoreError."""
    began = store.clock()
    known: set[str] | None = None
    missing = []
    for day in store.files.days():
        for description in day.glob("*.json"):
            if known is None:
                known = set(store.index.states())
            if description.stem not in known and _is_old(store, description):
                missing.append(description)
    for description in missing:
        try:
            entry = store.files.describe(description)
        except StoreError as error:
            log.warning("quarantine: %s", error)
            continue
        message = description.with_suffix(".eml")
        store.index.add(entry, str(message), store.delivery_state(entry.id))
    _catch_up(store, {description.stem for description in missing}, began)
    return len(missing)


def _catch_up(store: Store, added: set[str], since: float) -> None:
    """Give new rows the states of what was done while they were made."""
    touched = set[str]()
    for event in store.journal.newest() if added else ():
        if event.time < since - STORING_LIMIT:
            break
        touched.add(event.id)
    for id in touched & added:
        if (delivery_state := store.delivery_state(id)).state != "releasing":
            store.index.update(id, delivery_state)


def _look_at_index(store: Store, *, repair: bool, rebuild: bool) -> tuple[str, str]:
    """Why the index cannot be used, and where it is now; empty texts for a good one."""
    from filterd.quarantine.database import BrokenIndexError  # noqa: PLC0415  (loads the database)

    fault = "it was to be rebuilt" if rebuild else ""
    try:
        store.index.check()
    except BrokenIndexError as error:
        fault = error.cause
        if error.is_newer and not rebuild:
            # Others may share it whose version of filterd is newer.
            raise
    return fault, store.index.begin_anew(store.clock()) if fault and repair else ""


def _disagreement(entry: Entry, path: Path) -> str:
    """What is wrong with a message file, empty if it is as described."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "" if digest == entry.digest else f"{path}: its bytes are not those that were stored"


def _undescribed(store: Store, day: Path) -> list[tuple[str, str]]:
    """Messages whose writers died before the description."""
    return [
        (message.stem, "has no description; the client was told 451")
        for message in sorted(day.glob("*.eml"))
        if not message.with_suffix(".json").exists() and _is_old(store, message)
    ]


def _sweep(store: Store, day: Path) -> None:
    """Remove what killed writers left unfinished: files that never got their name."""
    for path in day.glob(".*"):
        if _is_old(store, path):
            path.unlink(missing_ok=True)


def _is_old(store: Store, path: Path) -> bool:
    """False for what may be in the middle of being stored."""
    try:
        return store.clock() - path.stat().st_mtime > STORING_LIMIT
    except FileNotFoundError:
        return False
