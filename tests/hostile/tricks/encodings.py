"""Transfer encodings: misspelt, contradictory, broken, and those from before MIME."""

from __future__ import annotations

import base64
import binascii
import gzip
import quopri
from collections.abc import Iterator

from tests.hostile.tricks import VIRUS, Trick
from tests.hostile.tricks.structure import OCTETS, TEXT, TOP, base64_of, folded, usual

PROGRAM = b"MZ\x90\0" + bytes(60) + b"PE\0\0" + bytes(100)
"""What only its content gives away."""

LABELS: dict[str, bytes] = {
    "upper case": b"BASE64",
    "blank behind": b"base64 \t",
    "comment behind": b"base64 (a comment)",
    "comment before": b"(a comment) base64",
    "quoted": b'"base64"',
    "semicolon": b"base64;",
    "parameter": b"base64; charset=utf-8",
    "comma": b"base64, 7bit",
    "second of two": b"7bit, base64",
    "folded": b"\r\n base64",
    "blank within": b"base 64",
    "full stop": b"base64.",
    "with x": b"x-base64",
    "letter missing": b"bas64",
    "letter more": b"base64x",
    "NUL": b"base64\0",
    "empty": b"",
    "unknown": b"x-unknown",
    "8bit": b"8bit\r\nContent-Transfer-Encoding: base64",
    "first": b"base64\r\nContent-Transfer-Encoding: 7bit",
    "twice the same": b"base64\r\nContent-Transfer-Encoding: base64",
    "third": b"7bit\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64",
    "blank before the colon": b"7bit\r\nContent-Transfer-Encoding : base64",
    "quoted-printable, wrongly": b"quoted-printable\r\nContent-Transfer-Encoding: base64",
    "binary": b"binary\r\nContent-Transfer-Encoding: base64",
}
"""What stands in Content-Transfer-Encoding of a part in base64."""


def coded(content: bytes) -> bytes:
    return base64.b64encode(content)


def in_lines(octets: bytes, size: int) -> bytes:
    return b"\r\n".join(octets[at : at + size] for at in range(0, len(octets), size))


def padded_pieces(content: bytes, size: int) -> list[bytes]:
    """Pieces that each end in padding."""
    return [coded(content[at : at + size]) for at in range(0, len(content), size)]


BASE64: dict[str, object] = {
    "one line": coded,
    "one letter a line": lambda c: in_lines(coded(c), 1),
    "lines of 7": lambda c: in_lines(coded(c), 7),
    "no padding": lambda c: coded(c).rstrip(b"="),
    "too much padding": lambda c: coded(c) + b"====",
    "padding first": lambda c: b"====" + coded(c),
    "padding in the middle": lambda c: b"".join(padded_pieces(c, 34)),
    "each line padded": lambda c: b"\r\n".join(padded_pieces(c, 10)),
    "padding within a quantum": lambda c: coded(c)[:10] + b"=" + coded(c)[10:],
    "garbage behind padding": lambda c: coded(c)[:3] + b"=_!" + coded(c)[3:],
    "garbage between": lambda c: b"!".join(in_lines(coded(c), 5).split(b"\r\n")),
    "blanks between": lambda c: b" \t".join(in_lines(coded(c), 5).split(b"\r\n")),
    "NUL between": lambda c: b"\0".join(in_lines(coded(c), 5).split(b"\r\n")),
    "octets above 127 between": lambda c: b"\xff".join(in_lines(coded(c), 5).split(b"\r\n")),
    "hyphens between": lambda c: b"-".join(in_lines(coded(c), 5).split(b"\r\n")),
    "bare CR between": lambda c: b"\r".join(in_lines(coded(c), 20).split(b"\r\n")),
    "text before": lambda c: b"***\r\n\r\n" + coded(c),
    "text behind": lambda c: coded(c) + b"\r\n\r\nSent from my phone",
    "empty lines": lambda c: b"\r\n\r\n" + in_lines(coded(c), 20).replace(b"\r\n", b"\r\n\r\n"),
    "URL letters": base64.urlsafe_b64encode,
    "one letter too many": lambda c: coded(c).rstrip(b"=") + b"A",
    "soft breaks of quoted-printable": lambda c: in_lines(coded(c), 20).replace(b"\r\n", b"=\r\n"),
}


def every_octet(content: bytes, form: str = "=%02X") -> bytes:
    octets = "".join(form % octet for octet in content).encode()
    return b"=\r\n".join(octets[at : at + 60] for at in range(0, len(octets), 60))


QUOTED: dict[str, object] = {
    "every octet": every_octet,
    "lower case": lambda c: every_octet(c, "=%02x"),
    "soft breaks": lambda c: b"=\r\n".join(
        quopri.encodestring(c[at : at + 5], quotetabs=True).rstrip(b"=\n").replace(b"\n", b"\r\n")
        for at in range(0, len(c), 5)
    ),
    "soft breaks with blanks": lambda c: every_octet(c).replace(b"=\r\n", b"= \t\r\n"),
    "soft breaks with bare LF": lambda c: every_octet(c).replace(b"=\r\n", b"=\n"),
    "soft break within an escape": lambda c: b"==\r\n" + every_octet(c)[1:],
    "soft break between two digits": lambda c: every_octet(c)[:2] + b"=\r\n" + every_octet(c)[2:],
    "ends in a soft break": lambda c: every_octet(c) + b"=",
    "broken escapes behind": lambda c: every_octet(c) + b"=ZZ =4",
}


def uu(content: bytes, *, grave: bool = False) -> bytes:
    lines = [
        binascii.b2a_uu(content[at : at + 45], backtick=grave) for at in range(0, len(content), 45)
    ]
    return folded(b"".join(lines))


def uuencoded(content: bytes, name: bytes, **options: bool) -> bytes:
    end = b"\r\n`\r\nend\r\n" if options.get("grave") else b"\r\n \r\nend\r\n"
    return b"begin 644 " + name + b"\r\n" + uu(content, **options) + end


def yenc(content: bytes, name: bytes) -> bytes:
    """http://www.yenc.org/yenc-draft.1.3.txt"""
    octets = bytearray()
    for octet in content:
        shifted = (octet + 42) % 256
        if shifted in b"\0\n\r=":
            octets += b"=" + bytes([(shifted + 64) % 256])
        else:
            octets.append(shifted)
    size = str(len(content)).encode()
    return (
        b"=ybegin line=128 size="
        + size
        + b" name="
        + name
        + b"\r\n"
        + bytes(octets)
        + b"\r\n=yend size="
        + size
        + b"\r\n"
    )


def binhex(content: bytes, name: bytes) -> bytes:
    """RFC 1741 §5, without runs."""
    letters = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
    usual_letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    header = bytes([len(name)]) + name + b"\0APPL????\0\0"
    header += len(content).to_bytes(4, "big") + bytes(4)
    octets = header + crc(header) + content + crc(content) + crc(b"")
    octets = octets.replace(b"\x90", b"\x90\0")
    packed = (
        base64.b64encode(octets).rstrip(b"=").translate(bytes.maketrans(usual_letters, letters))
    )
    return (
        b"(This file must be converted with BinHex 4.0)\r\n\r\n:"
        + in_lines(packed + b":", 64)
        + b"\r\n"
    )


def crc(octets: bytes) -> bytes:
    return binascii.crc_hqx(octets, 0).to_bytes(2, "big")


def begin_base64(content: bytes, name: bytes) -> bytes:
    """uuencode -m (POSIX)."""
    return b"begin-base64 644 " + name + b"\r\n" + base64_of(content) + b"\r\n====\r\n"


def in_text(octets: bytes) -> bytes:
    return TOP + b"Content-Type: text/plain\r\n\r\nHello,\r\n\r\n" + octets + b"\r\nBye\r\n"


def labelled(encoding: bytes, octets: bytes, name: bytes = b"a.bin") -> bytes:
    return usual(
        TEXT,
        b'Content-Type: application/octet-stream; name="' + name + b'"\r\n'
        b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + octets,
    )


def tricks() -> Iterator[Trick]:
    for name, label in LABELS.items():
        yield Trick(f"base64 called {name}, virus", labelled(label, base64_of(OCTETS)), (VIRUS,))
        yield Trick(
            f"base64 called {name}, program", labelled(label, base64_of(PROGRAM)), ("BANNED_PART",)
        )
    for encoding, table in (("base64", BASE64), ("quoted-printable", QUOTED)):
        for name, code in table.items():
            for content, what, wanted in (
                (OCTETS, "virus", VIRUS),
                (PROGRAM, "program", "BANNED_PART"),
            ):
                octets = code(content)  # type: ignore[operator]
                yield Trick(
                    f"{encoding}: {name}, {what}", labelled(encoding.encode(), octets), (wanted,)
                )
    for label in (b"x-uuencode", b"uuencode", b"x-uue", b"X-UUENCODE", b"uue"):
        octets = uuencoded(OCTETS, b"a.txt")
        yield Trick(f"encoding {label.decode()}, virus", labelled(label, octets), (VIRUS,))
        octets = uuencoded(PROGRAM, b"a.txt")
        data = labelled(label, octets)
        yield Trick(f"encoding {label.decode()}, program", data, ("BANNED_PART",))
    texts = {
        "uuencode": uuencoded,
        "uuencode with graves": lambda content, name: uuencoded(content, name, grave=True),
        "uuencode, never ends": lambda content, name: uuencoded(content, name)[:-8],
        "uuencode, blanks lost": lambda content, name: b"\r\n".join(
            line.rstrip() for line in uuencoded(content, name).split(b"\r\n")
        ),
        "uuencode behind a text": lambda content, name: (
            uuencoded(b"hello", b"a.txt") + uuencoded(content, name)
        ),
        "uuencode with four digits": lambda content, name: uuencoded(content, name).replace(
            b"begin 644", b"begin 0644"
        ),
        "uuencode with seven digits": lambda content, name: uuencoded(content, name).replace(
            b"begin 644", b"begin 1000644"
        ),
        "uuencode behind ten lines": lambda content, name: uuencoded(content, name).replace(
            b"\r\n", b"\r\nthis is a line of something else\r\n" * 10, 1
        ),
        "uuencode behind another begin": lambda content, name: (
            b"begin 644 " + name + b"\r\nhello\r\n" + uuencoded(content, b"a.txt")
        ),
        "uuencode with blanks": lambda content, name: uuencoded(content, name).replace(
            b"begin 644 ", b"begin\t644  "
        ),
        "uuencode, a quoted name": lambda content, name: uuencoded(content, b'"' + name + b'"'),
        "begin-base64": begin_base64,
        "yEnc": yenc,
        "BinHex": binhex,
    }
    for kind, make in texts.items():
        yield Trick(f"{kind}, virus", in_text(make(OCTETS, b"a.bin")), (VIRUS, "MIME_AMBIGUOUS"))
        yield Trick(f"{kind}, name", in_text(make(b"hello", b"evil.exe")), ("BANNED_PART",))
        yield Trick(f"{kind}, program", in_text(make(PROGRAM, b"a.bin")), ("BANNED_PART",))
        yield Trick(
            f"{kind} in an encoded text",
            TOP
            + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64_of(make(PROGRAM, b"evil.exe")),
            ("BANNED_PART",),
        )
        yield Trick(
            f"{kind} as a part",
            labelled(b"7bit", make(PROGRAM, b"evil.exe"), b"a.txt"),
            ("BANNED_PART",),
        )
    nameless = uuencoded(PROGRAM, b"a").replace(b"begin 644 a", b"begin 644")
    yield Trick("uuencode without a name, program", in_text(nameless), ("BANNED_PART",))
    yield Trick(
        "encoding x-uuencode with seven digits, program",
        labelled(b"x-uuencode", uuencoded(PROGRAM, b"a.txt").replace(b"644", b"1000644")),
        ("BANNED_PART",),
    )
    yield Trick(
        "BinHex as declared",
        labelled(b"mac-binhex40", binhex(PROGRAM, b"a")),
        ("BANNED_PART",),
    )
    yield Trick("gzip", labelled(b"base64", base64_of(gzip.compress(OCTETS))), (VIRUS,))
