"""Archives that hide what is in them: nested, contradictory, with something before or behind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

import libarchive

from tests.hostile.tricks import VIRUS, Trick
from tests.hostile.tricks.encodings import PROGRAM
from tests.hostile.tricks.structure import OCTETS, TEXT, attachment, base64_of, usual

EVIL = "evil.exe"


def mailed(name: str, content: bytes) -> bytes:
    return usual(TEXT, attachment(name.encode(), base64_of(content)))


def zipped(
    name: str = EVIL, content: bytes = b"hello", method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def written(kind: str, name: str, content: bytes) -> bytes:
    """An archive of one of libarchive's formats."""
    packed = bytearray()

    def take(octets: bytes) -> int:
        packed.extend(octets)
        return len(octets)

    with libarchive.custom_writer(take, kind) as archive:
        archive.add_file_from_memory(name, len(content), content)
    return bytes(packed)


def tarred(name: str = EVIL, content: bytes = b"hello", **facts: object) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        for key, value in facts.items():
            setattr(member, key, value)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def local(name: bytes, content: bytes, *, flags: int = 0, method: int = 0, size: int = -1) -> bytes:
    """One member with its local header (APPNOTE.TXT 4.3.7). size: what the header claims."""
    size = len(content) if size < 0 else size
    return (
        struct.pack(
            "<4s5H3I2H",
            b"PK\3\4",
            20,
            flags,
            method,
            0,
            0x21,
            zlib.crc32(content),
            size,
            size,
            len(name),
            0,
        )
        + name
        + content
    )


def central(name: bytes, content: bytes, offset: int, extra: bytes = b"") -> bytes:
    return (
        struct.pack(
            "<4s6H3I5H2I",
            b"PK\1\2",
            20,
            20,
            0,
            0,
            0,
            0x21,
            zlib.crc32(content),
            len(content),
            len(content),
            len(name),
            len(extra),
            0,
            0,
            0,
            0,
            offset,
        )
        + name
        + extra
    )


def end(count: int, size: int, offset: int, comment: bytes = b"") -> bytes:
    return (
        struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, size, offset, len(comment)) + comment
    )


def by_hand(
    local_name: bytes, central_name: bytes, content: bytes = b"hello", extra: bytes = b""
) -> bytes:
    first = local(local_name, content)
    directory = central(central_name, content, 0, extra)
    return first + directory + end(1, len(directory), len(first))


def unicode_path(name: bytes, other: bytes) -> bytes:
    """Info-ZIP's extra field with another name (APPNOTE.TXT 4.6.9)."""
    value = struct.pack("<BI", 1, zlib.crc32(name)) + other
    return struct.pack("<2H", 0x7075, len(value)) + value


def cab(name: bytes, content: bytes) -> bytes:
    """A cabinet that stores one file (MS-CAB §2)."""
    data = struct.pack("<I2H", 0, len(content), len(content)) + content
    file = struct.pack("<2I4H", len(content), 0, 0, 0, 0, 0x20) + name + b"\0"
    folder_at = 36 + 8
    folder = struct.pack("<I2H", folder_at + len(file), 1, 0)
    size = 36 + len(folder) + len(file) + len(data)
    header = struct.pack("<4s5I2B5H", b"MSCF", 0, size, 0, folder_at, 0, 3, 1, 1, 1, 0, 0, 0)
    return header + folder + file + data


def rar(name: bytes, content: bytes) -> bytes:
    """A RAR 4 archive that stores one file (technote.txt of UnRAR 4)."""

    def block(kind: int, flags: int, rest: bytes) -> bytes:
        head = struct.pack("<BHH", kind, flags, 7 + len(rest)) + rest
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    facts = struct.pack(
        "<2IBIIBBHI",
        len(content),
        len(content),
        2,
        zlib.crc32(content),
        0x21_0000,
        20,
        0x30,
        len(name),
        0x20,
    )
    return (
        b"Rar!\x1a\x07\0"
        + block(0x73, 0, bytes(6))
        + block(0x74, 0x8000, facts + name)
        + content
        + block(0x7B, 0x4000, b"")
    )


def lha(name: bytes, content: bytes) -> bytes:
    """A level 0 header, stored."""
    rest = b"-lh0-" + struct.pack("<2I2HBB", len(content), len(content), 0, 0x21, 0x20, 0)
    rest += bytes([len(name)]) + name + b"\0\0"
    return bytes([len(rest), sum(rest) & 0xFF]) + rest + content + b"\0"


def nested(levels: int) -> bytes:
    packed = zipped(EVIL, b"hello")
    for level in range(levels - 1):
        packed = zipped(f"{level}.zip", packed)
    return packed


def link(target: str) -> bytes:
    """A tar whose member is a symbolic link."""
    return tarred("innocent", b"", type=tarfile.SYMTYPE, linkname=target)


def zip_link(target: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        member = zipfile.ZipInfo("innocent")
        member.create_system = 3
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, target)
    return packed.getvalue()


def quine_like() -> bytes:
    """A gzip file in a gzip file in a ...: more levels than anybody opens."""
    packed = b"hello"
    for _ in range(40):
        packed = gzip.compress(packed)
    return packed


def many(count: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(count):
            archive.writestr(str(number), b"")
    return packed.getvalue()


def overlapping(count: int) -> bytes:
    """Many members that share one body of zeros (D. Fifield's bomb, without its quoting)."""
    body = zlib.compress(bytes(4 << 20), 9)[2:-4]
    first = local(b"a", b"", method=8)[:-1] + b"a" + body
    directory = b"".join(
        struct.pack(
            "<4s6H3I5H2I",
            b"PK\1\2",
            20,
            20,
            0,
            8,
            0,
            0x21,
            0,
            len(body),
            4 << 20,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
        )
        + b"a"
        for _ in range(count)
    )
    return first + directory + end(count, len(directory), len(first))


def gzip_named(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=packed) as archive:
        archive.write(content)
    return packed.getvalue()


PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
GIF = b"GIF89a" + bytes(100)

HOLDING: dict[str, tuple[str, Callable[[str, bytes], bytes]]] = {
    "zip": ("a.zip", zipped),
    "zip, stored": ("a.zip", lambda name, content: zipped(name, content, zipfile.ZIP_STORED)),
    "zip, bzip2": ("a.zip", lambda name, content: zipped(name, content, zipfile.ZIP_BZIP2)),
    "zip, lzma": ("a.zip", lambda name, content: zipped(name, content, zipfile.ZIP_LZMA)),
    "zip without a name": ("data", zipped),
    "zip called jpg": ("a.jpg", zipped),
    "zip called docx": ("a.docx", zipped),
    "zip behind a program's stub": ("a.dat", lambda n, c: b"stub" * 100 + zipped(n, c)),
    "zip behind a PNG": ("a.png", lambda name, content: PNG + zipped(name, content)),
    "zip behind a GIF": ("a.gif", lambda name, content: GIF + zipped(name, content)),
    "zip behind a PDF": ("a.pdf", lambda n, c: b"%PDF-1.4\n%%EOF\n" + zipped(n, c)),
    "zip with more behind": ("a.zip", lambda name, content: zipped(name, content) + b"x" * 500),
    "zip with much behind": ("a.zip", lambda n, c: zipped(n, c) + b"x" * 100_000),
    "zip, then another": (
        "a.zip",
        lambda name, content: zipped("a.txt", b"hello") + zipped(name, content),
    ),
    "zip, then one without it": (
        "a.zip",
        lambda n, c: zipped(n, c, zipfile.ZIP_STORED) + zipped("a.txt", b"hello"),
    ),
    "zip without a directory": ("a.zip", lambda name, content: local(name.encode(), content)),
    "zip in the comment of a zip": (
        "a.zip",
        lambda n, c: (
            zipped("a.txt", b"hello")[:-2] + struct.pack("<H", len(zipped(n, c))) + zipped(n, c)
        ),
    ),
    "zip in a zip": ("a.zip", lambda name, content: zipped("b.zip", zipped(name, content))),
    "zip in a zip without extension": ("a.zip", lambda n, c: zipped("b", zipped(n, c))),
    "tar": ("a.tar", tarred),
    "tar called txt": ("a.txt", tarred),
    "tar, then another": ("a.tar", lambda n, c: tarred("a.txt") + tarred(n, c)),
    "tar.gz": ("a.tgz", lambda name, content: gzip.compress(tarred(name, content))),
    "tar.bz2": ("a.tbz", lambda name, content: bz2.compress(tarred(name, content))),
    "tar.xz": ("a.txz", lambda name, content: lzma.compress(tarred(name, content))),
    "tar in a tar": ("a.tar", lambda name, content: tarred("b.tar", tarred(name, content))),
    "gzip, the name in it": ("a.gz", gzip_named),
    "gzip in two pieces": (
        "evil.exe.gz",
        lambda _name, content: gzip.compress(content[:3]) + gzip.compress(content[3:]),
    ),
    "gzip with more behind": ("evil.exe.gz", lambda _n, c: gzip.compress(c) + b"\0garbage"),
    "lzma": ("evil.exe.lzma", lambda _n, c: lzma.compress(c, lzma.FORMAT_ALONE)),
    "7z": ("a.7z", lambda name, content: written("7zip", name, content)),
    "7z in a zip": ("a.zip", lambda n, c: zipped("b.7z", written("7zip", n, c))),
    "7z behind a program's stub": (
        "a.dat",
        lambda name, content: b"x" * 1000 + written("7zip", name, content),
    ),
    "iso": ("a.dat", lambda name, content: written("iso9660", name, content)),
    "iso in a zip": ("a.zip", lambda n, c: zipped("b.dat", written("iso9660", n, c))),
    "cpio": ("a.cpio", lambda name, content: written("cpio", name, content)),
    "cpio, new": ("a.cpio", lambda name, content: written("cpio_newc", name, content)),
    "ar": ("a.ar", lambda name, content: written("ar_bsd", name, content)),
    "xar": ("a.xar", lambda name, content: written("xar", name, content)),
    "cab": ("a.dat", lambda name, content: cab(name.encode(), content)),
    "cab in a zip": ("a.zip", lambda n, c: zipped("b.dat", cab(n.encode(), c))),
    "rar": ("a.rar", lambda name, content: rar(name.encode(), content)),
    "rar in a zip": ("a.zip", lambda n, c: zipped("b", rar(n.encode(), c))),
    "rar behind a program's stub": ("a.dat", lambda n, c: b"x" * 1000 + rar(n.encode(), c)),
    "lha": ("a.lzh", lambda name, content: lha(name.encode(), content)),
    "cab, iso, 7z, tar and zip in each other": (
        "a.zip",
        lambda n, c: zipped(
            "b.tar", tarred("c.7z", written("7zip", "d.iso", written("iso9660", n, c)))
        ),
    ),
}
"""Name of the attachment, and what holds a member."""


def others() -> dict[str, tuple[str, bytes, tuple[str, ...]]]:
    """Name of the attachment, content, what must be found; `""` where nothing need be."""
    return {
        "name in the local header alone": (
            "a.zip",
            by_hand(b"evil.exe", b"note.txt"),
            ("BANNED_PART",),
        ),
        "name in the directory alone": (
            "a.zip",
            by_hand(b"note.txt", b"evil.exe"),
            ("BANNED_PART",),
        ),
        "program in the local header alone": (
            "a.zip",
            local(b"a.txt", PROGRAM)
            + local(b"b.txt", b"hi")
            + central(b"b.txt", b"hi", 35 + len(PROGRAM))
            + end(1, 51, 35 + len(PROGRAM) + 37),
            ("BANNED_PART",),
        ),
        "name in an extra field": (
            "a.zip",
            by_hand(b"note.txt", b"note.txt", extra=unicode_path(b"note.txt", b"evil.exe")),
            ("BANNED_PART",),
        ),
        "name with NUL": ("a.zip", by_hand(b"evil.exe\0.txt", b"evil.exe\0.txt"), ("BANNED_PART",)),
        "name with a backslash": ("a.zip", zipped("a\\evil.exe"), ("BANNED_PART",)),
        "name with a direction mark": ("a.zip", zipped("evil\u202egpj.exe"), ("BANNED_PART",)),
        "name with dots behind": ("a.zip", zipped("evil.exe..."), ("BANNED_PART",)),
        "name of a folder": ("a.zip", zipped("evil.exe/a.txt"), ("BANNED_PART", "")),
        "sizes that lie": (
            "a.zip",
            zipped(content=bytes(8 << 20)).replace(
                struct.pack("<I", 8 << 20), struct.pack("<I", 10)
            ),
            ("BANNED_PART", "ARCHIVE_LIMIT"),
        ),
        "climbing": ("a.zip", zipped("../../a.txt"), ("ARCHIVE_PATH",)),
        "climbing with backslashes": ("a.zip", zipped("..\\..\\a.txt"), ("ARCHIVE_PATH",)),
        "absolute": ("a.tar", tarred("/etc/passwd"), ("ARCHIVE_PATH",)),
        "a drive": ("a.zip", zipped("C:\\a.txt"), ("ARCHIVE_PATH",)),
        "a share": ("a.zip", zipped("\\\\host\\a.txt"), ("ARCHIVE_PATH",)),
        "climbing in the local header": (
            "a.zip",
            by_hand(b"../a.txt", b"b.txt"),
            ("ARCHIVE_PATH",),
        ),
        "symbolic link": ("a.tar", link("../../etc/passwd"), ("ARCHIVE_PATH",)),
        "absolute symbolic link": ("a.tar", link("/etc/passwd"), ("ARCHIVE_PATH",)),
        "symbolic link in a zip": ("a.zip", zip_link(b"../../etc/passwd"), ("ARCHIVE_PATH",)),
        "hard link": (
            "a.tar",
            tarred("innocent", b"", type=tarfile.LNKTYPE, linkname="../../etc/passwd"),
            ("ARCHIVE_PATH",),
        ),
        "7 levels": ("a.zip", nested(7), ("ARCHIVE_LIMIT",)),
        "40 levels of gzip": ("a.gz", quine_like(), ("ARCHIVE_LIMIT",)),
        "100,000 members": ("a.zip", many(100_000), ("ARCHIVE_LIMIT",)),
        "zeros": ("a.gz", gzip.compress(bytes(50 << 20)), ("ARCHIVE_LIMIT",)),
        "zeros in bzip2": ("a.bz2", bz2.compress(bytes(100 << 20)), ("ARCHIVE_LIMIT",)),
        "zeros in xz": ("a.xz", lzma.compress(bytes(100 << 20)), ("ARCHIVE_LIMIT",)),
        "zeros in a tar": (
            "a.tgz",
            gzip.compress(tarred("a", bytes(50 << 20))),
            ("ARCHIVE_LIMIT",),
        ),
        "overlapping members": ("a.zip", overlapping(2000), ("ARCHIVE_LIMIT", "ARCHIVE_DAMAGED")),
        "sparse tar": (
            "a.tar",
            tarred("a", b"")[:124] + b"77777777777\0" + tarred("a", b"")[136:],
            ("ARCHIVE_LIMIT", "ARCHIVE_DAMAGED"),
        ),
        "breaks off": (
            "a.zip",
            zipped(content=PROGRAM * 50)[:100],
            ("BANNED_PART", "ARCHIVE_DAMAGED"),
        ),
        "7z breaks off": ("a.7z", written("7zip", EVIL, PROGRAM)[:60], ("ARCHIVE_DAMAGED",)),
        "rar breaks off": ("a.rar", rar(b"a.txt", b"x" * 100)[:50], ("ARCHIVE_DAMAGED",)),
        "cab breaks off": ("a.dat", cab(b"a.txt", b"x" * 100)[:90], ("ARCHIVE_DAMAGED",)),
        "encrypted flag": (
            "a.zip",
            by_hand(b"a.txt", b"a.txt").replace(b"\x14\0\0\0", b"\x14\0\1\0"),
            ("ARCHIVE_ENCRYPTED",),
        ),
        "encrypted flag, name": (
            "a.zip",
            by_hand(b"evil.exe", b"evil.exe").replace(b"\x14\0\0\0", b"\x14\0\1\0"),
            ("BANNED_PART",),
        ),
        "unknown method": (
            "a.zip",
            local(b"a.txt", PROGRAM, method=97)
            + central(b"a.txt", PROGRAM, 0).replace(
                b"\x14\0\x14\0\0\0\0\0", b"\x14\0\x14\0\0\0\x61\0"
            )
            + end(1, 51, 35 + len(PROGRAM)),
            ("ARCHIVE_DAMAGED",),
        ),
        "arj": ("a.arj", b"\x60\xea\x20\0" + bytes(100), ("ARCHIVE_UNREADABLE",)),
        "arj called dat": ("a.dat", b"\x60\xea\x20\0" + bytes(100), ("ARCHIVE_UNREADABLE",)),
        "ace": ("a.ace", bytes(7) + b"**ACE**" + bytes(100), ("ARCHIVE_UNREADABLE",)),
        "ace in a zip": (
            "a.zip",
            zipped("b.dat", bytes(7) + b"**ACE**" + bytes(100)),
            ("ARCHIVE_UNREADABLE",),
        ),
        "zoo": (
            "a.zoo",
            b"ZOO 2.10 Archive.\x1a\0\0\xdc\xa7\xc4\xfd" + bytes(90),
            ("ARCHIVE_UNREADABLE",),
        ),
        "InstallShield": ("a.dat", b"ISc(" + bytes(100), ("ARCHIVE_UNREADABLE",)),
        "disk image": (
            "a.dat",
            bytes(54) + b"FAT16   " + bytes(448) + b"\x55\xaa",
            ("BANNED_PART",),
        ),
        "virtual disk": ("a.dat", b"conectix" + bytes(600), ("BANNED_PART",)),
        "virtual disk by name": ("a.vhd", b"hello", ("BANNED_PART",)),
        "image by name": ("a.img", b"hello", ("BANNED_PART",)),
        "virtual disk at its end": (
            "a.dat",
            bytes(2048) + b"conectix" + bytes(504),
            ("BANNED_PART",),
        ),
        "UDF": ("a.dat", bytes(32769) + b"BEA01" + bytes(4000), ("ARCHIVE_UNREADABLE",)),
    }


NOT_SCANNED = {
    "zip, lzma": (VIRUS, "ARCHIVE_UNREADABLE"),
    "zip, then another": (VIRUS, "ARCHIVE_AMBIGUOUS"),
    "zip in the comment of a zip": (VIRUS, "ARCHIVE_AMBIGUOUS"),
    "tar, then another": (VIRUS, "ARCHIVE_AMBIGUOUS"),
}
"""What clamd passes over has a symbol at least."""


def tricks() -> Iterator[Trick]:
    for kind, (outer, pack) in HOLDING.items():
        yield Trick(f"{kind}, name", mailed(outer, pack(EVIL, b"hello")), ("BANNED_PART",))
        yield Trick(f"{kind}, program", mailed(outer, pack("a.txt", PROGRAM)), ("BANNED_PART",))
        yield Trick(
            f"{kind}, virus",
            mailed(outer, pack("a.txt", OCTETS)),
            NOT_SCANNED.get(kind, (VIRUS, "BANNED_PART")),
        )
    for kind, (outer, content, wanted) in others().items():
        if "" not in wanted:
            yield Trick(kind, mailed(outer, content), wanted)
