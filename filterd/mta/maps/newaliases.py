"""newaliases: the text files of `O AliasFile` become databases.

Messages are those of `sendmail -bi` 8.17, as observed. The last of several lines with one name
counts; each database ends with the entry `@`, by which a reader knows that it is whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from filterd.mta.cf.addresses import AddressResolver
from filterd.mta.cf.alias_lines import alias_specs
from filterd.mta.cf.config import MapLine, SendmailCf
from filterd.mta.cf.map_arguments import map_options
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.cf.observer import Observer, RuleMessage
from filterd.mta.cf.rewriting import Rewriter
from filterd.mta.maps.alias_text import AliasCount, AliasText
from filterd.mta.maps.base import EX_OSERR, EX_SOFTWARE, text_of
from filterd.mta.maps.bdb_writer import Entries
from filterd.mta.maps.opening import open_maps
from filterd.mta.maps.safety import Check, Owner, trouble_with
from filterd.mta.maps.text import SIZE_LIMIT
from filterd.mta.maps.writing import being_written, content, file_name, put
from filterd.system.bounded import read_regular

_MISSING = os.strerror(2)


class NewAliases(Observer):
    """Makes the databases of one configuration. say: takes each message, in octet form."""

    def __init__(self, cf: SendmailCf, say: Callable[[str], None]) -> None:
        definitions = cf.program.definitions.copy()
        maps = open_maps(cf, definitions)
        self._resolver = AddressResolver(Rewriter(cf.program, maps, self, definitions))
        maps.alias_rules = lambda: self._resolver
        self._say = say
        self._owner = Owner.of(cf)
        self._trusted = self._owner.trusted_uid or None
        self._specs = [
            spec for value in cf.options.get("AliasFile", []) for spec in alias_specs(value)
        ]
        self.status = 0

    def run(self) -> int:
        """Returns the exit status."""
        for index, (type, arguments) in enumerate(self._specs):
            line = MapLine(f"Alias{index}", type, arguments)
            options, problems = map_options(line, is_alias=True)
            for problem in problems:
                self._complain(problem)
            if options.is_valid and type in ("hash", "btree", "cdb", "implicit"):
                self._rebuild(options)
        return self.status

    def message(self, message: RuleMessage) -> None:
        if message.system:
            self.status = self.status or message.trouble or EX_SOFTWARE
        self._say(str(message))

    def _complain(self, text: str, status: int = EX_SOFTWARE) -> None:
        self._say(text)
        self.status = self.status or status

    def _rebuild(self, options: MapOptions) -> None:
        file = options.file
        data = self._source(options)
        if data is None:
            return
        type = "hash" if options.type == "implicit" else options.type
        path = file_name(file, type)
        if trouble := self._trouble_with_target(path):
            if not options.is_optional and options.type != "implicit":
                problem = f'{type} map "{options.name}": unsafe map file {path}: {trouble}'
                self._complain(problem, EX_OSERR)
            self._complain(f"Cannot create database for alias file {file}: {trouble}", EX_OSERR)
            return
        try:
            with being_written(Path(path)):
                entries, count = self._read(data, file, options)
                end = b"\0" if options.stores_nul else b""
                entries[b"@" + end] = [b"@" + end]
                put(Path(path), content(entries, type), self._trusted)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", "") or str(error)
            self._complain(f"Cannot create database for alias file {file}: {why}", EX_OSERR)
            return
        self._say(f"{file}: {count}")

    def _source(self, options: MapOptions) -> bytes | None:
        """The text, None if it is not there or may be changed by others."""
        checks = Check.REGULAR
        blame = self._owner.blame
        if "linkedaliasfileinwritabledir" not in blame:
            checks |= Check.NO_LINK_IN_WRITABLE_FOLDER
        if "groupwritablealiasfile" not in blame:
            checks |= Check.NO_GROUP_WRITABLE
        if "worldwritablealiasfile" not in blame:
            checks |= Check.NO_WORLD_WRITABLE
        trouble = trouble_with(options.file, replace(self._owner, uid=os.geteuid()), checks)
        if not trouble:
            try:
                return read_regular(Path(options.file), SIZE_LIMIT)
            except (OSError, ValueError) as error:
                trouble = getattr(error, "strerror", "") or str(error)
        if not options.is_optional:
            self._say(f"newaliases: cannot open {options.file}: {trouble}")
        return None

    def _trouble_with_target(self, path: str) -> str:
        checks = Check.REGULAR
        blame = self._owner.blame
        if "writemaptosymlink" not in blame:
            checks |= Check.NO_SYMLINK
        if "writemaptohardlink" not in blame:
            checks |= Check.NO_HARDLINK
        if "mapinunsafedirpath" not in blame:
            checks |= Check.SAFE_FOLDERS
        trouble = trouble_with(path, self._owner, checks, stat.S_IWUSR)
        return "" if trouble == _MISSING and Path(path).parent.is_dir() else trouble

    def _read(self, data: bytes, file: str, options: MapOptions) -> tuple[Entries, AliasCount]:
        end = b"\0" if options.stores_nul else b""
        entries: Entries = {}
        text = AliasText(self._resolver)
        for line in text.read(data, file):
            key, stored = line.name + end, line.value
            if key in entries:
                if options.appends_duplicates:
                    stored = entries[key][0].removesuffix(end) + b"," + stored
                else:
                    name = text_of(line.name)
                    text.voice.warn(f"{line.shown}... Warning: duplicate alias name {name}")
            entries[key] = [stored + end]
        return entries, text.count
