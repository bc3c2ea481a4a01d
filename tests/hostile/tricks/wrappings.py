"""Wrappings that are no archives: codings within files, signed messages, links, disk images."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Iterator

from tests.hostile.tricks import VIRUS, Trick
from tests.hostile.tricks.archives import mailed, zipped
from tests.hostile.tricks.documents import HTML, compound, office
from tests.hostile.tricks.encodings import PROGRAM, begin_base64, binhex, uuencoded, yenc
from tests.hostile.tricks.structure import OCTETS, TEXT, TOP, attachment, base64_of, usual

CODINGS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "uue": uuencoded,
    "yenc": yenc,
    "hqx": binhex,
    "b64": begin_base64,
}

DATA = bytes.fromhex("06092a864886f70d010701")
SIGNED = bytes.fromhex("06092a864886f70d010702")
DIGESTED = bytes.fromhex("06092a864886f70d010705")
COMPRESSED = bytes.fromhex("060b2a864886f70d0109100109")
ZLIB = bytes.fromhex("300d060b2a864886f70d0109100308")


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")
    return bytes([tag]) + length + content


def ber(tag: int, *contents: bytes) -> bytes:
    """Of indefinite length (X.690 §8.1.3.6)."""
    return bytes([tag, 0x80]) + b"".join(contents) + b"\0\0"


def signed(content: bytes) -> bytes:
    """CMS SignedData that holds the message and has no signer (RFC 5652 §5)."""
    inner = der(0x30, DATA, der(0xA0, der(0x04, content)))
    return der(0x30, SIGNED, der(0xA0, der(0x30, der(0x02, b"\1"), der(0x31), inner, der(0x31))))


def signed_in_pieces(content: bytes) -> bytes:
    pieces = [der(0x04, content[at : at + 50]) for at in range(0, len(content), 50)]
    inner = ber(0x30, DATA, ber(0xA0, ber(0x24, *pieces)))
    return ber(0x30, SIGNED, ber(0xA0, ber(0x30, der(0x02, b"\1"), ber(0x31), inner, der(0x31))))


def compressed(content: bytes) -> bytes:
    inner = der(0x30, DATA, der(0xA0, der(0x04, zlib.compress(content))))
    return der(0x30, COMPRESSED, der(0xA0, der(0x30, der(0x02, b"\0"), ZLIB, inner)))


def as_it_is(content: bytes) -> bytes:
    """CMS Data (RFC 5652 §4)."""
    return der(0x30, DATA, der(0xA0, der(0x04, content)))


def digested(content: bytes) -> bytes:
    """CMS DigestedData (RFC 5652 §7)."""
    inner = der(0x30, DATA, der(0xA0, der(0x04, content)))
    facts = der(0x30, der(0x02, b"\0"), der(0x30), inner, der(0x04, bytes(20)))
    return der(0x30, DIGESTED, der(0xA0, facts))


def signed_in_nested_pieces(content: bytes) -> bytes:
    octets = ber(0x24, ber(0x24, der(0x04, content[:50])), der(0x04, content[50:]))
    inner = ber(0x30, DATA, ber(0xA0, octets))
    return ber(0x30, SIGNED, ber(0xA0, ber(0x30, der(0x02, b"\1"), ber(0x31), inner, ber(0x31))))


def in_letters(content: bytes) -> bytes:
    """RFC 7468 §8."""
    return (
        b"-----BEGIN PKCS7-----\r\n" + base64_of(signed(content)) + b"\r\n-----END PKCS7-----\r\n"
    )


CMS: dict[str, Callable[[bytes], bytes]] = {
    "signed": signed,
    "neither signed nor encrypted": as_it_is,
    "with a digest": digested,
    "signed, in pieces of pieces": signed_in_nested_pieces,
    "signed, a length longer than need be": lambda content: signed(content).replace(
        SIGNED, b"\6\x81" + SIGNED[1:]
    ),
    "signed, in letters": in_letters,
    "signed, in pieces": signed_in_pieces,
    "compressed": compressed,
    "compressed and signed": lambda content: signed(
        b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64_of(compressed(content))
    ),
}


def opaque(octets: bytes, kind: bytes = b"application/pkcs7-mime; name=smime.p7m") -> bytes:
    return (
        TOP
        + b"Content-Type: "
        + kind
        + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64_of(octets)
        + b"\r\n"
    )


def packaged(name: bytes, content: bytes) -> bytes:
    """A stream of a file that was dropped into a document (MS-OLEDS §2.3.6)."""
    path = b"C:\\" + name + b"\0"
    packed = b"\2\0" + name + b"\0" + path + b"\0\0\3\0" + struct.pack("<I", len(path)) + path
    packed += struct.pack("<I", len(content)) + content
    return struct.pack("<I", len(packed)) + packed


def apple_single(name: bytes, content: bytes) -> bytes:
    head = b"\0\5\x16\0\0\2\0\0" + bytes(16) + struct.pack(">H", 2)
    entries = struct.pack(">6I", 3, 50, len(name), 1, 50 + len(name), len(content))
    return head + entries + name + content


def mbox(*messages: bytes) -> bytes:
    line = b"From a@client.example Thu Jan  1 00:00:00 1970\r\n"
    return b"".join(line + message + b"\r\n\r\n" for message in messages)


def calendar(value: bytes) -> bytes:
    return (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        + b"\r\n ".join(value[at : at + 70] for at in range(0, len(value), 70))
        + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def card(value: bytes) -> bytes:
    return b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Joe\r\n" + value + b"\r\nEND:VCARD\r\n"


ATTACHED = b'ATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME="%s":%s'


def partitioned() -> bytes:
    entry = b"\x80\0\1\0\7\xfe\xff\xff" + struct.pack("<II", 2048, 65536)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa" + bytes(512)


def files() -> Iterator[tuple[str, str, bytes]]:
    """What it is, name, content: somewhere in it is a program."""
    for extension, make in CODINGS.items():
        coded = make(PROGRAM, b"evil.exe")
        yield f"{extension} as a file", f"a.{extension}", coded
        yield f"{extension} in a zip", "a.zip", zipped(f"a.{extension}", coded)
        yield f"{extension} in a text in a zip", "a.zip", zipped("a.txt", b"hello\r\n\r\n" + coded)
    message = usual(TEXT, attachment(b"evil.exe", base64_of(PROGRAM)))
    yield "the second message of an mbox", "a.mbox", mbox(TOP + TEXT, message)
    yield "the second message of an mbox called txt", "a.txt", mbox(TOP + TEXT, message)
    yield "S/MIME in a zip", "a.zip", zipped("smime.p7m", signed(message))
    yield "S/MIME in a message", "a.eml", opaque(signed(message))
    link = b'<a href="data:application/octet-stream;base64,%s">a</a>'
    yield "link that holds it", "a.html", HTML % (link % base64.b64encode(PROGRAM))
    escaped = base64.b64encode(PROGRAM).replace(b"A", b"%41")
    yield "link that holds it, escaped", "a.html", HTML % (link % escaped)
    yield "image that holds it", "a.svg", b"<svg>" + link % base64.b64encode(PROGRAM) + b"</svg>"
    package = compound(("\1Ole10Native", packaged(b"evil.exe", PROGRAM)))
    yield "package in Office", "a.docx", office(word__embeddings__oleObject1_bin=package)
    package = compound(("\1Ole10Native", packaged(b"evil.vbs", b"MsgBox 1")))
    yield "package with a script in Office", "a.docx", office(word__embeddings__a_bin=package)
    yield "package in an old document", "a.doc", package
    coded = base64.b64encode(PROGRAM)
    yield "calendar", "a.ics", calendar(ATTACHED % (b"a.txt", coded))
    yield "calendar without a name", "data", calendar(ATTACHED % (b"a.txt", coded))
    yield "calendar, by name", "a.ics", calendar(ATTACHED % (b"evil.exe", b"aGVsbG8="))
    yield (
        "calendar in small letters",
        "a.ics",
        calendar(ATTACHED % (b"a", coded)).replace(b"ENCODING=BASE64", b"encoding=base64"),
    )
    yield "calendar in a zip", "a.zip", zipped("a.ics", calendar(ATTACHED % (b"a", coded)))
    yield "address card", "a.vcf", card(b"KEY;ENCODING=b:" + coded)
    yield "address card 2.1", "a.vcf", card(b"PHOTO;BASE64;JPEG:" + coded)
    yield "address card 4", "a.vcf", card(b"PHOTO:data:image/jpeg;base64," + coded)
    yield "AppleSingle", "a.dat", apple_single(b"a.txt", PROGRAM)
    yield "AppleSingle, by name", "a.dat", apple_single(b"evil.exe", b"hello")
    yield "disk of VMware", "a.dat", b"KDMV" + bytes(600)
    yield "disk of QEMU", "a.dat", b"QFI\xfb" + bytes(600)
    yield "disk of Apple", "a.dat", bytes(2000) + b"koly" + bytes(508)
    yield "disk with partitions", "a.dat", partitioned()
    yield "SquashFS", "a.dat", b"hsqs" + bytes(600)
    for extension in ("rdp", "desktop", "dmg", "apk", "slk", "accde", "wsb", "appcontent-ms"):
        yield f"extension {extension}", f"a.{extension}", b"hello"


def tricks() -> Iterator[Trick]:
    for name, file_name, content in files():
        yield Trick(f"wrapped: {name}", mailed(file_name, content), ("BANNED_PART",))
    invitation = calendar(ATTACHED % (b"a.txt", base64.b64encode(PROGRAM)))
    part = b"Content-Type: text/calendar; method=REQUEST\r\n\r\n" + invitation
    yield Trick("wrapped: invitation", usual(TEXT, part), ("BANNED_PART",))
    virus = usual(TEXT, attachment(b"a.txt", base64_of(OCTETS)))
    named = usual(TEXT, attachment(b"evil.exe", base64_of(b"hello")))
    for kind, make in CMS.items():
        for what, message, wanted in (("virus", virus, VIRUS), ("name", named, "BANNED_PART")):
            octets = make(message)
            yield Trick(f"S/MIME: {kind}, {what}", opaque(octets), (wanted,))
            older = opaque(octets, b"application/x-pkcs7-mime; smime-type=signed-data")
            yield Trick(f"S/MIME: {kind}, older type, {what}", older, (wanted,))
            yield Trick(
                f"S/MIME: {kind}, as a file, {what}",
                usual(TEXT, attachment(b"smime.p7m", base64_of(octets))),
                (wanted,),
            )
    for extension, code in CODINGS.items():
        octets = code(OCTETS, b"a.bin")
        yield Trick(f"virus in {extension} as a file", mailed(f"a.{extension}", octets), (VIRUS,))
