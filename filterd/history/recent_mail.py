"""Copies of the mail of the last hours, delivered mail among it, so that what the history tells of
can be looked at and learned.

A copy is one file below a folder for its hour, compressed, then encrypted (AES-256 in GCM, NIST
SP 800-38D) with a key that is in a file elsewhere: a disk or a backup without that file gives
nobody's mail away. The id is authenticated with it, so a copy cannot pass for another one. Nothing
here keeps mail waiting: what cannot be written is a copy less.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from filterd.chain.report import ScanReport
from filterd.history.settings import HistorySettings
from filterd.message import Message
from filterd.quarantine.entry import Entry, EntryError, NewEntry, describe
from filterd.quarantine.files import DESCRIPTION_LIMIT, RECENT_MAIL, checked_id
from filterd.system.bounded import read_regular
from filterd.system.durable import make_folder, write_atomically, write_once

log = logging.getLogger(__name__)

KEY_SIZE = 32
"""Octets of a key of AES-256."""

MAGIC = b"filterd recent mail 1\n"
"""Begins each file."""

_NONCE_SIZE = 12  # NIST SP 800-38D, 5.2.1.1
_LENGTH_SIZE = 4

_HOUR = re.compile(r"[0-9]{10}")
_SUFFIX = ".copy"

_FULL = "full"
"""A file of this name says that there is no room: nothing is kept until the next look at it."""


class NoCopyError(LookupError):
    """There is no copy of that message, or none that can be read; the text says which."""


def load_key(path: Path, *, make: bool = False) -> bytes:
    """The key in that file. make: also where there is none. Raises OSError."""
    if make and not path.exists():
        make_folder(path.parent)
        write_once(path, secrets.token_bytes(KEY_SIZE))
    key = read_regular(path, 1 << 10)
    if len(key) != KEY_SIZE:
        raise OSError(0, f"the key of recent mail has {len(key)} bytes, expected {KEY_SIZE}")
    return key


class RecentMail:
    """The copies of one host. folder: of the quarantine. clock: seconds since 1970."""

    def __init__(
        self, folder: Path, settings: HistorySettings, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder = folder / RECENT_MAIL
        self._settings = settings
        self._clock = clock
        self._key = b""
        self._trouble = False

    @property
    def is_on(self) -> bool:
        """True if copies are made."""
        return self._settings.mail_hours > 0

    def keep(self, message: Message, report: ScanReport) -> bool:
        """Make a copy; False if there is none, because of the message's size or of trouble, which
        the log tells once. Raises nothing that disk or message cause. Not synced: nothing was
        promised."""
        if not self.is_on or len(message.data) > self._settings.mail_message_megabytes << 20:
            return False
        if (self.folder / _FULL).exists():
            return False
        now = self._clock()
        received = datetime.fromtimestamp(now, UTC)
        try:
            entry = describe(NewEntry(report, message.data, message.envelope, (), received))
            description = entry.encode(indent=None)
            head = len(description).to_bytes(_LENGTH_SIZE, "big")
            sealed = self._sealed(message.id, b"".join((head, description, message.data)))
            hour = self.folder / _name(now)
            make_folder(hour)
            write_atomically(hour / f"{checked_id(message.id)}{_SUFFIX}", sealed, synced=False)
        except (OSError, ValueError) as error:
            if not self._trouble:
                log.warning("no copies of recent mail are made: %s", error)
            self._trouble = True
            return False
        self._trouble = False
        return True

    def _sealed(self, id: str, content: bytes) -> tuple[bytes, ...]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  (seldom on)

        nonce = os.urandom(_NONCE_SIZE)
        packed = zlib.compress(content, 1)
        return MAGIC, nonce, AESGCM(self._load(make=True)).encrypt(nonce, packed, id.encode())

    def _load(self, *, make: bool = False) -> bytes:
        assert self._settings.mail_key is not None  # the settings demand it
        self._key = self._key or load_key(self._settings.mail_key, make=make)
        return self._key

    def until(self, entry: Entry) -> float:
        """When the copy of a message goes at the latest, in seconds since 1970."""
        hour = entry.received.replace(minute=0, second=0, microsecond=0).timestamp()
        return hour + 3600 + self._settings.mail_hours * 3600

    def get(self, id: str) -> tuple[Entry, bytes]:
        """What is known of a message, and its exact bytes. Raises NoCopyError, and ValueError for
        what is not an id."""
        path = self._find(id) if self.is_on else None
        if path is None:
            raise NoCopyError(f"there is no copy of {id}")
        try:
            content = self._opened(id, read_regular(path, self._limit))
            length = int.from_bytes(content[:_LENGTH_SIZE], "big")
            entry = Entry.decode(content[_LENGTH_SIZE : _LENGTH_SIZE + length])
        except (OSError, EntryError) as error:
            raise NoCopyError(f"the copy of {id} cannot be read: {error}") from error
        return entry, content[_LENGTH_SIZE + length :]

    @property
    def _limit(self) -> int:
        """Octets of a copy, packed or not."""
        return (self._settings.mail_message_megabytes << 20) + DESCRIPTION_LIMIT + 4096

    def _opened(self, id: str, sealed: bytes) -> bytes:
        """What is in a file. Raises EntryError, OSError for the key."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  (seldom on)
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        start = len(MAGIC) + _NONCE_SIZE
        if not sealed.startswith(MAGIC) or len(sealed) < start:
            raise EntryError("it is damaged, or of another version")
        try:
            nonce = sealed[len(MAGIC) : start]
            packed = AESGCM(self._load()).decrypt(nonce, sealed[start:], id.encode())
        except InvalidTag:
            raise EntryError("it is damaged, or was made with another key") from None
        opener = zlib.decompressobj()
        content = opener.decompress(packed, self._limit)
        if not opener.eof:
            raise EntryError(f"it is larger than {self._limit} bytes")
        return content

    def _find(self, id: str) -> Path | None:
        name = f"{checked_id(id)}{_SUFFIX}"
        return next((p for hour in self._hours() if (p := hour / name).is_file()), None)

    def _hours(self) -> Iterator[Path]:
        """The folders of the hours, newest first."""
        with contextlib.suppress(FileNotFoundError):
            hours = [one for one in self.folder.iterdir() if _HOUR.fullmatch(one.name)]
            yield from sorted(hours, reverse=True)

    def expire(self, sizes: dict[str, int] | None = None) -> int:
        """Remove the hours that are older than `mail_hours`, and the oldest ones while there are
        more than `mail_megabytes`; return how many. Where one hour has more than that, nothing is
        kept until it is over.

        sizes: what earlier calls have found out about hours that are over. Raises OSError.
        """
        now, room, removed = self._clock(), self._settings.mail_megabytes << 20, 0
        known = {} if sizes is None else sizes
        current, is_full = _name(now), False
        for hour in self._hours():
            is_current = hour.name == current
            if is_current or hour.name not in known:
                known[hour.name] = _octets(hour)
            room -= known[hour.name]
            hours_over = (now - _begins(hour)) / 3600 - 1
            if (
                not self.is_on
                or hours_over > self._settings.mail_hours
                or (room < 0 and not is_current)
            ):
                shutil.rmtree(hour)
                del known[hour.name]
                removed += 1
            elif is_current:
                is_full = room < 0
        if self.folder.is_dir():
            self._tell_room(has_room=not is_full)
        return removed

    def _tell_room(self, *, has_room: bool) -> None:
        full = self.folder / _FULL
        if has_room:
            full.unlink(missing_ok=True)
        elif not full.exists():
            full.touch(0o600)
            log.warning(
                "recent mail: the copies of this hour take more than mail_megabytes (%d); no more "
                "are made until it is over",
                self._settings.mail_megabytes,
            )


class RecentMailUpkeep:
    """Removes old copies from time to time. opened: asked each time, so that a reload counts."""

    def __init__(self, opened: Callable[[], RecentMail]) -> None:
        self._opened = opened
        self._sizes: dict[str, int] = {}

    def once(self) -> None:
        """Do what is due. Raises nothing that the disk causes."""
        try:
            if removed := self._opened().expire(self._sizes):
                log.info("recent mail: the copies of %d hours are removed", removed)
        except OSError as error:
            log.error("recent mail: %s", error)


def _octets(hour: Path) -> int:
    with os.scandir(hour) as files:
        return sum(one.stat(follow_symlinks=False).st_size for one in files)


def _name(now: float) -> str:
    """The name of the folder of an hour, in UTC."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d%H}"


def _begins(hour: Path) -> float:
    try:
        return datetime.strptime(hour.name, "%Y%m%d%H").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
