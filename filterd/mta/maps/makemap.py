"""makemap: a text with keys and values in, a database file out, or the other way (`-u`).

Messages, exit statuses and what is refused are those of sendmail 8.17's makemap, as observed. The
file is written beside the old one and renamed, so that a makemap which is interrupted, or runs
beside an MTA, does no harm.
"""

from __future__ import annotations

import errno
import getopt
import os
import pwd
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import BinaryIO

from filterd.mta.maps.bdb_pages import DamagedDatabaseError, NotADatabaseError
from filterd.mta.maps.bdb_writer import Entries
from filterd.mta.maps.safety import Check, Owner, trouble_with, writable_folders
from filterd.mta.maps.source import SourceOptions, source_lines
from filterd.mta.maps.writing import SUFFIXES, being_written, content, entries_of, file_name, put

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_CANTCREAT, EX_IOERR = 64, 65, 66, 73, 74

SOURCE_LIMIT = 1 << 30
"""Octets of the text; a million entries have some 50 MiB."""

USAGE = """\
Usage: makemap [-C cffile] [-N] [-c cachesize] [-D commentchar]
               [-d] [-e] [-f] [-i type] [-l] [-o] [-r] [-s] [-t delimiter]
               [-u] [-v] type mapname
"""

_DESCRIPTIONS = {"hash": "db", "btree": "db", "cdb": "cdb", "implicit": ""}
_SWITCHES = {
    "-N": "stores_nul",
    "-d": "duplicates",
    "-o": "appends",
    "-r": "replaces",
    "-s": "is_lax",
    "-u": "dumps",
    "-v": "is_verbose",
}


_TRUSTED_USER = re.compile(r"^O +TrustedUser[ \t]*=[ \t]*(\w+)", re.MULTILINE | re.IGNORECASE)


class MakemapError(Exception):
    """makemap ends with this status; the text is what it says, empty for nothing."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class Makemap:
    """The arguments of one call."""

    type: str = ""
    name: str = ""
    cf: Path = Path("/etc/mail/sendmail.cf")
    cf_is_given: bool = False
    stores_nul: bool = False  # -N
    duplicates: bool = False  # -d
    appends: bool = False  # -o
    replaces: bool = False  # -r
    dumps: bool = False  # -u
    is_verbose: bool = False  # -v
    is_lax: bool = False  # -s
    fallback: str = ""  # -i
    separator: bytes = b""  # -t
    source: SourceOptions = field(default_factory=SourceOptions)
    notes: list[str] = field(default_factory=list)
    trusted_uid: int | None = None

    @classmethod
    def parse(cls, arguments: list[str]) -> Makemap:
        """Raises MakemapError, also for `-l` and its like, whose text is for standard output."""
        self = cls()
        try:
            options, rest = getopt.getopt(arguments, "C:D:Nc:defi:Llorst:uvx")
        except getopt.GetoptError as error:
            words = "option requires an argument" if "requires" in error.msg else "invalid option"
            raise MakemapError(f"makemap: {words} -- '{error.opt}'\n{USAGE}", EX_USAGE) from None
        given = dict(options)
        for letter, value in options:
            if letter in ("-l", "-L", "-x"):
                raise MakemapError(_listing(letter), 0)
            if name := _SWITCHES.get(letter):
                setattr(self, name, True)
            if letter == "-t" and not value:
                self.notes.append("Invalid separator\n")
        self.cf_is_given = "-C" in given
        self.cf = Path(given.get("-C", self.cf))
        self.fallback = given.get("-i", "")
        self.separator = os.fsencode(given.get("-t", ""))[:1]
        self.source = SourceOptions(
            os.fsencode(given.get("-D", "#"))[:1], self.separator, "-f" not in given, "-e" in given
        )
        if len(rest) != 2:
            raise MakemapError(USAGE, EX_USAGE)
        self.type, self.name = rest
        return self

    def run(self, source: BinaryIO, out: BinaryIO, errors: BinaryIO) -> int:
        """Do it. Returns the exit status. Raises MakemapError."""
        self._read_cf()
        for note in self.notes:
            errors.write(note.encode("utf-8", "surrogateescape"))
        if self.type == "implicit":
            self.type = "hash"
        if self.type == "dbm":
            raise MakemapError(
                "makemap: Need to recompile with -DNDBM for dbm support\n", EX_CANTCREAT
            )
        if self.type not in SUFFIXES:
            raise self._cannot_open("Unknown database type")
        path = file_name(self.name, self.type)
        self._check(path, errors)
        try:
            with being_written(Path(path)):
                if self.dumps:
                    return self._dump(Path(path), out)
                return self._make(Path(path), source, out, errors)
        except NotADatabaseError:
            raise self._cannot_open(os.strerror(errno.EINVAL)) from None
        except DamagedDatabaseError as error:
            raise self._cannot_open(str(error)) from None
        except OSError as error:
            raise self._cannot_open(error.strerror or str(error)) from None

    def _cannot_open(self, why: str) -> MakemapError:
        return MakemapError(
            f"makemap: error opening type {self.type} map {self.name}: {why}\n", EX_CANTCREAT
        )

    def _read_cf(self) -> None:
        """The type `cf`: that of the K line which names the file; and TrustedUser for root."""
        wants_type = self.type.lower() == "cf"
        if not wants_type and os.geteuid() != 0:
            return
        try:
            text = self.cf.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            # Without -C it is only looked for: there may be no sendmail on this machine.
            if not self.cf_is_given and not wants_type:
                return
            raise MakemapError(f"makemap: {self.cf}: {error.strerror}\n", EX_NOINPUT) from None
        match = _TRUSTED_USER.search(text)
        if match and os.geteuid() == 0:
            self.trusted_uid = _uid(match[1]) or None
        if not wants_type:
            return
        found = _type_in(text, self.name, by_path=self.type == "cf")
        if not found and self.fallback:
            found = self.fallback
            if self.is_verbose:
                self.notes.append(
                    f"makemap: mapfile {self.name}: not found in {self.cf}, "
                    f"using fallback {found}\n"
                )
        if not found:
            raise MakemapError(
                f"makemap: mapfile {self.name}: not found in {self.cf}\n", EX_DATAERR
            )
        self.type = found

    def _check(self, path: str, errors: BinaryIO) -> None:
        """What sendmail does not write over or into. Raises MakemapError."""
        checks = Check.REGULAR
        if not self.is_lax:
            checks |= Check.NO_SYMLINK | Check.NO_HARDLINK | Check.NO_LINK_IN_WRITABLE_FOLDER
        uid = os.getuid()
        owner = Owner(uid, os.getgid(), _user_name(uid), uid, self.trusted_uid or 0)
        mode = stat.S_IRUSR if self.dumps else stat.S_IWUSR
        trouble = trouble_with(path, owner, checks, mode)
        is_new = trouble == os.strerror(errno.ENOENT) and not (self.dumps or self.appends)
        is_fine = not trouble or (is_new and Path(path).parent.is_dir())
        if uid == 0:
            # Said once for the file and once for its lock.
            for folder in writable_folders(path, owner) * (2 if is_fine else 1):
                errors.write(f"WARNING: {folder}\n".encode("utf-8", "surrogateescape"))
        if is_fine:
            return
        raise self._cannot_open(trouble)

    def _dump(self, path: Path, out: BinaryIO) -> int:
        separator = self.separator or b"\t"
        for key, values in entries_of(path, self.type).items():
            for value in values:
                # C strings end at a NUL.
                parts = (one.partition(b"\0")[0] for one in (key, value))
                out.write(separator.join(parts) + b"\n")
        return 0

    def _make(self, path: Path, source: BinaryIO, out: BinaryIO, errors: BinaryIO) -> int:
        entries: Entries = entries_of(path, self.type) if self.appends else {}
        data = source.read(SOURCE_LIMIT + 1)
        if len(data) > SOURCE_LIMIT:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        status, end = 0, b"\0" if self.stores_nul else b""
        for line in source_lines(data, self.source):
            problem = line.problem
            if not problem:
                if self.is_verbose:
                    out.write(b"key=`" + line.key + b"', val=`" + line.value + b"'\n")
                key, value = line.key + end, line.value + end
                if self.duplicates:
                    entries.setdefault(key, []).append(value)
                elif key in entries and not self.replaces:
                    problem = f"key {line.key.decode('utf-8', 'surrogateescape')}: duplicate key"
                else:
                    entries[key] = [value]
            if problem:
                status = EX_DATAERR
                said = f"makemap: {self.name}: line {line.number}: {problem}\n"
                errors.write(said.encode("utf-8", "surrogateescape"))
        try:
            put(path, content(entries, self.type, duplicates=self.duplicates), self.trusted_uid)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", "") or str(error)
            errors.write(f"makemap: close({self.name}): {why}\n".encode("utf-8", "surrogateescape"))
            return EX_IOERR
        return status


def _listing(letter: str) -> str:
    """What `-l`, `-L` and `-x` print: the types."""
    if letter == "-x":
        return "".join(f"{one}:{what}\n" for one, what in _DESCRIPTIONS.items())
    names = [*(("cf", "CF") if letter == "-L" else ()), *_DESCRIPTIONS]
    return "".join(f"{one}\n" for one in names)


def _uid(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        return 0


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"Unknown UID {uid}"


def _type_in(text: str, name: str, *, by_path: bool) -> str:
    """The class of the first K line whose file it is: of the same path, or else of the same name
    without folder and ending. Empty for none."""
    wanted = name if by_path else Path(name).name.partition(".")[0]
    for line in text.split("\n"):
        words = line[1:].split()
        if not line.startswith("K") or len(words) < 3:
            continue
        kind, file = re.match("[A-Za-z0-9]*", words[1]), words[-1]
        if not by_path:
            file = PurePath(file).name
            file = file.rpartition(".")[0] or file
        if kind and file == wanted:
            return kind[0]
    return ""


def makemap(arguments: list[str], source: BinaryIO, out: BinaryIO, errors: BinaryIO) -> int:
    """makemap with these arguments. Returns the exit status."""
    try:
        return Makemap.parse(arguments).run(source, out, errors)
    except MakemapError as error:
        said = str(error).encode("utf-8", "surrogateescape")
        (errors if error.status else out).write(said)
        return error.status
