"""What has to change for the daemon: its socket, the folder of that, what systemd lets it write."""

from __future__ import annotations

from pathlib import Path

from filterd.config.load import Settings
from filterd.setup.plan import FileChange, SetupCommand, SetupError, read
from filterd.setup.texts import with_setting
from filterd.system import layout, privileges

SYSTEMD = Path("/run/systemd/system")
"""There where systemd runs the machine (sd_booted(3))."""

UNITS = Path("/etc/systemd/system")


def tcp_socket(port: int) -> str:
    """The address on the loopback interface."""
    return f"inet:{port}@127.0.0.1"


TCP_NOTE = "every user of this host can connect to a TCP socket, and have mail examined"


def service_user(settings: Settings) -> str:
    """Who the daemon is: the service's user, else who owns its folders. Raises SetupError."""
    if layout.is_system(settings.source) and layout.service_user() is not None:
        return layout.USER
    found = privileges.owner((settings.quarantine.folder, settings.daemon.spool))
    if found is None and layout.service_user() is not None:
        return layout.USER
    return found.name if found is not None else "root"


def moved(settings: Settings, socket: str) -> list[FileChange]:
    """The settings with that socket. Raises SetupError."""
    if settings.daemon.socket == socket:
        return []
    if settings.source is None:
        raise SetupError("there is no settings file; `filterd init --system` writes one")
    path = settings.source.resolve()
    before = read(path)
    text = (before or b"").decode("utf-8")
    after = with_setting(text, "daemon", "socket", socket)
    return [FileChange(path, before, after.encode("utf-8"))]


def drop_in(folder: Path) -> str:
    """What lets the unit write there."""
    return f"[Service]\nReadWritePaths=-{folder}\n"


def drop_in_change(name: str, folder: Path) -> FileChange:
    """The same as a file of systemd's."""
    path = UNITS / "filterd.service.d" / f"{name}.conf"
    return FileChange(path, read(path), drop_in(folder).encode())


def restart() -> tuple[SetupCommand, ...]:
    """Commands after which the daemon has its new settings."""
    return (
        SetupCommand(("systemctl", "daemon-reload")),
        SetupCommand(("systemctl", "restart", "filterd")),
    )


NO_SYSTEMD = "systemd does not run here: change the daemon's settings, and restart it by hand"


def is_systemd() -> bool:
    """Whether systemd runs this machine."""
    return SYSTEMD.is_dir()
