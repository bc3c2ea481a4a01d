"""Whether Postfix asks the daemon, can reach it, and keeps mail while it is away.

main.cf and master.cf are read as far as that needs: values with `$name` in them, continued lines,
`-o` options of smtpd services, their chroot column. Source: postconf(5), master(5),
MILTER_README of Postfix 3.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filterd.config.load import Settings
from filterd.config.mta_lines import least_read
from filterd.doctor.access import hindrance
from filterd.doctor.budgets import LEAST_STEP, least_command, listens_at, listens_on
from filterd.doctor.findings import Finding, Level
from filterd.doctor.results import before_us
from filterd.mta.milters.settings import parse_time
from filterd.system.bounded import open_regular

ABOUT = "postfix"

SIZE_LIMIT = 4 << 20
"""Octets of a configuration file that are read; thousands of lines are some hundred KiB."""

EXPANSIONS = 20
"""Values within values; Postfix itself stops at a loop."""

DEFAULTS = {
    "queue_directory": "/var/spool/postfix",
    "mail_owner": "postfix",
    "smtpd_milters": "",
    "non_smtpd_milters": "",
    "milter_default_action": "tempfail",
    "milter_content_timeout": "300s",
    "milter_connect_timeout": "30s",
    "milter_command_timeout": "30s",
    "compatibility_level": "0",
}

_NAME = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))")
_MEMBER = re.compile(r"\{[^}]*+(?:\}|\Z)|[^\s,{}]++")
_OPTION = re.compile(r"-o\s++(?:\{\s*+)?(\w++)\s*+=\s*+(\{[^}]*+(?:\}|\Z)|[^\s}]*+)")


@dataclass(frozen=True, slots=True)
class PostfixService:
    """One smtpd in master.cf. options: its `-o`."""

    name: str
    chrooted: bool
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """One filter in a list of milters. socket: as Postfix spells it."""

    socket: str
    arguments: Mapping[str, str]


def postfix(settings: Settings, main: Path) -> Iterator[Finding]:
    """All that main.cf and the master.cf beside it say about the daemon of these settings."""
    try:
        values = {**DEFAULTS, **_main(_lines(main))}
        services = _services(main.with_name("master.cf"), values)
    except OSError as error:
        yield Finding(
            Level.WARN,
            ABOUT,
            f"{error.filename}: {error.strerror}",
            "run this as a user who may read it",
        )
        return
    first = True
    for service in services:
        own = {**values, **service.options}
        members = _members(_expanded("smtpd_milters", own))
        ours = [one for one in members if _is_ours(settings, one, service, own)]
        if ours:
            yield from _checked(settings, ours[0], service, own)
            yield from _before(settings, members, ours[0])
        elif hidden := _behind_chroot(settings, members, service):
            yield Finding(
                Level.FAIL,
                ABOUT,
                f"{service.name} runs in a chroot and looks for "
                f"{own['queue_directory']}{hidden}, the daemon listens on {hidden}",
                f'set daemon.socket = "unix:{own["queue_directory"]}/filterd/filterd.sock" and '
                "smtpd_milters = unix:filterd/filterd.sock",
            )
        elif first or "smtpd_milters" not in service.options:
            # One that sets its own list without us, behind another filter perhaps, means it.
            yield Finding(
                Level.WARN,
                ABOUT,
                f"{service.name} does not ask {settings.daemon.socket} (smtpd_milters is "
                f"{own['smtpd_milters'] or 'empty'})",
                f"put smtpd_milters = {_spelled(settings, own)} into {main}",
            )
        first = False


def patience(settings: Settings, main: Path) -> list[Finding] | None:
    """Where this main.cf and its master.cf wait too short for the daemon, or ask an authenticating
    filter first; None if they do not ask the daemon. Raises OSError."""
    values = {**DEFAULTS, **_main(_lines(main))}
    told: list[Finding] | None = None
    for service in _services(main.with_name("master.cf"), values):
        own = {**values, **service.options}
        members = _members(_expanded("smtpd_milters", own))
        for member in members:
            if _is_ours(settings, member, service, own):
                more = [
                    *_patience(settings, member, service, own),
                    *_before(settings, members, member),
                ]
                told = [*(told or ()), *(one for one in more if one not in (told or ()))]
    return told


def _before(settings: Settings, members: Sequence[Member], ours: Member) -> Iterator[Finding]:
    return before_us(settings, ABOUT, [m.socket for m in members[: members.index(ours)]])


def _checked(
    settings: Settings, member: Member, service: PostfixService, values: Mapping[str, str]
) -> Iterator[Finding]:
    found = [
        *_fate(member, service, values),
        *_patience(settings, member, service, values),
        *_reach(settings, _expanded("mail_owner", values)),
    ]
    yield from found or [Finding(Level.OK, ABOUT, f"{service.name} asks {member.socket}")]


def _fate(member: Member, service: PostfixService, values: Mapping[str, str]) -> Iterator[Finding]:
    action = member.arguments.get("default_action") or _expanded("milter_default_action", values)
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
    text = member.arguments.get("content_timeout") or _expanded("milter_content_timeout", values)
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
        text = member.arguments.get(f"{step}_timeout") or _expanded(name, values)
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
        queue = Path(_expanded("queue_directory", values))
        # smtpd works in the queue directory, and a chroot makes that its root.
        seen = queue / (rest.lstrip("/") if service.chrooted else rest)
        return listens_on(settings, seen)
    host, _, port = rest.rpartition(":")
    return kind in ("inet", "inet6") and port.isdecimal() and listens_at(settings, host, int(port))


def _behind_chroot(settings: Settings, members: list[Member], service: PostfixService) -> str:
    """The path that is meant to be ours and is another one inside the chroot."""
    for member in members:
        path = member.socket.partition(":")[2]
        if service.chrooted and path.startswith("/") and listens_on(settings, Path(path)):
            return path
    return ""


def _spelled(settings: Settings, values: Mapping[str, str]) -> str:
    """The daemon's socket as Postfix writes it."""
    address = settings.daemon.address
    if address.path is None:
        return f"inet:{address.host}:{address.port}"
    queue = Path(_expanded("queue_directory", values))
    inside = address.path.is_relative_to(queue)
    return f"unix:{address.path.relative_to(queue) if inside else address.path}"


def _lines(path: Path) -> Iterator[str]:
    """Logical lines: a blank first continues the line before, also behind comments."""
    with open_regular(path) as file:
        text = file.read(SIZE_LIMIT).decode("utf-8", "replace")
    current = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t":
            current += " " + line.strip()
            continue
        if current:
            yield current
        current = line.rstrip()
    if current:
        yield current


def _main(lines: Iterator[str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _expanded(name: str, values: Mapping[str, str]) -> str:
    """A parameter's value; what is not known becomes nothing, as in Postfix."""
    text = values.get(name, "")
    for _ in range(EXPANSIONS):
        if "$" not in text:
            break
        text = _NAME.sub(lambda m: values.get(m[1] or m[2] or m[3], ""), text)
    return text.strip()


def _members(text: str) -> list[Member]:
    found = []
    for one in _MEMBER.findall(text):
        socket, *rest = re.split(r"[\s,]+", one.strip("{} \t"))
        pairs = (word.partition("=") for word in rest)
        found.append(Member(socket, {key.strip(): value.strip() for key, _, value in pairs}))
    return found


def _services(master: Path, values: Mapping[str, str]) -> list[PostfixService]:
    """The smtpd services. Without a master.cf: one as Postfix has it by default."""
    if not master.exists():
        return [PostfixService("smtpd", False)]
    # Before level 1, a chroot is what `-` means (master(5)).
    by_default = values["compatibility_level"].split(".")[0] in ("", "0")
    found = []
    for line in _lines(master):
        words = line.split()
        if len(words) < 8 or words[7] != "smtpd":
            continue
        chrooted = words[4] == "y" or (words[4] == "-" and by_default)
        text = line.split(None, 7)[7]
        options = dict(_OPTION.findall(text))
        found.append(PostfixService(words[0], chrooted, options))
    return found
