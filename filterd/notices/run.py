"""From events to what waits in the queue, and from there to the MTA and the webhooks.

Nothing of it is in the way of mail: the daemon does this from time to time, in a thread of its own.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from filterd.chain.marks import load_key
from filterd.config.assembly import site_state
from filterd.config.load import Settings
from filterd.config.notices import RECIPIENT, EventKind, WebhookSettings
from filterd.digest.links import ReleaseLink, Signer
from filterd.history import HistoryError
from filterd.message.address import Mailbox
from filterd.notices.compose import NoticeError, NoticeWriter
from filterd.notices.counts import NoticeCounts
from filterd.notices.events import MessageEvent, NoticeEvent, event_id, local_recipients
from filterd.notices.finding import Finder
from filterd.notices.limits import NoticeLimits
from filterd.notices.payload import payload
from filterd.notices.queue import NoticeQueue, QueuedNotice
from filterd.notices.sending import send_due
from filterd.quarantine import StoreError

log = logging.getLogger(__name__)

FULL_INTERVAL = 600.0
"""Seconds between two looks at the size of the quarantine, which reads its index."""


def writer_of(settings: Settings) -> NoticeWriter:
    """What all notices of these settings share. Raises OSError."""
    pages = settings.web.base if settings.web.url else ""
    key = load_key(settings.quarantine.folder)
    return NoticeWriter(settings.notices, key, host_name(), pages)


def host_name() -> str:
    """This host, as notices name it."""
    return socket.gethostname()


class Teller:
    """Puts what is to be told into the queue. Methods raise StateError, OSError."""

    def __init__(
        self, settings: Settings, writer: NoticeWriter, limits: NoticeLimits, counts: NoticeCounts
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._limits = limits
        self._counts = counts
        self._queue = NoticeQueue.of(settings)
        self._signer = Signer(settings.quarantine.folder)

    def tell(self, events: Sequence[NoticeEvent], now: float) -> None:
        """Queue what these events are for everybody who is to hear of them."""
        by_kind: dict[EventKind, list[NoticeEvent]] = {}
        for event in events:
            by_kind.setdefault(event.kind, []).append(event)
        for kind, some in by_kind.items():
            self._mail(kind, some, now)
        for hook in self._settings.notices.webhooks:
            for event in events:
                if event.kind in hook.events:
                    self._post(hook, event, now)

    def _mail(self, kind: EventKind, events: Sequence[NoticeEvent], now: float) -> None:
        notices = self._settings.notices
        for address in notices.addresses(kind):
            self._mail_one(kind, address, events, now)
        if RECIPIENT in notices.mailed(kind):
            for address, own in self._by_recipient(events):
                self._mail_one(kind, address, own, now, recipient=address)

    def _by_recipient(
        self, events: Sequence[NoticeEvent]
    ) -> Iterator[tuple[str, list[NoticeEvent]]]:
        found: dict[Mailbox, tuple[str, list[NoticeEvent]]] = {}
        for event in events:
            for recipient in local_recipients(event, self._settings.notices.domains):
                _, own = found.setdefault(Mailbox.parse(recipient), (recipient, []))
                own.append(event)
        yield from found.values()

    def _mail_one(
        self,
        kind: EventKind,
        address: str,
        events: Sequence[NoticeEvent],
        now: float,
        *,
        recipient: str | None = None,
    ) -> None:
        notices = self._settings.notices
        admission = self._limits.admit(
            kind, address, len(events), now, notices.per_hour, notices.all_per_hour
        )
        if not admission.granted:
            self._suppressed("mail", address, kind, admission.suppressed)
            return
        links = {} if recipient is None else self._links(events, recipient, now)
        try:
            data = self._writer.message(
                kind,
                address,
                events,
                now,
                recipient=recipient,
                suppressed=admission.suppressed,
                links=links,
            )
        except NoticeError as error:
            self._counts.add("mail", "failed")
            log.error("notice to=%s kind=%s: %s", address, kind, error)
            return
        id = event_id("mail", address, *(one.id for one in events))
        self._enqueue(
            QueuedNotice("mail", address, id, kind, len(events), now, data.decode("ascii")), now
        )

    def _links(self, events: Sequence[NoticeEvent], recipient: str, now: float) -> dict[str, str]:
        """By a message's id the page on which the recipient can have it delivered, as in digests;
        of what digests would not list there is none."""
        digest, web = self._settings.digest, self._settings.web
        if not web.url:
            return {}
        until = now + digest.link_days * 86400
        return {
            one.record.id: f"{web.base}/held/"
            + self._signer.token(ReleaseLink(one.record.id, recipient, until))
            for one in events
            if isinstance(one, MessageEvent)
            and one.kind == "held"
            and one.record.stored
            and one.record.reason in digest.reasons
        }

    def _post(self, hook: WebhookSettings, event: NoticeEvent, now: float) -> None:
        admission = self._limits.admit(event.kind, hook.url, 1, now, hook.per_hour)
        if not admission.granted:
            self._suppressed("webhook", hook.host, event.kind, admission.suppressed)
            return
        suppressed = admission.suppressed
        body = payload(event, self._writer.host, subject=hook.subject, suppressed=suppressed)
        id = event_id("webhook", hook.url, event.id)
        self._enqueue(
            QueuedNotice("webhook", hook.url, id, event.kind, 1, now, body.decode("ascii")), now
        )

    def _suppressed(self, channel: str, target: str, kind: EventKind, events: int) -> None:
        self._counts.add(channel, "suppressed")
        log.info("notice to=%s kind=%s outcome=suppressed events=%d", target, kind, events)

    def _enqueue(self, item: QueuedNotice, now: float) -> None:
        if not self._queue.add(item, now):
            self._counts.add(item.channel, "dropped")
            log.error("notice kind=%s: dropped, too many wait in %s", item.kind, self._queue.folder)


class NoticeSchedule:
    """Finds and sends what is due, asked from time to time. settings: asked for each time, so that
    a reload counts."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        counts: NoticeCounts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._counts = counts
        self._clock = clock
        self._full_at = float("-inf")

    def once(self) -> None:
        """Do what is due now. Raises nothing that disk, database, template, MTA or a webhook
        cause."""
        settings = self._settings()
        if settings.notices.enabled:
            try:
                self._find(settings, self._clock())
            except (HistoryError, StoreError, OSError) as error:
                log.error("notices: %s", error)
        try:
            send_due(settings, self._counts, self._clock)
        except OSError as error:
            log.error("notices: %s", error)

    def _find(self, settings: Settings, now: float) -> None:
        writer = writer_of(settings)
        with closing(site_state(settings)) as state:
            finder = Finder(settings, state, writer.is_own, writer.host)
            teller = Teller(settings, writer, NoticeLimits(state), self._counts)
            with finder.lease(now) as mine:
                if mine:
                    for events in finder.pages(now):
                        teller.tell(events, now)
                    teller.tell(finder.accounts(now), now)
                    for asked in finder.requests(now):
                        teller.tell(asked, now)
            if not 0 <= now - self._full_at < FULL_INTERVAL:
                self._full_at = now
                teller.tell(finder.full(now), now)
