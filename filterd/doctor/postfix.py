"""Whether Postfix asks the daemon, can reach it, and keeps mail while it is away.

Source: postconf(5), master(5), MILTER_README of Postfix 3.7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from filterd.config.load import Settings
from filterd.config.mta_lines import least_read
from filterd.doctor.access import hindrance
from filterd.doctor.budgets import LEAST_STEP, least_command, listens_at, listens_on
from filterd.doctor.findings import Finding, Level
from filterd.doctor.postfix_files import (
    Member,
    PostfixFiles,
    PostfixService,
    expanded,
    members,
    parse_time,
)
from filterd.doctor.results import before_us

ABOUT = "postfix"


def postfix(settings: Settings, main: Path) -> Iterator[Finding]:
    """All that main.cf and the master.cf beside it say about the daemon of these settings."""
    try:
        files = PostfixFiles.read(main)
    except OSError as error:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{error.filename}: {error.strerror}",
            "run this as a user who may read it",
        )
        return
    first = True
    for service in files.services:
        own = {**files.values, **service.options}
        asked = members(expanded("smtpd_milters", own))
        ours = [one for one in asked if _is_ours(settings, one, service, own)]
        if ours:
            yield from _checked(settings, ours[0], service, own)
            yield from _before(settings, asked, ours[0])
        elif hidden := _behind_chroot(settings, asked, service):
            yield Finding(
                Level.FAIL,
                ABOUT,
                f"{service.name} runs in a chroot and looks for "
                f"{own['queue_directory']}{hidden}, the daemon listens on {hidden}",
                "`filterd setup postfix` shows what to change: daemon.socket = "
                f'"unix:{own["queue_directory"]}/filterd/filterd.sock" and '
                "smtpd_milters = unix:filterd/filterd.sock",
            )
        elif first or "smtpd_milters" not in service.options:
            # One that sets its own list without us, behind another filter perhaps, means it.
            yield Finding(
                Level.WARN,
                ABOUT,
                f"{service.name} does not ask {settings.daemon.socket} (smtpd_milters is "
                f"{own['smtpd_milters'] or 'empty'})",
                f"`filterd setup postfix` shows what to change: smtpd_milters = "
                f"{_spelled(settings, own)} in {main}",
            )
        first = False


def patience(settings: Settings, main: Path) -> list[Finding] | None:
    """Where this main.cf and its master.cf wait too short for the daemon, or ask an authenticating
    filter first; None if they do not ask the daemon. Raises OSError."""
    files = PostfixFiles.read(main)
    told: list[Finding] | None = None
    for service in files.services:
        own = {**files.values, **service.options}
        asked = members(expanded("smtpd_milters", own))
        for member in asked:
            if _is_ours(settings, member, service, own):
                more = [
                    *_patience(settings, member, service, own),
                    *_before(settings, asked, member),
                ]
                told = [*(told or ()), *(one for one in more if one not in (told or ()))]
    return told


def _before(settings: Settings, asked: Sequence[Member], ours: Member) -> Iterator[Finding]:
    return before_us(settings, ABOUT, [m.socket for m in asked[: asked.index(ours)]])


def _checked(
    settings: Settings, member: Member, service: PostfixService, values: Mapping[str, str]
) -> Iterator[Finding]:
    found = [
        *_fate(member, service, values),
        *_patience(settings, member, service, values),
        *_reach(settings, expanded("mail_owner", values)),
    ]
    yield from found or [Finding(Level.OK, ABOUT, f"{service.name} asks {member.socket}")]


def _fate(member: Member, service: PostfixService, values: Mapping[str, str]) -> Iterator[Finding]:
    action = member.arguments.get("default_action") or expanded("milter_default_action", values)
    if action == "accept":
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{service.name}: default_action is accept: mail passes without being scanned "
            "while filterd is down",
            "set milter_default_action = tempfail, and the client tries again later",
        )


def _patience(
    settings: Settings, member: Member, service: PostfixService, values: Mapping[str, str]
) -> Iterator[Finding]:
    text = member.arguments.get("content_timeout") or expanded("milter_content_timeout", values)
    seconds = parse_time(text)
    if seconds < least_read(settings):
        tight = seconds <= settings.daemon.progress_interval
        yield Finding(
            Level.FAIL if tight else Level.WARN,
            ABOUT,
            f"{service.name}: milter_content_timeout is {seconds:g} s, the daemon reports progress "
            f"every {settings.daemon.progress_interval:g} s",
            f"set milter_content_timeout = {max(least_read(settings), 300):g}s",
        )
    for step in ("connect", "command"):
        name = f"milter_{step}_timeout"
        text = member.arguments.get(f"{step}_timeout") or expanded(name, values)
        least = least_command(settings) if step == "command" else LEAST_STEP
        if parse_time(text) < least:
            why = "too short for a busy machine"
            if least > LEAST_STEP:
                why = f"[stages] timeout is {settings.stages.timeout:g} s, and may come twice"
            yield Finding(
                Level.WARN,
                ABOUT,
                f"{service.name}: {name} is {parse_time(text):g} s, {why}",
                f"set {name} = {max(least, 30):g}s",
            )


def _reach(settings: Settings, owner: str) -> Iterator[Finding]:
    path = settings.daemon.address.path
    if path is not None and (why := hindrance(path, owner)):
        yield Finding(
            Level.FAIL,
            ABOUT,
            why,
            f'set daemon.socket_group = "{owner}" and let that group enter the folder, or add '
            f"{owner} to the socket's group and restart Postfix",
        )


def _is_ours(
    settings: Settings, member: Member, service: PostfixService, values: Mapping[str, str]
) -> bool:
    kind, _, rest = member.socket.partition(":")
    if kind in ("unix", "local"):
        queue = Path(expanded("queue_directory", values))
        # smtpd works in the queue directory, and a chroot makes that its root.
        seen = queue / (rest.lstrip("/") if service.chrooted else rest)
        return listens_on(settings, seen)
    host, _, port = rest.rpartition(":")
    return kind in ("inet", "inet6") and port.isdecimal() and listens_at(settings, host, int(port))


def _behind_chroot(settings: Settings, asked: list[Member], service: PostfixService) -> str:
    """The path that is meant to be ours and is another one inside the chroot."""
    for member in asked:
        path = member.socket.partition(":")[2]
        if service.chrooted and path.startswith("/") and listens_on(settings, Path(path)):
            return path
    return ""


def _spelled(settings: Settings, values: Mapping[str, str]) -> str:
    """The daemon's socket as Postfix writes it."""
    address = settings.daemon.address
    if address.path is None:
        return f"inet:{address.host}:{address.port}"
    queue = Path(expanded("queue_directory", values))
    inside = address.path.is_relative_to(queue)
    return f"unix:{address.path.relative_to(queue) if inside else address.path}"
