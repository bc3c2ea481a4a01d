"""One message in a file: opened under the name that it has now, decompressed, without its `From `
line.

Mailboxes are in use while they are read, and a mail server may keep messages compressed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

from filterd.mailfiles import archives, mbox
from filterd.system.bounded import open_regular

MESSAGE_LIMIT = 256 << 20
"""Bytes of one message; what is larger is cut there."""

_PIECE = 1 << 20  # bytes read at a time from what is not a regular file


class CorpusError(Exception):
    """Mail that cannot be read. The text names the path, and what was expected."""


class SkippedError(CorpusError):
    """One message that is left out while others are read. reason: why, for counting."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


def read_all(file: IO[bytes]) -> bytes:
    """What comes up to MESSAGE_LIMIT, in pieces: reading with a limit takes that much memory at
    once, which a mail server's hook may not have."""
    pieces = []
    room = MESSAGE_LIMIT
    while room and (piece := file.read(min(room, _PIECE))):
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)


def reader(path: Path, name: str, *, listed: bool = False) -> Callable[[], bytes]:
    """Reads a message in a file of its own, decompressed if need be. listed: an index names it, so
    that it is an error if it is not there."""

    def read() -> bytes:
        with present(path, name, listed=listed) as file:
            if kind := archives.compression(file):
                try:
                    data = b"".join(archives.decompressed(file, kind, MESSAGE_LIMIT))
                except archives.CompressedError as error:
                    raise SkippedError(name, str(error)) from None
            else:
                data = read_all(file)
        return _single(data)

    return read


def _single(data: bytes) -> bytes:
    """A message in a file of its own. With a `From ` line it is an mbox of one message."""
    return mbox.unquoted(mbox.without_from_line(data)) if mbox.is_mbox(data) else data


def span_reader(path: Path, name: str, start: int, end: int) -> Callable[[], bytes]:
    """Reads one message of an mbox. start, end: octets in the file. name: for errors.

    What it returns raises SkippedError and CorpusError, as `present` does.
    """

    def read() -> bytes:
        with present(path, name) as file:
            file.seek(start)
            return mbox.unquoted(file.read(min(end - start, MESSAGE_LIMIT)))

    return read


_GONE = "removed before it was read"


def present(path: Path, name: str, *, listed: bool = False) -> BinaryIO:
    """Open a file, under its new name if it is a Maildir message whose flags changed.

    Maildir keeps flags in the name, behind `:2,` (https://cr.yp.to/proto/maildir.html), and a
    message moves from `new` to `cur` when it is first seen.
    Raises SkippedError for a file that is gone, CorpusError for one that cannot be read.
    """
    for _attempt in range(_RENAMES):
        try:
            return open_regular(path)
        except FileNotFoundError:
            renamed = _renamed(path)
            if renamed is None and listed:
                raise CorpusError(f"{name}: no such file") from None
            if renamed is None:
                raise SkippedError(name, _GONE) from None
            path = renamed
        except OSError as error:
            raise CorpusError(f"{name}: cannot be read ({error.strerror})") from None
    raise SkippedError(name, _GONE)


_RENAMES = 5
"""Times that a message is looked for again; its flags would have to change each time."""


def in_maildir(folder: Path) -> bool:
    """True for `cur` and `new` of a Maildir, which is a folder that has these two and `tmp`."""
    return folder.name in ("cur", "new") and all(
        (folder.parent / one).is_dir() for one in ("cur", "new", "tmp")
    )


def unique_path(path: Path) -> Path:
    """One path for a Maildir message, wherever it is moved and however its flags change: that in
    `cur` without flags."""
    unique = _UNIQUE.match(path.name)
    assert unique is not None  # it matches everything
    return path.parent.parent / "cur" / unique[0]


def _renamed(path: Path) -> Path | None:
    """A Maildir message under the name that it has now, None if it is not there any more."""
    if path.parent.name not in ("cur", "new"):
        return None
    unique = unique_path(path).name
    for folder in (path.parent, path.parent.parent / "cur"):
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == unique or entry.name.startswith(
                        (unique + ":", unique + ";", unique + "!")
                    ):
                        return Path(entry.path)
        except OSError:
            continue
    return None


_UNIQUE = re.compile(r"[^:;!]*")
"""The part of a Maildir name that stays. Where file names may have no colon, `;` or `!` is used."""
