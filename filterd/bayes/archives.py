"""Unpacking archives of mail (.tar, .tar.gz, .tar.xz, .tar.bz2, .zip, .gz, .xz) into a folder.

Only regular files are taken, under names that stay inside the folder, up to a total size: an
archive is as foreign as the mail in it.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import IO, cast

UNPACKED_LIMIT = 16 << 30
"""Octets that an archive may unpack to; the largest public mail corpora have a third of it."""

_CHUNK = 1 << 20
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_SUFFIXES = (*_TAR_SUFFIXES, ".zip", ".gz", ".xz", ".bz2")


def is_archive(path: Path) -> bool:
    """Return True for a file whose name ends as an archive's."""
    return path.name.lower().endswith(_SUFFIXES)


def unpack(path: Path, folder: Path) -> None:
    """Unpack an archive into an existing empty folder.

    Raises OSError (also lzma's and bz2's errors), tarfile.TarError, zipfile.BadZipFile, zlib.error.
    """
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
        try:
            with _opened(path) as source:
                _copy(source, _target(folder, path.stem), budget)
        except lzma.LZMAError as error:
            raise OSError(str(error)) from error


def _opened(path: Path) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz":
            return cast(IO[bytes], gzip.open(path, "rb"))
        case ".xz":
            return lzma.open(path, "rb")
        case _:
            return bz2.open(path, "rb")


def _target(folder: Path, name: str) -> Path:
    target = (folder / name.lstrip("/")).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise OSError(f"member {name!r} would lie outside of the archive's folder")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return target


def _copy(source: IO[bytes], target: Path, budget: list[int]) -> None:
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            budget[0] -= len(chunk)
            if budget[0] < 0:
                raise OSError(f"unpacks to more than {UNPACKED_LIMIT} octets")
            file.write(chunk)
