"""Archives of all formats: their members, read by libarchive in a process of its own.

libarchive is loaded when the first archive comes by.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from filterd.filters.parts.unpacking.archive_child import (
    A_MEMBER,
    BLOCK,
    CRASHED,
    DAMAGED,
    ENCRYPTED,
    MEMBER,
    MEMBER_DAMAGED,
    MEMBER_ENCRYPTED,
    TOO_LARGE,
    TOO_SLOW,
    ReadingTime,
    Record,
    Write,
    reading,
)


class EncryptedError(Exception):
    """The archive or the member cannot be read without a password."""


class DamagedError(Exception):
    """The archive breaks off or contradicts itself. The text says how, as libarchive puts it."""


class TooSlowError(Exception):
    """The archive takes more time to read than it is given."""


class CrashedError(Exception):
    """The process that read the archive ended before it was done: nobody knows what is inside."""


class MemberTooLargeError(Exception):
    """The archive takes more memory to read than it is given."""


@dataclass
class ArchiveEntry:
    """One member while the reader stands at it. size: octets as the archive says, -1 if unknown.
    link: where it points if it is a link."""

    name: str
    is_file: bool
    size: int
    link: str
    _records: Iterator[Record]
    _is_read: bool = False

    def blocks(self) -> Iterator[bytes]:
        """The content, piece by piece. Raises EncryptedError, DamagedError, TooSlowError,
        MemberTooLargeError or CrashedError."""
        for kind, octets in self._records:
            if kind == BLOCK:
                yield octets
                continue
            self._is_read = True
            if kind == MEMBER_ENCRYPTED:
                raise EncryptedError(_text(octets))
            if kind in (MEMBER_DAMAGED, DAMAGED):
                raise DamagedError(_text(octets))
            if kind == TOO_SLOW:
                raise TooSlowError
            if kind == TOO_LARGE:
                raise MemberTooLargeError
            if kind == CRASHED:
                raise CrashedError
            return

    def skip(self) -> None:
        """Pass over what was not read."""
        if not self._is_read:
            with contextlib.suppress(EncryptedError, DamagedError):
                for _ in self.blocks():
                    pass


def entries(
    content: bytes,
    kind: str,
    passwords: Sequence[str] = (),
    seconds: int = 5,
    time: ReadingTime | None = None,
) -> Iterator[ArchiveEntry]:
    """The members of an archive.

    passwords: words that may be one, likeliest first. seconds: of CPU that reading may take. time:
    where they are counted.
    Raises EncryptedError, DamagedError, TooSlowError, MemberTooLargeError or CrashedError, perhaps
    after some members.
    """
    # In this process, so that not every child loads it.
    from filterd.filters.parts.unpacking import archive_reader  # noqa: PLC0415  (loads libarchive)

    def tell(write: Write) -> None:
        archive_reader.tell(content, kind, passwords, write)

    with reading(tell, seconds, time) as records:
        for what, octets in records:
            if what == A_MEMBER:
                is_file, size, length = MEMBER.unpack_from(octets)
                begin = MEMBER.size + length
                name, link = octets[MEMBER.size : begin], octets[begin:]
                entry = ArchiveEntry(_text(name), is_file, size, _text(link), records)
                yield entry
                entry.skip()
            elif what == ENCRYPTED:
                raise EncryptedError(_text(octets))
            elif what == DAMAGED:
                raise DamagedError(_text(octets))
            elif what == TOO_SLOW:
                raise TooSlowError
            elif what == TOO_LARGE:
                raise MemberTooLargeError
            elif what == CRASHED:
                raise CrashedError


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")
