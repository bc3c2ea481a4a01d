"""ClamAV's signatures as files: how old they are, and what freshclam last said.

For a clamd that refuses VERSION, for `clamscan`, and for the question whether freshclam works. A
database begins with a header of 512 octets: `ClamAV-VDB:time:version:signatures:...:seconds`.
Source: ClamAV's manual, "CVD files", and freshclam(1).
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HEADER_SIZE = 512
"""Octets of a database's header."""

FILES_LIMIT = 10_000
"""Files of a folder of signatures; a usual one has three to some dozens."""

SETTLE_SECONDS = 3900.0
"""How long after a change of the files it is certain that clamd has read them: it looks every
`SelfCheck` seconds, 3600 in Debian, and reading takes a minute or two."""

LOG_TAIL = 64 << 10
"""Octets of freshclam's log that are read, its newest ones: some hundred lines."""

_HEADER = re.compile(
    rb"ClamAV-VDB:[^:]{0,64}:(?P<version>\d{1,9}):(?:[^:]{0,64}:){5}(?P<seconds>\d{1,12})\s*"
)
_DAILY = ("daily.cld", "daily.cvd")


class SignatureFileError(Exception):
    """The folder of signatures cannot be read; the text names it."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """number: of the daily database, None where there is none. built: when the newest database of
    ClamAV's own was made, else when the newest file was written. tag: equal as long as the same
    files are there, empty while they are so new that clamd may not have read them."""

    number: int | None
    built: datetime | None
    tag: str


class Databases:
    """A folder of signatures, `DatabaseDirectory` of clamd.conf."""

    def __init__(self, folder: Path, settle: float = SETTLE_SECONDS) -> None:
        self._folder = folder
        self._settle = settle

    def read(self) -> DatabaseState:
        """What is there now. Raises DatabaseError."""
        try:
            with os.scandir(self._folder) as entries:
                found, written = [], 0.0
                for entry in entries:
                    if entry.is_file():
                        facts = entry.stat()
                        # Nobody can set ctime back, as rsync and cp -p do with mtime.
                        found.append((entry.name, facts.st_size, facts.st_ctime_ns, facts.st_ino))
                        written = max(written, facts.st_mtime)
                    if len(found) > FILES_LIMIT:
                        raise SignatureFileError(
                            f"{self._folder} has more than {FILES_LIMIT} files"
                        )
            changed = self._folder.stat().st_ctime_ns
        except OSError as error:
            raise SignatureFileError(f"{self._folder}: {error.strerror}") from error
        # freshclam's own notes are not signatures.
        found = sorted(one for one in found if one[0] not in ("freshclam.dat", "mirrors.dat"))
        if not found:
            return DatabaseState(None, None, "")
        newest = max(when for _name, _size, when, _inode in found)
        tag = hashlib.sha256(repr(found).encode()).hexdigest()[:32]
        if time.time_ns() - max(newest, changed) < self._settle * 1e9:
            tag = ""
        names = {name for name, *_ in found}
        number, built = None, datetime.fromtimestamp(written, UTC)
        for name in _DAILY:
            if name in names and (header := self._header(name)) is not None:
                number, built = header
                break
        return DatabaseState(number, built, tag)

    def _header(self, name: str) -> tuple[int, datetime] | None:
        try:
            with (self._folder / name).open("rb") as file:
                match = _HEADER.match(file.read(HEADER_SIZE))
        except OSError:
            return None
        if match is None:
            return None
        return int(match["version"]), datetime.fromtimestamp(int(match["seconds"]), UTC)


@dataclass(frozen=True, slots=True)
class UpdaterState:
    """What freshclam's log says of the last time that it looked. started: when, local time of the
    log taken as this host's; None if it never did. trouble: its first error then, empty if all went
    well."""

    started: datetime | None
    trouble: str = ""


_STARTED = re.compile(r"ClamAV update process started at (?P<when>[A-Z][\w: ]{10,40}\d{4})")
_TROUBLE = re.compile(
    r"(?:.{0,40} -> )?!?(?P<text>(?:ERROR|Update failed|Can't |WARNING: Can't ).*)"
)


def updater_state(log: Path) -> UpdaterState:
    """What freshclam's log says, the newest run counts. Raises DatabaseError if it cannot be
    read."""
    started, trouble = None, ""
    for line in _tail(log):
        if match := _STARTED.search(line):
            trouble = ""
            try:
                local = datetime.strptime(match["when"], "%a %b %d %H:%M:%S %Y")
                started = local.astimezone(UTC)
            except ValueError:
                continue
        elif not trouble and (match := _TROUBLE.match(line)):
            trouble = match["text"][:300]
    return UpdaterState(started, trouble)


def _tail(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - LOG_TAIL, 0))
            said = file.read(LOG_TAIL)
    except OSError as error:
        raise SignatureFileError(f"{path}: {error.strerror}") from error
    return iter(said.decode("utf-8", "replace").splitlines())
