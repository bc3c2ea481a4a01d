"""Files that survive a crash and a power cut: written, synced, renamed, and the folder synced.

Everything in filterd that has to be on disk before somebody hears of it goes through this module.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from mmap import mmap
from pathlib import Path

from filterd.system import privileges

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def write_atomically(
    path: Path,
    chunks: Iterable[bytes | memoryview | mmap],
    mode: int = PRIVATE_FILE,
    *,
    synced: bool = True,
    owner: tuple[int, int] | None = None,
    check: Callable[[], object] | None = None,
) -> None:
    """Write a file in a way that leaves the old one or the new one, whatever happens; it and its
    name are on disk when this returns. Written by root, it belongs to the owner of the store.

    synced: False for what nobody was promised; a power cut may then leave an empty file. owner:
    uid and gid of the new file where it has to keep them, -1 for one that it need not. check:
    called right before the new file takes the place of the old one, which stays if it raises.
    Raises OSError.
    """
    with privileges.writing_in(path.parent) as user:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                if user is not None:
                    os.fchown(descriptor, user.uid, user.gid)
                if owner is not None:
                    os.fchown(descriptor, *owner)
                file.writelines(chunks)
                file.flush()
                if synced:
                    os.fsync(descriptor)
            if check is not None:
                check()
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if synced:
            sync_folder(path.parent)


def write_new(*files: tuple[Path, bytes]) -> None:
    """Write and sync files that must not exist yet. `rename` makes their names durable.

    All are on their way before the first is waited for, so that the disk has to write its journal
    once for all of them. Raises OSError.
    """
    with contextlib.ExitStack() as stack:
        descriptors = []
        for path, data in files:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(path, flags, PRIVATE_FILE)
            stack.callback(os.close, descriptor)
            descriptors.append(descriptor)
            _write_all(descriptor, data)
            if len(files) > 1:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        for descriptor in descriptors:
            os.fsync(descriptor)


def write_once(path: Path, data: bytes) -> None:
    """Write a file if there is none. Of two processes that do so at once, one's content is there
    for both. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    write_new((temporary, data))
    try:
        # A link does not replace what is there.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
    sync_folder(path.parent)


def append(descriptor: int, data: bytes) -> None:
    """Add data at the end of a file that the caller has open for writing and has locked, and sync
    it; on an error the file is as long as before. Raises OSError."""
    before = os.lseek(descriptor, 0, os.SEEK_END)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def rename(*pairs: tuple[Path, Path]) -> None:
    """Rename finished files (old, new) in this order, replacing what is there; the new names are on
    disk when this returns. Raises OSError."""
    for old, new in pairs:
        old.replace(new)
    for folder in {new.parent for _, new in pairs}:
        sync_folder(folder)


def move_in_place(written: Path, path: Path) -> None:
    """Give a file that another program wrote its name, replacing what is there; both are on disk
    when this returns. The program must have closed it. Raises OSError."""
    descriptor = os.open(written, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    rename((written, path))


def make_folder(folder: Path, mode: int = PRIVATE_FOLDER) -> None:
    """Make a folder, and those above it, where they are missing; their names are on disk when this
    returns. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent, mode)
        folder.mkdir(mode, exist_ok=True)
        sync_folder(folder.parent)


def create_file(path: Path, mode: int = PRIVATE_FILE) -> None:
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
        make_folder(folder)
        create_file(name := path.with_name(f".{path.name}.lock"))
        lock = os.open(name, os.O_RDWR)
        if user is not None:
            os.fchown(lock, user.uid, user.gid)
            if is_new:
                os.chown(folder, user.uid, user.gid)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
