"""Work that is done again and again, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Periodic:
    """A named thread that calls `work` every `interval` seconds, counted from the end of the last
    call, so that a slow one is never overtaken by the next.

    What the work raises is logged with its traceback, once until another kind of exception or a
    good run comes; the next run goes on.

    at_start: work once at its beginning, too. at_end: work once more when it ends. wait: takes the
    interval, returns True when it is time to end; by default it waits for `end`.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        interval: float,
        *,
        at_start: bool = False,
        at_end: bool = False,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.name = name
        self._work = work
        self._interval = interval
        self._at_start = at_start
        self._at_end = at_end
        self._ended = threading.Event()
        self._wait = wait or self._ended.wait
        self._failure: type[Exception] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first run comes after one interval, with `at_start` now. Raises RuntimeError
        if it has begun."""
        self._thread.start()

    def end(self, seconds: float = 0.0) -> None:
        """Start no other run, and wait up to so many seconds for the one under way."""
        self._ended.set()
        if seconds and self._thread.is_alive():
            self._thread.join(seconds)

    @property
    def is_alive(self) -> bool:
        """True from `start` until the last run is over."""
        return self._thread.is_alive()

    def _run(self) -> None:
        if self._at_start:
            self._once()
        while not self._wait(self._interval):
            self._once()
        if self._at_end:
            self._once()

    def _once(self) -> None:
        try:
            self._work()
        except Exception as error:
            if type(error) is not self._failure:
                log.exception("%s: %s; the next run is in %g s", self.name, error, self._interval)
            self._failure = type(error)
        else:
            if self._failure is not None:
                log.info("%s: works again", self.name)
            self._failure = None
