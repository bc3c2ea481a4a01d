"""Finding reports in what people have: XML, compressed, whole messages, mailboxes, folders.

What a file is, is seen by how it begins, not by its name. Compressed data comes from strangers: it
is unpacked up to the size that one report may have, all that is in one file together, and nothing
of it reaches the disk.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filterd.dmarc.feedback import AggregateReport
from filterd.dmarc.reading import XML_LIMIT, AggregateReportError, read_report
from filterd.mailfiles import mbox
from filterd.mailfiles.items import in_file
from filterd.mailfiles.mail_file import CorpusError
from filterd.message import Message
from filterd.system.bounded import open_regular, read_regular
from filterd.system.display import printable

FILE_LIMIT = 2 * XML_LIMIT
"""Octets of one file, or of one message in an mbox: base64 takes a third more."""

FILES_LIMIT = 100_000
"""Files in a folder and those in it."""

FOLDER_DEPTH = 8
"""Folders inside of each other."""

MEMBERS_LIMIT = 16
"""Files in one zip archive; a report is one."""

PARTS_LIMIT = 16
"""Reports in one message."""

TROUBLE_LIMIT = 200
"""Characters of the words in which a library says what is wrong."""

_MARK = b"\xef\xbb\xbf"  # a byte order mark in UTF-8
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_END = struct.Struct("<4s4H2LH")
"""End of central directory record (APPNOTE.TXT 4.3.16)."""

_LOCATOR_SIZE = 20  # octets of the locator of Zip64, in front of it (4.3.15)

_DIRECTORY_LIMIT = 1 << 16
"""Octets of a zip archive's directory."""


@dataclass(frozen=True, slots=True)
class FoundReport:
    """What was found under a name: a report, or why it is none."""

    name: str
    report: AggregateReport | None
    trouble: str = ""


def reports_at(path: Path) -> Iterator[FoundReport]:
    """The reports in a file or a folder, folders in it included, by name; what is none says why.
    Raises OSError where the path itself cannot be read."""
    if not path.is_dir():
        yield from reports_in_file(path)
        return
    for number, file in enumerate(files_in(path)):
        if number >= FILES_LIMIT:
            yield FoundReport(
                str(path), None, f"more than {FILES_LIMIT} files; the others are left out"
            )
            return
        try:
            yield from reports_in_file(file)
        except OSError as error:
            yield FoundReport(str(file), None, f"cannot be read ({error.strerror})")


def files_in(folder: Path, depth: int = FOLDER_DEPTH) -> Iterator[Path]:
    """Regular files whose name does not begin with a dot, by name. Raises OSError."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            if depth > 1:
                yield from files_in(path, depth - 1)
        elif path.is_file():
            yield path


def reports_in_file(path: Path) -> Iterator[FoundReport]:
    """The reports in a file. Raises OSError."""
    with open_regular(path) as file:
        is_mbox = mbox.is_mbox(file.read(5))
    if not is_mbox:
        yield from reports_in(read_regular(path, FILE_LIMIT), str(path))
        return
    with ExitStack() as stack:
        try:
            for item in in_file(path, None, str(path), stack):
                data = item.read()
                if len(data) > FILE_LIMIT:
                    yield FoundReport(item.name, None, f"larger than {FILE_LIMIT >> 20} MiB")
                else:
                    yield from reports_in(data, item.name)
        except CorpusError as error:
            yield FoundReport(str(path), None, str(error).removeprefix(f"{path}: "))


def reports_in(data: bytes, name: str) -> Iterator[FoundReport]:
    """The reports in the octets of one file: XML, gzip, zip, or a message with such parts."""
    unpacking = _Unpacking()
    if _is_report(data):
        yield from _reports(data, name, unpacking)
        return
    number = 0
    for part in Message(data).leaves():
        content = part.content
        if not _is_report(content):
            continue
        number += 1
        if number > PARTS_LIMIT:
            yield FoundReport(name, None, f"more than {PARTS_LIMIT} reports in one message")
            return
        yield from _reports(content, name, unpacking)
    if not number:
        yield FoundReport(
            name, None, "no report in it; expected XML, gzip, zip, or a message with one"
        )


def _is_report(data: bytes) -> bool:
    """Whether it begins as a report does, packed or not."""
    head = data[:512].removeprefix(_MARK).lstrip()
    return head.startswith((_GZIP, _ZIP, b"<?xml", b"<feedback", b"\xff\xfe<", b"\xfe\xff\0<"))


def _reports(data: bytes, name: str, unpacking: _Unpacking) -> Iterator[FoundReport]:
    try:
        for xml in unpacking.documents(data):
            try:
                found = FoundReport(name, read_report(xml.removeprefix(_MARK)))
            except AggregateReportError as error:
                found = FoundReport(name, None, str(error))
            yield found
    except AggregateReportError as error:
        yield FoundReport(name, None, str(error))


class _Unpacking:
    """Unpacks what is in one file. Methods raise AggregateReportError."""

    def __init__(self) -> None:
        self._left = XML_LIMIT

    def documents(self, data: bytes) -> Iterator[bytes]:
        """The documents in data that is packed, or the data itself."""
        if data.startswith(_GZIP):
            yield self._taken(self._gunzipped(data))
        elif data.startswith(_ZIP):
            yield from self._unzipped(data)
        else:
            yield self._taken(data)

    def _taken(self, data: bytes) -> bytes:
        if len(data) > self._left:
            raise AggregateReportError(f"larger than {XML_LIMIT >> 20} MiB when unpacked")
        self._left -= len(data)
        return data

    def _gunzipped(self, data: bytes) -> bytes:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            unpacked = unpacker.decompress(data, self._left + 1)
        except zlib.error as error:
            raise AggregateReportError(f"damaged gzip data ({error})") from None
        if len(unpacked) <= self._left and not unpacker.eof:
            raise AggregateReportError("gzip data that is cut short")
        return unpacked

    def _unzipped(self, data: bytes) -> Iterator[bytes]:
        _check_directory(data)
        with _zip_errors(), zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
        if not members:
            raise AggregateReportError("a zip archive without a file")
        if len(members) > MEMBERS_LIMIT:
            raise AggregateReportError(f"a zip archive of more than {MEMBERS_LIMIT} files")
        for member in members:
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise AggregateReportError("a zip archive with an unusual compression")
            with _zip_errors(), zipfile.ZipFile(io.BytesIO(data)) as archive:
                unpacked = archive.open(member).read(self._left + 1)
            yield self._taken(unpacked)


@contextmanager
def _zip_errors() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error) as error:
        # The text may have the names of files in it, of 64 KB each.
        why = printable(str(error), TROUBLE_LIMIT)
        raise AggregateReportError(f"a damaged zip archive ({why})") from None
    except (RuntimeError, NotImplementedError):
        raise AggregateReportError(
            "a zip archive that is encrypted, or of an unusual kind"
        ) from None


def _check_directory(data: bytes) -> None:
    """Python's module makes an object of every entry of the directory. Raises
    AggregateReportError."""
    end = data.rfind(b"PK\x05\x06", max(len(data) - _END.size - 0xFFFF, 0))
    if end < 0 or end + _END.size > len(data):
        raise AggregateReportError("a zip archive that is cut short")
    has_more = data[max(end - _LOCATOR_SIZE, 0) : end].startswith(b"PK\x06\x07")
    if has_more or _END.unpack_from(data, end)[5] > _DIRECTORY_LIMIT:
        raise AggregateReportError(f"a zip archive of more than {MEMBERS_LIMIT} files")
