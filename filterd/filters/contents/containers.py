"""Files inside of files that are no archives: mail kept as a file, Outlook items, OneNote sections,
objects in Office files, links that hold their target, the Macintosh's two forks in one file.

Sources: RFC 5322; RFC 4155; MS-OXMSG §2.2; MS-ONESTORE §2.6.13; MS-OLEDS §2.3.6; RFC 2397;
RFC 1740 appendix A.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from filterd.filters.contents import pdf
from filterd.filters.contents.archive import TooLargeError
from filterd.filters.contents.kinds import kind_of
from filterd.message import Message, cms
from filterd.message.decoding import decode_base64
from filterd.message.inline_files import MARKS, inline_files

FILE_LIMIT = 10_000
"""Files of one container that are looked at: more than are counted before a limit is passed."""

MESSAGE_LIMIT = 5000
"""Messages of one mbox; what follows is another one inside of it, until that is too deep."""

_TEXTS = ("", "html", "mail")
_HEAD_SIZE = 4096

ONENOTE_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
"""GUID before each file that a OneNote section keeps (MS-ONESTORE §2.6.13, FileDataStoreObject)."""
_STORED_HEAD = struct.Struct("<16sQ4x8x")

_MBOX_LINE = re.compile(rb"(?<=\n)From [^\n]*\n(?=[!-9;-~]+[ \t]*:)")
_DATA_LINK = re.compile(
    rb"(?i)data:(?:(?!data:)[^\s,\"'<>]){0,200};\s*+base64,([A-Za-z0-9+/=%\s]{16,}+)"
)

_APPLE_HEAD = 24
_APPLE_ENTRY = struct.Struct(">III")
_DATA_FORK, _REAL_NAME = 1, 3

_NAME_STREAMS = ("__substg1.0_3707001f", "__substg1.0_3704001f", "__substg1.0_3001001f")
"""Long file name, short one, display name (MS-OXPROPS: PidTagAttachLongFilename and its like)."""
_PACKAGE = "\1Ole10Native"
_ATTACHMENT = "__attach_version1.0"
_CONTENT_STREAM = "__substg1.0_37010102"


class Inner(NamedTuple):
    """One file. names: as far as the container says."""

    names: tuple[str, ...]
    content: bytes


def of_mail(content: bytes) -> Iterator[Inner]:
    """The parts of messages that are kept as a file, one or a whole mbox, in every reading."""
    position = 0
    lines = _MBOX_LINE.finditer(content) if content.startswith(b"From ") else iter(())
    for match in islice(lines, MESSAGE_LIMIT):
        yield from _parts(content[position : match.start()])
        position = match.start()
    if next(lines, None) is None:
        yield from _parts(content[position:])
    else:
        yield Inner(("rest.eml",), content[position:])


def _parts(octets: bytes) -> Iterator[Inner]:
    message = Message(octets)
    roots = (message.root, *(reading.root for reading in message.readings))
    leaves = (entity for root in roots for entity in root.walk() if entity.is_leaf)
    for entity in islice(leaves, FILE_LIMIT):
        # A message's own text is for its reader's program, as in the message around it.
        if entity.filenames or kind_of(entity.head(_HEAD_SIZE)) not in _TEXTS:
            yield Inner(entity.filenames, entity.content)


def holds_files(content: bytes) -> bool:
    """True if a text may have files in it (`of_text`)."""
    return any(mark in content for mark in MARKS)


def of_cms(content: bytes) -> Iterator[Inner]:
    """The message in an S/MIME file that is signed or compressed; nothing of an encrypted one."""
    message = cms.content(content)
    if message and not message.is_whole:
        raise TooLargeError
    if message and message.octets:
        yield Inner(("smime.eml",), message.octets)


def of_text(content: bytes) -> Iterator[Inner]:
    """Files in uuencode, yEnc and BinHex."""
    for found in islice(inline_files(content), FILE_LIMIT):
        yield Inner((found.name,), found.content)


def of_markup(content: bytes) -> Iterator[Inner]:
    """What links hold themselves, in base64."""
    for match in islice(_DATA_LINK.finditer(content), FILE_LIMIT):
        coded = unquote_to_bytes(match[1]) if b"%" in match[1] else match[1]
        yield Inner((), decode_base64(coded))


def of_pdf(content: bytes) -> Iterator[Inner]:
    """The files that are embedded in a PDF; their names are elsewhere in it."""
    for number, octets in enumerate(islice(pdf.embedded_files(content), FILE_LIMIT), start=1):
        yield Inner((f"file {number}",), octets)


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
    """The files that are kept in a OneNote section; their names are not kept with them."""
    position = 0
    for number in range(FILE_LIMIT):
        position = content.find(ONENOTE_FILE, position)
        if position < 0 or position + _STORED_HEAD.size > len(content):
            return
        _guid, size = _STORED_HEAD.unpack_from(content, position)
        position += _STORED_HEAD.size
        yield Inner((f"file {number + 1}",), content[position : position + size])


def of_ole(content: bytes) -> Iterator[Inner]:
    """What a compound file holds: an Outlook item's attachments, and packaged objects."""
    if is_outlook(content):
        yield from of_outlook(content)
    elif _PACKAGE.encode("utf-16-le") in content:
        yield from _packages(content)


def _packages(content: bytes) -> Iterator[Inner]:
    import olefile  # noqa: PLC0415 loaded when needed

    with olefile.OleFileIO(io.BytesIO(content)) as ole:
        for path in islice((path for path in ole.listdir() if _PACKAGE in path), FILE_LIMIT):
            # Size of all; two octets; label, path and, behind eight octets, a path once more, each
            # with NUL at its end; size and octets of the file (MS-OLEDS §2.3.6).
            octets = ole.openstream(path).read()
            label = octets.find(b"\0", 6)
            behind = octets.find(b"\0", label + 1) + 1
            (length,) = struct.unpack_from("<I", octets, behind + 4)
            at = behind + 8 + length
            (size,) = struct.unpack_from("<I", octets, at)
            name = octets[6:label].decode("cp1252", "replace")
            yield Inner((name,), octets[at + 4 : at + 4 + size])


def is_container(content: bytes) -> bool:
    """True if a compound file may hold files (`of_ole`)."""
    return is_outlook(content) or _PACKAGE.encode("utf-16-le") in content


def has_data_links(content: bytes) -> bool:
    """True if a page may have links that hold their target (`of_markup`)."""
    return _DATA_LINK.search(content) is not None


def is_outlook(content: bytes) -> bool:
    """True for an Outlook item (`.msg`) among the Office files that may have attachments."""
    return _ATTACHMENT.encode("utf-16-le") in content


def of_outlook(content: bytes) -> Iterator[Inner]:
    """The attachments of an Outlook item. Raises what olefile raises: see there."""
    import olefile  # noqa: PLC0415 loaded when needed

    with olefile.OleFileIO(io.BytesIO(content)) as ole:
        streams = {"/".join(path).lower(): path for path in ole.listdir()}
        stores = sorted({name.rpartition("/")[0] for name in streams if _is_content(name)})
        for store in stores[:FILE_LIMIT]:
            named = (streams.get(f"{store}/{stream}") for stream in _NAME_STREAMS)
            names = (
                ole.openstream(path).read().decode("utf-16-le", "replace") for path in named if path
            )
            octets = ole.openstream(streams[f"{store}/{_CONTENT_STREAM}"]).read()
            yield Inner(tuple(dict.fromkeys(name.rstrip("\0") for name in names)), octets)


def _is_content(stream: str) -> bool:
    return stream.endswith("/" + _CONTENT_STREAM) and _ATTACHMENT in stream
