"""Expiry: by age, by number, by size, the oldest first; what is pinned or under way stays. Before
that what was deleted and can no longer be brought back.

A message's bytes go, and with them every removed part, which is a span of them. The description
stays for as long as `forget_days` says, the journal for good.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from filterd.quarantine import caution, deletion
from filterd.quarantine.files import StoreError
from filterd.quarantine.store import Store, UnknownIdError

DAY = 86400.0
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Expired:
    """One message whose bytes are removed for good. why: `age`, `number` or `size`; `deleted` where
    somebody had deleted it, and the time to bring it back is over."""

    id: str
    why: str
    size: int


@dataclass(frozen=True, slots=True)
class ExpiryReport:
    """What was removed. forgotten: descriptions of messages removed long ago. failed: id and
    trouble. doubt: why messages stay, although by the clock or by their number they would have to
    go."""

    expired: tuple[Expired, ...]
    forgotten: int
    failed: tuple[tuple[str, str], ...]
    doubt: str = ""

    @property
    def octets(self) -> int:
        """What was freed."""
        return sum(one.size for one in self.expired)


def expire(
    store: Store, *, who: str = "filterd", dry_run: bool = False, confirmed: bool = False
) -> ExpiryReport:
    """Remove what has expired; with `dry_run`, only report what would be removed.

    While the clock is in doubt nothing is removed by age, and never more than half of what is kept
    at once (see `filterd.quarantine.caution`), unless a person has `confirmed` it. Raises
    StoreError.
    """
    settings, now = store.settings, store.clock()
    folder = settings.folder
    newest = store.index.newest()
    clock = caution.clock_doubt(folder, now, newest)
    jumped = caution.clock_doubt(folder, now, newest, for_hours=True)
    aside = deletion.set_aside(store, repair=not dry_run)
    purged = _purges(store, now, aside)
    due = _due(store, now)
    by_clock = any(one.why == "age" for one in due) or _may_forget(store, now)
    doubt = clock if by_clock else jumped if any(p.why != "size" for p in purged) else ""
    if not confirmed and not dry_run:
        if jumped:
            purged = _purges(store, now, aside, by_time=False)
        if doubt:
            due = _due(store, now, by_age=False)
        if amount := caution.amount_doubt(len(due), store.index.totals()[0]):
            doubt, due = amount, []
    elif not doubt:
        doubt = caution.amount_doubt(len(due), store.index.totals()[0])
    if dry_run:
        return ExpiryReport((*purged, *due), 0, (), doubt)
    expired: list[Expired] = []
    failed: list[tuple[str, str]] = []
    marked = frozenset(purged)
    for one in (*purged, *due):
        try:
            if _remove(store, one, who, marked):
                expired.append(one)
        except (StoreError, UnknownIdError) as error:
            failed.append((one.id, str(error)))
    if doubt and not confirmed:
        caution.put_off(folder, now, doubt)
        return ExpiryReport(tuple(expired), 0, tuple(failed), doubt)
    forgotten = 0
    if settings.forget_days and (confirmed or not clock):
        forgotten = store.forget(now - settings.forget_days * DAY)
    if confirmed or not clock:
        caution.ran(folder, now, confirmed=confirmed)
    return ExpiryReport(tuple(expired), forgotten, tuple(failed))


def _remove(store: Store, one: Expired, who: str, purged: Container[Expired]) -> bool:
    """Remove the bytes of a message; False if it was brought back meanwhile."""
    if one in purged:
        return deletion.purge(store, one.id, who, one.why)
    store.delete(one.id, who, one.why, expired=True)
    return True


def _may_forget(store: Store, now: float) -> bool:
    """True if a description may be old enough to be forgotten."""
    days, settings = store.files.days(), store.settings
    oldest = min((day.name for day in days), default="")
    limit = now - settings.forget_days * DAY
    return bool(
        settings.forget_days
        and oldest
        and datetime.fromisoformat(oldest).replace(tzinfo=UTC).timestamp() < limit
    )


def _purges(
    store: Store, now: float, aside: Sequence[deletion.Aside], *, by_time: bool = True
) -> list[Expired]:
    """What was deleted and goes for good: after its hours, at the age at which it would expire
    anyhow, and where room is needed before anything else, what was deleted first before the
    rest."""
    settings = store.settings
    deleted_before = now - settings.undelete_hours * deletion.HOUR
    oldest_allowed = now - settings.keep_days * DAY if settings.keep_days else float("-inf")
    most_octets = settings.keep_megabytes * MEBIBYTE
    octets = store.index.totals()[1] + sum(one.size for one in aside) if most_octets else 0
    purged, rest = [], []
    for one in sorted(aside, key=lambda one: one.deleted):
        if by_time and one.deleted <= deleted_before:
            purged.append(Expired(one.id, "deleted", one.size))
        elif by_time and one.received < oldest_allowed:
            purged.append(Expired(one.id, "age", one.size))
        else:
            rest.append(one)
            continue
        octets -= one.size
    for one in rest:
        if octets <= most_octets:
            break
        purged.append(Expired(one.id, "size", one.size))
        octets -= one.size
    return purged


def _due(store: Store, now: float, *, by_age: bool = True) -> list[Expired]:
    settings = store.settings
    messages, octets = store.index.totals()
    oldest_allowed = float("-inf")
    if settings.keep_days and by_age:
        oldest_allowed = now - settings.keep_days * DAY
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
