"""Transfer encodings, charsets and encoded words, decoded as far as they can be; nothing raises.

Source: RFC 2045 §6, RFC 2047, RFC 2978.
"""

from __future__ import annotations

import binascii
import codecs
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_WORD = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t\r\n]+(=\?)")
_NOT_ASCII_BASED = ("utf-16", "utf-32", "utf-7", "iso-2022", "hz")
_UU_BEGIN = re.compile(rb"^begin(?:[ \t].*)?\r?$", re.MULTILINE)


UU_ENCODINGS = frozenset("x-uuencode uuencode x-uue uue".split())

KNOWN_ENCODINGS = frozenset("7bit 8bit binary base64 quoted-printable".split()) | UU_ENCODINGS

PIECE_LIMIT = 10_000
"""Pieces of padded base64 in one body; a mailer that pads each line makes some hundreds."""

SAMPLE_SIZE = 4096
"""Octets from which an encoding is guessed."""

_BLANKS = str.maketrans("\t\r\n\v\f", "     ")
_LETTERS_AFTER_PADDING = re.compile(rb"=[^A-Za-z0-9+/=]*+[A-Za-z0-9+/]")
_BASE64_LETTERS = bytes(range(65, 91)) + bytes(range(97, 123)) + b"0123456789+/\r\n"
_PADDING = (b"", b"=", b"==")
_SOFT_BREAK = re.compile(rb"=[ \t]++(?=\r?\n)")
_SOFT_BREAK_WHOLE = re.compile(rb"=[ \t]*+\r?\n")
_NO_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n)")
_LOOKS_BASE64 = re.compile(rb"[A-Za-z0-9+/=\r\n]{16,}")


def decode_transfer(body: bytes, encoding: str) -> bytes:
    """The content of a body in a Content-Transfer-Encoding; unknown encodings are left as is."""
    if encoding == "base64":
        return decode_base64(body)
    if encoding == "quoted-printable":
        # Blanks at a line's end are none of it (RFC 2045 §6.7, rule 3): so that is a soft break.
        return binascii.a2b_qp(_SOFT_BREAK.sub(b"=", body))
    if encoding in UU_ENCODINGS:
        return decode_uu(body)
    return body


def decode_base64(body: bytes) -> bytes:
    """Base64, foreign octets skipped, padding not insisted on (RFC 2045 §6.8)."""
    try:
        return binascii.a2b_base64(body)
    except binascii.Error:
        pass
    letters = _NOT_BASE64.sub(b"", body.split(b"=", 1)[0] if b"=" in body else body)
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def other_contents(body: bytes, encoding: str, content: bytes) -> tuple[bytes, ...]:
    """What other readers make of a body whose transfer encoding is broken or unknown.

    Base64 goes on behind padding for some (RFC 2045 §6.8 leaves it open); of quoted-printable some
    put lines together before they look for escapes; an encoding that no standard names is taken as
    none, or guessed. Empty where readers agree.
    """
    found: list[bytes] = []
    if encoding == "base64":
        padding = body.find(b"=")
        if padding >= 0 and _LETTERS_AFTER_PADDING.search(body, padding):
            pieces = re.split(rb"=+", body, maxsplit=PIECE_LIMIT)
            if len(pieces) <= PIECE_LIMIT:
                found.append(b"".join(decode_base64(piece) for piece in pieces if piece.strip()))
            found.append(decode_base64(body.replace(b"=", b"")))
            # Four letters at a time, whatever they are: padding has its place among them.
            found.append(decode_base64(body.replace(b"=", b"A")))
    elif encoding == "quoted-printable":
        if _NO_ESCAPE.search(body):
            # Soft breaks taken out first may leave escapes that were none before.
            found.append(binascii.a2b_qp(_SOFT_BREAK_WHOLE.sub(b"", body)))
    elif encoding not in KNOWN_ENCODINGS:
        if _LOOKS_BASE64.fullmatch(body[:SAMPLE_SIZE].rstrip()):
            found.append(decode_base64(body))
        if b"=" in body:
            found.append(binascii.a2b_qp(body))
    return tuple(other for other in dict.fromkeys(found) if other != content)


def is_plain(body: bytes, encoding: str) -> bool:
    """True if the body is what the encoding's standard allows, so that all readers decode the same;
    for base64 and quoted-printable (RFC 2045 §6.7, §6.8), the others are not asked about."""
    if encoding == "base64":
        rest = body.translate(None, _BASE64_LETTERS)
        return rest in _PADDING and body.rstrip(b"\r\n").endswith(rest)
    if encoding == "quoted-printable":
        return _NO_ESCAPE.search(body) is None
    return True


def decode_uu(body: bytes) -> bytes:
    """The first uuencoded file in a body; any other line ends it, or before its first line is
    passed over."""
    begin = _UU_BEGIN.search(body)
    if begin is None:
        return body
    parts = []
    for line in body[begin.end() :].splitlines():
        stripped = line.rstrip()
        if stripped == b"end":
            break
        if stripped:
            try:
                parts.append(binascii.a2b_uu(stripped))
            except binascii.Error:
                # Some encoders write the last line's length wrong; take what it can hold.
                size = (((stripped[0] - 32) & 63) * 4 + 5) // 3
                try:
                    parts.append(binascii.a2b_uu(stripped[:size]))
                except binascii.Error:
                    if any(parts):
                        break
    return b"".join(parts)


def decode_charset(content: bytes, charset: str) -> str:
    """Octets as text. Without a charset that is known: UTF-8 if they are, else Windows-1252."""
    if not charset and content.isascii():
        return content.decode("ascii")
    name = charset.strip().strip("'\"").lower()
    if content.isascii() and not name.startswith(_NOT_ASCII_BASED):
        return content.decode("ascii")
    if name and name not in ("us-ascii", "ascii", "unknown-8bit", "8bit"):
        try:
            if codecs.lookup(name)._is_text_encoding:
                return content.decode(name, "replace")
        except (LookupError, ValueError, UnicodeError):
            pass
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def decode_words(raw: bytes) -> str:
    """A header value with its encoded words decoded, also those that stand where none may."""
    if b"=?" not in raw:
        return decode_charset(raw, "")
    raw = _BETWEEN_WORDS.sub(rb"\1\2", raw)
    parts, position = [], 0
    for match in _WORD.finditer(raw):
        parts.append(decode_charset(raw[position : match.start()], ""))
        parts.append(_word(match))
        position = match.end()
    parts.append(decode_charset(raw[position:], ""))
    return "".join(parts)


def header_text(raw: bytes) -> str:
    """A header value as people read it, in one line: unfolded (RFC 5322 §2.2.3), encoded words
    decoded. A fold is one blank, however many stand beside it; a tab or a line end that an encoded
    word brings along is one as well.

    >>> header_text(b" Minutes of\\r\\n\\tTuesday =?utf-8?q?and_?=\\r\\n =?utf-8?q?Friday?=")
    'Minutes of Tuesday and Friday'
    """
    lines = [line.strip(b" \t") for line in raw.replace(b"\r", b"\n").split(b"\n")]
    return decode_words(b" ".join(filter(None, lines))).translate(_BLANKS).strip()


def _word(match: re.Match[bytes]) -> str:
    text = match[3]
    if match[2] in b"bB":
        octets = decode_base64(text)
    else:
        octets = binascii.a2b_qp(text.replace(b"_", b" "), header=False)
    return decode_charset(octets, match[1].decode("ascii", "replace"))
