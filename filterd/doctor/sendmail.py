"""Whether sendmail asks the daemon, waits long enough for it, and keeps mail while it is away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from filterd.config.load import Settings
from filterd.config.mta_lines import content_timeout, least_read, sendmail_line, worst
from filterd.doctor.access import hindrance, unsafe_folder
from filterd.doctor.budgets import (
    LEAST_STEP,
    least_command,
    listens_at,
    listens_on,
)
from filterd.doctor.findings import Finding, Level
from filterd.doctor.results import before_us
from filterd.mta.cf.config import CfError, SendmailCf
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.sendmail.cf_files import read_cf

ABOUT = "sendmail"

WANTED_MACROS = {
    "i": "log and quarantine lack sendmail's queue id",
    "{auth_authen}": "authenticated clients count as strangers",
}
"""Macros that filterd uses, and what is lost where sendmail does not send them."""


def sendmail(settings: Settings, path: Path) -> Iterator[Finding]:
    """All that one sendmail.cf says about the daemon of these settings."""
    try:
        cf = read_cf(path)
    except CfError as error:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{error}",
            "run this as root if it is not readable; otherwise sendmail cannot read it either",
        )
        return
    ours = [one for one in cf.filters.values() if _is_ours(settings, one)]
    if not ours:
        others = ", ".join(cf.filters) or "no other"
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{path}: no filter at {settings.daemon.socket} (but {others})",
            f"`filterd setup sendmail` shows what to change: {sendmail_line(settings)}",
        )
        return
    for one in ours:
        found = [*_asked(cf, one), *_patience(settings, one), *_fate(one)]
        yield from found or [
            Finding(Level.OK, ABOUT, f"{path} asks {one.name} at {settings.daemon.socket}")
        ]
    yield from _macros(cf)
    yield from _before(settings, cf, ours)
    yield from _socket(settings, cf)


def patience(settings: Settings, path: Path) -> list[Finding] | None:
    """Where this sendmail.cf waits too short for the daemon, or asks an authenticating filter
    first; None if it does not ask the daemon.

    Raises CfError for a file that cannot be read.
    """
    cf = read_cf(path)
    ours = [one for one in cf.filters.values() if _is_ours(settings, one)]
    if not ours:
        return None
    times = [found for one in ours for found in _patience(settings, one)]
    return [*times, *_before(settings, cf, ours)]


def _before(
    settings: Settings, cf: SendmailCf, ours: Sequence[InputMailFilter]
) -> Iterator[Finding]:
    order = cf.input_filters()
    places = [order.index(one.name) for one in ours if one.name in order]
    before = order[: min(places)] if places else ()
    known = [cf.filters[name] for name in before if name in cf.filters]
    return before_us(settings, ABOUT, [f"{one.name} ({one.address.host})" for one in known])


def _is_ours(settings: Settings, one: InputMailFilter) -> bool:
    address = one.address
    if address.family == "unix":
        return listens_on(settings, Path(address.host))
    return listens_at(settings, address.host, address.port)


def _asked(cf: SendmailCf, one: InputMailFilter) -> Iterator[Finding]:
    everywhere = cf.input_filters()
    for daemon in cf.daemons():
        asked = everywhere if daemon.filters is None else daemon.filters
        if one.name not in asked:
            yield Finding(
                Level.FAIL if daemon.filters is None else Level.WARN,
                ABOUT,
                f"X{one.name} is there, but {daemon.name} (port {daemon.port}) does not use it",
                "write INPUT_MAIL_FILTER instead of MAIL_FILTER, or name it in the "
                "InputMailFilters of that DAEMON_OPTIONS",
            )


def _patience(settings: Settings, one: InputMailFilter) -> Iterator[Finding]:
    limits = one.time_limits
    if limits.eom and limits.eom <= worst(settings):
        yield Finding(
            Level.FAIL,
            ABOUT,
            f"X{one.name}: T=E: is {limits.eom:g} s, a verdict may take {worst(settings):g} s "
            "([chain] timeout and [workers] grace)",
            f"set E:{content_timeout(settings):g}s, or lower [chain] timeout",
        )
    if limits.read and limits.read < least_read(settings):
        tight = limits.read <= settings.daemon.progress_interval
        yield Finding(
            Level.FAIL if tight else Level.WARN,
            ABOUT,
            f"X{one.name}: T=R: is {limits.read:g} s, the daemon reports progress every "
            f"{settings.daemon.progress_interval:g} s",
            f"set R:{least_read(settings):g}s or more",
        )
    least = least_command(settings)
    if least > LEAST_STEP and 0 < limits.read < least:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"X{one.name}: T=R: is {limits.read:g} s, filters at a stage may take "
            f"{settings.stages.timeout:g} s, twice where their process has to be replaced",
            f"set R:{least:g}s or more",
        )
    for letter, what, seconds in (
        ("C", "connecting", limits.connect),
        ("S", "sending a command", limits.write),
    ):
        if 0 < seconds < LEAST_STEP:
            yield Finding(
                Level.WARN,
                ABOUT,
                f"X{one.name}: T={letter}: is {seconds:g} s for {what}, which a busy machine may "
                "take",
                f"set {letter}:{LEAST_STEP:g}s or more",
            )


def _fate(one: InputMailFilter) -> Iterator[Finding]:
    if one.on_failure == "":
        yield Finding(
            Level.WARN,
            ABOUT,
            f"X{one.name}: no F=: mail passes without being scanned while filterd is down",
            "set F=T, and the client tries again later",
        )


def _macros(cf: SendmailCf) -> Iterator[Finding]:
    sent = {name for names in cf.milter_macros.values() for name in names}
    for name, loss in WANTED_MACROS.items():
        if name not in sent:
            yield Finding(
                Level.WARN,
                ABOUT,
                f"no Milter.macros option names {name}: {loss}",
                f"add {name} to confMILTER_MACROS_ENVFROM in sendmail.mc",
            )


def _socket(settings: Settings, cf: SendmailCf) -> Iterator[Finding]:
    path = settings.daemon.address.path
    if path is None:
        return
    trusting = set(re.split(r"[\s,]+", cf.option("DontBlameSendmail").lower()))
    folder = unsafe_folder(path, trusting)
    if folder is not None:
        yield Finding(
            Level.FAIL,
            ABOUT,
            f"{folder} can be written by others: sendmail calls {path} unsafe",
            f"chmod go-w {folder}, or move daemon.socket to /run/filterd",
        )
    user = cf.option("RunAsUser").partition(":")[0].partition(".")[0]
    if why := hindrance(path, user or "root"):
        yield Finding(
            Level.FAIL,
            ABOUT,
            f"{why}, and RunAsUser makes sendmail connect as {user}",
            f"set daemon.socket_group to a group of {user}, and let it enter the folder",
        )
