"""PDF: script, launch actions, embedded files, passwords, also inside object streams.

Source: ISO 32000-1 §7.3.5, §7.4, §7.5.7, §12.6.4.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator

STREAM_LIMIT = 2000
"""Compressed streams of one PDF that are opened."""

STREAM_SIZE = 1 << 20
"""Octets of one of them that are looked at."""

DICTIONARY_SIZE = 4096
"""Octets before a stream in which its dictionary is looked for."""

Finding = tuple[str, str]
"""Name of a symbol, and what was found."""

_NAME_ESCAPE = re.compile(rb"#([0-9a-fA-F]{2})")
_STREAM = re.compile(rb"stream\r?\n")
_NAMES: tuple[tuple[bytes, str], ...] = (
    (b"/JavaScript", "DOC_SCRIPT"),
    (b"/JS", "DOC_SCRIPT"),
    (b"/XFA", "DOC_SCRIPT"),
    (b"/Launch", "DOC_LAUNCH"),
    (b"/EmbeddedFile", "DOC_EMBEDDED"),
    (b"/GoToE", "DOC_EMBEDDED"),
    (b"/RichMedia", "DOC_EMBEDDED"),
)
_NAME = re.compile(rb"(" + b"|".join(name for name, _symbol in _NAMES) + rb")(?![A-Za-z0-9#_-])")
_SYMBOLS = dict(_NAMES)
# What is fetched when the document is opened, or from a share (which tells it who the reader is).
_REMOTE = re.compile(
    rb"/(?:OpenAction|AA)\s*<<.{0,200}?/S\s*/(?:URI|SubmitForm|GoToR)\b"
    rb"|/(?:GoToR|F|UF)\s*(?:<<.{0,200}?/F\s*)?\(\\\\",
    re.DOTALL,
)
_FILTER = re.compile(rb"/(ASCIIHexDecode|AHx|ASCII85Decode|A85|FlateDecode|Fl)\b")


def findings(content: bytes) -> Iterator[Finding]:
    """What the document would do when opened."""
    plain = _resolved(content)
    for piece in (plain, *map(_resolved, _object_streams(content))):
        for name in dict.fromkeys(_NAME.findall(piece)):
            yield _SYMBOLS[name], f"PDF with {name[1:].decode()}"
        if _REMOTE.search(piece):
            yield "DOC_REMOTE", "PDF that asks others when it is opened"
    if b"/Encrypt" in plain:
        yield "DOC_ENCRYPTED", "an encrypted PDF"


def _resolved(content: bytes) -> bytes:
    """Names with their `#xx` escapes resolved (§7.3.5)."""
    if b"#" not in content:
        return content
    return _NAME_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), content)


def _object_streams(content: bytes) -> Iterator[bytes]:
    """Object streams, unpacked: dictionaries may stand in them since PDF 1.5 (§7.5.7)."""
    if b"/ObjStm" not in content and b"#" not in content:
        return
    for count, match in enumerate(_STREAM.finditer(content)):
        if count >= STREAM_LIMIT:
            return
        before = content[max(0, match.start() - DICTIONARY_SIZE) : match.start()]
        dictionary = _resolved(before[before.rfind(b" obj") + 1 :])
        if b"/ObjStm" in dictionary:
            packed = content[match.end() : match.end() + STREAM_SIZE]
            yield _unpacked(packed, [name.decode() for name in _FILTER.findall(dictionary)])


def _unpacked(octets: bytes, filters: list[str]) -> bytes:
    """The stream less its filters, in their order (§7.4); what is broken, as far as it goes."""
    for name in filters[:4]:
        try:
            if name in ("FlateDecode", "Fl"):
                octets = zlib.decompressobj().decompress(octets, STREAM_SIZE)
            elif name in ("ASCIIHexDecode", "AHx"):
                digits = b"".join(octets.partition(b">")[0].split())
                octets = binascii.unhexlify(digits + b"0" * (len(digits) % 2))
            else:
                octets = base64.a85decode(octets.partition(b"~>")[0].removeprefix(b"<~"))
        except (zlib.error, binascii.Error, ValueError):
            return b""
    return octets
