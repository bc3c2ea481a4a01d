"""Everything inside an attachment: the file itself, members of archives, files in TNEF, nested.

Bounded in depth, members, octets and ratio; what stops it is recorded under one of four names, each
with a policy of its own: ARCHIVE_ENCRYPTED, ARCHIVE_DAMAGED, ARCHIVE_LIMIT and ARCHIVE_PATH.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from filterd.filters.contents import archive, containers, zip_directory
from filterd.filters.contents.kinds import ARCHIVE_KINDS, HEAD_SIZE, kind_of
from filterd.filters.contents.names import leaves_folder, link_leaves_folder
from filterd.filters.contents.tnef import Attachment, TnefError, attachments

KEEP_LIMIT = 16 << 20
"""Octets of one member, no archive itself, that are kept to be looked into; larger ones are judged
by name and head."""

RATIO_FLOOR = 4 << 20
"""Octets of content before the ratio counts: small files of zeros are no bomb."""

ARCHIVE_LIMIT = 200
"""Archives of one message that are opened, nested ones too; each costs a process."""

FINDING_LIMIT = 50
"""Findings of one message that are kept; the first tell the story."""

_UNREADABLE = frozenset("ace alz arj disk egg installshield stuffit uc2 udf vhd wim zoo".split())
"""Kinds that hold files and that nothing here can open."""

_BY_NAME = (
    ((".eml", ".mht", ".mhtml", ".nws", ".email"), "mail"),
    ((".p7m", ".p7z"), "cms"),
)
"""Files whose octets alone do not tell."""

_WORTH_KEEPING = (
    ARCHIVE_KINDS | set("tnef ole pdf rtf html svg hta mail onenote apple".split()) | {""}
)

_CONTAINERS: Mapping[str, Callable[[bytes], Iterator[containers.Inner | Attachment]]] = {
    "tnef": attachments,
    "mail": containers.of_mail,
    "onenote": containers.of_onenote,
    "ole": containers.of_ole,
    "apple": containers.of_apple,
    "pdf": containers.of_pdf,
    "html": containers.of_markup,
    "svg": containers.of_markup,
    "text": containers.of_text,
    "cms": containers.of_cms,
}

_OPENED = ARCHIVE_KINDS | _CONTAINERS.keys()

OLE_ERRORS = (OSError, ValueError, IndexError, TypeError, KeyError, AttributeError, struct.error)
"""What olefile raises on broken files, and we on their streams."""

_TAR_EXTENSIONS = frozenset({"tgz", "tbz", "tbz2", "txz", "tlz", "tzst", "taz"})

_MARKS_BEHIND = ((b"Rar!\x1a\x07", "rar"), (b"7z\xbc\xaf\x27\x1c", "7z"))
_FOOTER_SIZE = 512
_DISK_FOOTERS = {b"cone": "vhd", b"koly": "disk"}
"""Disk images that are known by their last 512 octets: Virtual PC's, and Apple's (UDIF)."""

_ZIP_END = b"PK\x05\x06"
_ZIP_TAIL = 22 + 65535  # APPNOTE.TXT 4.3.16: the record and the longest comment


@dataclass(frozen=True)
class Limits:
    """Of one message. total: octets unpacked. ratio: octets unpacked for one octet of archive.
    seconds: that reading all archives may take, so that the filter itself is never out of time."""

    depth: int = 5
    members: int = 5000
    total: int = 64 << 20
    ratio: int = 200
    seconds: int = 5


@dataclass(frozen=True, slots=True)
class File:
    """One file. names: its own; path: the archives around it, outermost first. content: as far as
    it was kept, whole if `complete`."""

    names: tuple[str, ...]
    kind: str
    content: bytes
    path: tuple[str, ...] = ()
    complete: bool = True

    @property
    def shown_path(self) -> str:
        """The names from the outermost archive to the file itself, joined by `/`."""
        return "/".join((*self.path, self.names[0] if self.names else "unnamed"))


@dataclass
class Unpacker:
    """Unpacks the attachments of one message; the limits hold for all of them together."""

    limits: Limits = Limits()
    passwords: Sequence[str] = ()
    findings: list[tuple[str, str]] = field(default_factory=list)
    _deadline: float = 0.0
    _archives: int = 0
    _members: int = 0
    _total: int = 0

    def files(self, names: tuple[str, ...], content: bytes) -> Iterator[File]:
        """The file itself, then all that is in it."""
        yield from self._files(File(names, kind_of(content[:HEAD_SIZE]), content))

    def _files(self, file: File) -> Iterator[File]:
        if not file.kind and file.complete:
            kind = _DISK_FOOTERS.get(file.content[-_FOOTER_SIZE:][:4], "")
            file = replace(file, kind=kind) if kind else file
        yield file
        kind = file.kind
        if kind not in ARCHIVE_KINDS and file.complete:
            kind, start = _archive_behind(file.content)
            if kind:
                # Only what is read begins there.
                file = replace(file, kind=file.kind, content=file.content[start:])
            kind = kind or file.kind
        if kind in _UNREADABLE:
            self._note("ARCHIVE_UNREADABLE", f"{file.shown_path}: nothing here reads {kind}")
        if kind == "" and file.names:
            name = file.names[0].lower()
            kind = next((kind for ends, kind in _BY_NAME if name.endswith(ends)), "")
        if kind == "" and file.complete and containers.holds_files(file.content):
            kind = "text"
        if kind not in _OPENED or not file.complete:
            return
        if kind == "ole" and not containers.is_container(file.content):
            return
        if kind in ("html", "svg") and not containers.has_data_links(file.content):
            return
        if len(file.path) >= self.limits.depth:
            self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than {self.limits.depth} levels")
            return
        self._archives += 1
        if self._archives > ARCHIVE_LIMIT:
            self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than {ARCHIVE_LIMIT} archives")
            return
        self._deadline = self._deadline or time.monotonic() + self.limits.seconds
        members = self._contained(file, kind) if kind in _CONTAINERS else self._archive(file, kind)
        for member in members:
            yield from self._files(member)

    def _archive(self, file: File, kind: str) -> Iterator[File]:
        path = (*file.path, file.names[0] if file.names else "unnamed")
        seen: set[str] = set()
        try:
            yield from self._listed(file, kind, path, seen)
        except archive.EncryptedError:
            self._note("ARCHIVE_ENCRYPTED", file.shown_path)
        except archive.DamagedError as error:
            if "too many filters" in str(error):
                self._note("ARCHIVE_LIMIT", f"{file.shown_path}: too many levels of compression")
            # Behind another kind it was a guess: the end of an embedded file looks the same.
            elif file.kind == kind:
                self._note("ARCHIVE_DAMAGED", f"{file.shown_path}: {error}")
        except archive.TooSlowError:
            note = f"{file.shown_path}: takes more than {self.limits.seconds} seconds to read"
            self._note("ARCHIVE_LIMIT", note)
        except archive.TooLargeError:
            note = f"{file.shown_path}: takes more than {archive.MEMORY_LIMIT >> 20} MiB to read"
            self._note("ARCHIVE_LIMIT", note)
        if kind == "zip":
            yield from self._unlisted(file, path, seen)

    def _unlisted(self, file: File, path: tuple[str, ...], seen: set[str]) -> Iterator[File]:
        """What readers see in a ZIP file that do not go by its directory, or go by it alone."""
        directory = zip_directory.look(file.content, self.limits.members)
        for name in directory.names:
            if name not in seen:
                seen.add(name)
                self._look_at_path(file, name)
                yield File((name,), "", b"", path, complete=False)
        for hidden in directory.hidden:
            self._look_at_path(file, hidden.name)
            kind = kind_of(hidden.head)
            yield File((hidden.name,), kind, hidden.head, path, complete=False)
        if directory.contradicts:
            note = f"{file.shown_path}: its directory and its members contradict each other"
            self._note("ARCHIVE_AMBIGUOUS", note)
        if directory.odd_methods:
            methods = ", ".join(map(str, sorted(directory.odd_methods)))
            self._note("ARCHIVE_UNREADABLE", f"{file.shown_path}: packed by method {methods}")

    def _look_at_path(self, file: File, name: str, link: str = "") -> None:
        if leaves_folder(name):
            self._note("ARCHIVE_PATH", f"{file.shown_path}: {name}")
        elif link and link_leaves_folder(name, link):
            self._note("ARCHIVE_PATH", f"{file.shown_path}: {name} is a link to {link}")

    def _listed(
        self, file: File, kind: str, path: tuple[str, ...], seen: set[str]
    ) -> Iterator[File]:
        """The members as the archive lists them; their names are put into `seen`."""
        seconds = math.ceil(self._deadline - time.monotonic())
        if seconds <= 0:
            raise archive.TooSlowError
        allowed = self._total + max(RATIO_FLOOR, self.limits.ratio * len(file.content))
        for entry in archive.entries(file.content, kind, self.passwords, seconds):
            seen.add(entry.name)
            if not self._count(file):
                return
            self._look_at_path(file, entry.name, entry.link)
            if entry.is_file or archive.is_one_file(kind):
                names = _member_names(entry.name, file, kind)
                member = self._read(entry, names, path, min(allowed, self.limits.total))
                if member is None:
                    return
                yield member

    def _read(
        self, entry: archive.Entry, names: tuple[str, ...], path: tuple[str, ...], allowed: int
    ) -> File | None:
        """The member, or None where a limit ends the work."""
        blocks: list[bytes] = []
        kept, keep, complete, kind = 0, True, True, ""
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
                        kind = kind_of(block[:HEAD_SIZE])
                    kept += len(block)
                    keep = kind in ARCHIVE_KINDS or (kept < KEEP_LIMIT and kind in _WORTH_KEEPING)
                else:
                    complete = False
        except archive.EncryptedError:
            self._note("ARCHIVE_ENCRYPTED", where)
            complete = False
        except archive.DamagedError as error:
            self._note("ARCHIVE_DAMAGED", f"{where}: {error}")
            complete = False
        content = b"".join(blocks)
        return File(names, kind_of(content[:HEAD_SIZE]), content, path, complete)

    def _contained(self, file: File, kind: str) -> Iterator[File]:
        path = (*file.path, file.names[0] if file.names else "unnamed")
        try:
            for found in _CONTAINERS[kind](file.content):
                self._total += len(found.content)
                if not self._count(file):
                    return
                if self._total > self.limits.total:
                    self._note("ARCHIVE_LIMIT", f"{file.shown_path}: more than is unpacked")
                    return
                yield File(found.names, kind_of(found.content[:HEAD_SIZE]), found.content, path)
        except TnefError as error:
            self._note("ARCHIVE_DAMAGED", f"{file.shown_path}: {error}")
        except archive.TooLargeError:
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
        if len(self.findings) < FINDING_LIMIT:
            self.findings.append((symbol, detail))


def _archive_behind(content: bytes) -> tuple[str, int]:
    """An archive with something before it, as programs that unpack themselves have: its kind and
    where it begins. A ZIP file's directory counts from the end, so that begins at the top."""
    if _ZIP_END in content[-_ZIP_TAIL:]:
        return "zip", 0
    for mark, kind in _MARKS_BEHIND:
        start = content.find(mark)
        if start > 0:
            return kind, start
    return "", 0


def _member_names(name: str, file: File, kind: str) -> tuple[str, ...]:
    """A file that was only compressed has the archive's name without its last extension, and
    perhaps one that the archive's header remembers: some unpackers take this, some that."""
    if not archive.is_one_file(kind):
        return (name,)
    stem, _, extension = (file.names[0] if file.names else "data").rpartition(".")
    usual = f"{stem}.tar" if extension.lower() in _TAR_EXTENSIONS else (stem or "data")
    return (usual, name) if name not in ("data", usual) else (usual,)
