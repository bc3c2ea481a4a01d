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
        if self._why and self._clock() < self._asked_again:
            raise StateError(self._why)
        try:
            yield
        except StateFullError:
            # It answers.
            raise
        except StateError as error:
            self._why, self._asked_again = str(error), self._clock() + self._pause
            raise
        self._why = ""
