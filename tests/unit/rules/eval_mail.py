"""Messages for eval tests, and what a test says of one."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

from filterd.message import Message
from filterd.rules.conf.rule import Option, Origin
from filterd.rules.evals.gathered import functions
from filterd.rules.view.view import View

HEADER = "From: ada@example.net\nTo: bob@example.org\nSubject: Minutes\n"


def message(
    *parts: str, kind: str = "mixed", header: str = HEADER, end: str = "--otter--"
) -> bytes:
    """A multipart message; each part begins with its header."""
    top = f'{header}MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="otter"\n\n'
    return (top + "".join(f"--otter\n{part}\n" for part in parts) + end + "\n").encode("latin-1")


def single(content_type: str, text: str, *fields: str) -> bytes:
    """A message of one part."""
    lines = [HEADER + f"Content-Type: {content_type}", *fields]
    return ("\n".join(lines) + "\n\n" + text + "\n").encode("latin-1")


def attached(content_type: str, data: bytes, name: str = "") -> str:
    """A part that is base64."""
    named = f'; name="{name}"' if name else ""
    lines = [f"Content-Type: {content_type}{named}", "Content-Transfer-Encoding: base64"]
    if name:
        lines.append(f'Content-Disposition: attachment; filename="{name}"')
    return "\n".join(lines) + "\n\n" + base64.encodebytes(data).decode().rstrip()


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG picture of that size."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + size
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def gif(width: int, height: int) -> bytes:
    """The beginning of a GIF picture of that size."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)


def jpeg(width: int, height: int) -> bytes:
    """The beginning of a JPEG picture of that size, behind a segment for an application."""
    frame = struct.pack(">BHHB", 8, height, width, 3)
    return b"\xff\xd8\xff\xe0\x00\x06JFIF\xff\xc0" + struct.pack(">H", 17) + frame + bytes(9)


def says(data: bytes, test: str, *arguments: str, options: Sequence[str] = ()) -> bool | int:
    """What an eval test says of a message. options: lines of the site's."""
    found: dict[str, tuple[Option, ...]] = {}
    for number, line in enumerate(options, 1):
        name, _, value = line.partition(" ")
        found[name] = (*found.get(name, ()), Option(name, value, Origin("local.cf", number)))
    answer: bool | int = functions()[test](View(Message(data), found), *arguments)
    return answer
