"""Text that was encoded for a way of seven bits, with all eight again: mailers with the flag `9`.

Source: sendmail 8.17 `mime.c` (mime7to8), observed.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterator

from filterd.mta.mail.header import split_message

LONGEST_LINE = 2048
"""Octets of a line that is decoded from base64, MAXLINE; a longer one is cut."""

_TEXT = re.compile(rb"text/plain(?:[\s;]|$)", re.IGNORECASE)
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUES = {code: number for number, code in enumerate(_ALPHABET)}
_HEX = b"0123456789ABCDEFabcdef"
_PROPER = re.compile(rb"[A-Za-z0-9+/]*+={0,2}")
_CODED = re.compile(rb"=([0-9A-Fa-f])([0-9A-Fa-f])")


def with_eight_bits(message: bytes, host: str, id: str) -> bytes | None:
    """The message decoded, None for one that stays as it is. LF line ends.

    Only plain text as a whole is decoded, by quoted-printable or base64. host, id: for the note in
    the header.
    """
    fields, body = split_message(message)
    given = {name.lower(): value.strip() for name, value in reversed(fields)}
    coding = given.get(b"content-transfer-encoding", b"")
    if not _TEXT.match(given.get(b"content-type", b"")):
        return None
    if coding.lower() not in (b"quoted-printable", b"base64"):
        return None
    lines = from_base64(body) if coding.lower() == b"base64" else from_quoted_printable(body)
    kept = [
        name + b":" + value
        for name, value in fields
        if name.lower() != b"content-transfer-encoding"
    ]
    note = b"X-MIME-Autoconverted: from %s to 8bit by %s id %s"
    kept += [
        b"Content-Transfer-Encoding: 8bit",
        note % (coding, host.encode("utf-8", "surrogateescape"), id.encode()),
    ]
    # sendmail ends what it has decoded with an empty line.
    return b"\n".join([*kept, b"", *lines, b"", b""])


def from_quoted_printable(body: bytes) -> Iterator[bytes]:
    """The lines of the text. What follows a wrong `=` in a line is lost, with the line's end."""
    joined: list[bytes] = []
    for line in body.removesuffix(b"\n").split(b"\n") if body else ():
        text, goes_on = _decoded(line)
        joined.append(text)
        if not goes_on:
            yield from b"".join(joined).split(b"\n")
            joined.clear()
    if joined and any(joined):
        yield from b"".join(joined).split(b"\n")


def _decoded(line: bytes) -> tuple[bytes, bool]:
    """A line, and whether the next one goes on where it ends."""
    if b"=" not in line:
        return line, False
    out = bytearray()
    at = 0
    while (mark := line.find(b"=", at)) >= 0:
        out += line[at:mark]
        match = _CODED.match(line, mark)
        if match is None:
            high = line[mark + 1 : mark + 2]
            low = next((one for one in line[mark + 2 :] if one in _HEX), None)
            if not high or high not in _HEX or low is None:
                return bytes(out), True
            # sendmail looks for the second digit further on.
            at = line.index(low, mark + 2) + 1
            out.append(int(high + bytes([low]), 16))
            continue
        out.append(int(match[1] + match[2], 16))
        at = match.end()
    return bytes(out + line[at:]), False


def from_base64(body: bytes) -> Iterator[bytes]:
    """The lines of the text, which end with LF or CRLF in it."""
    data = b"".join(_octets(body))
    if not data:
        return
    for line in data.removesuffix(b"\n").split(b"\n"):
        text = line.removesuffix(b"\r")
        yield from (text[at : at + LONGEST_LINE] for at in range(0, len(text) or 1, LONGEST_LINE))


def _octets(body: bytes) -> Iterator[bytes]:
    """Groups of three. A character that is not of the alphabet stands for ones; text may go on
    behind its end."""
    text = body.translate(None, b" \t\n\r\v\f")
    if len(text) % 4 == 0 and _PROPER.fullmatch(text):
        yield a2b_base64(text)
        return
    at = 0
    while at + 1 < len(text):
        if text[at] == 0x3D:
            at += 1
            continue
        group = text[at : at + 4]
        values = [_VALUES.get(code, -1) for code in group]
        at += 4
        yield bytes([(values[0] << 2 | (values[1] & 0x30) >> 4) & 0xFF])
        if group[2:3] in (b"", b"="):
            if group[3:4] not in (b"", b"="):
                return
            continue
        yield bytes([((values[1] & 0x0F) << 4 | (values[2] & 0x3C) >> 2) & 0xFF])
        if group[3:4] in (b"", b"="):
            continue
        yield bytes([((values[2] & 0x03) << 6 | values[3]) & 0xFF])
