"""What is in an archive, as libarchive reads it and writes it to a pipe. Runs in a child."""

from __future__ import annotations

import ctypes
import logging
import lzma
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any, Self

from libarchive import ArchiveError, ffi
from libarchive.read import ArchiveRead

from filterd.filters.parts.unpacking import archive_child, streams
from filterd.filters.parts.unpacking.archive_child import (
    A_MEMBER,
    BLOCK,
    DAMAGED,
    ENCRYPTED,
    END,
    MEMBER,
    MEMBER_DAMAGED,
    MEMBER_ENCRYPTED,
    MEMBER_END,
    TOO_LARGE,
    Record,
    Write,
)
from filterd.filters.parts.unpacking.archive_formats import DECRYPTED, FILTERS, FORMATS

BLOCK_SIZE = 64 << 10
"""Octets read at a time."""

NAME_LIMIT = 4096
"""Octets of a member's name that are passed on (PATH_MAX)."""

CHECKED_LIMIT = 16 << 20
"""Octets of a member that are held back until its checksum has confirmed the password. More is
passed on unchecked: compressed content breaks off long before if the password is wrong, and what
was stored as it is ends as damaged."""

TRYING_SECONDS = 2.0
"""CPU seconds in which words are tried as passwords of one archive. To derive a key from a word
(WinZip's AES: PBKDF2, 1000 rounds) takes about a millisecond."""

_ENCRYPTION_WORDS = ("crypt", "passphrase", "password")
_MEMORY_WORDS = ("alloc", "memory")


def tell(content: bytes, kind: str, passwords: Sequence[str], write: Write) -> None:
    """Read the archive and write what is in it. passwords: words that may be one, likeliest first;
    each member may have another."""
    if kind == "xz":
        _tell_xz(content, write)
        return
    if kind == "zst":
        content = content[: streams.end_of_zstd(content)]
    words = passwords if kind in DECRYPTED else ()
    try:
        with (
            _warnings() as warnings,
            _opened(content, kind) as opened,
            _Words(content, kind, words, warnings) as tried,
        ):
            for index, entry in enumerate(ArchiveRead(opened)):
                warnings.clear()
                name = _octets(entry.pathname)
                link = _octets(entry.linkpath) if entry.issym or entry.islnk else b""
                size = -1 if entry.size is None else int(entry.size)
                # Some archives leave the type open, and hard links may have content of their own.
                is_file = not (entry.isdir or entry.issym)
                write(A_MEMBER, MEMBER.pack(is_file, size, len(name)) + name + link)
                write(*_tell_content(opened, index, tried, warnings, write))
    except MemoryError:
        write(TOO_LARGE, b"")
    except ArchiveError as error:
        if _has_word(error, _MEMORY_WORDS):
            write(TOO_LARGE, b"")
        else:
            write(ENCRYPTED if _has_word(error, _ENCRYPTION_WORDS) else DAMAGED, _reason(error))
    write(END, b"")


def _tell_content(
    opened: object, index: int, tried: _Words, warnings: list[str], write: Write
) -> Record:
    """Write the content of the member that the reader stands at; return the record that ends it."""
    try:
        for block in _blocks(opened):
            write(BLOCK, block)
    except ArchiveError as error:
        if _has_word(error, _MEMORY_WORDS):
            raise
        if not _has_word(error, _ENCRYPTION_WORDS):
            return MEMBER_DAMAGED, _reason(error)
        try:
            is_read = tried.tell(index, write)
        except ArchiveError as later:
            return MEMBER_DAMAGED, _reason(later)
        if not is_read:
            return MEMBER_ENCRYPTED, _reason(error)
    return (MEMBER_DAMAGED, warnings[-1].encode()) if warnings else (MEMBER_END, b"")


class _Words:
    """Words that are tried as passwords, each alone.

    If libarchive had them all, it would take the first that passes the archive's own check, which
    in ZIP's traditional encryption is one octet (APPNOTE.TXT 6.1.6): one wrong word in 256 does.
    So a word counts only if the whole member can be read with it and has the right checksum.
    """

    def __init__(
        self, content: bytes, kind: str, words: Sequence[str], warnings: list[str]
    ) -> None:
        self._content = content
        self._kind = kind
        self._words = list(words)
        self._warnings = warnings
        # With the word that was right the last time: where it stands, and the reader.
        self._next = 0
        self._reader: Iterator[object] | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def tell(self, index: int, write: Write) -> bool:
        """Write the content of the member at that place, from 0; False if no word opens it.

        Raises ArchiveError if it breaks off behind CHECKED_LIMIT.
        """
        for word in [*self._words]:
            if time.process_time() > TRYING_SECONDS:
                return False
            if self._reader is None or word != self._words[0]:
                self._open.close()
                self._reader = self._members(word)
                self._next = 0
            if self._fits(index, write):
                self._words.remove(word)
                self._words.insert(0, word)
                return True
            self._reader = None
        return False

    def _members(self, word: str) -> Iterator[object]:
        """The opened archive, once at each of its members."""
        opened = self._open.enter_context(_opened(self._content, self._kind, word))
        return (opened for _entry in ArchiveRead(opened))

    def _fits(self, index: int, write: Write) -> bool:
        assert self._reader is not None
        held: list[bytes] | None = []
        size = 0
        try:
            opened = next(islice(self._reader, index - self._next, None))
            self._next = index + 1
            self._warnings.clear()
            for block in _blocks(opened):
                size += len(block)
                if held is None:
                    write(BLOCK, block)
                    continue
                held.append(block)
                if size > CHECKED_LIMIT:
                    _write_all(held, write)
                    held = None
        except (ArchiveError, StopIteration):
            if held is None:
                raise
            return False
        # Of a wrong checksum libarchive only warns where all octets were there.
        if self._warnings and held is not None:
            return False
        _write_all(held or [], write)
        return True


def _write_all(blocks: Sequence[bytes], write: Write) -> None:
    for block in blocks:
        write(BLOCK, block)


def _blocks(opened: object) -> Iterator[bytes]:
    """The content of the member that the reader stands at, at most BLOCK_SIZE octets at a time;
    holes are zeros. Raises ArchiveError.

    The last block before a wrong checksum comes together with the error. archive_read_data(3) would
    drop it, so that a small member would look empty.
    """
    position = 0
    while True:
        start, size, offset = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_longlong()
        failure: ArchiveError | None = None
        try:
            if ffi.read_data_block(opened, start, size, offset) == ffi.ARCHIVE_EOF:
                return
        except ArchiveError as error:
            if error.retcode <= ffi.ARCHIVE_FATAL:
                raise
            failure = error
        if start.value:
            for hole in range(position, offset.value, BLOCK_SIZE):
                yield bytes(min(BLOCK_SIZE, offset.value - hole))
            for done in range(0, size.value, BLOCK_SIZE):
                yield ctypes.string_at(start.value + done, min(BLOCK_SIZE, size.value - done))
            position = max(position, offset.value) + size.value
        if failure:
            raise failure


def _tell_xz(content: bytes, write: Write) -> None:
    write(A_MEMBER, MEMBER.pack(True, -1, len(b"data")) + b"data")
    try:
        for block in streams.of_xz(content, BLOCK_SIZE, archive_child.MEMORY_LIMIT):
            write(BLOCK, block)
        write(MEMBER_END, b"")
    except MemoryError:
        write(TOO_LARGE, b"")
    except lzma.LZMAError as error:
        is_memory = _has_word(error, _MEMORY_WORDS)
        write(TOO_LARGE if is_memory else MEMBER_DAMAGED, str(error).encode())
    write(END, b"")


def _octets(path: str | bytes | None) -> bytes:
    raw = path if isinstance(path, bytes) else (path or "").encode("utf-8", "replace")
    return raw[:NAME_LIMIT]


def _has_word(error: Exception, words: Sequence[str]) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)


def _reason(error: Exception) -> bytes:
    """libarchive's words without the numbers that its Python binding adds."""
    words = str(error).split(" (errno=", 1)[0]
    # For some errors it has none.
    return (words if words not in ("", "None") else "it cannot be read").encode("utf-8", "replace")


@contextmanager
def _opened(content: bytes, kind: str, password: str = "") -> Iterator[Any]:
    """The archive, opened by libarchive. Raises ArchiveError."""
    archive = ffi.read_new()
    try:
        if password:
            ffi.read_add_passphrase(archive, password.encode("utf-8", "replace"))
        for name in FORMATS.get(kind, ("raw",)):
            ffi.get_read_format_function(name)(archive)
        if kind == "tar":
            # What follows the end of one tar file, some readers take for another.
            option = ffi.libarchive.archive_read_set_option
            option(ctypes.c_void_p(archive), b"tar", b"read_concatenated_archives", b"1")
        for name in FILTERS.get(kind, ()):
            ffi.get_read_filter_function(name)(archive)
        start = ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p)
        ffi.read_open_memory(archive, start, len(content))
        yield archive
    finally:
        ffi.read_free(archive)


class _Collector(logging.Handler):
    """Keeps what libarchive warns of; its Python binding only logs that (a wrong checksum, say)."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self._texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        self._texts.append(record.getMessage())


@contextmanager
def _warnings() -> Iterator[list[str]]:
    logger = logging.getLogger("libarchive")
    logger.propagate = False
    texts: list[str] = []
    logger.addHandler(_Collector(texts))
    yield texts
