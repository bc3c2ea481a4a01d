"""The messages of one file or stream: one, or those of an mbox; compressed or not."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from filterd.mailfiles import archives, mbox
from filterd.mailfiles.mail_file import (
    MESSAGE_LIMIT,
    SkippedError,
    present,
    read_all,
    reader,
    span_reader,
)

SPOOL_LIMIT = archives.UNPACKED_LIMIT
"""Bytes of an mbox from standard input, or of a compressed one, that are kept in a temporary
file."""

_PIECE = 1 << 20  # bytes read at a time from what is not a regular file

Label = bool
"""True for spam, False for ham."""


@dataclass(frozen=True, slots=True)
class MailItem:
    """One message that has been found and not yet read. name: for people, unique in its source.

    read: returns its bytes. Raises SkippedError for one that is gone, CorpusError.
    """

    label: Label | None
    name: str
    read: Callable[[], bytes]


def in_file(path: Path, label: Label | None, name: str, stack: ExitStack) -> Iterator[MailItem]:
    """One file: a message, or an mbox, which may have many. Raises SkippedError, CorpusError."""
    with present(path, name) as file:
        kind = archives.compression(file)
        if kind is None and not mbox.is_mbox(file.read(5)):
            yield MailItem(label, name, reader(path, name))
            return
        file.seek(0)
        if kind is None:
            for part, start, end in _parts(file, name):
                yield MailItem(label, part, span_reader(path, name, start, end))
            return
        if mbox.is_mbox(_first(file, kind)):
            unpacked = _temporary(stack)
            _unpack(file, kind, name, unpacked)
            yield from in_file(unpacked, label, name, stack)
            return
    yield MailItem(label, name, reader(path, name))


def _parts(file: BinaryIO, name: str) -> list[tuple[str, int, int]]:
    """The messages of an mbox: name, start and end of each. The name of a single one is the
    file's."""
    found = list(mbox.spans(file))
    if len(found) == 1:
        return [(name, *found[0])]
    return [(f"{name}#{number}", *span) for number, span in enumerate(found, 1)]


def _first(file: BinaryIO, kind: str) -> bytes:
    """The first bytes of what a compressed file holds, none if it is damaged there."""
    try:
        return next(archives.decompressed(file, kind, MESSAGE_LIMIT), b"")
    except archives.CompressedError:
        return b""
    finally:
        file.seek(0)


def _temporary(stack: ExitStack) -> Path:
    """The name of a temporary file that is deleted when the stack is closed."""
    folder = tempfile.TemporaryDirectory(prefix="filterd-corpus-")
    return Path(stack.enter_context(folder)) / "mbox"


def _unpack(file: BinaryIO, kind: str, name: str, target: Path) -> None:
    try:
        with target.open("wb") as unpacked:
            for piece in archives.decompressed(file, kind, SPOOL_LIMIT):
                unpacked.write(piece)
    except archives.CompressedError as error:
        raise SkippedError(name, str(error)) from None


def in_stream(
    name: str, file: IO[bytes], label: Label | None, stack: ExitStack
) -> Iterator[MailItem]:
    """What comes from a pipe: one message, or an mbox, compressed or not."""
    first = file.read(_PIECE)
    if not mbox.is_mbox(first) and archives.compression(io.BytesIO(first)) is None:
        data = first + read_all(file) if len(first) == _PIECE else first
        yield MailItem(label, name, lambda: data)
        return
    spooled = _temporary(stack)
    room = SPOOL_LIMIT
    with spooled.open("wb") as target:
        piece = first
        while piece:
            target.write(piece)
            room -= len(piece)
            piece = file.read(min(_PIECE, room))
    yield from in_file(spooled, label, name, stack)
