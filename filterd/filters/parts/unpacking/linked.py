"""What a document loads when it is opened: templates, linked objects, frames.

Office keeps the addresses as relationships, RTF and Word's older XML in the text, OpenDocument in
`xlink:href`, the older formats in monikers. Sources: ECMA-376 part 2 §9.3; OpenDocument 1.3 part 3
§5.4.2, §10.4.6, §10.4.10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.message.references import resolved

Finding = tuple[str, str]
"""Name of a symbol, and what was found."""

_PREFIX = rb"(?:[A-Za-z_][\w.-]{0,60}+:)?"
_ELEMENT_END = rb"\b((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>"
_RELATIONSHIP = re.compile(rb"<" + _PREFIX + rb"Relationship" + _ELEMENT_END)
_ATTRIBUTE = re.compile(
    rb"(?<![\w:.-])([\w:.-]++)\s{0,99}+=\s{0,99}+(?:\"([^\"<]*+)\"|'([^'<]*+)')"
)
# Not links to other workbooks: Excel asks before it follows them.
_RELATED = ("attachedTemplate", "oleObject", "frame", "subDocument", "aFChunk")
_TEMPLATE = re.compile(rb"<" + _PREFIX + rb"attachedTemplate" + _ELEMENT_END)
_OPEN_DOCUMENT = re.compile(
    rb"<[A-Za-z]{1,20}+:(section-source|floating-frame|object|object-ole|applet)" + _ELEMENT_END
)
_RTF_TEMPLATE = re.compile(rb"\\\*\s{0,99}+\\template\b([^;}]{1,2000}+)")
_RTF_CODES = re.compile(rb"[\s{]*+\\u-?\d")
_RTF_WORD = re.compile(rb"\\u(-?\d{1,6}+) ?\??|\\'([0-9A-Fa-f]{2})|\\([\\{}])|[{}\r\n]")

MONIKER_SIZE = 8192
"""Octets of a linked object's stream that are read."""

_URL_MONIKER = bytes.fromhex("e0c9ea79f9bace118c8200aa004ba90b")

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]++:|[\\/]{2}")
# A share by the name or address of a host that only its own network knows (RFC 6762, RFC 8375,
# RFC 1918; `internal` is ICANN's): what comes from outside cannot choose what lies there.
_OWN_SHARE = re.compile(
    r"(?:file:)?[\\/]{2,5}(?:\?[\\/]UNC[\\/])?(?:[\w-]{1,63}|[\w.-]{1,200}\.(?:local|lan|internal"
    r"|intern|intranet|corp|home|home\.arpa)|10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}"
    r"|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})[\\/]",
    re.IGNORECASE,
)
# A drive of the reader's own: Word and Excel write where a template or another sheet once lay.
_OWN_DRIVE = re.compile(r"(?:file:[\\/]{2,3})?[A-Za-z]:(?![\\/]{2})", re.IGNORECASE)


def loads(kind: str, target: str) -> Iterator[Finding]:
    """What it means that a document loads from there. kind: what it loads, in the format's words;
    target: an address or a path."""
    target = target.strip()
    if _OWN_DRIVE.match(target) or not _ELSEWHERE.match(target):
        return
    if _OWN_SHARE.match(target):
        yield "DOC_SHARE", f"loads from a share of its own network ({kind})"
    else:
        yield "DOC_REMOTE", f"loads from elsewhere ({kind})"


def relationships(content: bytes) -> Iterator[Finding]:
    """The relationships of an Office file, or of one that is one XML document."""
    for element in _RELATIONSHIP.findall(content):
        attributes = _attributes(element)
        related = attributes.get("type", "").strip()
        if attributes.get("targetmode", "").strip().lower() == "external":
            for kind in _RELATED:
                if related.endswith("/" + kind):
                    yield from loads(kind, attributes.get("target", ""))


def in_xml(content: bytes) -> Iterator[Finding]:
    """Word's XML of 2003 and that of a whole package, and OpenDocument."""
    if b"/2006/xmlPackage" in content:
        yield from relationships(content)
    if b"attachedTemplate" in content:
        for element in _TEMPLATE.findall(content):
            for name, value in _attributes(element).items():
                if name.endswith("val"):
                    yield from loads("attachedTemplate", value)
    if b"xlink:href" in content:
        for kind, element in _OPEN_DOCUMENT.findall(content):
            yield from loads(kind.decode(), _attributes(element).get("xlink:href", ""))


def in_rtf(content: bytes) -> Iterator[Finding]:
    """The template of Rich Text."""
    for octets in _RTF_TEMPLATE.findall(content):
        if _RTF_CODES.match(octets):
            # No program writes letters so; what they are together, readers disagree on.
            yield "DOC_REMOTE", "a template whose address is disguised"
            continue
        yield from loads("template", _RTF_WORD.sub(_plain, octets).decode("cp1252", "replace"))


def in_ole(octets: bytes) -> Iterator[Finding]:
    """The stream of a linked object (MS-OLEDS §2.3.3): Word fetches it by its URL moniker, with or
    without being asked for (MS-OSHARED §2.3.7.6)."""
    start = octets.find(_URL_MONIKER)
    if start >= 0:
        position = start + len(_URL_MONIKER)
        size = int.from_bytes(octets[position : position + 4], "little")
        address = octets[position + 4 : position + 4 + size].decode("utf-16-le", "replace")
        yield from loads("link", address.partition("\0")[0])


def _plain(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return chr(int(match[1]) & 0xFFFF).encode("cp1252", "replace")
    if match[2]:
        return bytes.fromhex(match[2].decode())
    return match[3] or b""


def _attributes(element: bytes) -> dict[str, str]:
    """Name in lower case → value."""
    return {
        name.decode("latin-1").lower(): resolved((one or two).decode("utf-8", "replace"))
        for name, one, two in _ATTRIBUTE.findall(element)
    }
