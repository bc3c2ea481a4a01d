"""Archives of all formats, read by libarchive, one member after the other.

Only formats and filters that libarchive reads itself are switched on: some others it reads by
starting programs. libarchive is loaded when the first archive comes by.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import c_char_p, c_void_p, cast
from dataclasses import dataclass
from typing import Any

BLOCK_SIZE = 64 << 10
"""Octets read at a time."""

_FORMATS: dict[str, tuple[str, ...]] = {
    "zip": ("zip",),
    "7z": ("7zip",),
    "rar": ("rar", "rar5"),
    "tar": ("tar",),
    "cpio": ("cpio",),
    "ar": ("ar",),
    "cab": ("cab",),
    "iso": ("iso9660",),
    "lha": ("lha",),
    "xar": ("xar",),
    "rpm": ("cpio",),
}
"""libarchive's formats for a kind. All others are one compressed file, whatever is in it: given
the choice, libarchive takes a file of zeros for an empty tar and shows nothing."""

_FILTERS = ("gzip", "bzip2", "xz", "lzma", "lz4", "zstd", "lzip", "compress", "rpm")

_ENCRYPTION_WORDS = ("crypt", "passphrase", "password")


class EncryptedError(Exception):
    """The archive or the member cannot be read without a password."""


class DamagedError(Exception):
    """The archive breaks off or contradicts itself. The text says how, as libarchive puts it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member while the reader stands at it. size: octets as the archive says, -1 if unknown."""

    name: str
    is_file: bool
    size: int
    _entry: Any
    _warnings: list[str]

    def blocks(self) -> Iterator[bytes]:
        """The content, piece by piece. Raises EncryptedError or DamagedError."""
        import libarchive  # noqa: PLC0415 loaded when needed

        try:
            yield from self._entry.get_blocks(BLOCK_SIZE)
            if self._warnings:
                raise DamagedError(self._warnings.pop())
        except libarchive.ArchiveError as error:
            raise _translated(error) from error


def entries(content: bytes, kind: str, passwords: Sequence[str] = ()) -> Iterator[Entry]:
    """The members of an archive. Raises EncryptedError or DamagedError, perhaps after some."""
    import libarchive  # noqa: PLC0415 loaded when needed

    try:
        with _opened(content, kind, passwords) as reader, _warnings() as warnings:
            for entry in reader:
                warnings.clear()
                yield _entry(entry, warnings)
    except libarchive.ArchiveError as error:
        raise _translated(error) from error


def _entry(entry: Any, warnings: list[str]) -> Entry:
    name = entry.pathname
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    size = entry.size
    return Entry(name or "", bool(entry.isfile), -1 if size is None else int(size), entry, warnings)


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
    collector = _Collector(texts)
    logger.addHandler(collector)
    try:
        yield texts
    finally:
        logger.removeHandler(collector)


@contextmanager
def _opened(content: bytes, kind: str, passwords: Sequence[str]) -> Iterator[Any]:
    from libarchive import ffi  # noqa: PLC0415 loaded when needed
    from libarchive.read import ArchiveRead  # noqa: PLC0415

    archive = ffi.read_new()
    try:
        for password in passwords:
            ffi.read_add_passphrase(archive, password.encode("utf-8", "replace"))
        for name in _FORMATS.get(kind, ("raw",)):
            ffi.get_read_format_function(name)(archive)
        if kind == "rpm" or kind not in _FORMATS:
            for name in _FILTERS:
                ffi.get_read_filter_function(name)(archive)
        ffi.read_open_memory(archive, cast(c_char_p(content), c_void_p), len(content))
        yield ArchiveRead(archive)
    finally:
        ffi.read_free(archive)


def is_one_file(kind: str) -> bool:
    """True for a kind that is one file, compressed, and has no names of its own."""
    return kind not in _FORMATS


def _translated(error: Exception) -> Exception:
    text = str(error)
    if any(word in text.lower() for word in _ENCRYPTION_WORDS):
        return EncryptedError(text)
    return DamagedError(text)
