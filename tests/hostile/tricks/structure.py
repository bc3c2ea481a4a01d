"""Boundaries, header fields and transfer encodings that readers understand in different ways.

Each stands there twice: with the EICAR test file, which the virus scanner must get to see, and with
a file that is called `evil.exe`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator

from filterd.lab.samples import EICAR
from tests.hostile.tricks import VIRUS, Trick

TOP = b"From: a@client.example\r\nSubject: trick\r\nMIME-Version: 1.0\r\n"
TEXT = b"Content-Type: text/plain\r\n\r\nhello"
OCTETS = EICAR.encode("ascii")


def folded(coded: bytes) -> bytes:
    return coded.replace(b"\n", b"\r\n").rstrip(b"\r\n")


def base64_of(content: bytes) -> bytes:
    return folded(base64.encodebytes(content))


def attachment(name: bytes, coded: bytes, encoding: bytes = b"base64") -> bytes:
    return (
        b'Content-Type: application/octet-stream; name="' + name + b'"\r\n'
        b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + coded
    )


def body(*parts: bytes, boundary: bytes = b"x", end: bytes = b"--") -> bytes:
    lines = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return lines + b"--" + boundary + end + b"\r\n"


def multipart(parameters: bytes, octets: bytes) -> bytes:
    return TOP + b"Content-Type: multipart/mixed; " + parameters + b"\r\n\r\n" + octets


def usual(*parts: bytes) -> bytes:
    return multipart(b"boundary=x", body(*parts))


def within(part: bytes, octets: bytes) -> bytes:
    """The part with these octets behind the first letter of its content."""
    at = part.index(b"\r\n\r\n") + 5
    return part[:at] + octets + part[at:]


Shape = Callable[[bytes], bytes]
"""The octets of a part that is to be hidden → the message."""

BOUNDARIES: dict[str, Shape] = {
    "usual": lambda part: usual(TEXT, part),
    "blank at the end of the parameter": lambda part: multipart(
        b'boundary="x "', body(TEXT, part, boundary=b"x ")
    ),
    "blank in the parameter alone": lambda part: multipart(b'boundary="x "', body(TEXT, part)),
    "blank in the lines alone": lambda part: multipart(
        b"boundary=x", body(TEXT, part, boundary=b"x \t")
    ),
    "blank in front": lambda part: multipart(b'boundary=" x"', body(TEXT, part, boundary=b" x")),
    "inner begins with the outer": lambda part: usual(
        TEXT,
        b"Content-Type: multipart/mixed; boundary=xy\r\n\r\n" + body(TEXT, part, boundary=b"xy"),
    ),
    "line begins with the boundary": lambda part: usual(TEXT).replace(
        b"\r\n--x--", b"\r\n--xyz\r\n" + part + b"\r\n--x--"
    ),
    "no last boundary": lambda part: usual(TEXT, part).replace(b"--x--\r\n", b""),
    "no line end behind the last boundary": lambda part: usual(TEXT, part).removesuffix(b"\r\n"),
    "ends in the boundary's middle": lambda part: usual(TEXT, part).removesuffix(b"x--\r\n"),
    "inner has the same": lambda part: usual(
        TEXT, b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "inner never ends": lambda part: usual(
        TEXT, b"Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n" + part
    ),
    "inner ends behind the outer": lambda part: multipart(
        b"boundary=x",
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n"
        + TEXT
        + b"\r\n--x--\r\n--y\r\n"
        + part
        + b"\r\n--y--\r\n",
    ),
    "part in the preamble": lambda part: multipart(b"boundary=x", part + b"\r\n" + body(TEXT)),
    "part in the preamble, boundary in it": lambda part: multipart(
        b"boundary=x", b"--y\r\n" + part + b"\r\n--y--\r\n" + body(TEXT)
    ),
    "part behind the end": lambda part: usual(TEXT) + part + b"\r\n",
    "boundary behind the end": lambda part: usual(TEXT) + b"--x\r\n" + part + b"\r\n--x--\r\n",
    "end first": lambda part: multipart(b"boundary=x", b"--x--\r\n" + body(TEXT, part)),
    "end with text": lambda part: multipart(
        b"boundary=x", b"--x\r\n" + TEXT + b"\r\n--x-- end\r\n--x\r\n" + part + b"\r\n--x--\r\n"
    ),
    "end with one hyphen": lambda part: multipart(
        b"boundary=x", b"--x\r\n" + TEXT + b"\r\n--x-\r\n" + part + b"\r\n--x--\r\n"
    ),
    "end with three hyphens": lambda part: multipart(
        b"boundary=x", b"--x\r\n" + TEXT + b"\r\n--x---\r\n" + part + b"\r\n--x--\r\n"
    ),
    "500 octets": lambda part: multipart(
        b"boundary=" + b"x" * 500, body(TEXT, part, boundary=b"x" * 500)
    ),
    "5000 octets": lambda part: multipart(
        b'boundary="' + b"x" * 5000 + b'"', body(TEXT, part, boundary=b"x" * 5000)
    ),
    "cut at 70 octets": lambda part: multipart(
        b"boundary=" + b"x" * 90, body(TEXT, part, boundary=b"x" * 70)
    ),
    "quoted pairs": lambda part: multipart(
        b'boundary="a\\b\\"c"', body(TEXT, part, boundary=b'ab"c')
    ),
    "quoted pairs taken literally": lambda part: multipart(
        b'boundary="a\\b"', body(TEXT, part, boundary=b"a\\b")
    ),
    "comment": lambda part: multipart(b"boundary=x(no)", body(TEXT, part)),
    "comment taken literally": lambda part: multipart(
        b"boundary=x(no)", body(TEXT, part, boundary=b"x(no)")
    ),
    "single quotes": lambda part: multipart(b"boundary='x'", body(TEXT, part, boundary=b"'x'")),
    "single quotes taken off": lambda part: multipart(b"boundary='x'", body(TEXT, part)),
    "equals signs": lambda part: multipart(b"boundary=a=b", body(TEXT, part, boundary=b"a=b")),
    "twice, first": lambda part: multipart(b"boundary=x; boundary=y", body(TEXT, part)),
    "twice, last": lambda part: multipart(b"boundary=y; boundary=x", body(TEXT, part)),
    "thrice, second": lambda part: multipart(
        b"boundary=a; boundary=x; boundary=c", body(TEXT, part)
    ),
    "plain and extended": lambda part: multipart(
        b"boundary=y; boundary*=us-ascii''x", body(TEXT, part)
    ),
    "extended and plain": lambda part: multipart(
        b"boundary*=us-ascii''y; boundary=x", body(TEXT, part)
    ),
    "continued": lambda part: multipart(
        b"boundary*0=a; boundary*1=b", body(TEXT, part, boundary=b"ab")
    ),
    "extended": lambda part: multipart(
        b"boundary*=us-ascii''a%62", body(TEXT, part, boundary=b"ab")
    ),
    "extended taken literally": lambda part: multipart(
        b"boundary*=us-ascii''ab", body(TEXT, part, boundary=b"us-ascii''ab")
    ),
    "encoded word": lambda part: multipart(
        b'boundary="=?utf-8?q?ab?="', body(TEXT, part, boundary=b"ab")
    ),
    "empty": lambda part: multipart(b'boundary=""', body(TEXT, part, boundary=b"")),
    "not said": lambda part: multipart(b"charset=utf-8", body(TEXT, part)),
    "another one said": lambda part: multipart(b"boundary=never", body(TEXT, part)),
    "other letters": lambda part: multipart(b"boundary=XY", body(TEXT, part, boundary=b"xy")),
    "NUL in the line": lambda part: usual(TEXT, part).replace(b"--x\r\n", b"--x\0\r\n"),
    "NUL in the parameter": lambda part: multipart(b"boundary=x\0y", body(TEXT, part)),
    "bare LF": lambda part: usual(TEXT, part).replace(b"\r\n", b"\n"),
    "bare CR": lambda part: usual(TEXT, part).replace(b"\r\n", b"\r"),
    "CR CR LF": lambda part: usual(TEXT, part).replace(b"\r\n", b"\r\r\n"),
    "LF CR": lambda part: usual(TEXT, part).replace(b"\r\n", b"\n\r"),
    "bare CR before the boundary": lambda part: usual(TEXT, part).replace(b"\r\n--x", b"\r--x"),
    "vertical tab behind the line, which is none then": lambda part: multipart(
        b'boundary="\'"', body(TEXT, within(part, b"\r\n--'\x0b\r\n\r\n"), boundary=b"'")
    ),
    "form feed behind the line, which is none then": lambda part: multipart(
        b'boundary="\'"', body(TEXT, within(part, b"\r\n--'\x0c\r\n\r\n"), boundary=b"'")
    ),
    "octets above 127": lambda part: multipart(
        b'boundary="\xe9"', body(TEXT, part, boundary=b"\xe9")
    ),
    "blank line of blanks": lambda part: usual(TEXT, part.replace(b"\r\n\r\n", b"\r\n \r\n", 1)),
    "part in a digest": lambda part: usual(
        TEXT,
        b"Content-Type: multipart/digest; boundary=y\r\n\r\n"
        + body(b"\r\n" + TOP + part, boundary=b"y"),
    ),
}

HEADERS: dict[str, Shape] = {
    "multipart without subtype": lambda part: (
        TOP + b"Content-Type: multipart; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "multipart with empty subtype": lambda part: (
        TOP + b"Content-Type: multipart/; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "unknown multipart": lambda part: (
        TOP + b"Content-Type: multipart/x-trick; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "upper case": lambda part: (
        TOP + b"CONTENT-TYPE: MULTIPART/MIXED; BOUNDARY=x\r\n\r\n" + body(TEXT, part)
    ),
    "misspelt": lambda part: (
        TOP + b"Content-Type: mutlipart/mixed; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "text with a boundary": lambda part: (
        TOP + b"Content-Type: text/plain; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "no type but a boundary": lambda part: (
        TOP + b"Content-Type: boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "no semicolon": lambda part: (
        TOP + b"Content-Type: multipart/mixed boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "comma": lambda part: (
        TOP + b"Content-Type: multipart/mixed, boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "quoted type": lambda part: (
        TOP + b'Content-Type: "multipart/mixed"; boundary=x\r\n\r\n' + body(TEXT, part)
    ),
    "blanks in the type": lambda part: (
        TOP + b"Content-Type: multipart / mixed ; boundary = x" + b"\r\n\r\n" + body(TEXT, part)
    ),
    "comment in the type": lambda part: (
        TOP + b"Content-Type: multi(a)part/mixed; boundary=x" + b"\r\n\r\n" + body(TEXT, part)
    ),
    "blank before the colon": lambda part: (
        TOP + b"Content-Type : multipart/mixed; boundary=x" + b"\r\n\r\n" + body(TEXT, part)
    ),
    "no blank behind the colon": lambda part: (
        TOP + b"Content-Type:multipart/mixed;boundary=x" + b"\r\n\r\n" + body(TEXT, part)
    ),
    "no colon": lambda part: (
        TOP + b"Content-Type multipart/mixed; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "NUL in the name": lambda part: (
        TOP + b"Content\0-Type: multipart/mixed; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "folded in the name": lambda part: (
        TOP + b"Content-Type:\r\n multipart/mixed;\r\n\tboundary=x" + b"\r\n\r\n" + body(TEXT, part)
    ),
    "folded by a line of blanks": lambda part: (
        TOP
        + b"Content-Type: multipart/mixed;\r\n \r\n"
        + b"\tboundary=x\r\n\r\n"
        + body(TEXT, part)
    ),
    "two types, first": lambda part: (
        TOP
        + b"Content-Type: multipart/mixed; boundary=x\r\n"
        + b"Content-Type: text/plain\r\n\r\n"
        + body(TEXT, part)
    ),
    "two types, last": lambda part: (
        TOP
        + b"Content-Type: text/plain\r\n"
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + body(TEXT, part)
    ),
    "three types, middle": lambda part: (
        TOP
        + b"Content-Type: text/plain\r\n"
        + b"Content-Type: multipart/mixed; boundary=x\r\nContent-Type: text/html\r\n\r\n"
        + body(TEXT, part)
    ),
    "behind a line that is no field": lambda part: (
        TOP
        + b"this is no field\r\n"
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + body(TEXT, part)
    ),
    "behind an empty line": lambda part: (
        b"\r\n" + TOP + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + body(TEXT, part)
    ),
    "first line folded": lambda part: (
        b" folded\r\n"
        + TOP
        + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + body(TEXT, part)
    ),
    "mbox line": lambda part: b"From a@b Thu Jan  1 00:00:00 1970\r\n" + usual(TEXT, part),
    "no MIME-Version": lambda part: usual(TEXT, part).replace(b"MIME-Version: 1.0\r\n", b""),
    "BOM": lambda part: b"\xef\xbb\xbf" + usual(TEXT, part),
    "no empty line before the first boundary": lambda part: usual(TEXT, part).replace(
        b"\r\n\r\n--x", b"\r\n--x", 1
    ),
    "message in a message": lambda part: usual(
        TEXT, b"Content-Type: message/rfc822\r\n\r\n" + usual(part)
    ),
    "message in base64": lambda part: usual(
        TEXT,
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64_of(usual(part)),
    ),
    "message in base64, twice": lambda part: usual(
        TEXT,
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64_of(
            TOP
            + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64_of(usual(part))
        ),
    ),
    "message/global": lambda part: usual(
        TEXT, b"Content-Type: message/global\r\n\r\n" + usual(part)
    ),
    "message/news": lambda part: usual(TEXT, b"Content-Type: message/news\r\n\r\n" + usual(part)),
    "message as a file": lambda part: usual(TEXT, attachment(b"a.eml", base64_of(usual(part)))),
    "message as a file of another type": lambda part: usual(
        TEXT, b'Content-Type: text/plain; name="a.eml"\r\n\r\n' + usual(part)
    ),
    "message without a name": lambda part: usual(
        TEXT,
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64_of(b"Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n" + usual(part)),
    ),
    "message called txt": lambda part: usual(
        TEXT, attachment(b"a.txt", base64_of(b"Return-Path: <>\r\n" + usual(part)))
    ),
    "web archive": lambda part: usual(TEXT, attachment(b"a.mht", base64_of(usual(part)))),
    "multipart in base64": lambda part: (
        TOP
        + b"Content-Type: multipart/mixed; boundary=x\r\n"
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64_of(body(TEXT, part))
        + b"\r\n"
    ),
    "multipart in quoted-printable": lambda part: (
        TOP
        + b"Content-Type: multipart/mixed; boundary=x\r\n"
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + binascii.b2a_qp(body(TEXT, part)).replace(b"--x", b"=2D-x")
    ),
    "60 multiparts": lambda part: deep(part, 60),
}

LIMITED: dict[str, tuple[Shape, str]] = {
    "partial": (
        lambda part: (
            TOP + b"Content-Type: message/partial; id=a; number=1; total=2\r\n\r\n" + usual(part)
        ),
        "MIME_PARTIAL",
    ),
    "partial within": (
        lambda part: usual(
            TEXT,
            b"Content-Type: message/partial; id=a; number=1; total=1\r\n\r\n" + usual(part),
        ),
        "MIME_PARTIAL",
    ),
    "external": (
        lambda _part: usual(
            TEXT,
            b'Content-Type: message/external-body; access-type=URL; URL="http://x.example/evil.exe"'
            b"\r\n\r\nContent-Type: application/octet-stream\r\n\r\n",
        ),
        "MIME_EXTERNAL",
    ),
    "external in base64": (
        lambda _part: usual(
            TEXT,
            b"Content-Type: message/external-body; access-type=anon-ftp\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n",
        ),
        "MIME_EXTERNAL",
    ),
    "partial in a second type": (
        lambda part: (
            TOP
            + b"Content-Type: text/plain\r\n"
            + b"Content-Type: message/partial; id=a; number=1; total=2\r\n\r\n"
            + usual(part)
        ),
        "MIME_PARTIAL",
    ),
    "partial in a message in base64": (
        lambda part: usual(
            TEXT,
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64_of(
                TOP + b"Content-Type: message/partial; id=a; number=1; total=2\r\n\r\n" + part
            ),
        ),
        "MIME_PARTIAL",
    ),
    "70 multiparts": (lambda part: deep(part, 70), "MIME_TOO_DEEP"),
    "70 messages": (
        lambda part: TOP + b"Content-Type: message/rfc822\r\n\r\n" * 70 + part,
        "MIME_TOO_DEEP",
    ),
    "3000 parts": (lambda part: usual(*[TEXT] * 3000, part), "MIME_TOO_MANY_PARTS"),
    "3000 boundaries": (
        lambda part: multipart(b"boundary=x", b"--x\r\n" * 3000 + part + b"\r\n--x--\r\n"),
        "MIME_TOO_MANY_PARTS",
    ),
    "2000 fields": (
        lambda part: usual(TEXT, b"X-A: b\r\n" * 2000 + part),
        "HEADER_LIMIT",
    ),
    "a long line": (
        lambda part: usual(b"\r\n" + b"x" * 70_000, part),
        "LINE_LIMIT",
    ),
}
"""Over a limit, or not wholly in the message: the symbol, whatever else is found."""


def deep(part: bytes, levels: int) -> bytes:
    for level in range(levels):
        boundary = b"b%d" % level
        part = (
            b"Content-Type: multipart/mixed; boundary="
            + boundary
            + b"\r\n\r\n"
            + body(part, boundary=boundary)
        )
    return TOP + part


def tricks() -> Iterator[Trick]:
    virus = attachment(b"a.txt", base64_of(OCTETS))
    named = attachment(b"evil.exe", base64_of(b"hello"))
    for kind, shapes in (("boundary", BOUNDARIES), ("header", HEADERS)):
        for name, shape in shapes.items():
            yield Trick(f"{kind}: {name}, virus", shape(virus), (VIRUS,))
            yield Trick(f"{kind}: {name}, name", shape(named), ("BANNED_PART",))
    for name, (shape, symbol) in LIMITED.items():
        yield Trick(f"limit: {name}", shape(virus), (symbol,))
        if symbol not in ("HEADER_LIMIT", "LINE_LIMIT"):  # these hide nothing of what is in it
            attached = usual(TEXT, attachment(b"a.eml", base64_of(shape(virus))))
            yield Trick(f"limit in attached mail: {name}", attached, (symbol,))
