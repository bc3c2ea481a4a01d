"""Files that somebody gave as text, and the maps of a configuration that know nothing else: no file
of this machine is read, no name server, program or other service is asked.

A lookup that would need one of those finds nothing, and is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.lookup import EX_NOTFOUND, EX_OK, MapAnswer, RunTimeMacros
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.base import BaseMap, MapValue
from filterd.mta.maps.opening import SiteMaps
from filterd.mta.maps.sequence import FindMap, SequenceMap
from filterd.mta.maps.source import read_source
from filterd.mta.maps.stab import read_aliases
from filterd.mta.maps.text import ColumnMap

COMPUTED = frozenset({"null", "dequote", "arith", "arpa", "macro", "regex", "sequence"})
"""Classes of maps that answer out of themselves."""

TABLES = frozenset({"hash", "btree", "cdb", "text", "stab", "implicit"})
"""Classes that read a table."""

REASONS = {
    "dns": "name servers are not asked",
    "bestmx": "name servers are not asked",
    "host": "name servers are not asked",
    "user": "users of this machine are not looked up",
    "program": "programs are not run",
    "syslog": "nothing is written to the log",
}
"""Why a map of another class is not asked."""


@dataclass
class GivenFiles:
    """Files by name, as text in octet form. missing: what was asked for and is not among them.
    unasked: maps that were not asked, by name in lower case, and why."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    unasked: dict[str, str] = field(default_factory=dict)

    def class_file(self, path: Path) -> bytes:
        """The content of a file that an F line names, nothing for one that was not given."""
        data = self.files.get(str(path))
        if data is None:
            self.missing[str(path)] = None
            return b""
        return data

    def table(self, file: str) -> bytes | None:
        """The text from which a database file is made, or a text file; None if not given."""
        for name in (file, file.removesuffix(".db"), file.removesuffix(".cdb")):
            if name in self.files:
                return self.files[name]
        return None


class GivenMaps(SiteMaps):
    """The maps of one configuration, with these files and nothing else."""

    def __init__(self, cf: SendmailCf, macros: RunTimeMacros, given: GivenFiles) -> None:
        super().__init__(cf, macros)
        self._given = given

    @classmethod
    def of(cls, cf: SendmailCf, macros: RunTimeMacros, given: GivenFiles) -> GivenMaps:
        """The maps of a configuration that was read."""
        maps = cls(cf, macros, given)
        for line in cf.maps.values():
            maps.define(line.name, line.type, line.arguments)
        return maps

    def _made(self, options: MapOptions) -> BaseMap:
        if options.type in COMPUTED:
            return super()._made(options)
        if options.type == "switch":
            # By files: what the service switch names else is another machine's.
            return _FilesMap(options, self.find)
        if options.type not in TABLES:
            why = REASONS.get(options.type, "other services are not asked")
            return UnaskedMap(options, self._given, why)
        data = self._given.table(options.file)
        if data is None:
            return UnaskedMap(options, self._given, f"{options.file} was not given")
        return GivenText(options, data) if options.type == "text" else GivenTable(options, data)


class UnaskedMap(BaseMap):
    """A map that is not asked: it finds nothing."""

    def __init__(self, options: MapOptions, given: GivenFiles, why: str) -> None:
        super().__init__(options)
        self._given, self._why = given, why

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        del key, arguments
        self._given.unasked[self.options.name.lower()] = self._why
        # What is written to the log is replaced by nothing.
        return MapAnswer("" if self.options.type == "syslog" else None, EX_OK)


class GivenTable(BaseMap):
    """A table as makemap or newaliases read it, each entry with its line."""

    def __init__(self, options: MapOptions, data: bytes) -> None:
        super().__init__(options)
        self._table = (
            read_aliases(data)
            if options.is_alias or options.type == "stab"
            else read_source(data, folds_case=options.folds_case)
        )

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        found = self._table.get(self._folded(key))
        if found is None:
            return MapAnswer(None, EX_OK)
        entry = f"{self.options.file}:{found[1]}"
        return self._value(key, arguments, MapValue(found[0], entry))


class GivenText(ColumnMap):
    """A map of class text over a text in memory."""

    def __init__(self, options: MapOptions, data: bytes) -> None:
        super().__init__(options)
        self._data = data

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        return self._found_in(self._data, key, arguments)


class _FilesMap(SequenceMap):
    """NAME.files, if there is such a map."""

    def __init__(self, options: MapOptions, find: FindMap) -> None:
        super().__init__(options, find)
        self._members = (f"{options.name}.files",)

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        if self._find(self._members[0]) is None:
            return MapAnswer(None, EX_NOTFOUND)
        return super()._answer(key, arguments)
