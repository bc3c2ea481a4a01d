"""Whether mail can be filtered now: daemon, workers, store and scanners, yes or no.

It is for load balancers and monitoring, which know no password, so it names nothing: no address,
no path, no version, no number. `filterd status` says what is wrong.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass

from filterd.config.load import Settings
from filterd.ops.control import ask
from filterd.ops.json_socket import AskError
from filterd.ops.scanners import PROBE_SECONDS, clamd_places, scanner_status
from filterd.ops.status import daemon_status
from filterd.quarantine import Store, StoreError
from filterd.scanners.clamd.server import ClamdError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """daemon: somebody takes connections at its socket. workers: it has some. store: the quarantine
    can be read. scanners: each scanner of the chain answers, on one of its hosts at least; None for
    a chain without."""

    daemon: bool
    workers: bool
    store: bool
    scanners: bool | None

    @property
    def is_ready(self) -> bool:
        """True if nothing is missing."""
        return self.daemon and self.workers and self.store and self.scanners is not False


def readiness(settings: Settings, store: Store) -> Readiness:
    """How it is now; takes up to `PROBE_SECONDS` for each server that is silent. Never raises for
    what does not answer; the log says why."""
    reached = daemon_status(settings.daemon)
    if reached.error:
        log.warning("not ready: %s: %s", reached.socket, reached.error)
    return Readiness(
        reached.answers, _has_workers(settings), _is_readable(store), _scanners(settings)
    )


def _has_workers(settings: Settings) -> bool:
    try:
        told = ask(settings, "status", PROBE_SECONDS)
    except AskError as error:
        log.warning("not ready: %s", error)
        return False
    workers = told.get("workers")
    return isinstance(workers, int) and workers > 0


def _is_readable(store: Store) -> bool:
    try:
        store.index.newest()
    except StoreError as error:
        log.warning("not ready: %s", error)
        return False
    return True


def _scanners(settings: Settings) -> bool | None:
    """See `Readiness.scanners`."""
    answers: dict[tuple[str, str], bool] = defaultdict(bool)
    for place in clamd_places(settings):
        try:
            place.server.ping(PROBE_SECONDS)
        except ClamdError as error:
            log.warning("not ready: %s: %s", place.filter, error)
            answers[place.filter, place.name] |= False
        else:
            answers[place.filter, place.name] = True
    for one in scanner_status(settings):
        if one.error:
            log.warning("not ready: %s.%s: %s", one.filter, one.name, one.error)
        answers[one.filter, one.name] |= not one.error
    return all(answers.values()) if answers else None
