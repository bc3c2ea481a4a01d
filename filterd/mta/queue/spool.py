"""The queue on disk: what the server has accepted, until it is delivered.

    SPOOL/queue/ID.msg   the message as it will be delivered, LF line ends
    SPOOL/queue/ID.json  envelope and state; a message exists once this file does
    SPOOL/hold/          the same two files of quarantined messages
    SPOOL/tmp/           files being written; emptied at start

`store` returns when both files and their names are synced: only then may the client hear 250.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from filterd.mta.mail.files import make_folder, sync_folder, write_new
from filterd.system.bounded import json_value

FORMAT = 1
"""Version of the envelope file."""


class SpoolError(Exception):
    """A queue file that cannot be read or is not there. The text names it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One recipient still to be served. parameters: its DSN parameters, RFC 3461.

    sender: who hears of trouble instead of the envelope's sender (`owner-` of a list), None for the
    envelope's. user: whose `.forward` named this address, and so whom a program runs as.
    """

    address: str
    parameters: tuple[str, ...] = ()
    sender: str | None = None
    user: str = ""
    listed: bool = False
    """It comes out of an alias or a `.forward` file, and so may be a program or a file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message in the queue. Times are seconds since the epoch.

    sender: `""` for the null reverse-path. targets: recipients not yet served. due: when the next
    attempt is. expires: when it goes back. held: why it is quarantined, None if it is not.
    """

    id: str
    sender: str
    targets: tuple[Target, ...]
    arrived: float = field(default_factory=time.time)
    due: float = 0.0
    expires: float = 0.0
    attempts: int = 0
    held: str | None = None
    sender_parameters: tuple[str, ...] = ()
    trouble: str = ""
    """Why the last attempt failed, one line."""

    last: bool = False
    """A report to the postmaster about a report: if it fails, nobody is told."""

    def encode(self) -> bytes:
        # asdict() copies deeply; this is on the way of every message.
        table = {name: getattr(self, name) for name in _ENTRY}
        table["targets"] = [{name: getattr(one, name) for name in _TARGET} for one in self.targets]
        return json.dumps({"format": FORMAT, **table}).encode("ascii")

    @classmethod
    def decode(cls, data: bytes) -> Entry:
        """Raises ValueError, KeyError or TypeError for what is no entry."""
        table: dict[str, Any] = json_value(data)
        if table.pop("format") != FORMAT:
            raise ValueError("not of a format that this version reads")
        targets = tuple(
            Target(
                one["address"],
                tuple(one["parameters"]),
                one["sender"],
                one["user"],
                one.get("listed") is True,
            )
            for one in table.pop("targets")
        )
        parameters = tuple(table.pop("sender_parameters"))
        return cls(**table, targets=targets, sender_parameters=parameters)


_ENTRY = tuple(one.name for one in fields(Entry))
_TARGET = tuple(one.name for one in fields(Target))


class Spool:
    """The queue below one folder. Every method does blocking I/O; none keeps state in memory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._queue, self._hold, self._tmp = root / "queue", root / "hold", root / "tmp"

    def prepare(self) -> None:
        """Make the folders, drop what a crash left half written. Raises OSError."""
        for folder in (self._queue, self._hold, self._tmp):
            make_folder(folder)
        for leftover in self._tmp.iterdir():
            leftover.unlink()
        for message in self._queue.glob("*.msg"):
            # A release that was cut off has moved the message and not yet its envelope.
            if (self._hold / message.name).with_suffix(".json").exists():
                if message.with_suffix(".json").exists():
                    (self._hold / message.name).with_suffix(".json").unlink()
                else:
                    message.rename(self._hold / message.name)
        for folder in (self._queue, self._hold):
            for message in folder.glob("*.msg"):
                if not message.with_suffix(".json").exists():
                    message.unlink()

    def store(self, entry: Entry, message: bytes) -> None:
        """Make a message durable. Raises OSError; then nothing of it is left."""
        folder = self._hold if entry.held is not None else self._queue
        data, envelope = self._tmp / f"{entry.id}.msg", self._tmp / f"{entry.id}.json"
        try:
            write_new((data, message), (envelope, entry.encode()))
            data.rename(folder / data.name)
            envelope.rename(folder / envelope.name)
            sync_folder(folder)
        except OSError:
            for path in (data, envelope, folder / data.name, folder / envelope.name):
                with contextlib.suppress(OSError):
                    path.unlink()
            raise

    def update(self, entry: Entry) -> None:
        """Replace the envelope of a message that stays where it is. Raises OSError."""
        folder = self._hold if entry.held is not None else self._queue
        new = self._tmp / f"{entry.id}.new"
        new.unlink(missing_ok=True)
        write_new((new, entry.encode()))
        new.rename(folder / f"{entry.id}.json")
        sync_folder(folder)

    def remove(self, entry: Entry) -> None:
        """Forget a message. After a crash it may come back once more: better twice than never."""
        folder = self._hold if entry.held is not None else self._queue
        (folder / f"{entry.id}.json").unlink(missing_ok=True)
        (folder / f"{entry.id}.msg").unlink(missing_ok=True)

    def message(self, entry: Entry) -> bytes:
        folder = self._hold if entry.held is not None else self._queue
        return (folder / f"{entry.id}.msg").read_bytes()

    def read(self, id: str) -> Entry | None:
        """A waiting message's envelope as it is now, None if it is gone. Raises SpoolError."""
        return self._read(self._queue / f"{id}.json")

    def entries(self) -> Iterator[Entry]:
        """Messages that wait for delivery, oldest first."""
        return self._read_all(self._queue)

    def held(self) -> Iterator[Entry]:
        """Quarantined messages, oldest first."""
        return self._read_all(self._hold)

    def find_held(self, id: str) -> Entry:
        """Raises SpoolError if no such message is held."""
        for entry in self.held():
            if entry.id == id:
                return entry
        raise SpoolError(f"no message {id} is held in {self._hold}")

    def release(self, entry: Entry) -> Entry:
        """Move a held message to the queue; a running server delivers it with its next look."""
        free = replace(entry, held=None, due=0.0)
        new = self._tmp / f"{entry.id}.new"
        new.unlink(missing_ok=True)
        write_new((new, free.encode()))
        (self._hold / f"{entry.id}.msg").rename(self._queue / f"{entry.id}.msg")
        new.rename(self._queue / f"{entry.id}.json")
        sync_folder(self._queue)
        (self._hold / f"{entry.id}.json").unlink()
        return free

    def _read_all(self, folder: Path) -> Iterator[Entry]:
        for path in sorted(folder.glob("*.json"), key=lambda path: path.name):
            entry = self._read(path)
            if entry is not None:
                yield entry

    def _read(self, path: Path) -> Entry | None:
        try:
            return Entry.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SpoolError(f"{path}: not a queue file: {error}") from None
