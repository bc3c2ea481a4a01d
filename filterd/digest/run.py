"""Sending digests: who has something new, one mail each, by SMTP to the MTA of the quarantine.

What was told is remembered by the moment up to which it was; that is written once all digests are
handed over. A crash in between sends some a second time, and never leaves one out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from filterd import marks
from filterd.config import Settings
from filterd.digest.compose import DigestError, Site, compose
from filterd.digest.links import Signer
from filterd.quarantine import Store, StoreError
from filterd.quarantine.index import Row
from filterd.quarantine.query import PAGE_LIMIT, Query
from filterd.quarantine.submission import Result, Server, submit

log = logging.getLogger(__name__)

STATE_NAME = "digest.json"

STATE_LIMIT = 4096
"""Octets of the file with the moment."""

LOOK_INTERVAL = 60.0
"""Seconds between two looks whether digests are due."""


def site_of(settings: Settings) -> Site:
    """What all digests of these settings share. Raises OSError."""
    return Site(settings.digest, settings.web.base, Signer(settings.quarantine.folder))


def waiting(store: Store, settings: Settings, since: float, until: float) -> dict[str, list[Row]]:
    """Recipient → what came for them in that time and is held still, newest first.

    Raises StoreError.
    """
    found: dict[str, list[Row]] = defaultdict(list)
    wanted = settings.digest
    domains = tuple("@" + domain.lower().removeprefix("@") for domain in wanted.domains)
    for reason in wanted.reasons:
        query = Query(reason=reason, state="held", since=since, until=until, limit=PAGE_LIMIT)
        while True:
            page = store.index.search(query)
            for row in page.rows:
                for delivery in () if row.virus else store.index.deliveries(row.id):
                    name = delivery.recipient
                    if delivery.state == "held" and (not domains or name.lower().endswith(domains)):
                        found[name].append(row)
            if not page.next:
                break
            query = dataclasses.replace(query, after=page.next)
    return found


def send_all(settings: Settings, now: float, since: float | None = None) -> dict[str, Result]:
    """Send the digests that are due; what became of each recipient's.

    since: from when on messages count; None for the last time, or one interval back. Raises
    DigestError, StoreError, OSError.
    """
    folder = settings.quarantine.folder
    if since is None:
        since = last(folder) or now - settings.digest.every_hours * 3600
    store = Store(settings.quarantine)
    try:
        site = site_of(settings)
        found = waiting(store, settings, since, now)
    finally:
        store.close()
    quarantine = settings.quarantine
    server = Server(quarantine.release_host, quarantine.release_port, quarantine.release_timeout)
    key = marks.load_key(folder)
    results: dict[str, Result] = {}
    for recipient, rows in found.items():
        data = compose(site, recipient, rows, now)
        # Marked like a released message, so that our own filters do not hold it.
        name = "digest-" + hashlib.sha256(data).hexdigest()[:24]
        mark = marks.envelope_id(key, name, data)
        results |= submit(server, "", [recipient], data, mark)
    if all(result.outcome != "later" for result in results.values()):
        _remember(folder, now)
    return results


def last(folder: Path) -> float | None:
    """Up to when the last digests told; None if there were none yet. Raises OSError."""
    try:
        with (folder / STATE_NAME).open("rb") as file:
            return float(json.loads(file.read(STATE_LIMIT))["until"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        log.warning("%s is damaged; the digests begin anew", folder / STATE_NAME)
        return None


def _remember(folder: Path, until: float) -> None:
    temporary = folder / f".{STATE_NAME}.{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        json.dump({"until": until}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / STATE_NAME)


class Schedule:
    """Sends digests when they are due, in a thread of the daemon. settings: asked for each time, so
    that a reload counts."""

    def __init__(
        self, settings: Callable[[], Settings], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ended = threading.Event()

    def run(self) -> None:
        """Work until `end` is called."""
        while not self._ended.wait(LOOK_INTERVAL):
            self.once()

    def end(self) -> None:
        """Let `run` return."""
        self._ended.set()

    def once(self) -> None:
        """Send what is due now. Raises nothing that disk, database, template or MTA cause."""
        settings, now = self._settings(), self._clock()
        folder = settings.quarantine.folder
        if not settings.digest.enabled or not folder.is_dir():
            return
        try:
            before = last(folder)
            if before is None:
                # The first one tells of what comes from now on.
                _remember(folder, now)
                return
            if now < before + settings.digest.every_hours * 3600:
                return
            for recipient, result in send_all(settings, now).items():
                log.info("digest to=%s outcome=%s %s", recipient, result.outcome, result.reply)
        except (DigestError, StoreError, OSError) as error:
            log.error("digest: %s", error)
