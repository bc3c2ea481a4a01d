"""Messages made on the spot, one function per kind, all octets with CRLF line ends.

Small and exact, so that a test can say which octets must come out at the other end.
"""

from __future__ import annotations

import base64
import io
import itertools
import zipfile
from collections.abc import Sequence

from filterd.lab import samples

GTUBE = samples.GTUBE.encode("ascii")
EICAR = samples.EICAR.encode("ascii")

CLEAN_BODY = (
    b"Hello Sue,\r\n\r\nthe minutes of Tuesday's meeting are below. Shall we meet again\r\n"
    b"next week to go through the open points?\r\n\r\nBest regards\r\nAnn\r\n"
)

_letters = itertools.count(1)


def message(
    body: bytes = CLEAN_BODY,
    *fields: bytes,
    subject: str = "Minutes of the meeting",
    sender: str = "ann@client.example",
    recipient: str = "joe@mx.example.test",
) -> bytes:
    """A message with the usual header fields, `fields` (without line end) after them."""
    head = [
        f"From: Ann <{sender}>".encode(),
        f"To: <{recipient}>".encode(),
        f"Subject: {subject}".encode(),
        b"Date: Mon, 2 Nov 2026 10:00:00 +0000",
        b"Message-ID: <m1@client.example>",
        *fields,
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def told(order: str, *fields: bytes, body: bytes = CLEAN_BODY) -> bytes:
    """A message with which the obedient filter does something.

    Its body is like no other: the daemon remembers for a while, by the body, what a filter failed
    over.
    """
    number = f"\r\nThis is letter {next(_letters)}.\r\n".encode()
    return message(body + number, f"X-Obey: {order}".encode(), *fields)


def gtube() -> bytes:
    """Spam for sure, without a model."""
    return message(b"Please ignore.\r\n\r\n" + GTUBE + b"\r\n", subject="test of the spam filter")


def eicar() -> bytes:
    """A virus for every scanner, harmless, in the body's text."""
    return message(EICAR + b"\r\n", subject="test of the virus filter")


def eicar_zip() -> bytes:
    """The same inside a ZIP archive, as an attachment."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("eicar.com", EICAR)
    return multipart([("report.zip", packed.getvalue())])


def multipart(
    attachments: Sequence[tuple[str, bytes]],
    text: bytes = CLEAN_BODY,
    boundary: bytes = b"=_part_0001",
) -> bytes:
    """A text with attachments (name, content), all of type application/octet-stream, base64."""
    parts = [b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text]
    parts += [attachment(name, content) for name, content in attachments]
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return message(
        body + b"--" + boundary + b"--\r\n",
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="' + boundary + b'"',
        subject="Files as discussed",
    )


def attachment(name: str, content: bytes) -> bytes:
    """One base64 part with its header, no line end after the last line."""
    coded = base64.encodebytes(content).replace(b"\n", b"\r\n").rstrip(b"\r\n")
    return (
        f'Content-Type: application/octet-stream; name="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    ).encode() + coded


def program() -> bytes:
    """The first octets of a Windows program, enough for who looks at content."""
    return b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff" + bytes(50) + b"PE\x00\x00"
