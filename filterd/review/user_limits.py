"""How much one person may do with its own mail; counted in the state, for all processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Literal

from filterd.config.assembly import site_state
from filterd.config.load import Settings
from filterd.state.facts import Addition, SharedState, state_key

KIND = "user"

HOUR, DAY = 3600, 86400

Limited = Literal["action", "request", "learn"]
"""What is counted."""


class UserLimits:
    """Of one site. Methods raise StateError."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock

    @cached_property
    def _state(self) -> SharedState:
        return site_state(self._settings)

    def admit(self, person: str, what: Limited) -> bool:
        """Count it, and return True if the person may still do that."""
        users = self._settings.users
        seconds, limit = {
            "action": (HOUR, users.actions_per_hour),
            "request": (DAY, users.requests_per_day),
            "learn": (DAY, users.learn_per_day),
        }[what]
        key = state_key(KIND, what, person)
        counted = self._state.add([Addition(key, seconds, 1.0, float(limit))], self._clock())
        return not counted.exceeded

    def close(self) -> None:
        """Close the state, if it was opened."""
        if "_state" in self.__dict__:
            self._state.close()
