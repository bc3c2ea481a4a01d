"""What has to change so that Postfix asks the daemon: main.cf, and a socket that it can reach.

Source: postconf(5), master(5), MILTER_README of Postfix 3.7.
"""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

from filterd.config.load import Settings
from filterd.config.mta_lines import content_timeout, postfix_lines, postfix_socket
from filterd.doctor.access import hindrance
from filterd.doctor.postfix_files import DEFAULTS, PostfixFiles, parse_time
from filterd.setup import daemon
from filterd.setup.plan import FileChange, FolderChange, SetupCommand, SetupError, SetupPlan, read
from filterd.setup.texts import with_parameters

FOLDER = "filterd"
"""Of the socket, in the queue directory."""

FOLDER_MODE = 0o2710
"""Its group, Postfix's, may enter; and what is made in it gets that group (set-group-id)."""

SMTP_PORTS = {"smtp": 25, "smtps": 465, "submission": 587, "submissions": 465}
"""Names of services in master.cf that stand for a port."""


def postfix_plan(settings: Settings, main: Path, port: int | None = None) -> SetupPlan:
    """The plan. port: of the loopback interface, where the socket is to be TCP. Raises
    SetupError."""
    main = main.resolve()
    try:
        files = PostfixFiles.read(main)
    except OSError as error:
        raise SetupError(f"{error.filename}: {error.strerror}") from None
    queue = Path(files.expanded("queue_directory"))
    socket = _socket(settings, files, queue, port)
    inside = Path(socket.removeprefix("unix:")) if socket.startswith("unix:") else None
    spelled = postfix_socket(socket)
    folders: list[FolderChange] = []
    changes: list[FileChange] = []
    notes: list[str] = []
    if inside is not None and inside.is_relative_to(queue):
        spelled = f"unix:{inside.relative_to(queue)}"
        group = grp.getgrgid(_owner(files).pw_gid).gr_name
        user = daemon.service_user(settings)
        folders.append(FolderChange(inside.parent, user, group, FOLDER_MODE))
        if daemon.is_systemd():
            changes.append(daemon.drop_in_change("postfix", inside.parent))
    elif inside is None:
        notes.append(daemon.TCP_NOTE)
    moved = daemon.moved(settings, socket)
    before = read(main)
    if before is None:
        raise SetupError(f"{main}: there is no such file")
    wanted = _wanted(settings, files, spelled)
    text = with_parameters(before.decode("utf-8", "surrogateescape"), wanted)
    changes += [*moved, FileChange(main, before, text.encode("utf-8", "surrogateescape"))]
    notes += [
        f"{one.name} has smtpd_milters of its own in master.cf, and is left as it is"
        for one in files.services
        if "smtpd_milters" in one.options
    ]
    changed = bool(moved) or any(
        [*(one.is_needed for one in folders), *(one.is_needed for one in changes[:-1])]
    )
    obstacles = []
    if changed and not daemon.is_systemd():
        obstacles.append(daemon.NO_SYSTEMD)
    own = ("-c", str(main.parent))
    return SetupPlan(
        "postfix",
        socket,
        tuple(folders),
        tuple(one for one in changes if one.is_needed),
        daemon.restart() if changed and daemon.is_systemd() else (),
        (SetupCommand(("postfix", *own, "status")),),
        (
            SetupCommand(("postfix", *own, "check")),
            SetupCommand(("postconf", *own, "-h", "smtpd_milters"), wanted=spelled),
        ),
        (SetupCommand(("postfix", *own, "reload")),),
        _port(files),
        tuple(notes),
        tuple(obstacles),
    )


def _socket(settings: Settings, files: PostfixFiles, queue: Path, port: int | None) -> str:
    """Where the daemon has to listen."""
    if port is not None:
        return daemon.tcp_socket(port)
    path = settings.daemon.address.path
    if path is None or path.is_relative_to(queue):
        return settings.daemon.socket
    can_reach = path.exists() and not hindrance(path, files.expanded("mail_owner"))
    if can_reach and not any(one.chrooted for one in files.services):
        return settings.daemon.socket
    return f"unix:{queue / FOLDER / 'filterd.sock'}"


def _owner(files: PostfixFiles) -> pwd.struct_passwd:
    name = files.expanded("mail_owner")
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise SetupError(f"mail_owner is {name}, and there is no such user") from None


def _wanted(settings: Settings, files: PostfixFiles, spelled: str) -> dict[str, str]:
    """Parameters of main.cf. Where other filters have values of their own these stay, and filterd
    gets its values alone."""
    wanted = postfix_lines(settings, spelled)
    others = files.values["smtpd_milters"]
    if any(one.socket == spelled for one in files.members()):
        return {}
    if not others:
        return wanted
    first = {name: value for name, value in wanted.items() if name != "smtpd_milters"}
    longer = parse_time(files.expanded("milter_content_timeout")) >= content_timeout(settings)
    if files.expanded("milter_default_action") != DEFAULTS["milter_default_action"] or not longer:
        spelled = (
            f"{{ {spelled}, default_action={first['milter_default_action']}, "
            f"content_timeout={first['milter_content_timeout']} }}"
        )
    return {"smtpd_milters": f"{spelled}, {others}"}


def _port(files: PostfixFiles) -> int:
    """Where the first SMTP server of master.cf listens."""
    for one in files.services:
        name = one.name.rpartition(":")[2]
        if name.isdecimal():
            return int(name)
        if name in SMTP_PORTS:
            return SMTP_PORTS[name]
    return SMTP_PORTS["smtp"]
