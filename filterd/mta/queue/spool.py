"""The queue on disk: what the server has accepted, until it is delivered.

    SPOOL/queue/ID.msg   the message as it will be delivered, LF line ends
    SPOOL/queue/ID.json  envelope and state; a message exists once this file does
    SPOOL/hold/          the same two files of quarantined messages
    SPOOL/tmp/           files being written; emptied at start
    SPOOL/lock           locked (flock) by the server that delivers

`store` returns when both files and their names are synced: only then may the client hear 250.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from filterd.mta.mail.entry import QueueEntry
from filterd.system.durable import PRIVATE_FILE, make_folder, rename, write_new


class SpoolError(Exception):
    """A queue file cannot be read or does not exist. The text names it."""


Complain = Callable[[SpoolError], None]


class Spool:
    """The queue in one folder. Every method does blocking I/O; there is no state in memory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._queue, self._hold, self._tmp = root / "queue", root / "hold", root / "tmp"

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Be the only server that delivers from it, with the queue prepared. Raises OSError."""
        make_folder(self.root)
        path = self.root / "lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OSError(
                    errno.EWOULDBLOCK, "another server delivers from this spool", str(self.root)
                ) from None
            self.prepare()
            yield
        finally:
            os.close(lock)

    def prepare(self) -> None:
        """Make the folders and remove what a crash left half written. Raises OSError."""
        for folder in (self._queue, self._hold, self._tmp):
            make_folder(folder)
        for leftover in self._tmp.iterdir():
            leftover.unlink()
        for message in self._queue.glob("*.msg"):
            # A release that was interrupted has moved the message but not its envelope.
            if (self._hold / message.name).with_suffix(".json").exists():
                if message.with_suffix(".json").exists():
                    (self._hold / message.name).with_suffix(".json").unlink()
                else:
                    rename((message, self._hold / message.name))
        for folder in (self._queue, self._hold):
            for message in folder.glob("*.msg"):
                if not message.with_suffix(".json").exists():
                    message.unlink()

    def store(self, entry: QueueEntry, message: bytes) -> None:
        """Make a message durable. After an OSError nothing of it is left."""
        folder = self._hold if entry.held is not None else self._queue
        for place in (self._queue, self._hold):
            if (place / f"{entry.id}.json").exists():
                # A rename would replace it, and another message would be lost.
                raise FileExistsError(errno.EEXIST, "there is a message of that id", entry.id)
        data, envelope = self._tmp / f"{entry.id}.msg", self._tmp / f"{entry.id}.json"
        try:
            write_new((data, message), (envelope, entry.encode()))
            rename((data, folder / data.name), (envelope, folder / envelope.name))
        except OSError:
            for path in (data, envelope, folder / data.name, folder / envelope.name):
                with contextlib.suppress(OSError):
                    path.unlink()
            raise

    def update(self, entry: QueueEntry) -> None:
        """Replace the envelope of a message. Raises OSError."""
        folder = self._hold if entry.held is not None else self._queue
        new = self._tmp / f"{entry.id}.new"
        new.unlink(missing_ok=True)
        write_new((new, entry.encode()))
        rename((new, folder / f"{entry.id}.json"))

    def remove(self, entry: QueueEntry) -> None:
        """Remove a message. A crash may bring it back: delivered twice is better than never."""
        folder = self._hold if entry.held is not None else self._queue
        (folder / f"{entry.id}.json").unlink(missing_ok=True)
        (folder / f"{entry.id}.msg").unlink(missing_ok=True)

    def message(self, entry: QueueEntry) -> bytes:
        """The bytes of a message, LF line ends. Raises OSError."""
        folder = self._hold if entry.held is not None else self._queue
        return (folder / f"{entry.id}.msg").read_bytes()

    def read(self, id: str) -> QueueEntry | None:
        """The current envelope of a queued message, None if it is gone. Raises SpoolError."""
        return self._read(self._queue / f"{id}.json")

    def entries(self, complain: Complain | None = None) -> Iterator[QueueEntry]:
        """Messages to be delivered, oldest first. complain: is told of files that cannot be read;
        without it they raise SpoolError."""
        return self._read_all(self._queue, complain)

    def held(self) -> Iterator[QueueEntry]:
        """Quarantined messages, oldest first."""
        return self._read_all(self._hold)

    def find_held(self, id: str) -> QueueEntry:
        """Raises SpoolError if no such message is held."""
        for entry in self.held():
            if entry.id == id:
                return entry
        raise SpoolError(f"no message {id} is held in {self._hold}")

    def release(self, entry: QueueEntry) -> QueueEntry:
        """Move a held message to the queue; a running server delivers it at its next scan."""
        free = replace(entry, held=None, due=0.0)
        new = self._tmp / f"{entry.id}.new"
        new.unlink(missing_ok=True)
        write_new((new, free.encode()))
        rename(
            (self._hold / f"{entry.id}.msg", self._queue / f"{entry.id}.msg"),
            (new, self._queue / f"{entry.id}.json"),
        )
        (self._hold / f"{entry.id}.json").unlink()
        return free

    def _read_all(self, folder: Path, complain: Complain | None = None) -> Iterator[QueueEntry]:
        for path in sorted(folder.glob("*.json"), key=lambda path: path.name):
            try:
                entry = self._read(path)
            except SpoolError as error:
                if complain is None:
                    raise
                complain(error)
                continue
            if entry is not None:
                yield entry

    def _read(self, path: Path) -> QueueEntry | None:
        try:
            return QueueEntry.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SpoolError(f"{path}: not a queue file: {error}") from None
