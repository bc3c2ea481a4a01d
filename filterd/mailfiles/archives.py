"""Unpacking archives of mail (.tar, .tar.gz, .tar.xz, .tar.bz2, .zip, .gz, .xz, .bz2, .zst) into a
folder, and single files that a mail server compressed.

Only regular files are taken, under names that stay inside the folder, up to a total size: an
archive is as foreign as the mail in it.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import libarchive

UNPACKED_LIMIT = 16 << 30
"""Octets that an archive may unpack to; the largest public mail corpora have a third of it."""

_CHUNK = 1 << 20
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_SUFFIXES = (*_TAR_SUFFIXES, ".zip", ".gz", ".xz", ".bz2", ".zst")

MAGIC_LENGTH = 6  # bytes; as long as the longest of these
_MAGICS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
"""How compressed files begin: RFC 1952, 2.3.1; bzip2's manual; the .xz file format, 2.1.1.1;
RFC 8878, 3.1.1. Dovecot's zlib plugin compresses messages with these, under unchanged names."""


class CompressedError(OSError):
    """A compressed file that is damaged, cut short, or larger than its limit when unpacked."""


def is_archive(path: Path) -> bool:
    """Return True for a file whose name ends as an archive's."""
    return path.name.lower().endswith(_SUFFIXES)


def unpack(path: Path, folder: Path) -> None:
    """Unpack an archive into an existing empty folder.

    Raises CompressedError for one that is damaged, encrypted or packed in an unknown way, OSError.
    """
    try:
        _unpack(path, folder)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  (the modules raise whatever a wrong field leads to)
        raise CompressedError(str(error) or "damaged") from None


def _unpack(path: Path, folder: Path) -> None:
    name = path.name.lower()
    budget = [UNPACKED_LIMIT]
    if name.endswith(_TAR_SUFFIXES):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isreg() and (source := tar.extractfile(member)):
                    _copy(source, _target(folder, member.name), budget)
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    with archive.open(info) as source:
                        _copy(source, _target(folder, info.filename), budget)
    else:
        with path.open("rb") as file:
            target = _target(folder, path.stem)
            with target.open("wb") as unpacked:
                for chunk in decompressed(file, compression(file) or "", UNPACKED_LIMIT):
                    unpacked.write(chunk)


def compression(file: IO[bytes]) -> str | None:
    """How a file at its beginning is compressed: gzip, bzip2, xz or zstd; None if it is not."""
    head = file.read(MAGIC_LENGTH)
    file.seek(0)
    return next((name for magic, name in _MAGICS.items() if head.startswith(magic)), None)


def decompressed(file: IO[bytes], kind: str, limit: int) -> Iterator[bytes]:
    """Yield what a compressed file holds, in pieces.

    kind: as `compression` says. limit: bytes. Raises CompressedError for a damaged file, one that
    holds more than the limit, and one that is not compressed in a known way.
    """
    room = limit
    try:
        for piece in _pieces(file, kind):
            room -= len(piece)
            if room < 0:
                raise CompressedError(f"unpacks to more than {limit} bytes")
            yield piece
    except CompressedError:
        raise
    except libarchive.exception.ArchiveError as error:
        raise CompressedError(f"{kind} data is damaged ({error.msg})") from None
    except (lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise CompressedError(f"{kind} data is damaged ({error})") from None


def _pieces(file: IO[bytes], kind: str) -> Iterator[bytes]:
    if kind == "zstd":
        # Python reads zstd from 3.14 on only.
        with libarchive.stream_reader(file, "raw", "zstd") as archive:
            for entry in archive:
                yield from entry.get_blocks(_CHUNK)
        return
    if kind not in _OPENERS:
        raise CompressedError("expected gzip, bzip2, xz or zstd data")
    with _OPENERS[kind](file) as opened:
        while piece := opened.read(_CHUNK):
            yield piece


_OPENERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    "gzip": lambda file: cast(IO[bytes], gzip.open(file)),  # noqa: SIM115  # closed by its user
    "bzip2": bz2.open,
    "xz": lzma.open,
}


def _target(folder: Path, name: str) -> Path:
    target = (folder / name.lstrip("/")).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise OSError(f"member {name!r} would be outside of the archive's folder")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return target


def _copy(source: IO[bytes], target: Path, budget: list[int]) -> None:
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            budget[0] -= len(chunk)
            if budget[0] < 0:
                raise OSError(f"unpacks to more than {UNPACKED_LIMIT} octets")
            file.write(chunk)
