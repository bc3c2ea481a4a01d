"""What has to change so that sendmail asks the daemon: sendmail.mc, and the sendmail.cf of it.

Source: cf/README and op.me of sendmail 8.17.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from filterd.config.load import Settings
from filterd.config.mta_lines import sendmail_lines
from filterd.doctor.access import hindrance
from filterd.mta.cf.config import CfError, SendmailCf
from filterd.mta.sendmail.cf_files import read_cf
from filterd.setup import daemon
from filterd.setup.plan import FileChange, Hangup, SetupCommand, SetupError, SetupPlan, read
from filterd.setup.texts import with_filter

CF_FOLDERS = (Path("/usr/share/sendmail/cf"), Path("/usr/share/sendmail-cf"))
"""Where Debian and Fedora have the m4 files."""

PROGRAMS = "/usr/local/sbin:/usr/sbin:/usr/libexec/sendmail"

M4_SECONDS = 60.0

PROMPT = ("ADDRESS TEST MODE", "Enter <ruleset>", ">")
"""What the address test mode prints by itself."""

BUILT = re.compile(r"#|DZ|\s*$")
"""Lines of a sendmail.cf that say when and by whom it was made, and comments."""


def sendmail_plan(
    settings: Settings,
    cf: Path,
    port: int | None = None,
    mc: Path | None = None,
    m4_folder: Path | None = None,
) -> SetupPlan:
    """The plan. cf, mc: sendmail's files, mc None for the one beside. port: of the loopback
    interface, where the socket is to be TCP. m4_folder: sendmail's m4 files, for a mc that does not
    include cf.m4 itself. Raises SetupError."""
    cf = cf.resolve()
    mc = (mc or cf.with_suffix(".mc")).resolve()
    old, cf_text = read(mc), read(cf)
    if old is None or cf_text is None:
        raise SetupError(f"{mc if old is None else cf}: there is no such file")
    try:
        parsed = read_cf(cf)
    except CfError as error:
        raise SetupError(f"{cf}: {error}") from None
    socket = daemon.tcp_socket(port) if port is not None else settings.daemon.socket
    moved = daemon.moved(settings, socket)
    lines = sendmail_lines(settings)
    lines[0] = lines[0].replace(f"S={settings.daemon.socket},", f"S={socket},")
    new = with_filter(old.decode("utf-8", "surrogateescape"), "filterd", lines)
    changed = new.encode("utf-8", "surrogateescape")
    built = _built(mc, old, m4_folder)
    obstacles = []
    if _rules(built) != _rules(cf_text):
        obstacles.append(
            f"{cf} is not what {mc} gives: somebody changed it by hand, and building it would "
            "lose that"
        )
    is_new = changed != old
    files = [*moved, FileChange(mc, old, changed)]
    if is_new:
        files.append(FileChange(cf, cf_text, _built(mc, changed, m4_folder)))
    if moved and not daemon.is_systemd():
        obstacles.append(daemon.NO_SYSTEMD)
    if why := _unreachable(settings, parsed, port):
        obstacles.append(why)
    pid_file = Path(parsed.option("PidFile", "/run/sendmail/mta/sendmail.pid"))
    program = shutil.which("sendmail", path=f"{os.environ.get('PATH', '')}:{PROGRAMS}")
    return SetupPlan(
        "sendmail",
        socket,
        (),
        tuple(one for one in files if one.is_needed),
        daemon.restart() if moved else (),
        (),
        (SetupCommand((program or "sendmail", "-C", str(cf), "-bt"), silent_about=PROMPT),),
        (
            SetupCommand(("systemctl", "restart", "sendmail"))
            if daemon.is_systemd()
            else Hangup(pid_file),
        ),
        _port(parsed),
        (daemon.TCP_NOTE,) if socket.startswith("inet") else (),
        tuple(obstacles),
    )


def _unreachable(settings: Settings, cf: SendmailCf, port: int | None) -> str:
    """Why sendmail cannot connect to a unix socket."""
    path = settings.daemon.address.path
    user = cf.option("RunAsUser").partition(":")[0].partition(".")[0]
    if port is not None or path is None or not user:
        return ""
    why = hindrance(path, user)
    return f"{why}, and RunAsUser makes sendmail connect as {user}: use --tcp PORT" if why else ""


def _built(mc: Path, text: bytes, folder: Path | None) -> bytes:
    """The sendmail.cf of a sendmail.mc, by m4(1). Raises SetupError."""
    m4 = shutil.which("m4")
    if m4 is None:
        raise SetupError("m4 is not installed, with which sendmail.cf is built")
    before: list[str] = []
    if not re.search(rb"^[^d#\n]*include\(`?[^)]*cf\.m4", text, re.MULTILINE):
        places = (folder,) if folder is not None else CF_FOLDERS
        found = next((one for one in places if (one / "m4/cf.m4").is_file()), None)
        if found is None:
            raise SetupError("sendmail's m4 files are missing; name their folder by --m4-folder")
        before = [f"-D_CF_DIR_={found}/", str(found / "m4/cf.m4")]
    with tempfile.NamedTemporaryFile(prefix="filterd-", suffix=".mc") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(
            [m4, *before, file.name],
            cwd=mc.parent,
            capture_output=True,
            check=False,
            timeout=M4_SECONDS,
        )
    if done.returncode or done.stderr:
        complaint = done.stderr.decode("utf-8", "replace").strip() or f"status {done.returncode}"
        raise SetupError(f"{mc}: m4: {complaint.replace(file.name, str(mc))}")
    return done.stdout


def _rules(text: bytes) -> list[str]:
    """The lines that count."""
    lines = text.decode("utf-8", "replace").splitlines()
    return [line for line in lines if not BUILT.match(line)]


def _port(cf: SendmailCf) -> int:
    return next((one.port for one in cf.daemons()), 25)
