"""Files of known recipients: an address or domain at the beginning of each line."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

from filterd.message.address import AddressPatternError, pattern_keys
from filterd.system.bounded import plain_text, read_regular
from filterd.system.watched_file import FileStamp, file_stamp

log = logging.getLogger(__name__)

SIZE_LIMIT = 64 << 20
"""Octets of a file that are read, some two million addresses."""


class KnownError(ValueError):
    """A line that is not an address or a domain; the text names file and line."""


class KnownFiles:
    """What the files name. Safe for threads; read again when one of them has changed."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._mutex = threading.Lock()
        self._keys: frozenset[str] = frozenset()
        self._seen: list[FileStamp] | None = None

    def prepare(self) -> None:
        """Read them. Raises KnownError, OSError."""
        with self._mutex:
            self._refresh()

    def has(self, keys: frozenset[str]) -> bool:
        """True if they name one of these keys of `recipient_keys`.

        Files that were changed into ones that cannot be used leave the former ones in force, and
        the log says so. Raises OSError if one cannot be read and none was read before.
        """
        with self._mutex:
            try:
                self._refresh()
            except (KnownError, OSError) as error:
                if self._seen is None:
                    raise
                log.error("known recipients stay as they were: %s", error)
            return not self._keys.isdisjoint(keys)

    def _refresh(self) -> None:
        seen = [file_stamp(path) for path in self._files]
        if seen != self._seen:
            before, self._seen = self._seen, seen
            try:
                self._keys = frozenset(key for path in self._files for key in _keys(path))
            except (KnownError, OSError):
                if before is None:
                    # Nothing is in force that could stay.
                    self._seen = None
                raise


def _keys(path: Path) -> list[str]:
    """The keys that a file names, see `filterd.message.address`. Raises KnownError, OSError."""
    try:
        text = plain_text(read_regular(path, SIZE_LIMIT), "surrogateescape")
    except ValueError as error:
        raise KnownError(f"{path}: {error}") from None
    found: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        word = _first_word(line.rstrip("\r"))
        if not word:
            continue
        try:
            found += pattern_keys(word)
        except AddressPatternError as error:
            raise KnownError(f"{path}:{number}: {error}") from None
    return found


def _first_word(line: str) -> str:
    """The address of a line: what follows is another program's, as in Postfix's tables."""
    line = line.strip()
    if not line or line.startswith("#"):
        return ""
    if not line.startswith('"'):
        return line.split(maxsplit=1)[0]
    end = line.find('"@')
    rest = line[end + 1 :].split(maxsplit=1) if end > 0 else []
    return line[: end + 1] + rest[0] if rest else line
