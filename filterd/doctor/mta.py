"""Which MTA's configuration is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from filterd.config.load import Settings
from filterd.doctor.budgets import chain_warnings, default_warnings
from filterd.doctor.findings import Finding, Level
from filterd.doctor.postfix import patience as of_postfix
from filterd.doctor.postfix import postfix
from filterd.doctor.sendmail import patience as of_sendmail
from filterd.doctor.sendmail import sendmail
from filterd.mta.cf.config import CfError

SENDMAIL_CF = Path("/etc/mail/sendmail.cf")
MAIN_CF = Path("/etc/postfix/main.cf")

SENDMAIL_PROGRAMS = (Path("/usr/sbin/praliases"), Path("/usr/libexec/sendmail/sendmail"))
POSTFIX_PROGRAMS = (
    Path("/usr/sbin/postfix"),
    Path("/usr/lib/postfix/sbin/master"),
    Path("/usr/libexec/postfix/master"),
)
"""What is there as long as the MTA is. Its settings stay where the package was only removed; and
every MTA has a /usr/sbin/sendmail."""


@dataclass(frozen=True, slots=True)
class Mtas:
    """Where the configurations lie. None: where the MTA has it, if that MTA is there at all."""

    sendmail_cf: Path | None = None
    main_cf: Path | None = None


def places(settings: Settings, where: Mtas) -> Mtas:
    """Where to look: what the command was told, else the settings, else nothing."""
    return Mtas(
        where.sendmail_cf or settings.daemon.sendmail_cf, where.main_cf or settings.daemon.main_cf
    )


def time_warnings(settings: Settings, where: Mtas) -> list[str]:
    """Times that do not fit together: filterd's own, and those of the MTAs that ask the daemon; and
    authenticating filters that those ask first."""
    return own_warnings(settings, where) + _of_mtas(settings, where)[1]


def own_warnings(settings: Settings, where: Mtas) -> list[str]:
    """Those of filterd alone. Where no configuration is found that asks the daemon, an MTA's
    defaults stand for it."""
    is_asked, _ = _of_mtas(settings, where)
    return chain_warnings(settings) + ([] if is_asked else default_warnings(settings))


def _of_mtas(settings: Settings, where: Mtas) -> tuple[bool, list[str]]:
    """Whether a configuration asks the daemon, and what is too short in those that do. A named file
    that cannot be read is a warning as well."""
    where = places(settings, where)
    is_asked, told = False, []
    for look, path, usual, programs in (
        (of_sendmail, where.sendmail_cf, SENDMAIL_CF, SENDMAIL_PROGRAMS),
        (of_postfix, where.main_cf, MAIN_CF, POSTFIX_PROGRAMS),
    ):
        if path is None and (where != Mtas() or not _is_installed(usual, programs)):
            continue
        try:
            found = look(settings, path or usual)
        except (CfError, OSError) as error:
            if path is not None:
                told.append(f"{path}: cannot be read: {_in_words(error)}")
            continue
        if found is not None:
            is_asked = True
            told += [f"{path or usual}: {one.found}; {one.advice}" for one in found]
    return is_asked, told


def _in_words(error: CfError | OSError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def mtas(settings: Settings, where: Mtas) -> Iterator[Finding]:
    """What those that are named, else those that are there, say about the daemon."""
    where = places(settings, where)
    kinds: list[_Kind] = [
        (sendmail, where.sendmail_cf, SENDMAIL_CF, SENDMAIL_PROGRAMS),
        (postfix, where.main_cf, MAIN_CF, POSTFIX_PROGRAMS),
    ]
    named = [(look, path) for look, path, _usual, _programs in kinds if path is not None]
    there = [
        (look, usual) for look, _path, usual, programs in kinds if _is_installed(usual, programs)
    ]
    for look, path in named or there:
        yield from look(settings, path)
    if not (named or there):
        yield Finding(
            Level.WARN,
            "mta",
            f"neither sendmail with {SENDMAIL_CF} nor Postfix with {MAIN_CF} is there",
            "if this host has an MTA, name its file with --sendmail FILE or --postfix FILE",
        )


_Kind: TypeAlias = tuple[
    Callable[[Settings, Path], Iterator[Finding]], Path | None, Path, tuple[Path, ...]
]


def _is_installed(file: Path, programs: Sequence[Path]) -> bool:
    return file.exists() and any(program.exists() for program in programs)
