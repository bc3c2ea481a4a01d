"""A file that people change while filterd runs, read again when it has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

FileStamp = tuple[int, int, int, int]
"""What tells one state of a file from another."""


def file_stamp(path: Path) -> FileStamp:
    """The state of a file. With ctime: one that could not be read is tried again when its rights
    have changed. Raises OSError."""
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


class WatchedFile:
    """A file that need not be there. Not for several threads at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: FileStamp | Literal["never"] | None = "never"

    def look(self) -> Literal["same", "changed", "gone"]:
        """What became of the file since the last look; each change is told once, also one that its
        reader makes nothing of: a mistake is not told again for every message. Raises OSError."""
        try:
            found = file_stamp(self.path)
        except FileNotFoundError:
            found = None
        if found == self._seen:
            return "same"
        self._seen = found
        return "gone" if found is None else "changed"
