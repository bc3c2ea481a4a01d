"""The map class stab: alias files as they are, whose names the rules make the keys.

All maps of the class have one table together, as in sendmail's symbol table: a name is found in
each map that is open, whichever file it came from. Unlike sendmail, a file that changed is read
again. Source: sendmail 8.17 `map.c` (stab_map_open, stab_map_lookup).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filterd.mta.cf.lookup import EX_OK, MapAnswer, Opening
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.alias_text import AliasText, logical_lines
from filterd.mta.maps.base import NO_COMPLAINT, BaseMap, MapError, MapValue, octets
from filterd.mta.maps.safety import Owner, trouble_with
from filterd.mta.maps.text import SIZE_LIMIT
from filterd.system.bounded import read_regular

AliasReader = Callable[[], AliasText | None]
"""Makes what reads one alias file by the rules; None where there are no rules yet."""

_log = logging.getLogger(__name__)


class _Reading(threading.local):
    """The files that this thread is reading."""

    files: frozenset[str] = frozenset()


class StabTable:
    """Names in lower case with their values, and where these stand: `file:line`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading = _Reading()
        self._files: dict[str, dict[bytes, tuple[bytes, str]]] = {}

    def put(self, file: str, entries: dict[bytes, tuple[bytes, str]]) -> None:
        """Set the names of a file, which becomes the one that was read last."""
        with self._lock:
            self._files = {key: old for key, old in self._files.items() if key != file}
            self._files[file] = entries

    def get(self, name: bytes) -> tuple[bytes, str] | None:
        hidden = self._reading.files
        for file, entries in reversed(self._files.items()):
            if name in entries and file not in hidden:
                return entries[name]
        return None

    @contextmanager
    def hiding(self, file: str) -> Iterator[None]:
        """Find nothing of a file in this thread, which is reading it."""
        before = self._reading.files
        self._reading.files = before | {file}
        try:
            yield
        finally:
            self._reading.files = before

    def hides(self, file: str) -> bool:
        return file in self._reading.files


class StabMap(BaseMap):
    """One file of the table, read when it is opened.

    The rules are asked without a lock, for they may ask maps that others hold. A rule that asks
    this very map meanwhile finds nothing of the file.
    """

    def __init__(
        self,
        options: MapOptions,
        owner: Callable[[], Owner],
        table: StabTable,
        reader: AliasReader,
    ) -> None:
        super().__init__(options)
        self._owner = owner
        self._table, self._reader = table, reader
        self._unread: bytes | None = None
        self._stamp: tuple[int, int, int] = (0, 0, 0)

    def open(self) -> Opening:
        opening = super().open()
        if opening.is_open:
            self.read_names()
        return opening

    def _open(self) -> tuple[str, int]:
        self._load()
        return NO_COMPLAINT

    def _load(self) -> None:
        name, file = self.options.name, self.options.file
        owner = self._owner()
        trouble = trouble_with(file, owner, owner.map_checks())
        if not trouble:
            try:
                self._stamp = stamp(file)
                self._unread = read_regular(Path(file), SIZE_LIMIT)
            except (OSError, ValueError) as error:
                trouble = getattr(error, "strerror", "") or str(error)
        if trouble:
            if not self.options.is_optional:
                _log.warning("stab map %s: %s: %s", name, file, trouble)
            # sendmail says nothing to the person who asks.
            failure = MapError("")
            failure.trouble = EX_OK
            raise failure

    def read_names(self, notice: str = "") -> bool:
        """Enter the names of the file, if that has not been done since it was loaded. notice: said
        before what the rules say. Returns whether it was."""
        data = self._unread
        file = self.options.file
        if data is None or self._table.hides(file):
            return False
        text = self._reader()
        if text is not None and notice:
            text.voice.warn(notice)
        with self._table.hiding(file):
            entries = self._entries(data, text)
        self._table.put(file, entries)
        with self._lock:
            if self._unread is data:
                self._unread = None
        return text is not None

    def _entries(self, data: bytes, text: AliasText | None) -> dict[bytes, tuple[bytes, str]]:
        file = self.options.file
        if text is None:
            return {
                name: (value, f"{file}:{number}")
                for name, (value, number) in read_aliases(data).items()
            }
        entries = {
            line.name.lower(): (line.value, f"{file}:{line.number}")
            for line in text.read(data, file)
        }
        text.voice.warn(f"{file}: {text.count}")
        return entries

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        try:
            changed = stamp(self.options.file) != self._stamp
        except OSError:
            changed = False  # removed: what was read still counts
        if changed:
            with self._lock:
                self._load()
            self.read_names()
        found = self._table.get(octets(key).lower())
        if found is None:
            return MapAnswer(None, EX_OK)
        return self._value(key, arguments, MapValue(*found))


def stamp(file: str) -> tuple[int, int, int]:
    """What changes when a file is written or replaced. Raises OSError."""
    found = Path(file).stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_aliases(data: bytes) -> dict[bytes, tuple[bytes, int]]:
    """Names without rules, in lower case, with their values and lines; the last line of a name
    counts."""
    return dict(_plain_aliases(data))


def _plain_aliases(data: bytes) -> Iterator[tuple[bytes, tuple[bytes, int]]]:
    for number, _, line in logical_lines(data):
        name, colon, value = line.partition(b":")
        if colon and not line.startswith((b"#", b" ", b"\t")) and value.strip():
            yield name.strip().strip(b'"').lower(), (value.lstrip(), number)
