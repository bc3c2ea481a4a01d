"""Files that are still there after a power cut: written beside, synced, renamed, folder synced."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def make_folder(path: Path) -> None:
    """A private folder, and those above it."""
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def write_new(*files: tuple[Path, bytes]) -> None:
    """Write and sync files that must not exist yet. `sync_folder` makes their names durable.

    All are on their way before the first is waited for, so that the disk has to write the journal
    once for all of them.
    """
    with contextlib.ExitStack() as stack:
        descriptors = []
        for path, data in files:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(path, flags, PRIVATE_FILE)
            stack.callback(os.close, descriptor)
            descriptors.append(descriptor)
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if len(files) > 1:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        for descriptor in descriptors:
            os.fsync(descriptor)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
