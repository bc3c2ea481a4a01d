"""The leaf parts of a message, decoded, for the classifier: quick, tolerant and bounded.

What counts here is not where a part's octets are (see `filterd.message` for that) but what text a
reader would see near the top, in microseconds. Work is bounded by `SCAN_LIMIT`: what lies beyond it
is not looked at.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

SCAN_LIMIT = 256 << 10
"""Octets of a body that are searched for parts; several times what the features use."""

DEPTH_LIMIT = 8  # multiparts and messages inside each other
PART_LIMIT = 64  # leaf parts

_FIELD = re.compile(
    rb"^(content-type|content-transfer-encoding|content-disposition)[ \t]*:"
    rb"((?:[^\n]*\n?)(?:[ \t][^\n]*\n?)*)",
    re.IGNORECASE | re.MULTILINE,
)
_BOUNDARY = re.compile(rb"""boundary\s*=\s*(?:"([^"\n]{1,200})"|([^\s;"]{1,200}))""", re.IGNORECASE)
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([\w.:+-]{1,40})""", re.IGNORECASE)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf part. header: its fields as they stand, b"" for a message without MIME parts.
    content: decoded; text is UTF-8 with LF line ends."""

    header: bytes
    media_type: bytes
    content: bytes

    @property
    def is_text(self) -> bool:
        return self.media_type.startswith(b"text/")

    @property
    def is_html(self) -> bool:
        return self.media_type == b"text/html"


def leaves(content_type: bytes, transfer_encoding: bytes, body: bytes) -> Iterator[Leaf]:
    """The leaf parts of a body, in order. body: with LF line ends, at most SCAN_LIMIT is used."""
    left = [PART_LIMIT]
    return _leaves(b"", content_type, transfer_encoding, body[:SCAN_LIMIT], 0, left)


def _leaves(
    header: bytes, content_type: bytes, encoding: bytes, body: bytes, depth: int, left: list[int]
) -> Iterator[Leaf]:
    media_type = content_type.split(b";", 1)[0].strip().lower() or b"text/plain"
    if depth < DEPTH_LIMIT:
        if media_type.startswith(b"multipart/"):
            boundary = _BOUNDARY.search(content_type)
            if boundary is not None:
                for piece in _split(body, boundary[1] or boundary[2]):
                    yield from _entity(piece, depth + 1, left)
                return
        elif media_type == b"message/rfc822":
            yield from _entity(body, depth + 1, left)
            return
    if left[0] <= 0:
        return
    left[0] -= 1
    content = _decoded(body, encoding.strip().lower())
    if media_type.startswith(b"text/") or not media_type.count(b"/"):
        content = _as_utf8(content, content_type)
    yield Leaf(header, media_type, content)


def _entity(data: bytes, depth: int, left: list[int]) -> Iterator[Leaf]:
    if left[0] <= 0:
        return
    if data.startswith(b"\n"):
        header, body = b"", data[1:]
    else:
        header, _, body = data.partition(b"\n\n")
    found = {name.lower(): value for name, value in _FIELD.findall(header)}
    yield from _leaves(
        header,
        found.get(b"content-type", b""),
        found.get(b"content-transfer-encoding", b""),
        body,
        depth,
        left,
    )


def _split(body: bytes, boundary: bytes) -> list[bytes]:
    """The bodies between boundary lines; what stands before the first and after the last is
    dropped, unless no line of the boundary exists: then the body is one part."""
    pieces = (b"\n" + body).split(b"\n--" + boundary)
    if len(pieces) == 1:
        return [b"\n" + body]
    result = []
    for piece in pieces[1 : PART_LIMIT + 1]:
        if piece.startswith(b"--"):
            break
        result.append(piece.partition(b"\n")[2])
    return result


def _decoded(body: bytes, encoding: bytes) -> bytes:
    if encoding == b"base64":
        try:
            return binascii.a2b_base64(body)
        except binascii.Error:
            clean = _NOT_BASE64.sub(b"", body)
            return binascii.a2b_base64(clean[: len(clean) & ~3])
    if encoding == b"quoted-printable":
        return binascii.a2b_qp(body)
    return body


def _as_utf8(content: bytes, content_type: bytes) -> bytes:
    """The text in UTF-8 with LF; octets that the charset does not explain stay as they are."""
    if not content.isascii():
        match = _CHARSET.search(content_type)
        charset = match[1].decode("ascii").lower() if match else "utf-8"
        if charset not in ("utf-8", "utf8", "us-ascii", "ascii"):
            content = recoded(content, charset)
    return content.replace(b"\r\n", b"\n")


_KNOWN_CHARSETS = re.compile(
    r"iso-?8859-\d+|latin-?\d|windows-125\d|cp\d+|koi8-[ru]|gb2312|gbk|gb18030|big5|euc-(?:jp|kr)"
    r"|shift_?jis|iso-2022-(?:jp|kr)|ks_c_5601-1987|utf-?16(?:[bl]e)?|utf-?7|macintosh|tis-620"
)
"""Charsets that are decoded. Python knows more codecs (rot13, zip, ...), which are no charsets."""


def recoded(content: bytes, charset: str) -> bytes:
    """Text of that charset as UTF-8, or unchanged where the charset is unknown or fails."""
    if not _KNOWN_CHARSETS.fullmatch(charset):
        return content
    try:
        return content.decode(charset, "replace").encode("utf-8", "replace")
    except (LookupError, UnicodeError):
        return content
