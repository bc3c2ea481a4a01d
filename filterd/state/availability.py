"""A store that did not answer is not asked again at once: each message would wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filterd.state.facts import StateError, StateFullError

RETRY_SECONDS = 5.0
"""Seconds for which a store that did not answer is not asked."""


class Availability:
    """Whether a store is to be asked now; one for each process. pause: seconds for which it is not
    asked after it did not answer. clock: seconds that never jump."""

    def __init__(
        self, pause: float = RETRY_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pause = pause
        self._clock = clock
        self._asked_again = 0.0
        self._why = ""

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Ask the store within the block. Raises StateError at once, with the same cause, for
        so long after a block did."""
        self.require()
        try:
            yield
        except StateError as error:
            self.failed(error)
            raise
        self.answered()

    def require(self) -> None:
        """Raise StateError if it is not to be asked now."""
        if self._why and self._clock() < self._asked_again:
            raise StateError(self._why)

    def answered(self) -> None:
        """Take note that it answered."""
        self._why = ""

    def failed(self, error: StateError) -> None:
        """Take note of an error; one that is full answers."""
        if not isinstance(error, StateFullError):
            self._why, self._asked_again = str(error), self._clock() + self._pause
