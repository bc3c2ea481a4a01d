"""Transfer encodings as SpamAssassin decodes them: of broken ones as much as there is.

Source: RFC 2045 §6.7 and §6.8; the results of SpamAssassin 4.0.1.
"""

from __future__ import annotations

import binascii
import re
import string

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_INNER_PADDING = re.compile(rb"(?<!=)=++(?=[^=])")
_BLANKS_AT_END = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_SOFT_BREAK = re.compile(rb"=\r?\n")
_NO_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_WHITESPACE = string.whitespace.encode("ascii")


def decode_base64(data: bytes) -> bytes:
    """Base64 (RFC 2045 §6.8); padding in the middle does not end it."""
    letters = data.translate(None, _WHITESPACE)
    if len(letters) % 4 == 0 and len(letters) > 1 and not _NOT_BASE64.search(letters):
        if b"=" in letters[:-2]:
            letters = _INNER_PADDING.sub(lambda match: b"A" * len(match[0]), letters)
    else:
        letters = _NOT_BASE64.sub(b"", letters).rstrip(b"=").replace(b"=", b"/")
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        letters += b"=" * (-len(letters) % 4)
    try:
        return binascii.a2b_base64(letters)
    except binascii.Error:
        letters = letters.rstrip(b"=")
        letters = letters[: len(letters) - (len(letters) % 4 == 1)]
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def decode_quoted_printable(data: bytes) -> bytes:
    """Quoted-printable (RFC 2045 §6.7); other equals signs stay."""
    text = _BLANKS_AT_END.sub(b"", data)
    if b"=" not in text:
        return text
    text = _SOFT_BREAK.sub(b"", text)
    if _NO_ESCAPE.search(text) is None and b"\r" not in text:
        return binascii.a2b_qp(text)
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), text)
