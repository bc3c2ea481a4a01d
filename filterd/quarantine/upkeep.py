"""What has to be done from time to time: deferred releases tried again, old mail expired.

The daemon runs this periodically; where several hosts share an index, each does it, and the index
decides who releases what. Trouble is logged and tried again: it never ends the daemon.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from filterd.quarantine.caution import ADVICE
from filterd.quarantine.files import StoreError
from filterd.quarantine.fsck import add_missing
from filterd.quarantine.settings import QuarantineSettings
from filterd.quarantine.store import Store, UnknownIdError

log = logging.getLogger(__name__)

RETRY_INTERVAL = 60.0
"""Seconds between two looks for releases that are due; the shortest pause is some minutes."""

EXPIRY_INTERVAL = 3600.0
"""Seconds between two expiries; limits are days."""


class Upkeep:
    """The periodic work. settings: asked for each time, so that a reload counts."""

    def __init__(self, settings: Callable[[], QuarantineSettings]) -> None:
        self._settings = settings
        self._expired_at = float("-inf")

    def once(self) -> None:
        """Do what is due now. Raises nothing that disk, database or MTA cause."""
        settings = self._settings()
        # Nothing was ever kept: do not make an index for nothing.
        if not settings.folder.is_dir():
            return
        store = Store(settings)
        try:
            self._release(store)
            if store.clock() - self._expired_at >= EXPIRY_INTERVAL:
                self._expired_at = store.clock()
                self._add_missing(store)
                self._expire(store)
        except (StoreError, UnknownIdError) as error:
            log.error("quarantine: %s", error)
        finally:
            store.close()

    @staticmethod
    def _release(store: Store) -> None:
        from filterd.quarantine.release import Releaser  # noqa: PLC0415  (loads the database)

        for id, outcome in Releaser(store).retry():
            log.info(
                "quarantine id=%s recipient=%s state=%s reply=%s",
                id,
                outcome.recipient,
                outcome.state,
                outcome.reply,
            )

    @staticmethod
    def _add_missing(store: Store) -> None:
        if added := add_missing(store):
            log.warning("quarantine: %d messages were missing in the index; added", added)

    @staticmethod
    def _expire(store: Store) -> None:
        from filterd.quarantine.expiry import expire  # noqa: PLC0415  (loads the database)

        report = expire(store)
        if report.expired or report.forgotten:
            log.info(
                "quarantine: %d messages expired, %d bytes; %d old descriptions removed",
                len(report.expired),
                report.octets,
                report.forgotten,
            )
        for id, why in report.failed:
            log.warning("quarantine: %s stays: %s", id, why)
        if report.doubt:
            log.warning("quarantine: expiry is postponed: %s; %s", report.doubt, ADVICE)
