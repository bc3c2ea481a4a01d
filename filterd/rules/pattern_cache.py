"""What was found out about patterns, in a file: it only saves the time to find it out again.

The file has a checksum in its first line, in the second one JSON that says what made it and what
is known of the patterns, and then the databases, as Hyperscan writes them. A file that is damaged,
or that another version made, is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns.compiled import know
from filterd.rules.patterns.database import PatternDatabase, engine
from filterd.rules.patterns.prepared import FORM, PatternStore, PreparedPattern
from filterd.system.bounded import read_regular
from filterd.system.durable import make_folder, write_atomically

log = logging.getLogger(__name__)

NAME = "patterns.cache"

SIZE_LIMIT = 512 << 20
"""Octets of the file."""

_Kept = tuple[tuple[int, ...], list[bytes]]


class PatternCache:
    """Patterns and databases, from a file and for it.

    folder: where the file is; without one nothing is kept, and no time is spent on Hyperscan's
    databases, which take a hundred times as long to make as to load.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / NAME
        self._made_by = f"{FORM} {engine()}"
        self._store = PatternStore()
        self._databases: dict[str, _Kept] = {}
        self._used: dict[str, _Kept] = {}
        self._is_new = True
        if self._path is not None:
            self._load(self._path)

    def know(self, patterns: Iterable[RulePattern]) -> None:
        """Find out about all of these at once."""
        asked = dict.fromkeys(patterns)
        before = len(self._store.prepared) + len(self._store.mistakes)
        self._store.add(asked)
        self._is_new |= len(self._store.prepared) + len(self._store.mistakes) != before
        for pattern in asked:
            if pattern in self._store.prepared:
                know(pattern, self._store.prepared[pattern].parts)

    def database(self, patterns: Sequence[RulePattern]) -> PatternDatabase:
        """These patterns at once; all of them can be used."""
        self._store.add(patterns)
        prepared = [self._store.prepared[pattern] for pattern in patterns]
        if self._path is None:
            return PatternDatabase(prepared, uses_hyperscan=False)
        key = _key(prepared)
        kept = self._databases.get(key)
        if kept is not None:
            try:
                found = PatternDatabase(prepared, kept)
            except ValueError as error:
                log.info("%s: %s; it is made again", self._path, error)
            else:
                self._used[key] = kept
                return found
        found = PatternDatabase(prepared)
        self._used[key] = found.kept
        self._is_new = True
        return found

    def save(self) -> None:
        """Write the file, if something in it is new. Where that cannot be done the log says so."""
        if self._path is None or not self._is_new:
            return
        content = {
            "made_by": self._made_by,
            "patterns": self._store.dump().decode("ascii"),
            "databases": {
                key: [list(numbers), [*map(len, blobs)]]
                for key, (numbers, blobs) in self._used.items()
            },
        }
        blobs = [blob for _, found in self._used.values() for blob in found]
        data = [json.dumps(content).encode("ascii"), b"\n", *blobs]
        checksum = hashlib.sha256()
        for one in data:
            checksum.update(one)
        try:
            make_folder(self._path.parent)
            write_atomically(self._path, [checksum.hexdigest().encode(), b"\n", *data])
        except OSError as error:
            log.warning("compiled patterns are not kept: %s", error)

    def _load(self, path: Path) -> None:
        try:
            checksum, _, data = read_regular(path, SIZE_LIMIT).partition(b"\n")
            if hashlib.sha256(data).hexdigest().encode() != checksum:
                raise ValueError("its checksum is wrong")
            head, _, blobs = data.partition(b"\n")
            content = json.loads(head)
            if content["made_by"] != self._made_by:
                return
            store = PatternStore.load(content["patterns"].encode("ascii"))
            databases: dict[str, _Kept] = {}
            at = 0
            for key, (numbers, lengths) in content["databases"].items():
                found = []
                for length in lengths:
                    found.append(blobs[at : at + length])
                    at += length
                databases[key] = tuple(numbers), found
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            log.warning("%s: %s; the patterns are compiled again", path, error)
            return
        self._store, self._databases = store, databases
        self._is_new = False


def _key(prepared: Sequence[PreparedPattern]) -> str:
    """What tells the databases of a list of patterns from others."""
    found = hashlib.sha256()
    for one in prepared:
        found.update(repr((one.parts.caseless, one.wide, one.literals)).encode())
    return found.hexdigest()
