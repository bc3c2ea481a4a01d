"""A state that can be read, and that takes nothing more."""

from __future__ import annotations

from collections.abc import Sequence

from filterd.state.facts import Addition, Counted, StateEntry, StateFullError, StateKey
from filterd.state.once import CountOnce
from filterd.state.trial import TrialState


class FullState(TrialState):
    """Has room until `is_full` is set."""

    is_full = False

    def touch(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        self._require_room()
        return super().touch(key, now, lifetime, value)

    def put(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        self._require_room()
        return super().put(key, now, lifetime, value)

    def add(
        self, additions: Sequence[Addition], now: float, once: CountOnce | None = None
    ) -> Counted:
        self._require_room()
        return super().add(additions, now, once)

    def _require_room(self) -> None:
        if self.is_full:
            raise StateFullError("state.url: the server has no memory left")
