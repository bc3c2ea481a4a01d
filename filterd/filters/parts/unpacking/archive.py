"""Archives of all formats, read by libarchive in a process of its own.

libarchive is C, and hostile archives have made it crash: so a child reads the archive and tells
what it finds through a pipe, and a crash costs no more than that archive. Only
formats and filters that libarchive reads itself are switched on: some others it reads by starting
programs. libarchive is loaded when the first archive comes by.

Records in the pipe: one octet that says what it is, four with the length, then the octets.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import lzma
import os
import resource
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filterd.filters.parts.unpacking import streams

BLOCK_SIZE = 64 << 10
"""Octets read at a time."""

MEMORY_LIMIT = 384 << 20
"""Octets that reading one archive may need: 7-Zip's largest dictionary as it comes is 256 MiB.
Below what a worker may have, so that the verdict is the same in the daemon and outside."""

NAME_LIMIT = 4096
"""Octets of a member's name that are passed on (PATH_MAX)."""

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

_FILTERS: dict[str, tuple[str, ...]] = {
    "gz": ("gzip",),
    "bz2": ("bzip2",),
    "xz": ("xz",),
    "zst": ("zstd",),
    "lz4": ("lz4",),
    "lzip": ("lzip",),
    "lzma": ("lzma",),
    "compress": ("compress",),
    "rpm": ("gzip", "bzip2", "xz", "lzma", "lz4", "zstd", "lzip", "compress", "rpm"),
}
"""libarchive's filters for a kind. A compressed file gets its own one only: with more, libarchive
takes what it unpacks to for compressed once more if it looks so (a Windows shortcut looks like
LZMA), and shows nothing of it. What is compressed twice is opened as a file in a file."""

_ENCRYPTION_WORDS = ("crypt", "passphrase", "password")
_MEMORY_WORDS = ("alloc", "memory")

_RECORD = struct.Struct("!cI")
_MEMBER = struct.Struct("!?qI")

_A_MEMBER, _BLOCK, _MEMBER_END, _END = b"M", b"B", b"E", b"Z"
_MEMBER_ENCRYPTED, _MEMBER_DAMAGED = b"x", b"d"
_ENCRYPTED, _DAMAGED, _TOO_SLOW, _TOO_LARGE, _CRASHED = b"X", b"D", b"T", b"L", b"C"

_PR_SET_PDEATHSIG = 1  # prctl(2)


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
    _records: Iterator[tuple[bytes, bytes]]
    _is_read: bool = False

    def blocks(self) -> Iterator[bytes]:
        """The content, piece by piece. Raises EncryptedError, DamagedError, TooSlowError,
        TooLargeError or CrashedError."""
        for kind, octets in self._records:
            if kind == _BLOCK:
                yield octets
                continue
            self._is_read = True
            if kind == _MEMBER_ENCRYPTED:
                raise EncryptedError(_text(octets))
            if kind in (_MEMBER_DAMAGED, _DAMAGED):
                raise DamagedError(_text(octets))
            if kind == _TOO_SLOW:
                raise TooSlowError
            if kind == _TOO_LARGE:
                raise MemberTooLargeError
            if kind == _CRASHED:
                raise CrashedError
            return

    def skip(self) -> None:
        """Pass over what was not read."""
        if not self._is_read:
            with contextlib.suppress(EncryptedError, DamagedError):
                for _ in self.blocks():
                    pass


def is_one_file(kind: str) -> bool:
    """True for a kind that is one file, compressed, and has no names of its own."""
    return kind not in _FORMATS


def entries(
    content: bytes, kind: str, passwords: Sequence[str] = (), seconds: int = 5
) -> Iterator[ArchiveEntry]:
    """The members of an archive.

    seconds: of CPU that reading may take. Raises EncryptedError, DamagedError, TooSlowError,
    TooLargeError or CrashedError, perhaps after some members.
    """
    import libarchive  # noqa: F401, PLC0415 loaded once, not in every child

    with _child(lambda write: _tell(content, kind, passwords, write), seconds) as child:
        records = _read_records(*child)
        for what, octets in records:
            if what == _A_MEMBER:
                is_file, size, length = _MEMBER.unpack_from(octets)
                begin = _MEMBER.size + length
                name, link = octets[_MEMBER.size : begin], octets[begin:]
                entry = ArchiveEntry(_text(name), is_file, size, _text(link), records)
                yield entry
                entry.skip()
            elif what == _ENCRYPTED:
                raise EncryptedError(_text(octets))
            elif what == _DAMAGED:
                raise DamagedError(_text(octets))
            elif what == _TOO_SLOW:
                raise TooSlowError
            elif what == _TOO_LARGE:
                raise MemberTooLargeError
            elif what == _CRASHED:
                raise CrashedError


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def _read_records(stream: BinaryIO, pid: int) -> Iterator[tuple[bytes, bytes]]:
    """What the child tells. A child that ends without saying so has crashed."""
    while True:
        head = stream.read(_RECORD.size)
        if len(head) < _RECORD.size:
            # Waited for without being reaped: `_child` does that.
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            slow = ended is not None and ended.si_status in (signal.SIGXCPU, signal.SIGALRM)
            yield (_TOO_SLOW if slow else _CRASHED), b""
            return
        kind, length = _RECORD.unpack(head)
        octets = stream.read(length)
        if kind == _END:
            return
        yield kind, octets


Write = Callable[[bytes, bytes], None]


@contextmanager
def _child(work: Callable[[Write], None], seconds: int) -> Iterator[tuple[BinaryIO, int]]:
    """Run `work` in a child; give the reading end of what it writes, and its process id."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            _confine(writing, seconds)
            with os.fdopen(writing, "wb") as stream:
                work(lambda kind, octets: _write(stream, kind, octets))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as stream:
            yield stream, pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _confine(keep: int, seconds: int) -> None:
    """Make this child harmless: no time or memory without end, no open files but one, no life of
    its own."""
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Twice the time by the clock: on a busy host the CPU's share comes slowly.
    signal.setitimer(signal.ITIMER_REAL, 2 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory()
    # What libc says when it aborts is not a line for the daemon's log.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.closerange(3, keep)
    os.closerange(keep + 1, 1024)


def _limit_memory() -> None:
    """Take no more than `MEMORY_LIMIT` above what is in use, nor than this process may have."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    wanted = pages * resource.getpagesize() + MEMORY_LIMIT
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or wanted < soft:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _write(stream: BinaryIO, kind: bytes, octets: bytes) -> None:
    stream.write(_RECORD.pack(kind, len(octets)) + octets)


def _tell(content: bytes, kind: str, passwords: Sequence[str], write: Write) -> None:
    """Read the archive and write what is in it, in the child."""
    import libarchive  # noqa: PLC0415
    from libarchive.read import ArchiveRead  # noqa: PLC0415

    if kind == "xz":
        _tell_xz(content, write)
        return
    if kind == "zst":
        content = content[: streams.end_of_zstd(content)]
    try:
        with _warnings() as warnings, _opened(content, kind, passwords) as opened:
            for entry in ArchiveRead(opened):
                warnings.clear()
                name = _octets(entry.pathname)
                link = _octets(entry.linkpath) if entry.issym or entry.islnk else b""
                size = -1 if entry.size is None else int(entry.size)
                # Some archives leave the type open, and hard links may have content of their own.
                is_file = not (entry.isdir or entry.issym)
                head = _MEMBER.pack(is_file, size, len(name))
                write(_A_MEMBER, head + name + link)
                try:
                    for block in _blocks(opened):
                        write(_BLOCK, block)
                except libarchive.ArchiveError as error:
                    if _has_word(error, _MEMORY_WORDS):
                        raise
                    encrypted = _has_word(error, _ENCRYPTION_WORDS)
                    write(_MEMBER_ENCRYPTED if encrypted else _MEMBER_DAMAGED, _reason(error))
                else:
                    warning = warnings[-1] if warnings else ""
                    write(_MEMBER_DAMAGED if warning else _MEMBER_END, warning.encode())
    except MemoryError:
        write(_TOO_LARGE, b"")
    except libarchive.ArchiveError as error:
        if _has_word(error, _MEMORY_WORDS):
            write(_TOO_LARGE, b"")
        else:
            write(_ENCRYPTED if _has_word(error, _ENCRYPTION_WORDS) else _DAMAGED, _reason(error))
    write(_END, b"")


def _blocks(opened: object) -> Iterator[bytes]:
    """The content of the member that the reader stands at, at most BLOCK_SIZE octets at a time;
    holes are zeros. Raises libarchive.ArchiveError.

    The last block before a wrong checksum comes together with the error. archive_read_data(3) would
    drop it, so that a small member would look empty.
    """
    from libarchive import ArchiveError, ffi  # noqa: PLC0415

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
    write(_A_MEMBER, _MEMBER.pack(True, -1, len(b"data")) + b"data")
    try:
        for block in streams.of_xz(content, BLOCK_SIZE, MEMORY_LIMIT):
            write(_BLOCK, block)
        write(_MEMBER_END, b"")
    except MemoryError:
        write(_TOO_LARGE, b"")
    except lzma.LZMAError as error:
        is_memory = _has_word(error, _MEMORY_WORDS)
        write(_TOO_LARGE if is_memory else _MEMBER_DAMAGED, str(error).encode())
    write(_END, b"")


def _octets(path: str | bytes | None) -> bytes:
    raw = path if isinstance(path, bytes) else (path or "").encode("utf-8", "replace")
    return raw[:NAME_LIMIT]


def _has_word(error: Exception, words: Sequence[str]) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)


def _reason(error: Exception) -> bytes:
    """libarchive's words without the numbers that its Python binding adds."""
    return str(error).split(" (errno=", 1)[0].encode("utf-8", "replace")


@contextmanager
def _opened(content: bytes, kind: str, passwords: Sequence[str]) -> Iterator[Any]:
    from libarchive import ffi  # noqa: PLC0415

    archive = ffi.read_new()
    try:
        for password in passwords:
            ffi.read_add_passphrase(archive, password.encode("utf-8", "replace"))
        for name in _FORMATS.get(kind, ("raw",)):
            ffi.get_read_format_function(name)(archive)
        if kind == "tar":
            # What follows the end of one tar file, some readers take for another.
            option = ffi.libarchive.archive_read_set_option
            option(ctypes.c_void_p(archive), b"tar", b"read_concatenated_archives", b"1")
        for name in _FILTERS.get(kind, ()):
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
