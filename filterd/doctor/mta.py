"""Which MTA's configuration is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.config import Settings
from filterd.doctor.findings import Finding, Level
from filterd.doctor.postfix import postfix
from filterd.doctor.sendmail import sendmail

SENDMAIL_CF = Path("/etc/mail/sendmail.cf")
MAIN_CF = Path("/etc/postfix/main.cf")


@dataclass(frozen=True, slots=True)
class Mtas:
    """Where the configurations lie. None: where the MTA has it, if that MTA is there at all."""

    sendmail_cf: Path | None = None
    main_cf: Path | None = None


def mtas(settings: Settings, where: Mtas) -> Iterator[Finding]:
    """What those that are named, else those that are there, say about the daemon."""
    kinds: list[tuple[Callable[[Settings, Path], Iterator[Finding]], Path | None, Path]] = [
        (sendmail, where.sendmail_cf, SENDMAIL_CF), (postfix, where.main_cf, MAIN_CF),
    ]  # fmt: skip
    named = [(look, path) for look, path, _usual in kinds if path is not None]
    there = [(look, usual) for look, _path, usual in kinds if usual.exists()]
    for look, path in named or there:
        yield from look(settings, path)
    if not (named or there):
        yield Finding(
            Level.WARN, "mta", f"neither {SENDMAIL_CF} nor {MAIN_CF} is there",
            "name one with --sendmail FILE or --postfix FILE, if this host has an MTA",
        )  # fmt: skip
