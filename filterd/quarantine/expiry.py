"""Expiry: by age, by number, by size, the oldest first; what is pinned or under way stays.

A message's bytes go, and with them every removed part, which is a span of them. The description
stays for as long as `forget_days` says, the journal for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from filterd.quarantine import caution
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
    clock = caution.clock_doubt(folder, now, store.index.newest())
    due = _due(store, now)
    doubt = clock if any(one.why == "age" for one in due) or _may_forget(store, now) else ""
    if not confirmed and not dry_run:
        if doubt:
            due = _due(store, now, by_age=False)
        if amount := caution.amount_doubt(len(due), store.index.totals()[0]):
            doubt, due = amount, []
    elif not doubt:
        doubt = caution.amount_doubt(len(due), store.index.totals()[0])
    if dry_run:
        return ExpiryReport(tuple(due), 0, (), doubt)
    expired: list[Expired] = []
    failed: list[tuple[str, str]] = []
    for one in due:
        try:
            store.delete(one.id, who, one.why, expired=True)
        except (StoreError, UnknownIdError) as error:
            failed.append((one.id, str(error)))
            continue
        expired.append(one)
    if doubt and not confirmed:
        caution.put_off(folder, now, doubt)
        return ExpiryReport(tuple(expired), 0, tuple(failed), doubt)
    forgotten = 0
    if settings.forget_days and (confirmed or not clock):
        forgotten = store.forget(now - settings.forget_days * DAY)
    if confirmed or not clock:
        caution.ran(folder, now, confirmed=confirmed)
    return ExpiryReport(tuple(expired), forgotten, tuple(failed))


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
