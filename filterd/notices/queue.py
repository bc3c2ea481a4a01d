"""What waits to be sent: a file for each notice, on disk before anybody relies on it.

A file's name begins with the time of the next try, so that a look at the folder says what is due.
An item is the same under its id however often it is added. The folder holds at most `QUEUE_LIMIT`.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from filterd.config.load import Settings
from filterd.system.bounded import json_value, read_regular
from filterd.system.durable import make_folder, write_atomically

QUEUE_LIMIT = 2000
"""Notices that may wait; what comes on top is dropped and counted."""

ITEM_LIMIT = 1 << 20
"""Octets of a file."""

AGE_LIMIT = 86400.0
"""Seconds after which a notice is given up: news of yesterday help nobody."""

_NAME = re.compile(r"([0-9]{1,12})\.([0-9a-f]{32})\.json")


@dataclass(frozen=True, slots=True)
class QueuedNotice:
    """One notice for one target.

    channel: how it goes. target: an address, or the URL of a webhook. id: names it. kind: of its
    events. events: how many. made: seconds since 1970. body: the message, or the JSON text, ASCII.
    tries: how often it was tried.
    """

    channel: Literal["mail", "webhook"]
    target: str
    id: str
    kind: str
    events: int
    made: float
    body: str
    tries: int = 0


class NoticeQueue:
    """The folder. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, settings: Settings) -> NoticeQueue:
        """The queue of a site."""
        return cls(settings.quarantine.folder / "notices")

    def __len__(self) -> int:
        return sum(1 for _ in self._names())

    def add(self, item: QueuedNotice, due: float) -> bool:
        """Keep an item until it is sent; False if the queue is full. An item that is queued already
        stays as it is."""
        make_folder(self.folder)
        there = {id for _, id, _ in self._names()}
        if item.id in there:
            return True
        if len(there) >= QUEUE_LIMIT:
            return False
        self._write(item, due)
        return True

    def due(self, now: float) -> Iterator[tuple[Path, QueuedNotice]]:
        """What is to be tried now, the longest due first. A file that cannot be read is removed:
        nobody can ever send it."""
        for due, _, path in sorted(self._names()):
            # A time that is far ahead was made by a clock that was wrong.
            if now < due <= now + AGE_LIMIT:
                continue
            try:
                item = _item(read_regular(path, ITEM_LIMIT))
            except FileNotFoundError:
                continue
            except (OSError, ValueError):
                path.unlink(missing_ok=True)
                continue
            yield path, item

    def everything(self) -> list[tuple[float, QueuedNotice]]:
        """All that waits, with the time of the next try; what cannot be read is left out."""
        found = []
        for due, _, path in sorted(self._names()):
            try:
                found.append((float(due), _item(read_regular(path, ITEM_LIMIT))))
            except (OSError, ValueError):
                continue
        return found

    def put_off(self, path: Path, item: QueuedNotice, due: float) -> None:
        """Try an item again later."""
        self._write(item, due)
        if path != self._path(item, due):
            path.unlink(missing_ok=True)

    def remove(self, path: Path) -> None:
        """The item is done."""
        path.unlink(missing_ok=True)

    @contextmanager
    def sending(self) -> Iterator[bool]:
        """True while this process alone sends; False if another one does."""
        make_folder(self.folder)
        lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            yield False
            return
        try:
            yield True
        finally:
            os.close(lock)

    def _names(self) -> Iterator[tuple[int, str, Path]]:
        if not self.folder.is_dir():
            return
        seen = set()
        # The later of two is the one that was written last before a crash.
        for name in sorted(os.listdir(self.folder), reverse=True):  # noqa: PTH208
            found = _NAME.fullmatch(name)
            if found and found[2] not in seen:
                seen.add(found[2])
                yield int(found[1]), found[2], self.folder / name
            elif found:
                (self.folder / name).unlink(missing_ok=True)

    def _path(self, item: QueuedNotice, due: float) -> Path:
        return self.folder / f"{int(due):012d}.{item.id}.json"

    def _write(self, item: QueuedNotice, due: float) -> None:
        text = json.dumps(asdict(item)).encode("ascii")
        write_atomically(self._path(item, due), [text])


def _item(data: bytes) -> QueuedNotice:
    """The item of a file. Raises ValueError."""
    value = json_value(data)
    try:
        item = QueuedNotice(**value)
    except TypeError:
        raise ValueError("expected a notice") from None
    texts = (item.target, item.id, item.kind, item.body)
    numbers = (item.events, item.made, item.tries)
    if (
        item.channel not in ("mail", "webhook")
        or not all(isinstance(one, str) for one in texts)
        or not all(type(one) in (int, float) for one in numbers)
    ):
        raise ValueError("expected a notice")
    return item
