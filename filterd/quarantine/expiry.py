"""Expiry: by age, by number, by size, the oldest first; what is pinned or under way stays.

A message's bytes go, and with them every removed part, which is a span of them. The description
stays for as long as `forget_days` says, the journal for good.
"""

from __future__ import annotations

from dataclasses import dataclass

from filterd.quarantine.files import StoreError
from filterd.quarantine.store import Store, UnknownIdError

DAY = 86400.0
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Expired:
    """One message that has expired. why: `age`, `number` or `size`."""

    id: str
    why: str
    size: int


@dataclass(frozen=True, slots=True)
class Report:
    """What went. forgotten: descriptions of messages gone long ago. failed: id and trouble."""

    expired: tuple[Expired, ...]
    forgotten: int
    failed: tuple[tuple[str, str], ...]

    @property
    def octets(self) -> int:
        """What was freed."""
        return sum(one.size for one in self.expired)


def expire(store: Store, *, who: str = "filterd", dry_run: bool = False) -> Report:
    """Remove what has expired; with `dry_run`, only say what would be. Raises StoreError."""
    settings, now = store.settings, store.clock()
    expired: list[Expired] = []
    failed: list[tuple[str, str]] = []
    for one in _due(store, now):
        if not dry_run:
            try:
                store.delete(one.id, who, one.why, expired=True)
            except (StoreError, UnknownIdError) as error:
                failed.append((one.id, str(error)))
                continue
        expired.append(one)
    forgotten = 0
    if settings.forget_days and not dry_run:
        forgotten = store.forget(now - settings.forget_days * DAY)
    return Report(tuple(expired), forgotten, tuple(failed))


def _due(store: Store, now: float) -> list[Expired]:
    settings = store.settings
    messages, octets = store.index.totals()
    oldest_allowed = now - settings.keep_days * DAY if settings.keep_days else float("-inf")
    most_octets = settings.keep_megabytes * MEBIBYTE
    due = []
    for id, received, size in store.index.oldest():
        if received < oldest_allowed:
            why = "age"
        elif settings.keep_messages and messages > settings.keep_messages:
            why = "number"
        elif most_octets and octets > most_octets:
            why = "size"
        else:
            # The rest is younger, and there is room for it.
            break
        due.append(Expired(id, why, size))
        messages -= 1
        octets -= size
    return due
