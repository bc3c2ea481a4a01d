"""`filterd init DIR`: a settings file to begin with, and the MTA's lines that fit it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from filterd.cli.common import Exit, fail
from filterd.config.load import Settings, load
from filterd.config.sample import sample
from filterd.system import privileges

FILE_MODE = 0o640
"""The daemon's group may read the settings; they can name a database with its password."""

CLAMD_SOCKETS = (Path("/run/clamav/clamd.ctl"), Path("/var/run/clamd.scan/clamd.sock"))
"""Where Debian's and Red Hat's clamd listens."""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="created if it does not exist")],
) -> int:
    """Write a commented DIR/filterd.toml; everything that filterd writes will be below DIR."""
    path = folder / "filterd.toml"
    root = folder.resolve()
    privileges.act_as_owner([root])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("run", "spool", "quarantine", "models"):
            (root / name).mkdir(mode=0o700 if name != "run" else 0o750, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        fail(f"{path} is already there; remove it first or name another folder", Exit.CANNOT_CREATE)
    except OSError as error:
        fail(f"{path}: cannot be written ({error.strerror})", Exit.CANNOT_CREATE)
    clamd = next((socket for socket in CLAMD_SOCKETS if socket.exists()), None)
    names = ["senders", "gtube", "parts", *(["clamav"] if clamd else []), "bayes"]
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(
            sample(
                {
                    "daemon": {
                        "socket": f"unix:{root}/run/filterd.sock",
                        "spool": root / "spool",
                    },
                    "chain": {"filters": names},
                    "quarantine": {"folder": root / "quarantine"},
                    "filters.bayes": {"models": root / "models"},
                    "filters.senders": {"file": root / "senders.list"},
                    **({"filters.clamav": {"server": f"unix:{clamd}"}} if clamd else {}),
                }
            )
        )
    written = load(path)
    sys.stdout.write(f"wrote {path}\n")
    if not clamd:
        sys.stdout.write(
            "clamd is not running here, so [chain] filters has no clamav; add it once clamd runs\n"
        )
    sys.stdout.write(mta_lines(written))
    sys.stdout.write(f"\nStart the daemon with: filterd run --config {path}\n")
    return Exit.OK


def mta_lines(settings: Settings) -> str:
    """The lines for sendmail.mc and main.cf that fit the settings."""
    content = int(settings.chain.timeout + settings.workers.grace) + 30
    reading = max(10, int(settings.daemon.progress_interval * 4))
    return (
        "\nsendmail: add to sendmail.mc, then rebuild sendmail.cf and restart\n\n"
        f"  INPUT_MAIL_FILTER(`filterd', `S={settings.daemon.socket}, F=T, "
        f"T=C:30s;S:10s;R:{reading}s;E:{content}s')dnl\n"
        "\nPostfix: add to main.cf, then reload\n\n"
        f"  smtpd_milters = {postfix_socket(settings.daemon.socket)}\n"
        f"  milter_default_action = tempfail\n"
        f"  milter_content_timeout = {content}s\n"
    )


def postfix_socket(socket: str) -> str:
    """The socket as Postfix writes it: `inet:port@host` is its `inet:host:port`."""
    kind, _, rest = socket.partition(":")
    if kind in ("inet", "inet6"):
        port, _, host = rest.partition("@")
        return f"inet:{f'[{host}]' if ':' in host else host or '127.0.0.1'}:{port}"
    return f"unix:{rest}"
