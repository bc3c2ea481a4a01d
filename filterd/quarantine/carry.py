"""After a restore: what was released since the archive was made stays released.

Else a release that was put off when the archive was made would be tried again, and a person could
release what its recipient already has. What was deleted since comes back: that is what archives are
for.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from filterd.quarantine.journal import Event, Journal

if TYPE_CHECKING:
    from filterd.quarantine.store import Store

RELEASES = frozenset({"releasing", "released", "failed"})

DISORDER = 3600.0
"""Seconds by which events of several processes and hosts may stand in another order than that of
their times."""


def carry_releases(store: Store, former: Path) -> tuple[str, ...]:
    """Add the releases that the journal of a former quarantine has, and that of this one has not,
    for messages that are in this one; return their ids. Index and files have to agree (`fsck`).

    Raises StoreError.
    """
    since = next((event.time for event in store.journal.newest()), float("-inf")) - DISORDER
    known = set(_releases(store.journal, since))
    ids = store.index.states().keys()
    carried: dict[str, None] = {}
    for event in reversed(_releases(Journal(former), since)):
        if event.id in ids and event not in known:
            store.journal.append(event)
            carried[event.id] = None
    for id in carried:
        store.index.update(id, store.delivery_state(id))
    return tuple(carried)


def _releases(journal: Journal, since: float) -> list[Event]:
    """The last one first."""
    recent = takewhile(lambda event: event.time >= since, journal.newest())
    return [event for event in recent if event.what in RELEASES]
