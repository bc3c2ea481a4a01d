"""Triplets of network, sender and recipient: who waits, who has passed, whose mail passes at once.

Source: RFC 6647 (§2.5 networks, §5 delays, expiry and what has proved itself).
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from filterd.filters.greylist.settings import DAY, HOUR, GreylistSettings
from filterd.state.facts import SharedState, StateEntry, StateError, StateKey, state_key

log = logging.getLogger(__name__)

TRIPLET = "greylist"
"""Kind of the entries of triplets."""

CLIENT = "greylist_client"
"""Kind of the entries of networks and big senders."""

WAITS, PASSED = "waits", "passed"
ALLOWED = "allowed by "
"""Values of entries; behind the last one stands who let it in."""

_RENEWED = 0.9
"""Share of `keep_days` that is left when an entry is renewed: not every message has to write."""

_ID_OCTETS = 6

Visible = Callable[[str], bool]
"""Whether somebody may see what waits for a recipient."""


class Standing(StrEnum):
    """What is known of a triplet."""

    NEW = "new"
    EARLY = "early"
    """It was sent again before the delay was over."""
    PASSED = "passed"
    """It has just passed."""
    KNOWN = "known"
    """It passed before, or its network's mail passes, or somebody let it in."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a triplet. seconds: until it passes; for one that has just passed, how long
    it waited. why: for the admin."""

    standing: Standing
    seconds: float = 0.0
    why: str = ""

    @property
    def waits(self) -> bool:
        """True if the client is to try again."""
        return self.standing in (Standing.NEW, Standing.EARLY)


@dataclass(frozen=True, slots=True)
class WaitingTriplet:
    """One that waits, as lists show it. id: by which it is let in. since, tried: seconds since
    1970. attempts: how often it was sent."""

    id: str
    client: str
    sender: str
    recipient: str
    since: float
    tried: float
    passes: float
    expires: float
    attempts: int


class Triplets:
    """The triplets of a state. Methods raise StateError. now: seconds since 1970."""

    def __init__(self, settings: GreylistSettings, state: SharedState) -> None:
        self._delay = settings.delay
        self._retry = settings.retry_hours * HOUR
        self._keep = settings.keep_days * DAY
        self._auto_allow = settings.auto_allow
        self._state = state

    def judge(
        self, client: str, sender: str, recipient: str, now: float, since: float = math.inf
    ) -> Judgement:
        """Take note of an attempt, and say what becomes of it. since: from when on this attempt may
        have been noted already, by a process that ended before it could say so."""
        whole, key = state_key(CLIENT, client), state_key(TRIPLET, client, sender, recipient)
        of_client, known = self._state.get([whole, key], now)
        if of_client is not None and of_client.value != WAITS:
            self._renew(of_client, now)
            return Judgement(Standing.KNOWN, why=f"{client} {of_client.value}")
        noted = known is not None and known.last >= since
        if known is not None and known.value != WAITS:
            waited = known.last - known.first
            if noted and known.value == PASSED and self._delay <= waited <= self._retry:
                # Who passed long ago was only renewed, which comes days after `retry`.
                return _passed(client, waited, known.count - 1)
            self._renew(known, now)
            return Judgement(Standing.KNOWN, why=known.value)
        entry = known if known is not None and noted else None
        entry = entry or self._state.touch(key, now, self._retry, WAITS)
        waited = entry.last - entry.first
        if waited < self._delay:
            standing = Standing.NEW if entry.count == 1 else Standing.EARLY
            return Judgement(standing, self._delay - waited, f"{client}, attempt {entry.count}")
        self._state.put(key, entry.last, self._keep, PASSED)
        return _passed(client, waited, entry.count)

    def prove(self, client: str, now: float) -> None:
        """Take note that a message of the client had waited and was good."""
        if not self._auto_allow:
            return
        key = state_key(CLIENT, client)
        if self._state.touch(key, now, self._keep, WAITS).count >= self._auto_allow:
            self._state.put(key, now, self._keep, PASSED)

    def allow_client(self, client: str, who: str, now: float) -> None:
        """Let all mail of a network or big sender in."""
        self._state.put(state_key(CLIENT, client), now, self._keep, ALLOWED + who)

    def waiting(
        self, now: float, limit: int, text: str = "", visible: Visible | None = None
    ) -> list[WaitingTriplet]:
        """Those that wait, newest first. text: a part of client, sender or recipient. visible:
        whether one may be shown; None for all."""
        part = text.casefold()

        def wanted(entry: StateEntry) -> bool:
            has_part = part in entry.key.name.casefold()
            return has_part and (visible is None or visible(recipient_of(entry)))

        looked_for = wanted if part or visible else None
        found = self._state.entries(TRIPLET, now, limit, WAITS, looked_for)
        return [_waiting(entry, self._delay) for entry in found]

    def allow(
        self, ids: Collection[str], who: str, now: float, visible: Visible | None = None
    ) -> list[WaitingTriplet]:
        """Let those of these ids in that wait and may be seen; which that were."""

        def wanted(entry: StateEntry) -> bool:
            is_meant = id_of(entry.key) in ids
            return is_meant and (visible is None or visible(recipient_of(entry)))

        found = self._state.entries(TRIPLET, now, len(ids), WAITS, wanted) if ids else []
        for entry in found:
            self._state.put(entry.key, now, self._keep, ALLOWED + who)
        return [_waiting(entry, self._delay) for entry in found]

    def _renew(self, entry: StateEntry, now: float) -> None:
        if entry.expires - now >= self._keep * _RENEWED:
            return
        try:
            self._state.put(entry.key, now, self._keep, entry.value)
        except StateError as error:
            # A state that is full must not delay those who are known; the next message tries again.
            log.warning("%s; who is known is not renewed", error)


def _passed(client: str, waited: float, attempts: int) -> Judgement:
    return Judgement(Standing.PASSED, waited, f"{client}, attempt {attempts}")


def id_of(key: StateKey) -> str:
    """The id by which people name a triplet."""
    return hashlib.blake2b(key.name.encode(), digest_size=_ID_OCTETS).hexdigest()


def recipient_of(entry: StateEntry) -> str:
    """The recipient of a triplet; `""` for one whose name was too long to be kept whole."""
    return _words(entry)[2]


def _words(entry: StateEntry) -> list[str]:
    return [*entry.key.name.split("\t"), "", ""][:3]


def _waiting(entry: StateEntry, delay: float) -> WaitingTriplet:
    client, sender, recipient = _words(entry)
    return WaitingTriplet(
        id_of(entry.key),
        client,
        sender,
        recipient,
        entry.first,
        entry.last,
        entry.first + delay,
        entry.expires,
        entry.count,
    )
