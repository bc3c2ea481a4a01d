"""What the state holds, as values, and what can be asked of it: the same for every store.

An entry is a fact with an expiry, found by kind and name. A count is a number in a sliding window.
Nobody locks anything: each operation is atomic in the store, also among hosts. The time comes from
the caller, in seconds since 1970: hosts that share a state must have synchronised clocks, and a
clock that is a second late costs a second.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from filterd.database.storable import storable
from filterd.state.once import CountOnce

NAME_LIMIT = 250
"""Characters of a name that are stored as they are. A longer one is cut, and told apart from others
by a hash: the network chooses them."""

VALUE_LIMIT = 1000
"""Characters of an entry's value."""

_HASH_SIZE = 16
"""Octets of that hash."""


class StateError(OSError):
    """The state cannot be read or written: away, locked, full, damaged. The text names the setting
    or the file, never a URL, which may contain a password. An OSError, so that the chain calls the
    filter's failure `unavailable`: it says nothing about the message."""


class StateFullError(StateError):
    """There is no room for something new; what is there can be read and counted on."""


class StateKey(NamedTuple):
    """Of what an entry or a count is. kind: one word, e.g. `greylist`. name: e.g. an address."""

    kind: str
    name: str


def state_key(kind: str, *words: str) -> StateKey:
    """The key of these words, whatever is in them: bounded, and the only control characters are the
    tabs between words."""
    name = "\t".join(_clean(word) for word in words)
    if len(name) > NAME_LIMIT:
        octets = name.encode("utf-8", "surrogatepass")
        mark = hashlib.blake2b(octets, digest_size=_HASH_SIZE).hexdigest()
        name = f"{name[: NAME_LIMIT - 2 * _HASH_SIZE - 1]}~{mark}"
    return StateKey(kind, storable(name))


def _clean(word: str) -> str:
    return word if word.isprintable() else "".join(c if c.isprintable() else "?" for c in word)


@dataclass(frozen=True, slots=True)
class StateEntry:
    """One fact. first, last: when it was made and last touched. count: how often it was touched,
    with the first time. expires: from when on it is as if it had never been."""

    key: StateKey
    first: float
    last: float
    count: int
    expires: float
    value: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted in the last `seconds`: time is cut into slots of that length, the former
    slot counts by the share of it that still lies in the window.

    slot: number of the slot of `latest`, counted from 1970.
    """

    seconds: int
    slot: int = 0
    latest: float = 0.0
    former: float = 0.0

    def at(self, now: float) -> float:
        """How much was counted in the window that ends now."""
        turned = self._turned(now)
        return turned.latest + turned.former * (1.0 - turned._passed(now))

    def plus(self, amount: float, now: float) -> Window:
        """The window after counting that amount."""
        turned = self._turned(now)
        return Window(self.seconds, turned.slot, turned.latest + amount, turned.former)

    def room_in(self, amount: float, limit: float, now: float) -> float:
        """Seconds until the amount has room within the limit if nothing else is counted; infinite
        for an amount above the limit."""
        if amount > limit:
            return math.inf
        turned = self._turned(now)
        passed, room = turned._passed(now), limit - amount
        if turned.latest <= room:
            if turned.former <= 0:
                return 0.0
            # latest + former * (1 - x) = room
            needed = 1.0 - (room - turned.latest) / turned.former
            return max(needed - passed, 0.0) * self.seconds
        # In the next slot, where `latest` is the former one and fades.
        needed = 1.0 - room / turned.latest
        return (1.0 - passed + max(needed, 0.0)) * self.seconds

    def _turned(self, now: float) -> Window:
        """The window with the slot of that time. A slot that is ahead by one was counted by a host
        whose clock is ahead; one that is further ahead by a clock that was wrong."""
        slot = slot_of(now, self.seconds)
        if slot in (self.slot, self.slot - 1):
            return self
        former = self.latest if slot == self.slot + 1 else 0.0
        return Window(self.seconds, slot, 0.0, former)

    def _passed(self, now: float) -> float:
        """The share of the slot that has passed, 0.0 to 1.0."""
        return min(max(now / self.seconds - self.slot, 0.0), 1.0)


def slot_of(now: float, seconds: int) -> int:
    """Number of the slot, of that many seconds, in which a time lies."""
    return math.floor(now / seconds)


@dataclass(frozen=True, slots=True)
class Addition:
    """What is to be counted. seconds: length of the window. limit: what it may hold with this
    amount, None for a count that is only kept."""

    key: StateKey
    seconds: int
    amount: float = 1.0
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The windows of the additions, in their order, as they are now. exceeded: the numbers of those
    additions that had no room; if there are any, nothing at all was counted."""

    windows: tuple[Window, ...]
    exceeded: tuple[int, ...] = ()


class SharedState(Protocol):
    """What every store of the state can do. Methods raise StateError, and none waits longer than
    `[state] timeout` for a lock or a server."""

    def get(self, keys: Sequence[StateKey], now: float) -> list[StateEntry | None]:
        """The entries of these keys, None where there is none or it has expired."""
        ...

    def touch(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """Make an entry that lives so many seconds, or count once more one that is there, whose
        value and expiry stay; the entry as it is then.

        An entry that was made in the future, by a clock that was wrong, was made now."""
        ...

    def put(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """Make an entry, or give one that is there that value and lifetime from now on."""
        ...

    def delete(self, key: StateKey) -> bool:
        """Delete an entry; False if there was none."""
        ...

    def entries(
        self,
        kind: str,
        now: float,
        limit: int,
        value: str | None = None,
        wanted: Callable[[StateEntry], bool] | None = None,
    ) -> list[StateEntry]:
        """The entries of a kind, newest first, at most `limit`: with that value if one is given,
        and those that are wanted. It looks at all entries, one after the other: for people, not
        for mail."""
        ...

    def add(
        self, additions: Sequence[Addition], now: float, once: CountOnce | None = None
    ) -> Counted:
        """Count all of it, or nothing where one has no room. once: with its mark; nothing is
        counted where that is there from before."""
        ...

    def windows(self, wanted: Sequence[tuple[StateKey, int]]) -> list[Window]:
        """What was counted, by key and length of the window; counts nothing."""
        ...

    def clear(self, key: StateKey) -> bool:
        """Delete the counts of a key, in windows of any length; False if there were none."""
        ...

    def expire(self, now: float) -> int:
        """Delete all that has expired; how much. Stores do so by themselves while they are used."""
        ...

    def doubts(self) -> list[str]:
        """What about the store itself may spoil what filters rely on; asks it in any case."""
        ...

    def close(self) -> None:
        """Close this process's connections; they open again."""
        ...
