"""Who has written to whom, by keyed hash: no address can be read in the state.

Three kinds of entries: who is known to one writer, who is known to anybody here, and the ids of
sent messages. The hash has a key that is not in the state, so that somebody who can read the state
cannot try addresses.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.chain.services import Services
from filterd.filters.known.settings import DAY, KnownSettings
from filterd.state.facts import Addition, SharedState, StateEntry, StateKey, state_key
from filterd.system.bounded import open_regular, read_regular

log = logging.getLogger(__name__)

PAIR, ANYBODY, SENT, NEW = "known", "known_site", "known_sent", "known_new"
"""Kinds: known to one writer, known to anybody here, sent messages; counts of who became known."""

KEY_LEAST, KEY_MOST = 16, 4096
"""Octets of a file with a key."""

_HASH_SIZE = 16
"""Octets of a hash."""

_RENEWED = 0.9
"""Share of the time that is left when an entry is renewed: not every message has to write."""

PAIRS_LIMIT = 100_000
"""Writers of whom one correspondent is forgotten at a time."""


def site_key(settings: KnownSettings, services: Services) -> bytes:
    """The key of the hashes. Raises OSError, FileNotFoundError where the site has none yet."""
    path = settings.key_file
    return services.secret("known") if path is None else read_key(path)


def read_key(path: Path) -> bytes:
    """The key that a file makes. Raises OSError, also for a file that everybody may read."""
    with open_regular(path) as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    if mode & stat.S_IRWXO:
        text = f"has mode {mode:04o}, expected 0600: chmod 600 {path}"
        raise OSError(errno.EPERM, text, str(path))
    key = read_regular(path, KEY_MOST)
    if len(key) < KEY_LEAST:
        text = f"has {len(key)} octets; expected a key of {KEY_LEAST} or more"
        raise OSError(errno.EINVAL, text, str(path))
    # What BLAKE2 takes as a key (RFC 7693 §2.9) is no longer than that.
    return hashlib.blake2b(key, digest_size=32).digest()


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What is known of a correspondent: how many here have written to it, since when, when last,
    and until when that counts; seconds since 1970."""

    writers: int
    first: float
    last: float
    expires: float


@dataclass(frozen=True, slots=True)
class Acquainted:
    """What is known of an author and the ids that its message names. writers: those of the
    recipients who wrote to the author. replied: those who sent one of the messages. by_anybody,
    to_anybody: the same of anybody here."""

    writers: frozenset[str] = frozenset()
    replied: frozenset[str] = frozenset()
    by_anybody: bool = False
    to_anybody: bool = False


class Correspondents:
    """What the state knows. Addresses are those of `identities`. Methods raise StateError.

    now: seconds since 1970.
    """

    def __init__(self, settings: KnownSettings, state: SharedState, key: bytes) -> None:
        self._keep = settings.keep_days * DAY
        self._keep_ids = settings.reply_days * DAY
        self._new_per_day = settings.new_per_day
        self._state = state
        self._key = key

    def look(
        self, author: str, ids: Sequence[str], recipients: Collection[str], now: float
    ) -> Acquainted:
        """What is known, with one question to the state."""
        owners = {self._hash(one): one for one in recipients}
        pairs = {self._pair(one, author): one for one in recipients}
        keys = [self._anybody(author), *pairs, *map(self._sent, ids)]
        found = {entry.key: entry for entry in self._state.get(keys, now) if entry is not None}
        sent = [entry for key, entry in found.items() if key.kind == SENT]
        return Acquainted(
            frozenset(one for key, one in pairs.items() if key in found),
            frozenset(owners[entry.value] for entry in sent if entry.value in owners),
            self._anybody(author) in found,
            bool(sent),
        )

    def wrote(self, writer: str, recipients: Collection[str], id: str, now: float) -> None:
        """Take note that somebody here has written to these. id: of the message, `""` for none."""
        if id:
            self._state.put(self._sent(id), now, self._keep_ids, self._hash(writer))
        pairs = {self._pair(writer, one): one for one in recipients}
        found = self._state.get([*pairs], now)
        new = [key for key, entry in zip(pairs, found, strict=True) if entry is None]
        if new and not self._has_room(writer, len(new), now):
            log.warning(
                "%s has written to %d new people today; nobody else becomes known by its mail",
                writer,
                self._new_per_day,
            )
            pairs = {key: one for key, one in pairs.items() if key not in new}
        of_all = self._state.get([self._anybody(one) for one in pairs.values()], now)
        before = {entry.key: entry for entry in (*found, *of_all) if entry is not None}
        for key, one in pairs.items():
            for place in (key, self._anybody(one)):
                entry = before.get(place)
                if entry is None or entry.expires - now < self._keep * _RENEWED:
                    self._state.put(place, now, self._keep, self._hash(one))

    def of(self, correspondent: str, now: float) -> Acquaintance | None:
        """What is known of one, None for a stranger."""
        entries = self._entries(correspondent, now)
        (site,) = self._state.get([self._anybody(correspondent)], now)
        every = [*entries, *([site] if site is not None else [])]
        if not every:
            return None
        return Acquaintance(
            len(entries),
            min(entry.first for entry in every),
            max(entry.last for entry in every),
            max(entry.expires for entry in every),
        )

    def forget(self, correspondent: str, now: float) -> bool:
        """Make a stranger of somebody; False for one who is one. Who writes to it again makes it
        known again."""
        entries = self._entries(correspondent, now)
        was_known = self._state.delete(self._anybody(correspondent))
        for entry in entries:
            was_known |= self._state.delete(entry.key)
        return was_known

    def _entries(self, correspondent: str, now: float) -> list[StateEntry]:
        return self._state.entries(PAIR, now, PAIRS_LIMIT, self._hash(correspondent))

    def _has_room(self, writer: str, count: int, now: float) -> bool:
        key = state_key(NEW, self._hash(writer))
        addition = Addition(key, int(DAY), count, max(self._new_per_day, count))
        return not self._state.add([addition], now).exceeded

    def _pair(self, writer: str, correspondent: str) -> StateKey:
        return state_key(PAIR, self._hash(writer, correspondent))

    def _anybody(self, correspondent: str) -> StateKey:
        return state_key(ANYBODY, self._hash(correspondent))

    def _sent(self, id: str) -> StateKey:
        return state_key(SENT, self._hash("id", id))

    def _hash(self, *words: str) -> str:
        text = "\0".join(words).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=_HASH_SIZE).hexdigest()
