"""A message out of an Outlook item (`.msg`), as people send it who ask why something was held.

Such a file has properties and no octets of the message as it came. What is made of it is a message
with the same header fields (if Outlook kept them, as it does for mail from elsewhere), text, HTML
and attachments: good to judge its words and links, not to check a signature.

Source: [MS-OXMSG] for streams and storages, [MS-OXPROPS] for the properties' numbers.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import olefile

OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
"""Begins a compound file ([MS-CFB] §2.2), as which Outlook saves messages."""

ATTACHMENTS_LIMIT = 200
DEPTH_LIMIT = 5
"""Attachments of one message, and messages inside each other, that are read."""

OVERLAP = 4
"""A file whose streams have together more than so many times its own octets names them again and
again, which no program writes."""

HEADER_LIMIT = 256 << 10
"""Octets of the header fields that are taken."""

NAME_LIMIT = 200

_PROPERTIES = "__properties_version1.0"
_STREAM = "__substg1.0_"
_ATTACHMENT = "__attach_version1.0_#"
_EMBEDDED = f"{_STREAM}3701000d"

_HEADERS, _SUBJECT, _MESSAGE_ID = "007d", "0037", "1035"
_FROM_NAME, _FROM_ADDRESS, _FROM_SMTP = "0c1a", "0c1f", "5d01"
_TO, _CC = "0e04", "0e03"
_BODY, _HTML = "1000", "1013"
_DATA, _LONG_NAME, _NAME, _TYPE, _CONTENT_ID = "3701", "3707", "3704", "370e", "3712"

_FIELD = re.compile(r"([!-9;-~]{1,200}):(.*)")
_OWN = frozenset({"mime-version", "content-type", "content-transfer-encoding"})
_CONTAINERS = ("multipart/", "message/")
_TYPE_NAME = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80}")

_BROKEN = (
    OSError,
    ValueError,
    IndexError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    struct.error,
)
"""What olefile raises on broken files."""


class OutlookError(ValueError):
    """A file without an Outlook message, or a broken one; the text says what was expected."""


def message_of(data: bytes) -> bytes:
    """The message of an Outlook item, CRLF line ends. Raises OutlookError."""
    import olefile  # noqa: PLC0415 loaded when needed

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            return _Item(ole, len(data) * OVERLAP).message()
    except OutlookError:
        raise
    except _BROKEN as error:
        raise OutlookError(
            f"this is a broken compound file ({type(error).__name__}); expected a .msg file as "
            "Outlook saves it"
        ) from None


class _Item:
    """One file. room: octets that may be read of it."""

    def __init__(self, ole: olefile.OleFileIO, room: int) -> None:
        self._ole = ole
        self._room = room
        self._streams = {"/".join(path).lower(): path for path in ole.listdir()}
        if _PROPERTIES not in self._streams:
            raise OutlookError(
                "this is a compound file, such as an Office document, and no message; expected a "
                ".msg file as Outlook saves it"
            )

    def message(self, store: str = "", depth: int = 0) -> bytes:
        """The message of a storage, its name with a slash behind it; of the file itself."""
        fields = list(self._fields(store))
        there = {name.lower() for name, _ in fields}
        made = self._made(store).items()
        fields += [(name, value) for name, value in made if name.lower() not in there and value]
        text, html = self._text(store, _BODY), self._html(store)
        bodies = [
            _leaf(f"text/{kind}; charset=utf-8", one.encode("utf-8", "replace"))
            for kind, one in (("plain", text), ("html", html))
            if one or (kind == "plain" and not html)
        ]
        body = bodies[0] if len(bodies) == 1 else _several("alternative", bodies)
        stores = self._attachments(store)[:ATTACHMENTS_LIMIT]
        attached = [part for own in stores if (part := self._attached(own, depth))]
        if attached:
            body = _several("mixed", [body, *attached])
        head = [_field(name, value) for name, value in (*fields, ("MIME-Version", "1.0"))]
        return b"".join(head) + body

    def _fields(self, store: str) -> Iterator[tuple[str, str]]:
        """The header fields as they came, without those of the body's form."""
        folded: list[str] = []
        for line in [*self._text(store, _HEADERS)[:HEADER_LIMIT].splitlines(), ""]:
            if folded and line[:1] in (" ", "\t"):
                folded.append(line.strip())
                continue
            if folded and (match := _FIELD.match(" ".join(folded))):
                name = match[1]
                if name.lower() not in _OWN:
                    yield name, match[2].strip()
            folded = [line]

    def _made(self, store: str) -> Mapping[str, str]:
        """Fields out of properties, for a message whose own header Outlook has not kept."""
        name = self._text(store, _FROM_NAME)
        address = self._text(store, _FROM_SMTP) or self._text(store, _FROM_ADDRESS)
        # An address of Exchange's own is none of mail.
        sender = f"<{address}>" if "@" in address else ""
        quoted = name.replace("\\", "").replace('"', "")
        return {
            "From": f'"{quoted}" {sender}' if quoted and sender else sender or quoted,
            "To": self._text(store, _TO),
            "Cc": self._text(store, _CC),
            "Subject": self._text(store, _SUBJECT),
            "Message-ID": self._text(store, _MESSAGE_ID),
        }

    def _attachments(self, store: str) -> list[str]:
        """The storages of attachments, in order."""
        begin = store + _ATTACHMENT
        found = {
            begin + name[len(begin) :].partition("/")[0]
            for name in self._streams
            if name.startswith(begin)
        }
        return sorted(found)

    def _attached(self, store: str, depth: int) -> bytes:
        """One attachment as a part; empty for a message that is too deep inside others."""
        inner = f"{store}/{_EMBEDDED}/"
        if inner + _PROPERTIES in self._streams:
            if depth >= DEPTH_LIMIT:
                return b""
            return (
                _field("Content-Type", "message/rfc822") + b"\r\n" + self.message(inner, depth + 1)
            )
        store += "/"
        name = self._text(store, _LONG_NAME) or self._text(store, _NAME)
        declared = self._text(store, _TYPE).strip().lower()
        is_leaf = _TYPE_NAME.fullmatch(declared) and not declared.startswith(_CONTAINERS)
        kind = declared if is_leaf else "application/octet-stream"
        # RFC 2231 §4
        quoted = quote(_line(name)[:NAME_LIMIT].encode("utf-8", "replace"), safe="")
        fields = {
            "Content-Disposition": "attachment" + (f"; filename*=utf-8''{quoted}" if quoted else "")
        }
        if content_id := self._text(store, _CONTENT_ID):
            fields["Content-ID"] = f"<{content_id.strip('<>')}>"
        return _leaf(kind, self._octets(store, _DATA, "0102"), fields)

    def _html(self, store: str) -> str:
        octets = self._octets(store, _HTML, "0102")
        return octets.decode("utf-8", "replace") if octets else self._text(store, _HTML)

    def _text(self, store: str, number: str) -> str:
        """A text, as UTF-16 or in the code page of who wrote it."""
        wide = self._octets(store, number, "001f")
        if wide:
            return wide.decode("utf-16-le", "replace").rstrip("\0")
        return self._octets(store, number, "001e").decode("cp1252", "replace").rstrip("\0")

    def _octets(self, store: str, number: str, kind: str) -> bytes:
        path = self._streams.get(f"{store}{_STREAM}{number}{kind}")
        if path is None:
            return b""
        octets: bytes = self._ole.openstream(path).read()
        self._room -= len(octets)
        if self._room < 0:
            raise OutlookError("this file names the same octets again and again; expected a .msg")
        return octets


def _line(text: str) -> str:
    """A text that cannot end a line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _field(name: str, value: str) -> bytes:
    """One header field, on one line."""
    return f"{name}: {_line(value)}\r\n".encode("utf-8", "replace")


def _leaf(kind: str, octets: bytes, fields: Mapping[str, str] | None = None) -> bytes:
    """A part with content, its header in front."""
    own = {"Content-Type": kind, **(fields or {}), "Content-Transfer-Encoding": "base64"}
    head = b"".join(_field(name, value) for name, value in own.items())
    return head + b"\r\n" + base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _several(kind: str, parts: Sequence[bytes]) -> bytes:
    """A multipart of these parts."""
    # No part can have it in itself: it is made of all of them.
    boundary = hashlib.sha256(b"".join(parts)).hexdigest()
    line = f"--{boundary}".encode()
    head = _field("Content-Type", f"multipart/{kind}; boundary={boundary}")
    body = b"".join(b"\r\n" + line + b"\r\n" + part for part in parts)
    return head + body + b"\r\n" + line + b"--\r\n"
