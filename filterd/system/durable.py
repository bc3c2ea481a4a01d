"""Small files that are replaced as a whole, so that a crash leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from filterd.system import privileges


def write_atomically(path: Path, chunks: Iterable[bytes], mode: int = 0o600) -> None:
    """Write a file in a way that leaves the old one or the new one, whatever happens; it and its
    name are on disk when this returns. Written by root, it belongs to the owner of the store.

    Raises OSError.
    """
    with privileges.writing_in(path.parent) as user:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                if user is not None:
                    os.fchown(descriptor, user.uid, user.gid)
                file.writelines(chunks)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def create_file(path: Path, mode: int = 0o600) -> None:
    """Make an empty file if there is none, without opening it. Raises OSError.

    For files that must not be opened and closed by hand, as those of SQLite. Made by root, it is
    the folder's owner's, who has to write to it later.
    """
    with contextlib.suppress(FileExistsError):
        os.mknod(path, stat.S_IFREG | mode)
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)


def sync_folder(folder: Path) -> None:
    """Make names in the folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let nobody else who asks for this change the file meanwhile; its folder is made (0700) where
    there is none. Raises OSError."""
    folder = path.parent
    with privileges.writing_in(folder) as user:
        is_new = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        if user is not None:
            os.fchown(lock, user.uid, user.gid)
            if is_new:
                os.chown(folder, user.uid, user.gid)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
