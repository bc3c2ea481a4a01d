"""Files inside of files that are not archives: mail and web pages kept as a file, Outlook items,
OneNote sections, objects in Office files, the Macintosh's two forks in one file.

Sources: RFC 5322; RFC 4155; RFC 2557; MS-OXMSG §2.2; MS-ONESTORE §2.6.13; MS-OLEDS §2.3.6;
RFC 1740 appendix A.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from filterd.filters.parts.unpacking import icalendar, markup, onenote_names, pdf, rtf_objects
from filterd.filters.parts.unpacking.archive import MemberTooLargeError
from filterd.filters.parts.unpacking.kinds import HEAD_SIZE, kind_of, kinds_of
from filterd.filters.parts.unpacking.marks import ONENOTE_FILE
from filterd.message import Entity, Message, cms
from filterd.message.decoding import decode_base64
from filterd.message.inline_files import inline_files
from filterd.message.limits import exceeded_by_parameters

if TYPE_CHECKING:
    import olefile

FILE_LIMIT = 10_000
"""Files of one container that are looked at: more than are counted before a limit is passed."""

MESSAGE_LIMIT = 5000
"""Messages of one mbox; what follows is another one inside of it, until that is too deep."""

_TEXTS = ("", "html", "mail")
_OWN_TEXTS = (
    "text/plain",
    "text/html",
    "text/calendar",
    "text/enriched",
    "text/richtext",
    "text/rfc822-headers",
    "text/watch-html",
    "text/x-amp-html",
    "message/",
    "multipart/",
)
_HEAD_SIZE = 4096

_STORED_HEAD = struct.Struct("<16sQ4x8x")

_MBOX_LINE = re.compile(rb"(?<=\n)From [^\n]*\n(?=[!-9;-~]+[ \t]*:)")

_APPLE_HEAD = 24
_APPLE_ENTRY = struct.Struct(">III")
_DATA_FORK, _REAL_NAME = 1, 3

_CODED_ELEMENT = re.compile(
    rb"<(?:[A-Za-z]{1,20}+:)?(?:binaryData|binary-data|binData)\b[^<>]*+>([A-Za-z0-9+/=\s]{16,}+)"
)
_PICTURES = ("", "png", "jpeg", "gif")

_NAME_STREAMS = tuple(
    f"__substg1.0_{number}{kind}"
    for number in ("3707", "3704", "3001", "3703")
    for kind in ("001f", "001e")
)
"""Long file name, short one, display name, extension (MS-OXPROPS: PidTagAttachLongFilename and its
like), in Unicode and in eight bits."""
_PACKAGE = "\1ole10native"
PATH_SIZE = 1024
"""Octets of a packaged file's names that are looked at; Windows has paths of 260 characters."""

NAMES_LIMIT = 8
"""Names of different extensions by which each file of one PDF, or one section, is read."""

_ATTACHMENT = "__attach_version1.0"
_CONTENT_STREAM = "__substg1.0_37010102"
_TYPE_STREAMS = ("__substg1.0_370e001f", "__substg1.0_370e001e")
_FILE_STREAMS = frozenset("7z cab chm class elf exe lnk macho ole onenote pdf rar tnef zip".split())
"""Kinds that a stream of a compound file has if it is a file as a whole: `Package` and `CONTENTS`
of embedded objects, programs that an installer starts."""


class Inner(NamedTuple):
    """One file. names: as far as the container says. media_type: as declared, in lower case."""

    names: tuple[str, ...]
    content: bytes
    media_type: str = ""


class Unseen(NamedTuple):
    """Why not all of a message that is kept as a file is looked at. symbol: as in
    `Message.anomalies`; detail: what was found."""

    symbol: str
    detail: str


_UNSEEN = frozenset(
    "MIME_EXTERNAL MIME_PARTIAL MIME_TOO_DEEP MIME_TOO_MANY_PARTS MIME_TOO_MANY_READINGS".split()
)
"""Symbols of a message that say that something in it is not seen."""


def of_mail(content: bytes) -> Iterator[Inner | Unseen]:
    """The parts of messages that are kept as a file, one or a whole mbox, in every reading."""
    return _of_mail(content, _is_no_text)


def of_web_archive(content: bytes) -> Iterator[Inner | Unseen]:
    """All parts of a page that is kept with its images as one file (RFC 2557), the page too."""
    return _of_mail(content, lambda _entity: True)


def _is_no_text(entity: Entity) -> bool:
    """False for a message's own text, which is for its reader's program, as in the message around
    it."""
    return (
        bool(entity.filenames)
        or entity.disposition == "attachment"
        or not entity.content_type.startswith(_OWN_TEXTS)
        or kind_of(entity.head(_HEAD_SIZE)) not in _TEXTS
    )


def _of_mail(content: bytes, is_wanted: Callable[[Entity], bool]) -> Iterator[Inner | Unseen]:
    position = 0
    lines = _MBOX_LINE.finditer(content) if content.startswith(b"From ") else iter(())
    for match in islice(lines, MESSAGE_LIMIT):
        yield from _parts(content[position : match.start()], is_wanted)
        position = match.start()
    if next(lines, None) is None:
        yield from _parts(content[position:], is_wanted)
    else:
        yield Inner(("rest.eml",), content[position:])


def _parts(octets: bytes, is_wanted: Callable[[Entity], bool]) -> Iterator[Inner | Unseen]:
    message = Message(octets)
    yield from (Unseen(*anomaly) for anomaly in message.anomalies if anomaly[0] in _UNSEEN)
    # Only these fields: a text that looks like mail may have any number of lines like fields.
    for entity in message.walk():
        yield from (Unseen(*anomaly) for anomaly in exceeded_by_parameters(entity))
    roots = (message.root, *(reading.root for reading in message.readings))
    leaves = (entity for root in roots for entity in root.walk() if entity.is_leaf)
    for entity in islice(leaves, FILE_LIMIT):
        if is_wanted(entity):
            yield Inner(entity.filenames, entity.content, entity.content_type)


def of_cms(content: bytes) -> Iterator[Inner]:
    """The message in an S/MIME file that is signed or compressed; nothing of an encrypted one.

    Raises MemberTooLargeError for one that is larger than what is unpacked.
    """
    message = cms.content(content)
    if message and not message.is_whole:
        raise MemberTooLargeError
    if message and message.octets:
        yield Inner(("smime.eml",), message.octets)


def of_text(content: bytes) -> Iterator[Inner]:
    """Files in uuencode, yEnc and BinHex."""
    for found in islice(inline_files(content), FILE_LIMIT):
        yield Inner((found.name,), found.content)


def of_flat(content: bytes) -> Iterator[Inner]:
    """What a document that is one XML file keeps in base64 (MS-DOCX §4; OpenDocument 1.3 part 3
    §10.4.5; Word 2003's XML)."""
    for match in islice(_CODED_ELEMENT.finditer(content), FILE_LIMIT):
        octets = decode_base64(match[1])
        if kind_of(octets[:HEAD_SIZE]) not in _PICTURES:
            yield Inner(("embedded",), octets)


def of_markup(content: bytes) -> Iterator[Inner]:
    """What links hold themselves, and what scripts do."""
    yield from (Inner(*link) for link in markup.links(content))
    yield from (Inner(("in the script",), octets) for octets in markup.coded_files(content))


def of_icalendar(content: bytes) -> Iterator[Inner]:
    """What a calendar's entries and address cards have with them."""
    return (Inner(*found) for found in islice(icalendar.files(content), FILE_LIMIT))


def of_pdf(content: bytes) -> Iterator[Inner]:
    """The files that are embedded in a PDF. Their names are elsewhere in it: each file may have
    any of the extensions, and each name comes once more without content."""
    files = islice(pdf.embedded_files(content), FILE_LIMIT)
    first = next(files, None)
    if first is None:
        return
    possible, names = _possible(list(islice(pdf.file_names(content), FILE_LIMIT)))
    for number, octets in enumerate(chain((first,), files), start=1):
        yield Inner((f"file {number}", *possible), octets)
    yield from names


def of_apple(content: bytes) -> Iterator[Inner]:
    """The data fork of AppleSingle and AppleDouble files, and the name that stands there."""
    (count,) = struct.unpack_from(">H", content, _APPLE_HEAD)
    forks: dict[int, bytes] = {}
    for number in range(min(count, FILE_LIMIT)):
        at = _APPLE_HEAD + 2 + number * _APPLE_ENTRY.size
        if at + _APPLE_ENTRY.size > len(content):
            break
        kind, offset, size = _APPLE_ENTRY.unpack_from(content, at)
        forks[kind] = content[offset : offset + size]
    if _DATA_FORK in forks:
        yield Inner((forks.get(_REAL_NAME, b"").decode("utf-8", "replace"),), forks[_DATA_FORK])


def of_onenote(content: bytes) -> Iterator[Inner]:
    """The files that are kept in a OneNote section. Their names are elsewhere in it, as in PDF."""
    possible, names = _possible(list(onenote_names.names(content)))
    position = 0
    for number in range(1, FILE_LIMIT + 1):
        position = content.find(ONENOTE_FILE, position)
        if position < 0 or position + _STORED_HEAD.size > len(content):
            break
        _guid, size = _STORED_HEAD.unpack_from(content, position)
        position += _STORED_HEAD.size
        yield Inner((f"file {number}", *possible), content[position : position + size])
    yield from names


def _possible(names: list[str]) -> tuple[tuple[str, ...], Iterator[Inner]]:
    """Of names that stand elsewhere than the files: one for each extension, which each file may
    have, and each of them without content."""
    by_extension = {name.rpartition(".")[2].lower(): name for name in names}
    possible = tuple(islice(by_extension.values(), NAMES_LIMIT))
    return possible, (Inner((name,), b"") for name in names)


def of_rtf(content: bytes) -> Iterator[Inner]:
    """The objects in Rich Text: packaged files, and what other programs keep."""
    for found in rtf_objects.objects(content):
        if found.is_package:
            yield from _packaged(found.octets)
        else:
            yield Inner(("object",), found.octets[4:])


def of_ole(content: bytes) -> Iterator[Inner]:
    """What a compound file holds: an Outlook item's attachments, packaged objects, and streams that
    are files as they stand. Raises what olefile raises."""
    import olefile  # noqa: PLC0415 loaded when needed

    with olefile.OleFileIO(io.BytesIO(content)) as ole:
        paths = ole.listdir()
        if is_outlook(content):
            yield from _of_outlook(ole, paths)
        for path in paths[:FILE_LIMIT]:
            if _is_content("/".join(path).lower()):
                continue
            with contextlib.suppress(OSError):  # one stream that is broken hides no other
                stream = ole.openstream(path)
                head = stream.read(HEAD_SIZE)
                if path[-1].lower() == _PACKAGE:
                    yield from _packaged(head + stream.read())
                elif not _FILE_STREAMS.isdisjoint(kinds_of(head)):
                    yield Inner((path[-1],), head + stream.read())


def _packaged(octets: bytes) -> Iterator[Inner]:
    # Size of all; two octets; label, path and, behind eight octets, a path once more, each with NUL
    # at its end; size and octets of the file (MS-OLEDS §2.3.6).
    label = octets.find(b"\0", 6)
    behind = octets.find(b"\0", label + 1) + 1
    try:
        (length,) = struct.unpack_from("<I", octets, behind + 4)
        at = behind + 8 + length
        (size,) = struct.unpack_from("<I", octets, at)
    except struct.error:
        # No packager's: the size and what the object's own program wrote (§2.3.6, NativeData).
        yield Inner((), octets[4:])
        return
    # Programs show the label, and open the file by the name that one of the paths has.
    names = (octets[6:label], octets[label + 1 : behind - 1], octets[behind + 8 : at].rstrip(b"\0"))
    decoded = (name[:PATH_SIZE].decode("cp1252", "replace") for name in names)
    yield Inner(tuple(dict.fromkeys(decoded)), octets[at + 4 : at + 4 + size])


def is_outlook(content: bytes) -> bool:
    """True for an Outlook item (`.msg`) among the Office files that may have attachments."""
    return _ATTACHMENT.encode("utf-16-le") in content


def _of_outlook(ole: olefile.OleFileIO, paths: list[list[str]]) -> Iterator[Inner]:
    streams = {"/".join(path).lower(): path for path in paths}
    stores = sorted({name.rpartition("/")[0] for name in streams if _is_content(name)})
    for store in stores[:FILE_LIMIT]:
        named = (streams.get(f"{store}/{stream}") for stream in _NAME_STREAMS)
        names = [_text(ole, path) for path in named if path]
        types = [streams[at] for name in _TYPE_STREAMS if (at := f"{store}/{name}") in streams]
        octets = ole.openstream(streams[f"{store}/{_CONTENT_STREAM}"]).read()
        media_type = _text(ole, types[0]).strip().lower() if types else ""
        yield Inner(tuple(dict.fromkeys(names)), octets, media_type)


def _text(ole: olefile.OleFileIO, path: list[str]) -> str:
    charset = "cp1252" if path[-1].lower().endswith("001e") else "utf-16-le"
    return str(ole.openstream(path).read().decode(charset, "replace").rstrip("\0"))


def _is_content(stream: str) -> bool:
    return stream.endswith("/" + _CONTENT_STREAM) and _ATTACHMENT in stream
