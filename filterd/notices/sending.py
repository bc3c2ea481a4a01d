"""Sending what waits: by SMTP to the MTA of the quarantine, and to the webhooks.

Each item stands alone. A crash between the answer and our note of it sends it a second time; a
webhook sees by `webhook-id` that it is the same.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from filterd.chain import marks
from filterd.config.load import Settings
from filterd.notices.counts import NoticeCounts
from filterd.notices.events import OWN_MARK
from filterd.notices.post import Posted, post
from filterd.notices.queue import AGE_LIMIT, NoticeQueue, QueuedNotice
from filterd.notices.signing import SecretError
from filterd.quarantine.submission import Server, SubmissionResult, submit

log = logging.getLogger(__name__)

TRIES_LIMIT = 12
"""Tries of one notice; with the pauses between them about five hours."""

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Seconds until the next try, twice as many each time."""

RUN_SECONDS = 120.0
"""For which one run begins with another notice."""

REPLY_SECONDS = 60.0
"""That the MTA may take for a reply; a notice can wait."""

Result = Posted | SubmissionResult


def pause(tries: int) -> float:
    """Seconds until the next try of what was tried so often."""
    return float(min(FIRST_PAUSE * 2.0 ** min(tries - 1, 10), LONGEST_PAUSE))


def send_due(
    settings: Settings, counts: NoticeCounts, clock: Callable[[], float] = time.time
) -> None:
    """Send what is due, unless another process does that. Where MTA or webhook cannot be reached,
    the rest that goes there waits without being tried. Raises OSError for the queue's folder."""
    queue = NoticeQueue.of(settings)
    if not queue.folder.is_dir():
        return
    began = time.monotonic()
    away: set[str] = set()
    with queue.sending() as alone:
        if not alone:
            return
        for path, item in queue.due(clock()):
            way = "mail" if item.channel == "mail" else item.target
            if way in away:
                continue
            if time.monotonic() - began > RUN_SECONDS:
                break
            result = send(settings, item, clock())
            if not result.reached:
                away.add(way)
            _settle(queue, path, item, result, counts, clock())
        counts.waiting = len(queue)


def send(settings: Settings, item: QueuedNotice, now: float) -> Result:
    """Try to send an item now; what became of it."""
    if item.channel == "mail":
        return _mailed(settings, item)
    hook = next((one for one in settings.notices.webhooks if one.url == item.target), None)
    if hook is None:
        return Posted("refused", "it is not in the settings any more")
    try:
        return post(hook, item.id, item.body.encode("ascii"), now)
    except SecretError as error:
        return Posted("later", str(error), reached=False)


def _mailed(settings: Settings, item: QueuedNotice) -> Result:
    quarantine = settings.quarantine
    timeout = min(quarantine.release_timeout, REPLY_SECONDS)
    server = Server(quarantine.release_host, quarantine.release_port, timeout)
    data = item.body.encode("ascii")
    # Marked like a released message, so that our own filters do not hold it, and sign it.
    name = OWN_MARK + hashlib.sha256(data).hexdigest()[:24]
    key = marks.load_key(quarantine.folder)
    mark = partial(marks.envelope_id, key, name, data, outbound=True)
    # From nobody (RFC 3834 §3.3): no report about it ever comes back.
    return submit(server, "", [item.target], data, mark)[item.target]


def _settle(
    queue: NoticeQueue,
    path: Path,
    item: QueuedNotice,
    result: Result,
    counts: NoticeCounts,
    now: float,
) -> None:
    tries = item.tries + 1
    outcome = str(result.outcome)
    is_over = tries >= TRIES_LIMIT or now - item.made > AGE_LIMIT
    if outcome == "later" and not is_over:
        again = replace(item, tries=tries)
        queue.put_off(path, again, now + pause(tries))
    else:
        queue.remove(path)
        counts.add(item.channel, "sent" if outcome in ("sent", "unknown") else "failed")
    tell = log.info if outcome in ("sent", "unknown") else log.warning
    tell(
        "notice to=%s kind=%s events=%d tries=%d outcome=%s %s",
        target_for_logs(item),
        item.kind,
        item.events,
        tries,
        "given up" if outcome == "later" and is_over else outcome,
        result.reply,
    )


def target_for_logs(item: QueuedNotice) -> str:
    """Where it goes; of a webhook the host alone, since its URL may contain a secret."""
    if item.channel == "mail":
        return item.target
    return item.target.split("/")[2] if item.target.count("/") >= 2 else ""
