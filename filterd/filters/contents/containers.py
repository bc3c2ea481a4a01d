"""Files inside of files that are no archives: mail kept as a file, Outlook items, OneNote sections.

Sources: RFC 5322; MS-OXMSG §2.2; MS-ONESTORE §2.6.13.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from filterd.filters.contents.kinds import kind_of
from filterd.message import Message

FILE_LIMIT = 1000
"""Files of one container that are looked at."""

_TEXTS = ("", "html", "mail")
_HEAD_SIZE = 4096

ONENOTE_FILE = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac")
"""GUID before each file that a OneNote section keeps (MS-ONESTORE §2.6.13, FileDataStoreObject)."""
_STORED_HEAD = struct.Struct("<16sQ4x8x")

_NAME_STREAMS = ("__substg1.0_3707001f", "__substg1.0_3704001f", "__substg1.0_3001001f")
"""Long file name, short one, display name (MS-OXPROPS: PidTagAttachLongFilename and its like)."""
_ATTACHMENT = "__attach_version1.0"
_CONTENT_STREAM = "__substg1.0_37010102"


class Inner(NamedTuple):
    """One file. names: as far as the container says."""

    names: tuple[str, ...]
    content: bytes


def of_mail(content: bytes) -> Iterator[Inner]:
    """The parts of a message that is kept as a file, in every reading."""
    message = Message(content)
    roots = (message.root, *(reading.root for reading in message.readings))
    leaves = (entity for root in roots for entity in root.walk() if entity.is_leaf)
    for entity in islice(leaves, FILE_LIMIT):
        # A message's own text is for its reader's program, as in the message around it.
        if entity.filenames or kind_of(entity.head(_HEAD_SIZE)) not in _TEXTS:
            yield Inner(entity.filenames, entity.content)


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
