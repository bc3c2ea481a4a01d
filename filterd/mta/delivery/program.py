"""Delivery to a program, as an M line says: the message is its standard input, its exit status the
result. Source: sendmail 8.17 `deliver.c`, `sysexits.h`; flags from `cf/README`.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from filterd.mta.delivery.lines import limited
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.mail.header import take_return_path

TIMEOUT = 600.0
"""Seconds for a delivery program; after that it is killed, and the mail deferred."""

SAFE_PATH = "/usr/local/bin:/usr/bin:/bin"

TEXT_LIMIT = 200
"""Characters of a program's output that are kept."""

# sysexits.h → (temporary, enhanced status code, text), as sendmail's SysExMsg has them.
STATUSES: dict[int, tuple[bool, str, str]] = {
    64: (False, "5.5.4", "Command line usage error"),
    65: (False, "5.6.0", "Data format error"),
    66: (False, "5.3.0", "Cannot open input"),
    67: (False, "5.1.1", "User unknown"),
    68: (False, "5.1.2", "Host unknown"),
    69: (False, "5.0.0", "Service unavailable"),
    70: (False, "5.3.0", "Internal error"),
    71: (True, "4.0.0", "Operating system error"),
    72: (False, "5.3.5", "System file missing"),
    73: (False, "5.0.0", "Can't create output"),
    74: (True, "4.0.0", "I/O error"),
    75: (True, "4.0.0", "Deferred"),
    76: (False, "5.5.0", "Remote protocol error"),
    77: (False, "5.0.0", "Insufficient permission"),
    78: (False, "5.3.5", "Local configuration error"),
}


@dataclass(frozen=True, slots=True)
class DeliveryProgram:
    """A delivery program. path: P=; words: its arguments, the name in front.

    uid, gid: the user it runs as, None for the MTA's own. folder: where it runs. environment: more
    variables.
    """

    path: str
    words: tuple[str, ...]
    uid: int | None = None
    gid: int | None = None
    folder: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, message: bytes, user: str = "") -> str:
        """Give it a message. user: whose `.forward` named it. Raises DeliveryError."""
        options = self._options(user)
        try:
            done = subprocess.run(  # type: ignore[call-overload]
                self.words,
                input=message,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
                **options,
            )
        except subprocess.TimeoutExpired:
            raise DeliveryError(
                f"{self.path}: timeout after {TIMEOUT:g} s", temporary=True, code="4.4.7"
            ) from None
        except (OSError, ValueError) as error:
            raise self._not_started(error) from None
        if done.returncode:
            raise _failure(self.path, done.returncode, done.stdout + done.stderr)
        return os.path.basename(self.path)  # noqa: PTH119  # a name for the log, no path

    def start(self, peer: socket.socket, user: str = "") -> subprocess.Popen[bytes]:
        """Start it with a socket for its input and output. user: as for `run`. Raises
        DeliveryError."""
        try:
            return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
                self.words,
                stdin=peer,
                stdout=peer,
                stderr=subprocess.DEVNULL,
                **self._options(user),
            )
        except (OSError, ValueError) as error:
            raise self._not_started(error) from None

    def _options(self, user: str) -> dict[str, object]:
        """How the process runs. Raises DeliveryError."""
        if not self.words:
            raise DeliveryError("mailer without arguments", temporary=True, code="4.3.5")
        environment = {"PATH": SAFE_PATH, "AGENT": "sendmail", **self.environment}
        options: dict[str, object] = {
            "executable": self.path,
            "env": environment,
            "cwd": self.folder,
        }
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        if user:
            options |= _as_user(user, environment)
        return options

    def _not_started(self, error: OSError | ValueError) -> DeliveryError:
        """ValueError: a NUL in a word."""
        words = getattr(error, "strerror", None) or str(error)
        return DeliveryError(f"{self.path}: {words}", temporary=True, code="4.3.5")


def _as_user(name: str, environment: dict[str, str]) -> dict[str, object]:
    """Run as the user whose `.forward` named the program, with HOME and USER set."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise DeliveryError(
            f"user {name} no longer exists", temporary=False, code="5.1.1"
        ) from None
    environment.update(HOME=user.pw_dir, USER=name, LOGNAME=name)
    if os.geteuid() != 0:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def prepared(message: bytes, sender: str, flags: str, line_limit: int = 0) -> bytes:
    """The message as the mailer's flags ask for: Return-Path (P), From_ line (no n), >From (E).

    line_limit: octets of a line, 0 for none.
    """
    # sendmail's $g of the null reverse-path.
    envelope = (sender or "MAILER-DAEMON").encode("ascii", "surrogateescape")
    given, data = take_return_path(message)
    data = limited(data, line_limit)
    if "E" in flags:
        # After the lines were cut: the mark does not count.
        data = re.sub(rb"^From ", b">From ", data, flags=re.MULTILINE)
    if "P" in flags:
        path = b"Return-Path: <" + envelope + b">\n" if given is None else given
        data = limited(path, line_limit) + data
    if "n" not in flags:
        stamp = time.asctime(time.gmtime()).encode()
        data = limited(b"From " + envelope + b" " + stamp + b"\n", line_limit) + data
    return data


def _failure(path: str, status: int, output: bytes) -> DeliveryError:
    text_line = output.decode("utf-8", "replace").strip().split("\n")[0][:TEXT_LIMIT]
    if status < 0:
        return DeliveryError(f"{path} was killed by signal {-status}", temporary=True, code="4.3.0")
    temporary, code, text = STATUSES.get(status, (False, "5.3.0", f"unknown mailer error {status}"))
    return DeliveryError(
        f"{text}: {text_line}" if text_line else text, temporary=temporary, code=code
    )
