"""Everything inside an attachment: the file itself, members of archives, files in TNEF, nested.

Bounded in depth, members, octets and ratio; what stops it is recorded under one of four names, each
with a policy of its own: ARCHIVE_ENCRYPTED, ARCHIVE_DAMAGED, ARCHIVE_LIMIT and ARCHIVE_PATH.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from filterd.filters.parts.unpacking import (
    archive,
    containers,
    marks,
    markup,
    pdf,
    rar,
    zip_directory,
)
from filterd.filters.parts.unpacking.archive_child import MEMORY_LIMIT, ReadingTime
from filterd.filters.parts.unpacking.archive_formats import is_one_file
from filterd.filters.parts.unpacking.files import OLE_ERRORS, File
from filterd.filters.parts.unpacking.kinds import ARCHIVE_KINDS, HEAD_SIZE, kinds_of
from filterd.filters.parts.unpacking.limits import UnpackLimits
from filterd.filters.parts.unpacking.names import NAME_LIMIT, leaves_folder, link_leaves_folder
from filterd.filters.parts.unpacking.tnef import Attachment, TnefError, attachments

WORK_LIMIT = 256 << 20
"""Octets of one message's files that are read as some kind, once for each kind: the patterns of one
kind go through a mebibyte in 10 to 60 ms. A message of 50 MB is read some three times."""

NAME_WORK = 64
"""Octets of content that take as long to read as one character of a name to judge."""

KEEP_LIMIT = 16 << 20
"""Octets of one member, no archive itself, that are kept to be looked into; larger ones are judged
by name and head."""

NESTED_LIMIT = 64 << 20
"""Octets of an archive inside of another, which is kept in memory as a whole."""

RATIO_FLOOR = 16 << 20
"""Octets of content before the ratio counts: logs of one line again and again, and tables with few
values, are packed to a five-hundredth, and are not bombs."""

ARCHIVE_LIMIT = 1000
"""Archives of one message that are opened, nested ones too; each costs a process, some 2 ms."""

BEHIND_LIMIT = 256 << 20
"""Octets of the files of one message that begin within others, and are looked at for that."""

FINDING_LIMIT = 50
"""Findings of one message that are kept; the first tell the story."""

_UNREADABLE = frozenset(
    "ace alz arj disk egg installshield lrzip stuffit uc2 udf vhd wim zoo zpaq".split()
)
"""Kinds that hold files and that nothing here can open."""

_Found = containers.Inner | containers.Unseen | Attachment

_CONTAINERS: Mapping[str, Callable[[bytes], Iterator[_Found]]] = {
    "tnef": attachments,
    "mail": containers.of_mail,
    "mht": containers.of_web_archive,
    "onenote": containers.of_onenote,
    "ole": containers.of_ole,
    "rtf": containers.of_rtf,
    "apple": containers.of_apple,
    "pdf": containers.of_pdf,
    "html": containers.of_markup,
    "svg": containers.of_markup,
    "hta": containers.of_markup,
    "text": containers.of_text,
    "icalendar": containers.of_icalendar,
    "cms": containers.of_cms,
    "flat": containers.of_flat,
}

_OPENED = ARCHIVE_KINDS | _CONTAINERS.keys()

_KNOWN_BY_MARKS = frozenset({"zip", "rar", "7z", "cab", "ole", "tnef"})
"""Kinds that `marks.embedded` finds."""


_TAR_EXTENSIONS = frozenset({"tgz", "tbz", "tbz2", "txz", "tlz", "tzst", "taz"})


@dataclass
class Unpacker:
    """Unpacks the attachments of one message; the limits hold for all of them together."""

    limits: UnpackLimits = UnpackLimits()
    passwords: Sequence[str] = ()
    findings: list[tuple[str, str]] = field(default_factory=list)
    _time: ReadingTime = field(default_factory=ReadingTime)
    _archives: int = 0
    _members: int = 0
    _total: int = 0
    _behind_octets: int = 0
    _work: int = 0
    _seen: set[bytes] = field(default_factory=set)

    def files(self, names: tuple[str, ...], content: bytes, media_type: str = "") -> Iterator[File]:
        """The file itself, then all that is in it to any reader."""
        self._seen.clear()
        yield from self._files(File.of(names, content, (), media_type))

    def _files(self, file: File) -> Iterator[File]:
        if not self._may_read(file):
            return
        yield file
        for kind in file.kinds:
            if kind in _UNREADABLE:
                self._note("ARCHIVE_UNREADABLE", f"{file.shown_path}: nothing here reads {kind}")
        if not file.complete:
            return
        opened = [kind for kind in file.kinds if kind in _OPENED and _is_worth_opening(file, kind)]
        if opened and self._may_open(file):
            for kind in opened:
                is_archive = kind not in _CONTAINERS
                members = self._archive(file, kind) if is_archive else self._contained(file, kind)
                for member in members:
                    if self._is_new(member):
                        yield from self._files(member)
        if not file.is_behind:
            yield from self._behind(file)

    def _may_read(self, file: File) -> bool:
        """Counts the work that a file makes, over all files and all that read them."""
        self._work += NAME_WORK * sum(min(len(name), NAME_LIMIT) for name in file.names)
        if file.complete:
            self._work += len(file.content) * max(1, len(file.kinds))
        if file.complete and "pdf" in file.kinds:
            self._work += pdf.objects_size(file.content)
        if self._work > WORK_LIMIT:
            self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than {WORK_LIMIT} octets to read")
            return False
        return True

    def _behind(self, file: File) -> Iterator[File]:
        """What unpackers find further in, as in programs that unpack themselves, whatever it is
        that stands on top."""
        for start, end in marks.embedded(file.content):
            self._behind_octets += end - start
            if self._behind_octets > BEHIND_LIMIT:
                self._note("ARCHIVE_LIMIT", f"{file.shown_path}: too much that begins further in")
                return
            content = file.content[start:end]
            kind, *others = kinds_of(content[:HEAD_SIZE]) or ("zip",)
            found = replace(file, kind=kind, others=tuple(others), content=content, is_behind=True)
            if self._is_new(found):
                yield from self._files(found)

    def _is_new(self, file: File) -> bool:
        """False for what was found before: a file that an archive stores as it is, by its mark."""
        if file.kind not in _KNOWN_BY_MARKS or not file.complete:
            return True
        digest = hashlib.blake2b(file.content).digest()
        if file.is_behind and digest in self._seen:
            return False
        self._seen.add(digest)
        return True

    def _may_open(self, file: File) -> bool:
        if len(file.path) >= self.limits.depth:
            self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than {self.limits.depth} levels")
            return False
        self._archives += 1
        if self._archives > ARCHIVE_LIMIT:
            self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than {ARCHIVE_LIMIT} archives")
            return False
        return True

    def _archive(self, file: File, kind: str) -> Iterator[File]:
        path = (*file.path, file.names[0] if file.names else "unnamed")
        seen: set[str] = set()
        # What is so by a mark alone was a guess: the end of an embedded file looks the same.
        is_sure = file.kind == kind and not file.is_behind
        directory = zip_directory.Directory()
        if kind == "zip":
            directory = zip_directory.look(file.content, self.limits.members)
        try:
            yield from self._listed(file, kind, path, seen, frozenset(directory.encrypted))
        except archive.EncryptedError:
            self._note("ARCHIVE_ENCRYPTED", file.shown_path)
        except archive.DamagedError as error:
            if "too many filters" in str(error):
                self._note("ARCHIVE_LIMIT", f"{file.shown_path}: too many levels of compression")
            elif directory.encrypted:
                self._note("ARCHIVE_ENCRYPTED", file.shown_path)
            elif is_sure:
                self._note("ARCHIVE_DAMAGED", f"{file.shown_path}: {error}")
        except archive.TooSlowError:
            note = (
                f"{file.shown_path}: takes more than {self.limits.seconds} seconds of CPU to read"
            )
            self._note("ARCHIVE_LIMIT", note)
        except archive.CrashedError:
            self._note("ARCHIVE_LIMIT", f"{file.shown_path}: its reader crashed")
        except archive.MemberTooLargeError:
            note = f"{file.shown_path}: takes more than {MEMORY_LIMIT >> 20} MiB to read"
            self._note("ARCHIVE_LIMIT", note)
        if is_one_file(kind) and not seen:
            # Not even its first octets can be read, but its name is known.
            yield File(_member_names("data", file, kind), "", b"", path, complete=False)
        if kind == "zip":
            yield from self._unlisted(file, path, seen, directory, is_sure=is_sure)

    def _unlisted(
        self,
        file: File,
        path: tuple[str, ...],
        seen: set[str],
        directory: zip_directory.Directory,
        *,
        is_sure: bool,
    ) -> Iterator[File]:
        """What readers see in a ZIP file that do not go by its directory, or go by it alone."""
        for name in directory.names:
            if name not in seen:
                seen.add(name)
                self._look_at_path(file, name)
                yield File((name,), "", b"", path, complete=False)
        for hidden in directory.hidden:
            if not self._count(file):
                return
            self._look_at_path(file, hidden.name)
            content = hidden.content(file.content, KEEP_LIMIT)
            self._total += len(content)
            if self._total > self.limits.total:
                self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than is unpacked")
                return
            if hidden.is_encrypted:
                self._note("ARCHIVE_ENCRYPTED", "/".join((*path, hidden.name)))
            yield File.of((hidden.name,), content, path)
        if is_sure and directory.contradicts:
            note = f"{file.shown_path}: its directory and its members contradict each other"
            self._note("ARCHIVE_AMBIGUOUS", note)
        if is_sure and directory.odd_methods:
            methods = ", ".join(map(str, sorted(directory.odd_methods)))
            self._note("ARCHIVE_UNREADABLE", f"{file.shown_path}: packed by method {methods}")

    def _look_at_path(self, file: File, name: str, link: str = "") -> None:
        if leaves_folder(name):
            self._note("ARCHIVE_PATH", f"{file.shown_path}: {name}")
        elif link and link_leaves_folder(name, link):
            self._note("ARCHIVE_PATH", f"{file.shown_path}: {name} is a link to {link}")

    def _listed(
        self,
        file: File,
        kind: str,
        path: tuple[str, ...],
        seen: set[str],
        locked: frozenset[str],
    ) -> Iterator[File]:
        """The members as the archive lists them; their names are put into `seen`. locked: names of
        those that need a password, which libarchive may have."""
        seconds = math.ceil(self.limits.seconds - self._time.seconds)
        if seconds <= 0:
            raise archive.TooSlowError
        allowed = self._total + max(RATIO_FLOOR, self.limits.ratio * len(file.content))
        headers = rar.look(file.content) if kind == "rar" else rar.Headers()
        if headers.headers_encrypted:
            raise archive.EncryptedError
        encrypted = frozenset(headers.encrypted)
        for entry in archive.entries(file.content, kind, self.passwords, seconds, self._time):
            seen.add(entry.name)
            if not self._count(file):
                return
            self._look_at_path(file, entry.name, entry.link)
            if entry.is_file or is_one_file(kind):
                names = _member_names(entry.name, file, kind)
                if entry.name in encrypted:
                    self._note("ARCHIVE_ENCRYPTED", "/".join((*path, names[0])))
                    yield File(names, "", b"", path, complete=False)
                    continue
                is_locked = entry.name in locked
                most = min(allowed, self.limits.total)
                member = self._read(entry, names, path, most, is_locked=is_locked)
                if member is None:
                    return
                if is_one_file(kind) and member.complete and member.content == file.content:
                    # libarchive gives what it does not know as it is.
                    note = f"{file.shown_path}: nothing here reads {kind} with such settings"
                    self._note("ARCHIVE_LIMIT", note)
                    yield File(names, "", b"", path, complete=False)
                    return
                yield member

    def _read(
        self,
        entry: archive.ArchiveEntry,
        names: tuple[str, ...],
        path: tuple[str, ...],
        allowed: int,
        *,
        is_locked: bool,
    ) -> File | None:
        """The member, or None where a limit ends the work."""
        blocks: list[bytes] = []
        kept, keep, complete, is_archive = 0, True, True, False
        where = "/".join((*path, names[0]))
        if entry.size > allowed - self._total:
            self._note("ARCHIVE_LIMIT", f"{where}: {entry.size} octets when unpacked")
            return None
        try:
            for block in entry.blocks():
                self._total += len(block)
                if self._total > allowed:
                    self._note("ARCHIVE_LIMIT", f"{where}: more than {allowed} octets unpacked")
                    return None
                if keep:
                    blocks.append(block)
                    if not kept:
                        is_archive = not ARCHIVE_KINDS.isdisjoint(kinds_of(block[:HEAD_SIZE]))
                    kept += len(block)
                    keep = is_archive or kept < KEEP_LIMIT
                    if kept > NESTED_LIMIT:
                        self._note("ARCHIVE_LIMIT", f"{where}: more than {NESTED_LIMIT} octets")
                        return None
                else:
                    complete = False
        except archive.EncryptedError:
            self._note("ARCHIVE_ENCRYPTED", where)
            complete = False
        except archive.DamagedError as error:
            if is_locked:
                self._note("ARCHIVE_ENCRYPTED", where)
                complete = False
            else:
                # Unpackers warn and go on: what could be read counts.
                self._note("ARCHIVE_DAMAGED", f"{where}: {error}")
        content = b"".join(blocks)
        return File.of(names, content, path) if complete else File.begun(names, content, path)

    def _contained(self, file: File, kind: str) -> Iterator[File]:
        path = (*file.path, file.names[0] if file.names else "unnamed")
        try:
            for found in _CONTAINERS[kind](file.content):
                if isinstance(found, containers.Unseen):
                    self._note(found.symbol, f"{file.shown_path}: {found.detail}")
                    continue
                self._total += len(found.content)
                if not self._count(file):
                    return
                if self._total > self.limits.total:
                    self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than is unpacked")
                    return
                yield File.of(found.names, found.content, path, found.media_type)
        except TnefError as error:
            self._note("ARCHIVE_DAMAGED", f"{file.shown_path}: {error}")
        except archive.MemberTooLargeError:
            self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than is unpacked")
        except OLE_ERRORS:
            pass  # what is wrong with an Office file is said by those who read it as a document

    def _count(self, file: File) -> bool:
        self._members += 1
        if self._members > self.limits.members:
            self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than {self.limits.members} files")
            return False
        return True

    def _note(self, symbol: str, detail: str) -> None:
        is_first = all(symbol != known for known, _detail in self.findings)
        if is_first or len(self.findings) < FINDING_LIMIT:
            self.findings.append((symbol, detail))


def _is_worth_opening(file: File, kind: str) -> bool:
    if kind in ("html", "svg", "hta"):
        return markup.may_hold_files(file.content)
    return True


def _member_names(name: str, file: File, kind: str) -> tuple[str, ...]:
    """A file that was only compressed has the archive's name without its last extension, and
    perhaps one that the archive's header remembers: some unpackers take this, some that."""
    if not is_one_file(kind):
        return (name,)
    stem, _, extension = (file.names[0] if file.names else "data").rpartition(".")
    usual = f"{stem}.tar" if extension.lower() in _TAR_EXTENSIONS else (stem or "data")
    return (usual, name) if name not in ("data", usual) else (usual,)
