"""What filterd tells people: notices, and the report for admins with its timer."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path

from filterd.config.load import Settings
from filterd.config.notices import KINDS
from filterd.doctor.findings import Finding, Level
from filterd.system import layout
from filterd.system.display import count

TIMER = "filterd-report.timer"
WANTED = Path("/etc/systemd/system/timers.target.wants") / TIMER
"""What `systemctl enable` makes."""


def notices(settings: Settings) -> Iterator[Finding]:
    """Templates and webhooks' files; nothing where nobody is told of anything."""
    own = settings.notices
    if not own.enabled:
        return
    from filterd.notices.checking import notice_mistakes  # noqa: PLC0415  (loads the database)

    found = notice_mistakes(own, time.time())
    for text in found:
        yield Finding(
            Level.FAIL, "notices", text, "correct it; `filterd check` says if it is right"
        )
    if not found:
        people = {address for kind in KINDS for address in own.addresses(kind)}
        told = [count(len(people), "address", "addresses"), count(len(own.webhooks), "webhook")]
        yield Finding(Level.OK, "notices", f"to {' and '.join(told)}; all templates can be used")


def report(settings: Settings) -> Iterator[Finding]:
    """Whether the report for admins can be made, and whether anything sends it."""
    own, is_on = settings.report, WANTED.exists()
    if not own.to:
        if is_on:
            yield Finding(
                Level.WARN,
                "report",
                f"{TIMER} is enabled, and report.to names nobody",
                'set [report] to = ["postmaster@mx.example"], or systemctl disable --now ' + TIMER,
            )
        return
    if not settings.history.enabled:
        yield Finding(
            Level.FAIL,
            "report",
            "the history is off, and the report is made of it",
            "set history.enabled = true",
        )
        return
    if own.plots and importlib.util.find_spec("matplotlib") is None:
        yield Finding(
            Level.WARN,
            "report",
            "the report comes without pictures: the package matplotlib is missing",
            "pip install 'filterd[plot]', or set report.plots = false",
        )
    if not is_on and any((folder / TIMER).exists() for folder in layout.UNITS):
        yield Finding(
            Level.WARN,
            "report",
            f"{TIMER} is not enabled, so only a cron job would send the report",
            f"systemctl enable --now {TIMER}",
        )
    else:
        yield Finding(Level.OK, "report", f"to {', '.join(own.to)}")
