"""Maps in text files: class text, columns of a line."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from filterd.mta.cf.lookup import EX_NOTFOUND, MapAnswer
from filterd.mta.cf.map_options import MapOptions, leading_number
from filterd.mta.maps.base import EX_UNAVAILABLE, NO_COMPLAINT, BaseMap, MapError, MapValue, octets
from filterd.mta.maps.safety import Owner, trouble_with
from filterd.system.bounded import read_regular

SIZE_LIMIT = 64 << 20
"""Octets of a text file."""

LINE_LIMIT = 2047
"""Octets of a line; what is beyond counts as the next one (MAXLINE)."""

COLUMN_LIMIT = 256
"""Octets of a column; the rest is cut (MAXNAME)."""

_log = logging.getLogger(__name__)


class ColumnMap(BaseMap):
    """Looks for its key in one column of a text and returns another."""

    def __init__(self, options: MapOptions) -> None:
        super().__init__(options)
        self._key_column = self._value_column = 0

    def _open(self) -> tuple[str, int]:
        options = self.options
        self._key_column = self._column("k", options.key_column)
        self._value_column = self._column("v", options.value_column)
        return NO_COMPLAINT

    def _column(self, letter: str, value: str | None) -> int:
        if value is None:
            return 0
        if not value[:1].isascii() or not value[:1].isdigit():
            raise MapError(
                f'text map "{self.options.name}", file {self.options.file}: '
                f"-{letter} should specify a number, not {value}"
            )
        return leading_number(value)

    def _found_in(self, data: bytes, key: str, arguments: Sequence[str]) -> MapAnswer:
        wanted = octets(key)[:COLUMN_LIMIT].lower()
        delimiter = octets(self.options.delimiter)
        for number, line in _lines(data):
            if line.startswith(b"#"):
                continue
            found = column(line, self._key_column, delimiter)
            if found is not None and found.lower() == wanted:
                value = column(line, self._value_column, delimiter)
                if value is None:
                    return MapAnswer(None, EX_NOTFOUND)
                entry = f"{self.options.file}:{number}"
                return self._value(key, arguments, MapValue(value, entry))
        return MapAnswer(None, EX_NOTFOUND)


class TextMap(ColumnMap):
    """A map of class text: the text is a file."""

    def __init__(self, options: MapOptions, owner: Callable[[], Owner]) -> None:
        super().__init__(options)
        self._owner = owner

    def _open(self) -> tuple[str, int]:
        name, file = self.options.name, self.options.file
        if not file.startswith("/"):
            raise MapError(f'text map "{name}": file name must be fully qualified')
        owner = self._owner()
        if trouble := trouble_with(file, owner, owner.map_checks()):
            is_missing = trouble == os.strerror(errno.ENOENT)
            if not (is_missing and self.options.is_optional):
                _log.warning("text map %s: %s: %s", name, file, trouble)
            # sendmail tells the person who asks the reason only where a folder is missing.
            said = trouble if is_missing and not Path(file).parent.exists() else None
            raise MapError(f'text map "{name}": unsafe map file {file}', said)
        return super()._open()

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        try:
            data = read_regular(Path(self.options.file), SIZE_LIMIT)
        except (OSError, ValueError):
            # sendmail does not try again.
            self._is_closed_for_good = True
            return MapAnswer(None, EX_UNAVAILABLE)
        return self._found_in(data, key, arguments)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(data.split(b"\n"), 1):
        for start in range(0, max(len(line), 1), LINE_LIMIT):
            yield number, line[start : start + LINE_LIMIT].partition(b"\0")[0]


def column(line: bytes, index: int, delimiter: bytes) -> bytes | None:
    """A column of a line, counted from 0, None if there is none. delimiter: empty for blanks, of
    which a run counts as one."""
    if not line:
        return None
    if delimiter:
        parts = line.split(delimiter)
        if index >= len(parts) or (index == 0 and not parts[0]):
            return None
        return parts[index][:COLUMN_LIMIT]
    text = line.lstrip() if index == 0 else line
    for _ in range(index):
        match = re.search(rb"[\n\t ]", text)
        if match is None:
            return None
        text = text[match.end() :].lstrip(b" \t\n\v\f\r")
    return re.split(rb"[\n\t ]", text, maxsplit=1)[0][:COLUMN_LIMIT]
