"""newaliases: the text files of `O AliasFile` become databases.

Messages are those of `sendmail -bi` 8.17, as observed. The last of several lines with one name
counts; each database ends with the entry `@`, by which a reader knows that it is whole.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from filterd.mta.cf.alias_lines import alias_specs
from filterd.mta.cf.config import MapLine, SendmailCf
from filterd.mta.cf.map_arguments import map_options
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.base import EX_OSERR, EX_SOFTWARE
from filterd.mta.maps.bdb_writer import Entries
from filterd.mta.maps.safety import Check, Owner, trouble_with
from filterd.mta.maps.text import SIZE_LIMIT
from filterd.mta.maps.writing import being_written, content, file_name, put
from filterd.system.bounded import read_regular

LINE_LIMIT = 8191
"""Octets of a line with those that go on it (BUFSIZ)."""

ResolveName = Callable[[str], tuple[str, bool]]
"""The name as a local mailer has it, and whether it is local at all. Raises ValueError, whose text
is shown, for what is not an address."""

_MISSING = os.strerror(2)


@dataclass(slots=True)
class _Count:
    number: int = 0
    longest: int = 0
    total: int = 0


class NewAliases:
    """Makes the databases of one configuration. say: takes each message."""

    def __init__(self, cf: SendmailCf, resolve: ResolveName, say: Callable[[str], None]) -> None:
        self._resolve = resolve
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
        self._say(
            f"{file}: {count.number} aliases, longest {count.longest} bytes, "
            f"{count.total} bytes total"
        )

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

    def _read(self, data: bytes, file: str, options: MapOptions) -> tuple[Entries, _Count]:
        end = b"\0" if options.stores_nul else b""
        entries: Entries = {}
        count = _Count()
        for place, user, value in self._aliases(data, file):
            key = user.encode("utf-8", "surrogateescape")
            if user.lower() == "postmaster":
                key = key.lower()
            stored = value
            if key + end in entries:
                if options.appends_duplicates:
                    stored = entries[key + end][0].removesuffix(end) + b"," + value
                else:
                    self._say(f"{place}{user}... Warning: duplicate alias name {user}")
            entries[key + end] = [stored + end]
            count.number += 1
            count.total += len(key) + len(value)
            count.longest = max(count.longest, len(value))
        return entries, count

    def _aliases(self, data: bytes, file: str) -> Iterator[tuple[str, str, bytes]]:
        """For each sound line its place, its name and its value; the others are complained of."""
        for number, line in _lines(data):
            if not line or line.startswith(b"#"):
                continue
            place = f"{file}: line {number}: "
            try:
                user, value = self._alias(line)
            except ValueError as error:
                for text in str(error).split("\n"):
                    self._complain(place + text)
                continue
            yield place, user, value

    def _alias(self, line: bytes) -> tuple[str, bytes]:
        """The name and the value of a line. Raises ValueError with what to say."""
        if len(line) > LINE_LIMIT:
            raise ValueError("alias line too long")
        if line.startswith((b" ", b"\t")):
            raise ValueError("Non-continuation line starts with space")
        left, colon, right = line.partition(b":")
        if not colon:
            raise ValueError("missing colon")
        shown = line[:40].decode("utf-8", "surrogateescape")
        name = left.decode("utf-8", "surrogateescape")
        try:
            user, is_local = self._resolve(name)
        except ValueError as error:
            said = f"{error}\n" if str(error) else ""
            raise ValueError(f"{said}{shown}... illegal alias name") from None
        if not is_local:
            raise ValueError(f"{name.strip()}... cannot alias non-local names")
        value = right.lstrip(b" \t\n\v\f\r")
        if not value.strip():
            raise ValueError(f"{shown}... missing value for alias")
        return user, value


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Logical lines with the number of their last physical one. A line that begins with a blank
    goes on the one before it, and so does one behind a backslash."""
    current: bytes | None = None
    last = 0
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
        line = line.partition(b"\0")[0]  # noqa: PLW2901  # as C reads it
        if current is not None and (
            current.endswith(b"\\") or (current and line.startswith((b" ", b"\t")))
        ):
            current = current.removesuffix(b"\\") + line
        else:
            if current is not None:
                yield last, current
            current = line
        last = number
    if current is not None:
        yield last, current


def plain_names(cf: SendmailCf) -> ResolveName:
    """Names without rules: local are those without a domain, or with one of class w."""
    domains = {one.lower() for one in cf.classes.get("w", ())}
    domains |= {cf.expand("$j").lower(), "localhost"}

    def resolve(text: str) -> tuple[str, bool]:
        name = re.sub(r"\s+", "", text) if '"' not in text else text.strip()
        if not name:
            raise ValueError("")
        local, at, domain = name.rpartition("@")
        if at and not name.endswith('"'):
            return local.lower(), domain.lower().rstrip(".") in domains
        return name.lower(), True

    return resolve
