"""Which lists are switched off for a while, told to the whole site through the state: each process
finds that out for itself, and metrics and status belong to another one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from filterd.state.facts import SharedState, StateError, state_key

log = logging.getLogger(__name__)

KIND = "dnslist_rest"
"""Kind of the entries: a zone, why it rests, until the entry expires."""

LISTS_LIMIT = 1000
"""Lists that are told of."""


@dataclass(frozen=True, slots=True)
class RestingList:
    """One that is not asked now. since, until: seconds since 1970."""

    zone: str
    why: str
    since: float
    until: float


class RestingLists:
    """Those of a site. state: opened when one rests first. clock: seconds since 1970. Never raises:
    a list rests also where nobody can be told of it."""

    def __init__(
        self, state: Callable[[], SharedState], clock: Callable[[], float] = time.time
    ) -> None:
        self._state = state
        self._clock = clock

    def rests(self, zone: str, why: str, seconds: float) -> None:
        """A process asks it no more for so long."""
        try:
            self._state().put(state_key(KIND, zone), self._clock(), seconds, why)
        except StateError as error:
            log.warning("%s; that %s is not asked is not told", error, zone)

    def answers(self, zone: str) -> None:
        """It answers again."""
        try:
            self._state().delete(state_key(KIND, zone))
        except StateError as error:
            log.warning("%s; that %s answers again is not told", error, zone)


def resting_lists(state: SharedState, now: float) -> list[RestingList]:
    """Those that some process of the site does not ask now. Raises StateError."""
    return [
        RestingList(entry.key.name, entry.value, entry.first, entry.expires)
        for entry in state.entries(KIND, now, LISTS_LIMIT)
    ]
