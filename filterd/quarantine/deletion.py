"""Deleting kept mail, and bringing it back.

What a person deletes is set aside: its bytes get another name, under which nothing reads, shows or
releases them. For some hours it can be brought back, then expiry removes it for good; at once where
somebody asks for that, and what expires. The journal says what is to be, the names of the files
follow: if a process dies between the two, `finish` does the rest.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.quarantine.files import ASIDE, GoneError, StoreError
from filterd.quarantine.journal import DeliveryState
from filterd.quarantine.words import State
from filterd.system.durable import rename, sync_folder

if TYPE_CHECKING:
    from filterd.quarantine.journal import Event
    from filterd.quarantine.store import Store

HOUR = 3600.0

DISORDER = 3600.0
"""Seconds by which events of several processes and hosts may stand in another order than that of
their times."""

_GONE = (State.DELETED, State.EXPIRED)


def delete(
    store: Store, id: str, who: str, note: str, *, at_once: bool = False, expired: bool = False
) -> int:
    """Put a message aside, or remove its bytes at once; return how many, 0 if there was nothing to
    do. Raises as `Store.delete` does."""
    entry, path = store.get(id), store.path(id)
    if any(delivery.state == "releasing" for delivery in store.index.deliveries(id)):
        raise StoreError(0, f"{id} is being released")
    at_once = at_once or not store.settings.undelete_hours
    with store.journal.locked():
        is_there, is_aside = path.exists(), path.with_suffix(ASIDE).exists()
        if is_there:
            store.note("expired" if expired else "deleted", id, who, note)
        has_more = (is_there and at_once and not expired) or (
            not is_there and is_aside and (at_once or expired)
        )
        if has_more:
            store.note("purged", id, who, note)
        _agree(store, path, store.delivery_state(id))
    return entry.size if is_there or has_more else 0


def undelete(store: Store, id: str, who: str, note: str) -> bool:
    """Bring a message back; False if it was not deleted. Raises as `Store.get` does,
    GoneError."""
    path = store.path(id)
    with store.journal.locked():
        if not (state := store.delivery_state(id)).gone:
            _agree(store, path, state)
            return False
        if not can_be_brought_back(path, state):
            raise GoneError(f"{id} cannot be brought back: its bytes are removed for good")
        store.note("undeleted", id, who, note)
        _agree(store, path, store.delivery_state(id))
    return True


def purge(store: Store, id: str, who: str, note: str) -> bool:
    """Remove for good what was set aside; False if it was brought back meanwhile. Raises as
    `Store.get` does."""
    path = store.path(id)
    with store.journal.locked():
        if (state := store.delivery_state(id)).gone and not state.purged:
            store.note("purged", id, who, note)
            state = store.delivery_state(id)
        _agree(store, path, state)
    return bool(state.gone)


def finish(store: Store, id: str) -> None:
    """Do what the journal says where a process died before the files were as it says. Raises as
    `Store.get` does."""
    path = store.path(id)
    with store.journal.locked():
        _agree(store, path, store.delivery_state(id))


def is_finished(path: Path, state: DeliveryState) -> bool:
    """True if the files of a message, whose bytes would be at that path, are as the journal says;
    also if they are not there at all."""
    aside = path.with_suffix(ASIDE)
    if not state.gone:
        return not aside.exists()
    return not path.exists() and not (state.purged and aside.exists())


def can_be_brought_back(path: Path, state: DeliveryState) -> bool:
    """True for what was deleted and not removed for good. path: where its bytes were."""
    there = path.with_suffix(ASIDE).exists() or path.exists()
    return state.gone == State.DELETED and not state.purged and there


def undelete_until(store: Store, ids: Collection[str]) -> dict[str, float]:
    """Which of these messages can be brought back, and until when (seconds since 1970; then the
    next expiry removes their bytes). Raises StoreError."""
    hours = store.settings.undelete_hours * HOUR
    aside = {one for one in map(store.files.find, ids) if one is not None}
    there = {one.stem for one in aside if one.with_suffix(ASIDE).exists()}
    last = _last_events(store) if there else {}
    return {id: last[id].time + hours for id in there if id in last and last[id].what == "deleted"}


@dataclass(frozen=True, slots=True)
class Aside:
    """Bytes that are set aside. deleted: when that was done, minus infinity for longer ago than
    they are kept. received: when the message came. Both in seconds since 1970."""

    id: str
    size: int
    deleted: float
    received: float


def set_aside(store: Store, *, repair: bool) -> list[Aside]:
    """What was deleted and can be brought back. repair: finish first what a process that died has
    left half done in these hours; the rest of such is for `fsck`. Raises StoreError."""
    files = {path.stem: path for path in store.files.aside()}
    last = _last_events(store)
    if repair:
        _finish_all(store, last)
    found = []
    for id, path in files.items():
        event = last.get(id)
        if event is not None and event.what == "undeleted":
            continue
        with contextlib.suppress(FileNotFoundError):
            size, deleted = path.stat().st_size, event.time if event else -math.inf
            found.append(Aside(id, size, deleted, _received(store, path)))
    return found


def _last_events(store: Store) -> dict[str, Event]:
    """What was done last with each message that was deleted, brought back or purged in the hours
    that deleted ones are kept. Raises StoreError."""
    began = store.clock() - store.settings.undelete_hours * HOUR
    last: dict[str, Event] = {}
    for event in store.journal.newest():
        if event.time < began - DISORDER:
            break
        if event.what in ("deleted", "undeleted", "purged"):
            last.setdefault(event.id, event)
    return last


def _finish_all(store: Store, last: Mapping[str, Event]) -> None:
    """Finish what is half done. last: what was done with each message last."""
    listed = store.index.states(list(last))
    for id, event in last.items():
        description = store.files.find(id)
        if description is None:
            continue
        is_gone = event.what != "undeleted"
        state = DeliveryState(gone=State.DELETED if is_gone else "", purged=event.what == "purged")
        word, _ = listed.get(id, (state.gone, False))
        if (word in _GONE) is not is_gone or not is_finished(
            description.with_suffix(".eml"), state
        ):
            finish(store, id)


def _received(store: Store, path: Path) -> float:
    """When a message came; of one whose description is damaged that is not known, and late."""
    try:
        return store.files.describe(path.with_suffix(".json")).received.timestamp()
    except StoreError:
        return math.inf


def _agree(store: Store, path: Path, state: DeliveryState) -> None:
    """Make files and index agree with the journal, which the caller has locked. Raises
    StoreError."""
    aside = path.with_suffix(ASIDE)
    try:
        if not state.gone:
            if aside.exists():
                # Bytes that are there as well were stored again, and are the same.
                rename((aside, path))
        elif state.purged:
            path.unlink(missing_ok=True)
            aside.unlink(missing_ok=True)
            sync_folder(path.parent)
        elif path.exists():
            rename((path, aside))
    except OSError as error:
        raise StoreError.about(path, error) from error
    store.index.update(path.stem, state)
