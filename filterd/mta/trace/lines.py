"""The line of a table from which an entry of a database file was made."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from filterd.mta.maps.base import octets
from filterd.mta.maps.source import read_source
from filterd.mta.maps.stab import read_aliases
from filterd.mta.maps.text import SIZE_LIMIT
from filterd.system.bounded import read_regular

_ENDINGS = (".db", ".cdb")

_Table = dict[bytes, tuple[bytes, int]]


def with_line(entry: str, key: str) -> str:
    """Where a value stands. An entry of a database file stands in the text of the same name too, if
    that is there and was not written since; else the place stays as it is."""
    if not entry.endswith(_ENDINGS):
        return entry
    source = Path(entry).with_suffix("")
    try:
        made, written = Path(entry).stat(), source.stat()
        if written.st_mtime_ns > made.st_mtime_ns:
            return entry
        tables = _tables(source, written.st_mtime_ns)
    except (OSError, ValueError):
        return entry
    wanted = octets(key)
    for table in tables:
        for one in (wanted, wanted.lower()):
            if one in table:
                return f"{source}:{table[one][1]}"
    return entry


@lru_cache(maxsize=16)
def _tables(source: Path, _stamp: int) -> tuple[_Table, ...]:
    """The text read as makemap does, and as newaliases does. Raises OSError."""
    data = read_regular(source, SIZE_LIMIT)
    return read_source(data, folds_case=False), read_source(data), read_aliases(data)
