"""The state in Redis or Valkey, which several hosts share.

The server should have `maxmemory-policy noeviction`: with another policy it forgets triplets and
counts when it is full, in place of saying so. It is asked by one connection of each process.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from filterd.state.availability import Availability
from filterd.state.facts import (
    VALUE_LIMIT,
    Addition,
    Counted,
    StateEntry,
    StateError,
    StateFullError,
    StateKey,
    Window,
    slot_of,
)
from filterd.state.once import ONCE_SECONDS, CountOnce
from filterd.state.scripts import COUNT, UPSERT
from filterd.state.settings import StateSettings

_SCAN = 1000
"""Keys that the server looks at for one answer, some tenths of a millisecond."""

_KEEPS_ALL = "noeviction"
"""The policy with which a full server says so, and forgets nothing:
https://redis.io/docs/latest/develop/reference/eviction/"""

_NO_LIMIT = "none"


class ServerState:
    """See `SharedState`."""

    def __init__(self, settings: StateSettings) -> None:
        self._prefix = settings.prefix
        self._availability = Availability()
        # redis-py speaks to both servers, by URLs of one of them. Only the scheme is another: hosts
        # and sockets of Valkey are called `valkey`, too.
        scheme, _, rest = settings.url.partition("://")
        url = f"{scheme.replace('valkey', 'redis')}://{rest}"
        try:
            pool = redis.ConnectionPool.from_url(
                url,
                socket_timeout=settings.timeout,
                socket_connect_timeout=settings.timeout,
                max_connections=None,
                retry=None,
            )
        except ValueError as error:
            raise StateError(f"state.url: not a URL of a server ({error})") from None
        self._redis: Any = redis.Redis(connection_pool=pool)
        self._upsert_script = self._redis.register_script(UPSERT)
        self._count_script = self._redis.register_script(COUNT)

    def get(self, keys: Sequence[StateKey], now: float) -> list[StateEntry | None]:
        """See `SharedState`."""
        if not keys:
            return []
        with self._asking():
            lines = self._redis.mget([self._entry_key(key) for key in keys])
        return [_entry(key, line, now) for key, line in zip(keys, lines, strict=True)]

    def touch(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        return self._upsert(key, now, lifetime, value, keeps=True)

    def put(self, key: StateKey, now: float, lifetime: float, value: str = "") -> StateEntry:
        """See `SharedState`."""
        return self._upsert(key, now, lifetime, value, keeps=False)

    def delete(self, key: StateKey) -> bool:
        """See `SharedState`."""
        with self._asking():
            return bool(self._redis.delete(self._entry_key(key)))

    def entries(
        self,
        kind: str,
        now: float,
        limit: int,
        value: str | None = None,
        wanted: Callable[[StateEntry], bool] | None = None,
    ) -> list[StateEntry]:
        """See `SharedState`."""
        found = (one for one in self._all(kind, now, value) if wanted is None or wanted(one))
        return heapq.nlargest(limit, found, key=lambda entry: entry.first)

    def add(
        self, additions: Sequence[Addition], now: float, once: CountOnce | None = None
    ) -> Counted:
        """See `SharedState`."""
        merged: dict[tuple[StateKey, int], tuple[float, float | None]] = {}
        for one in additions:
            amount, limit = merged.get((one.key, one.seconds), (0.0, None))
            limits = [value for value in (limit, one.limit) if value is not None]
            merged[one.key, one.seconds] = amount + one.amount, min(limits, default=None)
        if not merged:
            return Counted(())
        arguments: list[Any] = [repr(now), *_once_arguments(once)]
        for (_key, seconds), (amount, limit) in merged.items():
            given = _NO_LIMIT if limit is None else repr(limit)
            arguments += [slot_of(now, seconds), seconds, repr(amount), given]
        with self._asking():
            marks = f"{self._prefix}:once:{once.place if once is not None else ''}"
            lines, numbers = self._count_script(
                keys=[marks, *(self._count_key(*place) for place in merged)], args=arguments
            )
        found = {place: _window(place[1], line) for place, line in zip(merged, lines, strict=True)}
        exceeded = tuple(
            number
            for number, one in enumerate(additions)
            if one.limit is not None and found[one.key, one.seconds].at(now) > one.limit
        )
        if once is not None and not numbers:
            once.note()
        if numbers:
            found = {place: one.plus(-merged[place][0], now) for place, one in found.items()}
        return Counted(
            tuple(found[one.key, one.seconds] for one in additions), exceeded if numbers else ()
        )

    def windows(self, wanted: Sequence[tuple[StateKey, int]]) -> list[Window]:
        """See `SharedState`."""
        if not wanted:
            return []
        with self._asking():
            lines = self._redis.mget([self._count_key(*place) for place in wanted])
        return [
            _window(place[1], line) if line else Window(place[1])
            for place, line in zip(wanted, lines, strict=True)
        ]

    def clear(self, key: StateKey) -> bool:
        """See `SharedState`."""
        gone = 0
        pattern = f"{self._prefix}:count:{key.kind}:*:{_literal(key.name)}"
        with self._asking():
            for found in self._redis.scan_iter(match=pattern, count=_SCAN):
                gone += self._redis.delete(found)
        return gone > 0

    def expire(self, now: float) -> int:  # noqa: ARG002
        """See `SharedState`. The server does so by itself."""
        return 0

    def doubts(self) -> list[str]:
        """See `SharedState`."""
        with self._asking():
            told = self._redis.info("memory")
        policy, most = told.get("maxmemory_policy", ""), told.get("maxmemory", 0)
        if not most or policy in ("", _KEEPS_ALL):
            return []
        return [f"maxmemory-policy is {policy}: when it is full, it forgets without a word"]

    def close(self) -> None:
        """See `SharedState`."""
        self._redis.close()

    def _all(self, kind: str, now: float, value: str | None) -> Iterator[StateEntry]:
        start = f"{self._prefix}:entry:{kind}:"
        with self._asking():
            cursor = 0
            while True:
                cursor, found = self._redis.scan(cursor, match=f"{start}*", count=_SCAN)
                lines = self._redis.mget(found) if found else []
                for name, line in zip(found, lines, strict=True):
                    key = StateKey(kind, name.decode("utf-8", "replace").removeprefix(start))
                    entry = _entry(key, line, now)
                    if entry is not None and value in (None, entry.value):
                        yield entry
                if not cursor:
                    return

    def _upsert(
        self, key: StateKey, now: float, lifetime: float, value: str, *, keeps: bool
    ) -> StateEntry:
        arguments: list[Any] = [repr(now), repr(lifetime), value[:VALUE_LIMIT], int(keeps)]
        with self._asking():
            line = self._upsert_script(
                keys=[self._entry_key(key)], args=[*arguments, repr(now + lifetime)]
            )
        entry = _entry(key, line, 0.0)
        assert entry is not None
        return entry

    def _entry_key(self, key: StateKey) -> str:
        return f"{self._prefix}:entry:{key.kind}:{key.name}"

    def _count_key(self, key: StateKey, seconds: int) -> str:
        return f"{self._prefix}:count:{key.kind}:{seconds}:{key.name}"

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with self._availability.attempt():
            try:
                yield
            except redis.exceptions.OutOfMemoryError as error:
                raise StateFullError("state.url: the server has no memory left") from error
            except redis.exceptions.RedisError as error:
                raise StateError(f"state.url: {_cause(error)}") from error


def _once_arguments(once: CountOnce | None) -> list[str]:
    """For the script."""
    if once is None:
        return ["", "", "", "1"]
    before = "".join(f"{one} " for one in once.before)
    begin = once.question if once.repeated else ""
    return [once.mark, before, begin, str(int(ONCE_SECONDS))]


def _cause(error: Exception) -> str:
    """What went wrong, in one short line; the library's text may name host and port."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _literal(name: str) -> str:
    """For a pattern of SCAN, https://redis.io/docs/latest/commands/keys/"""
    return "".join(f"\\{c}" if c in "*?[]^-\\" else c for c in name)


def _entry(key: StateKey, line: bytes | None, now: float) -> StateEntry | None:
    if line is None:
        return None
    try:
        first, last, count, expires, value = line.decode("utf-8", "replace").split(" ", 4)
        entry = StateEntry(key, float(first), float(last), int(count), float(expires), value)
    except ValueError:
        raise StateError(f"state.url: {key.kind} has an entry that filterd did not write") from None
    return entry if entry.expires > now else None


def _window(seconds: int, line: bytes) -> Window:
    try:
        slot, latest, former = line.split()
        return Window(seconds, int(slot), float(latest), float(former))
    except ValueError:
        raise StateError("state.url: a count is there that filterd did not write") from None
