"""clamd.conf, as far as it says what clamd leaves unscanned. Source: clamd.conf(5) of 1.4."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from filterd.system.bounded import read_regular

PLACES = (
    Path("/etc/clamav/clamd.conf"),
    Path("/etc/clamd.d/scan.conf"),
    Path("/etc/clamd.conf"),
)
"""Where Debian, Fedora and ClamAV itself have it."""

SIZE_LIMIT = 1 << 20
"""Octets of the file."""

UNLIMITED = 1 << 62
"""What a limit of 0 stands for."""

_OPTION = re.compile(r"[ \t]*(?P<name>[A-Za-z0-9]{1,64})[ \t]+(?P<value>[^\r\n]{1,4096})")
_SIZE = re.compile(r"(?P<number>\d{1,15})(?P<unit>[KkMm]?)")


@dataclass(frozen=True, slots=True)
class ClamdConf:
    """socket: LocalSocket, empty for none. alerts: AlertExceedsMax, whether content beyond the
    limits has a name. file_size, scan_size, stream_size: MaxFileSize, MaxScanSize and
    StreamMaxLength in octets."""

    path: Path
    socket: str
    alerts: bool
    file_size: int
    scan_size: int
    stream_size: int

    @classmethod
    def read(cls, path: Path) -> ClamdConf:
        """Raises OSError."""
        text = read_regular(path, SIZE_LIMIT).decode("utf-8", "replace")
        found = {}
        for line in text.splitlines():
            match = _OPTION.match(line)
            if match is not None:
                found[match["name"]] = match["value"].strip().strip('"')
        return cls(
            path,
            found.get("LocalSocket", ""),
            found.get("AlertExceedsMax", "").lower() in ("yes", "true", "1"),
            _octets(found.get("MaxFileSize", ""), 100 << 20),
            _octets(found.get("MaxScanSize", ""), 400 << 20),
            _octets(found.get("StreamMaxLength", ""), 100 << 20),
        )


def conf_of(socket: str) -> ClamdConf | None:
    """The settings of the clamd that listens on this unix socket, None if they are not found."""
    for path in PLACES:
        try:
            conf = ClamdConf.read(path)
        except OSError:
            continue
        if conf.socket and os.path.realpath(conf.socket) == os.path.realpath(socket):
            return conf
    return None


def installed() -> ClamdConf | None:
    """The settings of the clamd that is installed on this host, running or not; None if there is
    none. Those of one that was removed stay behind, and do not count."""
    if (
        shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")
        is None
    ):
        return None
    for path in PLACES:
        try:
            conf = ClamdConf.read(path)
        except OSError:
            continue
        if conf.socket.startswith("/"):
            return conf
    return None


def _octets(text: str, usual: int) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        return usual
    unit = {"k": 1 << 10, "m": 1 << 20}.get(match["unit"].lower(), 1)
    return int(match["number"]) * unit or UNLIMITED
