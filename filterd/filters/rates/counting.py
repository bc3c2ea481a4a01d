"""What the rates decide: how much was counted, who is held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from filterd.filters.rates.settings import Party, RateLimit, RefusedShare
from filterd.state.facts import Addition, SharedState, StateEntry, StateKey, state_key
from filterd.state.once import CountOnce

COUNT, HELD = "rate", "rate_held"
"""Kinds of counts, and of the entries of those whose mail is held."""

ALL, REFUSED = "all", "refused"


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be counted for one limit. party: its name, see `Parties.name`."""

    limit: RateLimit
    party: str
    amount: float = 1.0


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit without room. level: what was counted in the window, without the new amount. seconds:
    until there is room, if nothing else is counted."""

    limit: RateLimit
    party: str
    level: float
    seconds: float

    def __str__(self) -> str:
        limit = self.limit
        return (
            f"{limit.title} of {self.party}: {self.level:.0f} of {limit.most:g} "
            f"in {limit.seconds} s"
        )


@dataclass(frozen=True, slots=True)
class HeldParty:
    """One whose mail is held. until: seconds since 1970."""

    by: str
    party: str
    why: str
    since: float
    until: float


class RateCounts:
    """The counts of a state. Methods raise StateError. now: seconds since 1970."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    def charge(
        self, charges: Sequence[Charge], now: float, once: CountOnce | None = None
    ) -> list[Exceeded]:
        """Count all of it; or nothing, and say which limits have no room. An amount that is above
        its limit has room where nothing was counted yet. once: see `SharedState.add`."""
        amounts: dict[tuple[RateLimit, str], float] = {}
        for one in charges:
            place = one.limit, one.party
            amounts[place] = min(amounts.get(place, 0.0) + one.amount, one.limit.most)
        if not amounts:
            return []
        counted = self._state.add(
            [
                Addition(state_key(COUNT, limit.title, party), limit.seconds, amount, limit.most)
                for (limit, party), amount in amounts.items()
            ],
            now,
            once,
        )
        places = list(amounts)
        found = []
        for number in counted.exceeded:
            (limit, party), window = places[number], counted.windows[number]
            wait = window.room_in(amounts[limit, party], limit.most, now)
            found.append(Exceeded(limit, party, window.at(now), wait))
        return found

    def judge(self, share: RefusedShare, party: str, refused: bool, now: float) -> HeldParty | None:
        """Take note of a message, and hold the party if too much of its mail was refused; the party
        if it is held from now on."""
        # Most mail is not refused, and then one count is enough.
        counts = (ALL, REFUSED) if refused else (ALL,)
        keys = [state_key(COUNT, share.by, party, what) for what in counts]
        windows = self._state.add([Addition(key, share.seconds) for key in keys], now).windows
        if not refused:
            return None
        messages, bad = (window.at(now) for window in windows)
        if messages < share.messages or bad < share.share * messages:
            return None
        why = f"{math.floor(bad)} of {math.floor(messages)} messages in {share.seconds} s refused"
        key = _held_key(share.by, party)
        if self._state.get([key], now)[0] is not None:
            return None
        return _held(self._state.put(key, now, share.hold_seconds, why))

    def held(self, parties: Sequence[tuple[Party, str]], now: float) -> list[HeldParty]:
        """Those of these parties whose mail is held."""
        keys = [_held_key(by, party) for by, party in parties if party]
        return [_held(entry) for entry in self._state.get(keys, now) if entry is not None]

    def all_held(self, now: float, limit: int) -> list[HeldParty]:
        """Everybody whose mail is held, newest first."""
        return [_held(entry) for entry in self._state.entries(HELD, now, limit)]

    def free(self, by: str, party: str) -> bool:
        """Let the party's mail through again, and begin to count from nothing; False if it was not
        held."""
        was_held = self._state.delete(_held_key(by, party))
        for what in (ALL, REFUSED):
            self._state.clear(state_key(COUNT, by, party, what))
        return was_held


def _held_key(by: str, party: str) -> StateKey:
    return state_key(HELD, by, party)


def _held(entry: StateEntry) -> HeldParty:
    by, party = [*entry.key.name.split("\t"), ""][:2]
    return HeldParty(by, party, entry.value, entry.first, entry.expires)
