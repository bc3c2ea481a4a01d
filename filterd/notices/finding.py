"""Finding what is to be told: in the history, in the state, and in the quarantine's size.

The history is read behind the mail flow, from where the last look ended; that place is in the
state, so that of several hosts with one history and one state each message is told once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from filterd.config.assembly import open_history
from filterd.config.load import Settings
from filterd.filters.rates.counting import RateCounts
from filterd.history import History, Record
from filterd.notices.events import (
    OWN_MARK,
    AccountEvent,
    FullEvent,
    NoticeEvent,
    RequestEvent,
    event_id,
    failures,
    of_message,
)
from filterd.notices.queue import AGE_LIMIT
from filterd.quarantine import Store
from filterd.quarantine.copies import asked_for
from filterd.state.facts import SharedState, StateKey, state_key

SETTLED = 5.0
"""Seconds after which all hosts that share a history have noted what came."""

PAGE = 500
"""Records that are read at a time."""

PAGES = 20
"""Pages in one look; the rest is for the next one."""

LEASE_SECONDS = 120.0
"""For which one process looks, and others leave it alone; a crash ends that, too."""

CURSOR_SECONDS = 400 * 86400.0
TOLD_SECONDS = 7 * 86400.0
"""For which it is known that the quarantine is nearly full, and not told again."""

HELD_LIMIT = 100
"""Accounts and clients that are looked at."""

KIND = "notice_look"


class Finder:
    """Of one site. Methods raise StateError. own: knows a Message-ID of ours."""

    def __init__(
        self, settings: Settings, state: SharedState, own: Callable[[str], bool], host: str
    ) -> None:
        self._settings = settings
        self._state = state
        self._own = own
        self._host = host

    @contextmanager
    def lease(self, now: float) -> Iterator[bool]:
        """True while nobody else looks."""
        key = state_key(KIND, "lease")
        mine = self._state.touch(key, now, LEASE_SECONDS).count == 1
        try:
            yield mine
        finally:
            if mine:
                self._state.delete(key)

    def pages(self, now: float) -> Iterator[list[NoticeEvent]]:
        """What the history has to tell, page by page; when the next one is asked for, this one
        counts as told. The first look ever tells nothing. Raises HistoryError."""
        if not self._settings.history.enabled:
            return
        key = state_key(KIND, "cursor")
        with closing(open_history(self._settings)) as history:
            cursor = self._cursor(history, key, now)
            for _ in range(PAGES):
                last, records = history.eventful(cursor, now - SETTLED, PAGE)
                if last == cursor:
                    break
                yield self._events([one for one in records if one.received > now - AGE_LIMIT])
                cursor = last
                self._state.put(key, now, CURSOR_SECONDS, str(cursor))

    def _cursor(self, history: History, key: StateKey, now: float) -> int:
        (entry,) = self._state.get([key], now)
        newest = history.newest_number()
        if entry is None or not entry.value.isdecimal():
            self._state.put(key, now, CURSOR_SECONDS, str(newest))
            return newest
        # A lower number than before: somebody removed the file, and all that is there is new.
        return int(entry.value) if int(entry.value) <= newest else 0

    def _events(self, records: Sequence[Record]) -> list[NoticeEvent]:
        notices = self._settings.notices
        # Each notice would be one of these again where the scanner that it has to pass is away.
        others = [
            one
            for one in records
            if not one.released.startswith(OWN_MARK) and not self._own(one.message_id)
        ]
        found: list[NoticeEvent] = []
        for record in others:
            event = of_message(record)
            if event is not None and notices.wanted(event.kind):
                found.append(event)
        if notices.wanted("failed"):
            found += failures(others)
        return found

    def accounts(self, now: float) -> list[NoticeEvent]:
        """Accounts and clients whose mail is held, each told once."""
        if not self._settings.notices.wanted("account"):
            return []
        found: list[NoticeEvent] = []
        for held in RateCounts(self._state).all_held(now, HELD_LIMIT):
            key = state_key(KIND, "account", event_id(held.by, held.party, f"{held.since:.0f}"))
            if self._state.touch(key, now, max(held.until - now, 1.0)).count == 1:
                found.append(AccountEvent(held))
        return found

    def requests(self, now: float) -> Iterator[list[NoticeEvent]]:
        """What users ask for since the last look; when the next ones are asked for, these count as
        told. Raises StoreError."""
        folder = self._settings.quarantine.folder
        wanted = self._settings.users.enabled and self._settings.notices.wanted("request")
        if not wanted or not folder.is_dir():
            return
        key = state_key(KIND, "requests")
        (entry,) = self._state.get([key], now)
        since = float(entry.value) if entry is not None else now - AGE_LIMIT
        with closing(Store(self._settings.quarantine)) as store:
            found = asked_for(store.index, PAGE, since)
        if found:
            yield [RequestEvent(one) for one in found]
            self._state.put(key, now, CURSOR_SECONDS, repr(found[-1].copy.asked))

    def full(self, now: float) -> list[NoticeEvent]:
        """What is nearly full, told once until there is room again, or a week later. Raises
        StoreError, OSError."""
        folder = self._settings.quarantine.folder
        if not self._settings.notices.wanted("full") or not folder.is_dir():
            return []
        event = self._fullness(now)
        key = state_key(KIND, "full", self._host)
        if not event.levels:
            self._state.delete(key)
            return []
        return [event] if self._state.touch(key, now, TOLD_SECONDS).count == 1 else []

    def _fullness(self, now: float) -> FullEvent:
        """levels: only what is above the limit of the settings."""
        quarantine = self._settings.quarantine
        with closing(Store(quarantine)) as store:
            messages, octets = store.index.totals()
        disk = shutil.disk_usage(quarantine.folder)
        used = {"disk": (disk.used, disk.used + disk.free)}
        used["keep_megabytes"] = octets, quarantine.keep_megabytes << 20
        used["keep_messages"] = messages, quarantine.keep_messages
        levels = {name: 100.0 * part / whole for name, (part, whole) in used.items() if whole}
        limit = self._settings.notices.full_percent
        high = {name: round(level, 1) for name, level in levels.items() if level >= limit}
        return FullEvent(now, high, messages, octets)
