"""Mail that two readers read differently, mail that all read alike, and all that can be asked of
both."""

from __future__ import annotations

import base64
import binascii

from filterd.message import Entity, Message

EVIL = b"MZ this is evil\n"
ATTACHED = b"Content-Type: application/octet-stream; name=evil.exe\n\n" + EVIL
ENCODED = base64.encodebytes(EVIL)


def multipart(*parts: bytes, boundary: bytes = b"x", parameters: bytes = b"boundary=x") -> bytes:
    body = b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in parts)
    return b"Content-Type: multipart/mixed; " + parameters + b"\n\n" + body + b"--x--\n"


def uuencoded(name: bytes, content: bytes = EVIL) -> bytes:
    return b"begin 644 " + name + b"\n" + binascii.b2a_uu(content) + b"`\nend\n"


TRICKS: dict[str, bytes] = {
    "two types": (
        b"Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=x\n\n"
        b"--x\n" + ATTACHED + b"--x--\n"
    ),
    "two boundaries": multipart(b"\nhello", b"", parameters=b"boundary=x; boundary=y").replace(
        b"--x--\n", b"--y\n" + ATTACHED + b"\n--y--\n"
    ),
    "two encodings": (
        b"Content-Disposition: attachment; filename=evil.exe\n"
        b"Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\n" + ENCODED
    ),
    "an unknown encoding": (
        b"Content-Disposition: attachment; filename=evil.exe\n"
        b"Content-Transfer-Encoding: base-64\n\n" + ENCODED
    ),
    "base64 behind padding": (
        b"Content-Disposition: attachment; filename=evil.exe\n"
        b"Content-Transfer-Encoding: base64\n\n"
        + base64.b64encode(EVIL[:4])
        + b"\n"
        + base64.b64encode(EVIL[4:])
        + b"\n"
    ),
    "a line that is no field": (
        b"Subject: a\nthis is no field\nContent-Type: multipart/mixed; boundary=x\n\n"
        b"--x\n" + ATTACHED + b"--x--\n"
    ),
    "a line that begins with the boundary": multipart(b"\nhello").replace(
        b"--x--\n", b"--x and more\n" + ATTACHED + b"\n--x--\n"
    ),
    "no boundary said": b"Content-Type: multipart/mixed\n\n--x\n" + ATTACHED + b"\n--x--\n",
    "another boundary said": multipart(ATTACHED, parameters=b"boundary=nowhere"),
    "a type that is no multipart": (
        b"Content-Type: text/plain; boundary=x\n\n--x\n" + ATTACHED + b"\n--x--\n"
    ),
    "before the first boundary": multipart(b"\nhello").replace(
        b"\n\n--x", b"\n\n" + ATTACHED + b"\n--x", 1
    ),
    "behind the last boundary": multipart(b"\nhello") + b"--x\n" + ATTACHED,
    "bare CR": multipart(ATTACHED).replace(b"\n", b"\r"),
    "NUL in the boundary": multipart(ATTACHED).replace(b"--x\n", b"--\0x\n"),
    "a multipart in base64": (
        b"Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(b"--x\n" + ATTACHED + b"\n--x--\n")
    ),
    "a message in base64": (
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(ATTACHED)
    ),
    "uuencoded in a text": b"Subject: a\n\nhello\n\n" + uuencoded(b"evil.exe"),
    "the second uuencoded file": b"\n" + uuencoded(b"a.txt", b"a") + uuencoded(b"evil.exe"),
    "uuencoded behind lines of something else": (
        b"\nbegin 644 evil.exe\nsome text\n\n" + uuencoded(b"evil.exe").partition(b"\n")[2]
    ),
    "a uuencoded file behind one that never ends": (
        b"\nbegin 644 a.txt\n" + binascii.b2a_uu(b"a") + uuencoded(b"evil.exe")
    ),
}
"""By what is odd about them: each hides EVIL from some reader."""

HONEST: dict[str, bytes] = {
    "text": b"Subject: a\n\nhello\n",
    "two parts": multipart(b"\nhello", ATTACHED),
    "text between the parts": multipart(b"\nhello").replace(
        b"\n\n--x", b"\n\nThis is a message in MIME format.\n\n--x", 1
    )
    + b"-- \nsent by a list\n",
    "an inner boundary that begins with the outer one": multipart(
        b"Content-Type: multipart/alternative; boundary=xy\n\n--xy\n\nhello\n--xy--\n", b"\nend"
    ),
    "lines of dashes": b"Subject: a\n\n--\n---- Original Message ----\n--x\n",
    "the word begin": b"Subject: a\n\nbegin with this\nbegin 100 times\nand end\n",
    "a comment": b"Content-Type: text/plain; charset=us-ascii (plain)\n\nhello\n",
    "base64 in lines": b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(EVIL * 20),
    "a line end alone in a text": b"Subject: a\n\nhello\rthere\nA: b\n",
    "a broken line in a header": b"Subject: a\nno field\n\nhello\n",
    "the same type twice": (b"Content-Type: text/plain\nContent-Type: text/plain\n\nhello\n"),
}
"""By what might look odd about them."""


def everything(message: Message) -> list[object]:
    """All that can be asked of a message."""
    found: list[object] = [message.header_fields, message.body_start, message.anomalies]
    roots = [message.root, *(reading.root for reading in message.readings)]
    for entity in (entity for root in roots for entity in root.walk()):
        found += [
            (entity.start, entity.body_start, entity.end, entity.gaps, entity.boundaries),
            (entity.content_type, entity.disposition, entity.transfer_encoding),
            (entity.filenames, entity.header_fields, entity.is_encoded, entity.repeats),
        ]
        if entity.is_leaf:
            found += [entity.body, entity.content, entity.other_contents, entity.head(10)]
            found += [entity.text]
    return found


def tiles(entity: Entity, data: bytes) -> bytes:
    """The entity's octets, put together from its header, its gaps and its children."""
    if entity.is_leaf:
        return data[entity.start : entity.body_start] + data[entity.body_start : entity.end]
    octets = data[entity.start : entity.body_start]
    gaps = entity.gaps
    assert len(gaps) == len(entity.children) + 1
    for (start, end), child in zip(gaps, entity.children, strict=False):
        assert start <= end == child.start
        octets += data[start:end] + tiles(child, data)
    start, end = gaps[-1]
    assert start <= end == entity.end
    return octets + data[start:end]
