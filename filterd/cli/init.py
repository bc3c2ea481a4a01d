"""`filterd init`: settings to begin with, for a service or for a trial, and the MTA's lines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from filterd.cli.common import Exit, fail
from filterd.config.load import Settings, load
from filterd.config.mta_lines import postfix_lines, sendmail_line
from filterd.config.sample import sample
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.ops.scanners import LocalClamd, local_clamd
from filterd.rules.files import stock
from filterd.system import layout, paths, privileges
from filterd.system.display import size


def init(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="for a trial: created if it does not exist"),
    ] = None,
    system: Annotated[
        bool,
        typer.Option(
            "--system",
            help="for a service: user, folders and /etc/filterd/filterd.toml; repairs their owners",
        ),
    ] = False,
) -> int:
    """Write commented settings to begin with.

    With --system they are the service's, /etc/filterd/filterd.toml, with its user and folders; what
    exists already is kept, and gets the right owner and mode. With DIR they are for a private
    trial: DIR/filterd.toml, and all that filterd writes is below DIR.
    """
    if system == (folder is not None):
        fail("expected either --system, for a service, or DIR, for a private trial", Exit.USAGE)
    return _system() if folder is None else _trial(folder)


def _system() -> int:
    if os.geteuid() != privileges.ROOT:
        fail("only root can do that: sudo filterd init --system", Exit.NO_PERMISSION)
    try:
        _make_user()
        done = layout.create()
        is_new = _write(paths.SYSTEM_CONFIG, _chosen_for_service())
        if (user := layout.service_user()) is not None:
            os.chown(paths.SYSTEM_CONFIG, -1, user.pw_gid)
    except layout.LayoutError as error:
        fail(str(error), Exit.CANNOT_CREATE)
    except OSError as error:
        fail(f"{error.filename}: cannot be written ({error.strerror})", Exit.CANNOT_CREATE)
    for line in done:
        sys.stdout.write(f"{line}\n")
    path = paths.SYSTEM_CONFIG
    sys.stdout.write(f"wrote {path}\n" if is_new else f"{path} is kept as it is\n")
    _tell_of_clamd(load(path))
    sys.stdout.write(
        "\nStart the service: systemctl enable --now filterd\n"
        "Attach the MTA:    filterd setup postfix --apply, or filterd setup sendmail --apply\n"
        "                   (without --apply it only shows what changes)\n"
    )
    return Exit.OK


def _make_user() -> None:
    """The service's user, as the package makes it. Raises LayoutError."""
    if layout.service_user() is not None:
        return
    for program, arguments, text in (
        ("systemd-sysusers", ["-"], layout.sysusers()),
        ("useradd", ["--system", "--user-group", f"--home-dir={layout.HOME}", layout.USER], ""),
    ):
        found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if found is None:
            continue
        done = subprocess.run(
            [found, *arguments], input=text, text=True, capture_output=True, check=False
        )
        if done.returncode == 0 and layout.service_user() is not None:
            return
        raise layout.LayoutError(f"user {layout.USER}: {program}: {done.stderr.strip()}")
    raise layout.LayoutError(f"there is no user {layout.USER}, and no systemd-sysusers or useradd")


def _chosen_for_service() -> dict[str, Mapping[str, Any]]:
    return {
        "daemon": {"socket": layout.SOCKET, "spool": layout.BODIES},
        "quarantine": {"folder": layout.QUARANTINE},
        "filters.bayes": {"models": layout.MODELS},
        "filters.senders": {"file": layout.HOME / "senders.list"},
        **_release_service(),
        **_chain(local_clamd()),
    }


def _release_service() -> dict[str, Mapping[str, Any]]:
    """The pages ask the service for releases, where its unit is installed."""
    if any((folder / layout.RELEASE_UNIT).exists() for folder in layout.UNITS):
        return {"web": {"release_socket": layout.RELEASE_SOCKET}}
    return {}


def _trial(folder: Path) -> int:
    root = folder.resolve()
    path = folder / "filterd.toml"
    privileges.act_as_owner([root])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("run", "spool", "quarantine", "models", "rules"):
            (root / name).mkdir(mode=0o700 if name != "run" else 0o750, exist_ok=True)
        is_new = _write(
            path,
            {
                "daemon": {
                    "socket": f"unix:{root}/run/filterd.sock",
                    "spool": root / "spool",
                },
                "quarantine": {"folder": root / "quarantine"},
                "filters.bayes": {"models": root / "models"},
                "filters.rules": {"cache": root / "rules"},
                "filters.senders": {"file": root / "senders.list"},
                **_chain(local_clamd()),
            },
        )
    except OSError as error:
        fail(f"{path}: cannot be written ({error.strerror})", Exit.CANNOT_CREATE)
    if not is_new:
        fail(f"{path} is already there; remove it first or name another folder", Exit.CANNOT_CREATE)
    written = load(path)
    sys.stdout.write(
        f"wrote {path}, for a private trial: all is below {root}.\n"
        "A service has its own user and folders: filterd init --system\n"
    )
    _tell_of_clamd(written)
    if stock():
        sys.stdout.write(
            "SpamAssassin's rules are installed; to use them, add rules to [chain] filters\n"
        )
    sys.stdout.write(mta_lines(written))
    sys.stdout.write(f"\nStart the daemon with: filterd run --config {path}\n")
    return Exit.OK


def _write(path: Path, chosen: Mapping[str, Mapping[str, Any]]) -> bool:
    """Write new settings; False if there are some. Raises OSError."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, layout.CONFIG_MODE)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        # Whatever the umask is: the service's group has to read it.
        os.fchmod(handle, layout.CONFIG_MODE)
        file.write(sample(chosen))
    return True


def _chain(clamd: LocalClamd | None) -> dict[str, Mapping[str, Any]]:
    """The chain, with clamav if a clamd answers, and what that clamd takes."""
    answers = clamd is not None and clamd.answers
    names = ["senders", "gtube", "parts", *(["clamav"] if answers else []), "bayes"]
    chosen: dict[str, Mapping[str, Any]] = {"chain": {"filters": names}}
    if clamd is not None:
        chosen["filters.clamav"] = {"server": f"unix:{clamd.socket}"}
        if clamd.size < ClamAVSettings().size_limit:
            chosen["filters.clamav"] = {**chosen["filters.clamav"], "size_limit": clamd.size}
    return chosen


def _tell_of_clamd(settings: Settings) -> None:
    """Say what the chain does about viruses."""
    if settings.in_chain(ClamAVSettings):
        limit = size(settings.of_filter(ClamAVSettings).size_limit)
        sys.stdout.write(f"clamav is in [chain] filters, for messages up to {limit}\n")
        return
    clamd = local_clamd()
    if clamd is None:
        text = "clamd is not installed here, so [chain] filters has no clamav; add it with clamd"
    elif clamd.answers:
        text = "clamd answers, and [chain] filters has no clamav; add it, then filterd reload"
    else:
        text = (
            f"clamd is installed and does not answer at {clamd.socket}, so [chain] filters has no "
            "clamav; start clamd, add it, then filterd reload. status and doctor warn until then"
        )
    sys.stdout.write(f"{text}\n")


def mta_lines(settings: Settings) -> str:
    """The lines for sendmail.mc and main.cf that fit the settings, for people."""
    lines = "\n".join(f"  {name} = {value}" for name, value in postfix_lines(settings).items())
    return (
        "\nsendmail: add to sendmail.mc above the first MAILER(), then rebuild sendmail.cf and "
        f"restart\n\n  {sendmail_line(settings)}\n"
        f"\nPostfix: add to main.cf, then reload\n\n{lines}\n"
    )
