"""Maps in database files: hash and btree (Berkeley DB), cdb, and implicit, the first of them.

A file that was replaced or written since is opened again. makemap and sendmail lock what they write
(flock); a lookup takes the shared lock, and waits for it no longer than `LOCK_WAIT`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from filterd.mta.cf.lookup import EX_OK, MapAnswer, Opening
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.base import NO_COMPLAINT, BaseMap, MapError, MapValue, octets
from filterd.mta.maps.bdb_pages import DamagedDatabaseError, NotADatabaseError
from filterd.mta.maps.bdb_reader import BdbDatabase
from filterd.mta.maps.cdb import Cdb
from filterd.mta.maps.safety import Owner, trouble_with
from filterd.mta.maps.source import read_source
from filterd.mta.maps.stab import StabMap, read_aliases
from filterd.mta.maps.text import SIZE_LIMIT
from filterd.system.bounded import open_regular, read_regular

LOCK_WAIT = 5.0
"""Seconds to wait for whoever writes the file; makemap holds its lock for all of its work."""

TRIES = 3
"""How often a file that changes while it is read is opened again for one lookup."""

MAX_KNOWN = 4096
"""Keys of a file whose values are remembered."""

_ENOENT = os.strerror(errno.ENOENT)
_log = logging.getLogger(__name__)


class DatabaseFile:
    """A database file, open for reading. Raises DamagedError, OSError, TimeoutError."""

    def __init__(self, path: str, type: str) -> None:
        self.path = path
        self.known: dict[bytes, bytes | None] = {}
        """What was found for keys, as long as the file stays as it is."""

        self._file = open_regular(Path(path))
        try:
            found = os.fstat(self._file.fileno())
            self.stamp = found.st_ino, found.st_mtime_ns, found.st_size
            with self.locked():
                self.database = (
                    Cdb(self._file.fileno())
                    if type == "cdb"
                    else BdbDatabase(self._file.fileno(), is_hash=type == "hash")
                )
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the shared lock. Raises TimeoutError."""
        end = time.monotonic() + LOCK_WAIT
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(errno.ETIMEDOUT, "File is locked", self.path) from None
                time.sleep(0.01)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def has_changed(self) -> bool:
        """Whether the name stands for another file now, or its content changed."""
        try:
            found = os.stat(self.path)  # noqa: PTH116  # at each lookup, and faster than a Path
        except OSError:
            return True
        return (found.st_ino, found.st_mtime_ns, found.st_size) != self.stamp

    def close(self) -> None:
        self._file.close()


class DatabaseMap(BaseMap):
    """A map of class hash, btree or cdb."""

    def __init__(
        self, options: MapOptions, owner: Callable[[], Owner], type: str, *, reads_text: bool = True
    ) -> None:
        super().__init__(options)
        self._owner = owner
        self._type = type
        self._reads_text = reads_text
        self._suffix = ".cdb" if type == "cdb" else ".db"
        self._file: DatabaseFile | None = None
        self._text: dict[bytes, tuple[bytes, int]] | None = None
        self._tries_plain, self._tries_nul = options.tries_plain, options.tries_nul

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._close()

    @property
    def path(self) -> str:
        """The file's name with its ending."""
        file = self.options.file
        return file if file.endswith(self._suffix) else file + self._suffix

    @property
    def _source(self) -> str:
        return self.path.removesuffix(self._suffix)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> tuple[str, int]:
        self._close()
        self._text = None
        what = f'{self._type} map "{self.options.name}"'
        owner = self._owner()
        if trouble := trouble_with(self.path, owner, owner.map_checks()):
            is_missing = trouble == _ENOENT
            problem = f"{what}: {'missing' if is_missing else 'unsafe'} map file {self.path}"
            if is_missing and not self.options.is_optional and self._open_text(owner):
                return f"{problem}: {trouble}; {self._source} is read instead", EX_OK
            raise MapError(problem, trouble)
        try:
            self._file = DatabaseFile(self.path, self._type)
        except NotADatabaseError:
            raise MapError(f"Cannot open {self._type} database {self.path}", errno.EINVAL) from None
        except (OSError, DamagedDatabaseError) as error:
            said = getattr(error, "strerror", "") or str(error)
            raise MapError(f"db_map_open: cannot pre-open database {self.path}", said) from None
        return self._alias_notice()

    def _open_text(self, owner: Owner) -> bool:
        """Read the text from which the file is made, if it may be read."""
        source = self._source
        if not self._reads_text or trouble_with(source, owner, owner.map_checks()):
            return False
        try:
            data = read_regular(Path(source), SIZE_LIMIT)
            if self.options.is_alias:
                table = read_aliases(data)
            else:
                table = read_source(data, folds_case=self.options.folds_case)
        except (OSError, ValueError):
            return False
        self._text = table
        return True

    def _alias_notice(self) -> tuple[str, int]:
        """What sendmail says of an alias database that is older than its text."""
        if not self.options.is_alias or self._file is None:
            return NO_COMPLAINT
        try:
            is_older = Path(self.path).stat().st_mtime < Path(self._source).stat().st_mtime
        except OSError:
            return NO_COMPLAINT
        if not is_older:
            return NO_COMPLAINT
        return f"Warning: alias database {self.path} out of date", EX_OK

    def _version(self) -> Hashable | None:
        # An older database may be read in the place of a changed one until the next lookup.
        if self._file is None or self._file.has_changed():
            return None
        return self._file.stamp

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        with self._lock:
            raw = self._folded(key)
            if self._text is not None:
                value, line = self._text.get(raw, (None, 0))
                entry = f"{self._source}:{line}"
            else:
                value, entry = self._found(raw, key), self.path
        if value is None:
            return MapAnswer(None, EX_OK)
        return self._value(key, arguments, MapValue(value, entry))

    def _found(self, raw: bytes, key: str) -> bytes | None:
        """Raises MapError."""
        for attempt in range(TRIES):
            if self._file is None or self._file.has_changed():
                self._reopen()
            assert self._file is not None
            known = self._file.known
            if raw in known:
                return known[raw]
            try:
                with self._file.locked():
                    value = self._get(self._file, raw)
                if len(known) >= MAX_KNOWN:
                    known.clear()
                known[raw] = value
                return value
            except (DamagedDatabaseError, OSError) as error:
                said = getattr(error, "strerror", "") or str(error)
                if attempt + 1 == TRIES or not self._file.has_changed():
                    shown = octets(key).decode("ascii", "backslashreplace")
                    raise MapError(f"db_map_lookup: get ({shown})", said) from None
        raise MapError(f"db_map_lookup: get ({key})", "File changed after open")

    def _get(self, file: DatabaseFile, raw: bytes) -> bytes | None:
        """Keys are with or without a NUL at their end; a file has the ones or the others."""
        value = None
        if self._tries_plain:
            value = file.database.get(raw)
            if value is not None:
                self._tries_nul = False
        if value is None and self._tries_nul:
            value = file.database.get(raw + b"\0")
            if value is not None:
                self._tries_plain = False
        return value

    def _reopen(self) -> None:
        try:
            self._open()
        except MapError as error:
            _log.warning("%s", error)
            raise MapError(f"Cannot reopen DB database {self.options.file}") from None
        if self._file is None:
            raise MapError(f"Cannot reopen DB database {self.options.file}", _ENOENT)


_DATABASES = 2
"""Kinds of databases that an implicit map tries."""


class ImplicitMap(BaseMap):
    """The hash or cdb file of a name, and for aliases the text if there is neither."""

    def __init__(
        self, options: MapOptions, owner: Callable[[], Owner], text: Callable[[], BaseMap]
    ) -> None:
        super().__init__(options)
        self._choices: list[Callable[[], BaseMap]] = [
            lambda: DatabaseMap(options, owner, "hash", reads_text=False),
            lambda: DatabaseMap(options, owner, "cdb", reads_text=False),
        ]
        if options.is_alias:
            self._choices.append(text)
        self._chosen: BaseMap | None = None

    def open(self) -> Opening:
        opening = super().open()
        if isinstance(self._chosen, StabMap) and self._chosen.read_names(opening.complaint):
            return replace(opening, complaint="")
        return opening

    def _open(self) -> tuple[str, int]:
        reasons: list[str] = []
        warning = ""
        for choice in self._choices:
            if len(reasons) == _DATABASES:
                warning = f"WARNING: cannot open alias database {self.options.file}; "
                warning += "reading text version"
            map = choice()
            try:
                notice = map._open()  # a part of this map
            except MapError as error:
                reasons.append(str(error))
                continue
            self._chosen = map
            return (warning, EX_OK) if warning else notice
        _log.warning("implicit map %s: %s", self.options.name, "; ".join(reasons))
        # sendmail says nothing more to the person who asks.
        failure = MapError(warning)
        failure.trouble = EX_OK
        raise failure

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        assert self._chosen is not None
        return self._chosen._answer(key, arguments)
