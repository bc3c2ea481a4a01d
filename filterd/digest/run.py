"""Sending digests: who has something new, one mail each, by SMTP to the MTA of the quarantine.

Each recipient stands alone: what the MTA defers for one is tried again for that one. A crash
between the MTA's 250 and our note of it sends one digest a second time, and never leaves one out.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from functools import partial

from filterd.chain import marks
from filterd.chain.shares import as_for
from filterd.config.digest import DigestSettings
from filterd.config.load import Settings
from filterd.digest.compose import LISTED_LIMIT, DigestError, Site, compose
from filterd.digest.ledger import CLAIM_LIMIT, DigestLedger, Due
from filterd.digest.links import Signer
from filterd.filters.senders.settings import SendersSettings
from filterd.message.address import same
from filterd.quarantine import Store, StoreError, UnknownIdError
from filterd.quarantine.index import Row
from filterd.quarantine.submission import Server, SubmissionResult, submit

log = logging.getLogger(__name__)

HOUR = 3600.0

LOOKED_AT = 2000
"""Messages, the newest ones, of which those are chosen that a digest lists."""


def site_of(settings: Settings) -> Site:
    """What all digests of these settings share. Raises DigestError, OSError."""
    if not settings.web.url:
        raise DigestError(
            "web.url is not set, so that links would lead to this machine only; expected "
            'url = "https://mail.example" in [web]'
        )
    users = settings.users
    actions = []
    if users.enabled:
        actions = ["delete", *(["block"] if settings.in_chain(SendersSettings) else [])]
    return Site(
        settings.digest,
        settings.web.base,
        Signer(settings.quarantine.folder),
        tuple(actions),
        users.enabled and users.links,
    )


def due_moment(digest: DigestSettings, begun: float, now: float) -> float:
    """The last moment, at most now, at which digests were due; they tell of mail up to then."""
    if not digest.at:
        period = digest.every_hours * HOUR
        return begun + math.floor((now - begun) / period) * period
    today = datetime.fromtimestamp(now).date()
    moments = [
        _moment(day, text) for day in (today, today - timedelta(days=1)) for text in digest.at
    ]
    return max(moment for moment in moments if moment <= now)


def _moment(day: date, text: str) -> float:
    return datetime.combine(day, clock_time.fromisoformat(text)).astimezone().timestamp()


def waiting(ledger: DigestLedger, settings: Settings, since: float, until: float) -> dict[str, Due]:
    """Mailbox → what came for it in that time and is held still, whether it was told or not. Raises
    StoreError."""
    wanted = settings.digest
    return ledger.due(since, until, wanted.reasons, wanted.domains, since)


def digest_for(site: Site, store: Store, due: Due, now: float) -> bytes:
    """The digest that tells a mailbox of these messages. Raises DigestError, StoreError."""
    rows = DigestLedger(store.index).rows(list(due.held)[:LOOKED_AT])
    # Mail that is wanted is most likely among those with few points.
    rows = sorted(rows, key=lambda row: row.score)[:LISTED_LIMIT]
    return compose(site, due, [_own(row, store, due.held[row.id]) for row in rows], now)


def _own(row: Row, store: Store, recipient: str) -> Row:
    """The row with the points of the mail for that recipient: what was found about others alone is
    for them only."""
    if len(row.recipients) == 1:
        return row
    try:
        score = as_for(store.get(row.id), lambda other: same(other, recipient)).score
    except (UnknownIdError, StoreError):
        # Deleted meanwhile, or damaged: nobody knows whose these points are.
        score = 0.0
    return replace(row, score=score)


def send_now(
    settings: Settings, now: float, hours: float | None = None
) -> dict[str, SubmissionResult]:
    """Send digests of what is new, whatever the schedule says; what became of each address's.

    hours: of what came in the last so many, told before or not. Raises DigestError, StoreError,
    OSError.
    """
    with closing(Store(settings.quarantine)) as store:
        ledger = DigestLedger(store.index)
        begun = ledger.begun(now - 24 * HOUR)
        since = None if hours is None else now - hours * HOUR
        wanted = settings.digest
        found = ledger.due(begun, now, wanted.reasons, wanted.domains, since)
        results = _send(settings, store, found, begun, now, now)
        if since is None and _all_told(found, results):
            ledger.complete(now)
        return results


def _send(
    settings: Settings,
    store: Store,
    found: Mapping[str, Due],
    begun: float,
    until: float,
    now: float,
) -> dict[str, SubmissionResult]:
    """Send each mailbox's digest, as far as nobody else is at it."""
    if not found:
        return {}
    site, quarantine, ledger = site_of(settings), settings.quarantine, DigestLedger(store.index)
    server = Server(quarantine.release_host, quarantine.release_port, quarantine.release_timeout)
    key = marks.load_key(quarantine.folder)
    results: dict[str, SubmissionResult] = {}
    for mailbox, due in found.items():
        # What cannot be written must not be claimed.
        data = digest_for(site, store, due, now)
        if not ledger.claim(mailbox, begun, until, now):
            continue
        # Marked like a released message, so that our own filters do not hold it.
        name = "digest-" + hashlib.sha256(data).hexdigest()[:24]
        mark = partial(marks.envelope_id, key, name, data)
        results |= submit(server, settings.digest.envelope_sender, [due.address], data, mark)
        if results[due.address].outcome != "later":
            ledger.settle(mailbox, until)
    return results


def _all_told(found: Mapping[str, Due], results: Mapping[str, SubmissionResult]) -> bool:
    """True if each mailbox that was due was told, or never can be."""
    addresses = (due.address for due in found.values())
    return all(one in results and results[one].outcome != "later" for one in addresses)


class Schedule:
    """Sends digests when they are due, asked from time to time. settings: asked for each time, so
    that a reload counts."""

    def __init__(
        self, settings: Callable[[], Settings], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._done: tuple[DigestSettings, float] | None = None
        self._wait_until = 0.0

    def once(self) -> None:
        """Send what is due now. Raises nothing that disk, database, template or MTA cause."""
        settings, now = self._settings(), self._clock()
        if not settings.digest.enabled or not settings.quarantine.folder.is_dir():
            return
        try:
            self._send_due(settings, now)
        except (DigestError, StoreError, OSError) as error:
            log.error("digest: %s", error)

    def _send_due(self, settings: Settings, now: float) -> None:
        digest = settings.digest
        if now < self._wait_until:
            return
        with closing(Store(settings.quarantine)) as store:
            ledger = DigestLedger(store.index)
            begun = ledger.begun(now)
            until = due_moment(digest, begun, now)
            if self._done == (digest, until):
                return
            found = ledger.due(begun, until, digest.reasons, digest.domains)
            results = _send(settings, store, found, begun, until, now)
            complete = _all_told(found, results)
            if complete:
                ledger.complete(until)
        for recipient, result in results.items():
            log.info("digest to=%s outcome=%s %s", recipient, result.outcome, result.reply)
        if complete:
            self._done = (digest, until)
        else:
            # Deferred, or another host is at it.
            self._wait_until = now + CLAIM_LIMIT
