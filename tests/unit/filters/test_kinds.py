"""Marks that many a text or table begins with, and headers that have none."""

from __future__ import annotations

import gzip
import lzma
import struct

import pytest

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.parts.unpacking.kinds import kinds_of
from filterd.message import Message
from tests.hostile.harmless import PDF
from tests.hostile.tricks.archives import mailed, written, zipped
from tests.hostile.tricks.documents import HTML
from tests.hostile.tricks.encodings import PROGRAM

pytestmark = pytest.mark.slow


def symbols(name: str, content: bytes) -> set[str]:
    verdict = Parts(PartsSettings()).examine(Message(mailed(name, content), id="X1"))
    return {symbol.name for symbol in verdict.symbols}


RANDOM = bytes(range(1, 256)) * 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"070701;5,00;x\n070702;6,00;y\n"),
        ("a.csv", b"070707,1\n"),
        ("a.txt", b"EGGARTEN Ann\nMunich\n"),
        ("a.txt", b"SIT! said the man\n"),
        ("a.txt", b"BZhello\n"),
        ("a.txt", b"BZh9 is a mark\n"),
        ("a.txt", b"MSCF is the mark of cabinets\n"),
        ("a.txt", b"LZIP is a program\n"),
        ("a.txt", b"LZIP"),
        ("a.txt", b"KDMV\n"),
        ("a.txt", b"ITSFUN time\n"),
        ("a.txt", b"xar! and hsqs\n"),
        ("a.txt", b"hsqs is SquashFS\n"),
        ("a.txt", b"conectix was a firm\n"),
        ("a.txt", b"ISc(1) is a function\n"),
        ("a.txt", b"..-lh5- is one of LHA\n"),
        ("a.raw", b"\xc7\x71" + RANDOM),
        ("a.raw", b"\x71\xc7" + RANDOM),
        ("a.raw", b"\x60\xea" + RANDOM[50:]),
        ("a.raw", b"\x1f\x9d\x00" + RANDOM),
        ("a.raw", b"\x5d\0\0" + RANDOM),
        ("a.md", b"# Links\n\nSuch a file has:\n\n[InternetShortcut]\nURL=https://a.example\n"),
        ("a.html", b"<html><body><p>Its head has &lt;hta:application&gt;"),
        ("a.html", b"<html><title>hta:application explained</title>"),
        ("firm.com", b"-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAL\n"),
        ("firm.com", b"RIFF\x24\0\0\0WEBPVP8 " + bytes(50)),
        ("a.log.gz", gzip.compress(b"the same line again and again\n" * 500_000)),
        ("a.zip", zipped("a.csv", b";;;;;;;;;\n" * 1_000_000)),
        ("a.docx", zipped("word/content.xml", b"<?xml version='1.0'?><script:module/>")),
    ],
)
def test_what_only_begins_like_another_kind(name: str, content: bytes) -> None:
    assert symbols(name, content) == set()


def raw_zstd(content: bytes) -> bytes:
    """One block as it is (RFC 8878 §3.1.1)."""
    block = struct.pack("<I", len(content) << 3 | 1)[:3] + content
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(content)) + block


def old_lz4(content: bytes) -> bytes:
    """The legacy frame, literals only."""
    left = len(content) - 15
    block = b"\xf0" + b"\xff" * (left // 255) + bytes([left % 255]) + content
    return b"\x02\x21\x4c\x18" + struct.pack("<I", len(block)) + block


def old_tar(name: bytes) -> bytes:
    """A header of before POSIX, its sum made of signed octets."""
    head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"00000000005 00000000000 "
    fields = (head + b" " * 8).ljust(512, b"\0")
    checksum = sum(octet - 256 if octet > 127 else octet for octet in fields)
    return fields[:148] + b"%06o\0 " % checksum + fields[156:] + b"hello".ljust(512, b"\0")


def lzma_of(**settings: int) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA1, **settings}]
    return lzma.compress(PROGRAM, lzma.FORMAT_ALONE, filters=filters)


SKIPPED = b"\x5f\x2a\x4d\x18\4\0\0\0abcd"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.zst", SKIPPED + raw_zstd(PROGRAM)),
        ("a", SKIPPED * 9 + raw_zstd(PROGRAM)),
        ("a.lz4", old_lz4(PROGRAM)),
        ("a.lzma", lzma_of(lc=1, lp=1, pb=1)),
        ("a", lzma_of(dict_size=1 << 20)),
        ("a.dat", old_tar(b"\xe9t\xe9.exe")),
        ("a.cpio", written("cpio_bin", "evil.exe", b"hello")),
        ("a.cpio", written("cpio_odc", "evil.exe", b"hello")),
        ("a.cpio", written("cpio_newc", "evil.exe", b"hello")),
    ],
)
def test_archives_without_a_usual_mark_are_opened(name: str, content: bytes) -> None:
    assert symbols(name, content) == {"BANNED_PART"}


def test_binary_cpio_of_the_other_kind_of_machine() -> None:
    head = struct.pack(">13H", 0o070707, 1, 2, 0o100644, 0, 0, 1, 0, 0, 0, 6, 0, 5)
    assert kinds_of(head + b"a.exe\0" + b"hello") == ("cpio",)


def test_what_the_library_gives_as_it_is_was_not_read() -> None:
    assert symbols("a.lzma", lzma_of(dict_size=4097)) == {"ARCHIVE_LIMIT"}
    named = symbols("evil.exe.lzma", lzma_of(dict_size=4097))
    assert named == {"ARCHIVE_LIMIT", "BANNED_PART"}


def test_rare_archives_are_told() -> None:
    for content in (b"LRZI\0\6" + bytes(99), b"7kSt\xa0\x31\x83\xd3\x8c\xb2\x28\xb0\xd3zPQ\2\1"):
        assert symbols("a.dat", content) == {"ARCHIVE_UNREADABLE"}


REFRESH = b'<meta http-equiv="refresh" content="%s">'


@pytest.mark.parametrize(
    "head",
    [
        REFRESH % b"0;url=index2.html",
        REFRESH % b"0; URL='./html/index.html'",
        REFRESH % b"300",
        REFRESH % b"0;url=#main",
        b'<meta name="description" content="refresh your url=knowledge">',
        b'<meta property="og:url" content="https://client.example/?refresh=1&url=2">',
    ],
)
def test_a_page_that_goes_to_the_one_beside_it(head: bytes) -> None:
    assert symbols("a.html", HTML % head) == set()


@pytest.mark.parametrize(
    "head",
    [
        REFRESH % b"0;url=https://x.example/",
        REFRESH % b"0; https://x.example/",
        REFRESH % b"0,url=//x.example/",
        REFRESH % b"0;url=\\\\x.example\\a",
        REFRESH % b"0;url=search-ms:query=a",
        b"<META content=0;url=https://x.example/ HTTP-EQUIV=Refresh>",
        b'<meta http-equiv="ref&#114;esh" content="0;&#117;rl=https://x.example/">',
        b"<base href='https://x.example/'>" + REFRESH % b"0;url=a.html",
    ],
)
def test_a_page_that_goes_elsewhere(head: bytes) -> None:
    assert symbols("a.html", HTML % head) == {"DOC_REMOTE"}


@pytest.mark.parametrize(
    "extension", "ppa dqy deskthemepack vdi qcow vsto appimage flatpakref".split()
)
def test_what_stands_beside_what_is_banned(extension: str) -> None:
    assert symbols(f"a.{extension}", b"hello") == {"BANNED_PART"}


def test_a_shortcut_behind_a_comment() -> None:
    assert symbols("a.txt", b"; a\r\n\r\n[A]\r\nb=c\r\n[internetshortcut]\r\nURL=x") == {
        "BANNED_PART"
    }
    assert symbols("report.pdf", PDF) == set()


def test_a_damaged_archive_without_a_reason_of_the_library() -> None:
    verdict = Parts(PartsSettings()).examine(
        Message(mailed("a.cpio", b"070707" + b"0" * 70), id="X1")
    )
    (damaged,) = verdict.symbols
    assert damaged.name == "ARCHIVE_DAMAGED"
    assert "None" not in damaged.detail
