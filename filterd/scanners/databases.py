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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filterd.scanners.answer import Scanner, Signatures
from filterd.scanners.decorator import ScannerDecorator
from filterd.system.bounded import open_regular

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
# The last of these is not ClamAV's but a site's own in its place, which clamd reports all the same.
_DAILY = ("daily.cld", "daily.cvd", "daily.cud")


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
        """What is there now. Raises SignatureFileError."""
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
        number, built = None, _moment(written)
        for name in _DAILY:
            if name in names and (header := self._header(name)) is not None:
                number, built = header
                break
        return DatabaseState(number, built, tag)

    def _header(self, name: str) -> tuple[int, datetime] | None:
        try:
            with open_regular(self._folder / name) as file:
                match = _HEADER.match(file.read(HEADER_SIZE))
        except OSError:
            return None
        if match is None or (built := _moment(int(match["seconds"]))) is None:
            return None
        return int(match["version"]), built


def _moment(seconds: float) -> datetime | None:
    """The time, None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def dated(told: Signatures, folder: Databases) -> Signatures:
    """What a scanner says of its signatures, with what the folder says besides. Where that cannot
    be read, nobody knows whether they are the same as before."""
    try:
        found = folder.read()
    except SignatureFileError:
        return replace(told, tag="")
    return replace(
        told,
        number=found.number if told.number is None else told.number,
        built=found.built if told.built is None else told.built,
        tag=f"{told.tag} {found.tag}" if found.tag else "",
    )


class Dated(ScannerDecorator):
    """A scanner with the folder of its signatures: their age, and whether they changed."""

    def __init__(self, scanner: Scanner, folder: Databases) -> None:
        super().__init__(scanner)
        self._folder = folder

    def signatures(self, deadline: float) -> Signatures:
        """What it says, with what the folder says besides. Raises ScannerError."""
        return dated(self.scanner.signatures(deadline), self._folder)


@dataclass(frozen=True, slots=True)
class UpdaterState:
    """What freshclam's log says of the last time that it looked. started: when, local time of the
    log taken as this host's; None if it never did. trouble: its first error then, empty if all went
    well. current: when it began the last time that it had the newest daily database at its end,
    None if it never had; number: of that database."""

    started: datetime | None
    trouble: str = ""
    current: datetime | None = None
    number: int | None = None

    @property
    def days(self) -> int | None:
        """Whole days since the newest daily database was there, None if it never was."""
        return None if self.current is None else max((datetime.now(UTC) - self.current).days, 0)


_STARTED = re.compile(r"ClamAV update process started at (?P<when>[A-Z][\w: ]{10,40}\d{4})")
_CURRENT = re.compile(
    r"daily\.c[lv]d (?:database is up[ -]to[ -]date|updated) \(version: (?P<number>\d{1,9})"
)
# "!" is how 0.103 marks an error. A warning is none: without DNS it goes on by HTTP, and says so.
_TROUBLE = re.compile(r"(?:.{0,40} -> )?(?:ERROR:|!) *(?P<text>.*)")


def updater_state(log: Path) -> UpdaterState:
    """What freshclam's log says, the newest run counts. Raises SignatureFileError if it cannot be
    read."""
    started, trouble, current, number = None, "", None, None
    for line in _tail(log):
        if match := _STARTED.search(line):
            trouble = ""
            try:
                local = datetime.strptime(match["when"], "%a %b %d %H:%M:%S %Y")
                started = local.astimezone(UTC)
            except (ValueError, OverflowError):
                continue
        elif match := _CURRENT.search(line):
            current, number = started, int(match["number"])
        elif not trouble and (match := _TROUBLE.match(line)):
            trouble = match["text"][:300]
    return UpdaterState(started, trouble, current, number)


def _tail(path: Path) -> Iterator[str]:
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - LOG_TAIL, 0))
            said = file.read(LOG_TAIL)
    except OSError as error:
        raise SignatureFileError(f"{path}: {error.strerror}") from error
    return iter(said.decode("utf-8", "replace").splitlines())
