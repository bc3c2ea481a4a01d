"""Whether the MTA's log can be read, which a message's timeline shows."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator
from pathlib import Path

from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.maillog.log import MailLog
from filterd.ops.folders import user_name


def mail_log(settings: Settings) -> Iterator[Finding]:
    """Each source that the settings name; nothing where they name none."""
    log = MailLog(settings.maillog)
    if not log.is_on:
        return
    told = log.about({})
    for trouble in told.trouble:
        unreadable = [path for path in settings.maillog.files if trouble.startswith(f"{path} ")]
        advice = _advice(unreadable[0]) if unreadable else _group("systemd-journal")
        yield Finding(Level.WARN, "maillog", f"{trouble}; timelines end at the MTA", advice)
    if not told.trouble:
        named = [str(path) for path in settings.maillog.files]
        where = ", ".join([*named, "the journal"] if settings.maillog.journal else named)
        if log.is_empty:
            yield Finding(
                Level.WARN,
                "maillog",
                f"{where}: contains no deliveries by sendmail or Postfix",
                "set maillog.files to the file in which the MTA logs, or maillog.journal = true",
            )
        else:
            yield Finding(Level.OK, "maillog", f"{where} can be read")


def _advice(path: Path) -> str:
    try:
        told = path.stat()
        return _group(grp.getgrgid(told.st_gid).gr_name)
    except (OSError, KeyError):
        return f"correct maillog.files, or make {path} readable for {user_name(os.geteuid())}"


def _group(name: str) -> str:
    return f"usermod -aG {name} {user_name(os.geteuid())}, then restart filterd"
