"""A log file that grows and is rotated: each line is read once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from filterd.maillog.lines import LINE_LIMIT
from filterd.system.bounded import open_regular

READ_LIMIT = 32 << 20
"""Octets that are read at a time, the newest ones: some 150,000 lines, about half a second."""

_MARK = 64
"""Octets before the place where reading ended; where others stand there, the file is a new one."""

_ROTATED = re.compile(r"\.[01]|-[0-9]{8}(?:-[0-9]{1,10})?")
"""The end of a rotated file's name (logrotate(8), also with `dateext`); older and compressed ones
are not read."""


class LogFile:
    """One file. `new_lines` gives what was written since the last call, the first time the end of
    the file and of the one that it was rotated to.

    A file that was renamed is read to its end. One that was cut (logrotate's `copytruncate`) is
    read from its beginning; what was written between the last call and the cut is lost.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inode: tuple[int, int] | None = None
        self._begin()

    def _begin(self) -> None:
        self._place, self._mark = 0, b""
        self._is_within_line = False

    def new_lines(self) -> Iterator[bytes]:
        """Whole lines, oldest first, `READ_LIMIT` octets at most. Raises OSError."""
        with open_regular(self.path) as file:
            status = _status(file)
            if self._inode != status:
                yield from self._before(READ_LIMIT)
                self._begin()
                self._inode = status
            elif not self._continues(file):
                self._begin()
            yield from self._rest(file, READ_LIMIT)

    def _before(self, limit: int) -> Iterator[bytes]:
        """The lines of the file that has the older ones: its rest, or where none was read yet its
        end. It is gone already, or may not be read: then there are none."""
        for path in self._rotated():
            try:
                with open_regular(path) as file:
                    if self._inode is None:
                        yield from self._rest(file, limit // 2)
                        return
                    if _status(file) == self._inode:
                        yield from self._rest(file, limit // 2)
                        return
            except OSError:
                continue

    def _rotated(self) -> list[Path]:
        """The files that this one was rotated to, the newest first."""
        name = self.path.name
        found = []
        try:
            for path in self.path.parent.iterdir():
                if path.name.startswith(name) and _ROTATED.fullmatch(path.name, len(name)):
                    found.append((path.stat().st_mtime, path))
        except OSError:
            return []
        return [path for _, path in sorted(found, reverse=True)]

    def _continues(self, file: BinaryIO) -> bool:
        """True if the file still has before the place what was read there."""
        file.seek(self._place - len(self._mark))
        return file.read(len(self._mark)) == self._mark

    def _rest(self, file: BinaryIO, limit: int) -> Iterator[bytes]:
        """The lines behind the place; it is moved behind the last whole one."""
        end = file.seek(0, 2)
        is_skipping = self._is_within_line or end - self._place > limit
        place = file.seek(max(self._place, end - limit))
        while line := file.readline(LINE_LIMIT):
            if not line.endswith(b"\n"):
                if len(line) < LINE_LIMIT:
                    # Somebody is writing it.
                    break
                is_skipping = True
                place += len(line)
                continue
            place += len(line)
            if not is_skipping:
                yield line
            is_skipping = False
        self._place, self._is_within_line = place, is_skipping
        file.seek(max(place - _MARK, 0))
        self._mark = file.read(place - file.tell())


def _status(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino
