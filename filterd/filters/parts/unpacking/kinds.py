"""What a file is, by its first octets: only the kinds that a mail policy asks about.

A small table of our own, since general ones (file(1), puremagic) know thousands of kinds and take
milliseconds, and a policy needs few. Sources: the format's specification where named, else the
magic database of file(1).
"""

from __future__ import annotations

import re
import struct

HEAD_SIZE = 36 << 10
"""Octets that `kind_of` needs: ISO 9660 has its mark at 32 KiB (ECMA-119 §8.1)."""

ARCHIVE_KINDS = frozenset(
    "zip 7z rar tar cpio ar cab iso lha xar gz bz2 xz zst lz4 lzip compress rpm lzma".split()
)
"""Kinds that libarchive opens."""

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\x7fELF", "elf"),
    (b"PK\x03\x04", "zip"),  # APPNOTE.TXT 4.3.7
    (b"PK\x05\x06", "zip"),  # 4.3.16, an empty archive
    (b"PK\x07\x08", "zip"),  # 8.5.3, spanned
    (b"7z\xbc\xaf\x27\x1c", "7z"),  # 7zFormat.txt
    (b"Rar!\x1a\x07", "rar"),
    (b"\x1f\x8b", "gz"),  # RFC 1952 §2.3.1
    *((b"BZh%d1AY&SY" % size, "bz2") for size in range(1, 10)),
    *((b"BZh%d\x17rE8P\x90" % size, "bz2") for size in range(1, 10)),  # an empty one
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),  # RFC 8878 §3.1.1
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),  # its older format
    (b"LZIP", "lzip"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"MSCF", "cab"),  # MS-CAB §2.1
    (b"ISc(", "installshield"),
    (b"xar!", "xar"),
    (b"!<arch>\n", "ar"),
    (b"EGGA", "egg"),
    (b"ALZ\x01", "alz"),
    (b"SIT!", "stuffit"),
    (b"StuffIt (c)", "stuffit"),
    (b"MSWIM\0\0\0", "wim"),
    (b"UC2\x1a", "uc2"),
    (b"LRZI", "lrzip"),
    (b"7kSt\xa0\x31\x83\xd3\x8c\xb2\x28\xb0\xd3", "zpaq"),
    (
        b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3",
        "onenote",
    ),  # MS-ONESTORE §2.3.1
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),  # MS-CFB §2.2
    (b"{\\rt", "rtf"),  # Word opens it without the f
    (b"\x78\x9f\x3e\x22", "tnef"),  # MS-OXTNEF §2.1.3.1
    (b"\x4c\x00\x00\x00\x01\x14\x02\x00", "lnk"),  # MS-SHLLINK §2.1
    (b"ITSF", "chm"),
    (b"\xca\xfe\xba\xbe", "class"),  # Java, or a Mach-O for several processors
    (b"\xfe\xed\xfa\xce", "macho"),
    (b"\xfe\xed\xfa\xcf", "macho"),
    (b"\xce\xfa\xed\xfe", "macho"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"#!", "script"),
    (b"\0\5\x16\0", "apple"),  # RFC 1740 appendix A: AppleSingle, AppleDouble
    (b"\0\5\x16\7", "apple"),
    (b"KDMV", "disk"),  # VMware
    (b"QFI\xfb", "disk"),  # QEMU
    (b"hsqs", "disk"),  # SquashFS
    (b"conectix", "vhd"),
    (b"vhdxfile", "vhd"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
)

_PREFIX = re.compile(b"|".join(re.escape(prefix) for prefix, _kind in _PREFIXES))
_KINDS = dict(_PREFIXES)

_WORDS = frozenset(b"LZIP MSCF ISc( xar! EGGA SIT! LRZI ITSF KDMV hsqs conectix vhdxfile".split())
"""Marks that a text may begin with as well: behind them a file of that kind has numbers."""
_TEXT_BEHIND = re.compile(rb"[\t\n\r -~]{0,4}+")

_FILE_MODES = rb"\x10-\x2f\x40-\x4f\x60-\x6f\x80-\x8f\xa0-\xaf\xc0-\xcf"
# Headers that two octets, or digits, do not tell from any other file: fields that must fit.
_HEADERS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"07070[12][0-9A-Fa-f]{104}"), "cpio"),  # cpio(5), New ASCII Format
    (re.compile(rb"070707[0-7]{70}"), "cpio"),  # Portable ASCII Format
    # Binary ones: a mode of a file, a name of less than 4096 octets.
    (re.compile(rb"\xc7\x71.{5}[%s].{13}[\0-\x0f]" % _FILE_MODES, re.DOTALL), "cpio"),
    (re.compile(rb"\x71\xc7.{4}[%s].{13}[\0-\x0f]" % _FILE_MODES, re.DOTALL), "cpio"),
    (re.compile(rb"\x1f\x9d[\x09-\x10\x89-\x90]"), "compress"),  # the most bits of a code
    (re.compile(rb"\x60\xea.[\0-\x0a]", re.DOTALL), "arj"),  # the header's size, up to 2600
    (re.compile(rb"..-(?:l[hz][0-9sdx]|pm[0-2s])-.{13}[\0-\3]", re.DOTALL), "lha"),  # its level
)
_LZMA = struct.Struct("<BIQ")  # LZMA SDK, lzma-specification.txt: properties, dictionary, size
_LZMA_PROPERTIES = 9 * 5 * 5
_LZMA_SIZE = 1 << 38
_SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # RFC 8878 §3.1.2
_FRAMES_LIMIT = 64

_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (7, b"**ACE**", "ace"),
    (20, b"\xdc\xa7\xc4\xfd", "zoo"),
    (257, b"ustar", "tar"),  # pax(1)
    (32769, b"CD001", "iso"),  # ECMA-119 §8.1.2
    (32769, b"BEA01", "udf"),  # ECMA-167 2/9.1.2
)

_MARKUP = re.compile(
    rb"(?i)<(?:!doctype\s+)?(html|svg|script|hta:application|body|head|iframe)(?![\w:.-])"
)
_BOM = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

# A boot sector with the file system's name where FAT, FAT32, exFAT and NTFS have it.
_FILE_SYSTEM = re.compile(rb".{3}(?:NTFS    |EXFAT   )|.{54}FAT1|.{82}FAT32", re.DOTALL)
_HEADER = re.compile(
    rb"(?:>?From [^\n]*+\n)?(?:[!-9;-~]++[ \t]*+:[^\n]*+\n(?:[ \t][^\n]*+\n)*+){2,}+"
)
_MAIL_FIELD = re.compile(
    rb"(?im)^(?:mime-version|content-type|received|message-id|return-path|content-transfer-encoding"
    rb"|content-disposition)[ \t]*:"
)

_CALENDAR = re.compile(rb"(?i)BEGIN:[ \t]*+V(?:CALENDAR|CARD)\b")

_TAR_BLOCK = 512
_TAR_CHECKSUM = re.compile(rb" *[0-7]+[ \0]*")

# A PDF reader takes the header anywhere in the first kilobyte (ISO 32000-1, annex H.3.4.1).
PDF_WINDOW = 1024

MARKUP_WINDOW = 4096
"""Octets from the top in which the first tag of a page is looked for."""


def kind_of(head: bytes) -> str:
    """The likeliest kind of a file from its first `HEAD_SIZE` octets; `""` if it is none that we
    ask for."""
    kinds = kinds_of(head)
    return kinds[0] if kinds else ""


def kinds_of(head: bytes) -> tuple[str, ...]:
    """All kinds that its first `HEAD_SIZE` octets make a file, the likeliest first.

    The marks of two kinds may stand side by side: a tar file begins with a name that the sender
    chose, an ISO image with 32 KiB that may hold anything.
    """
    found: list[str] = []
    if head[:2] in (b"MZ", b"ZM") and b"\0" in head[:64]:
        found.append("exe")
    known = _PREFIX.match(head)
    if known and not _is_word(head, known[0]):
        found.append(_KINDS[known[0]])
    found += [kind for header, kind in _HEADERS if header.match(head)]
    if _is_lzma(head):
        found.append("lzma")
    if _SKIPPED.match(head):
        found.append(_behind_skipped(head))
    for offset, mark, kind in _MARKS:
        if head.startswith(mark, offset):
            found.append(kind)
    if "tar" not in found and _is_old_tar(head):
        found.append("tar")
    if head[510:512] == b"\x55\xaa" and (_FILE_SYSTEM.match(head) or _has_partitions(head)):
        found.append("disk")
    if b"%PDF-" in head[:PDF_WINDOW] and not _is_first_member(head):
        found.append("pdf")
    kind = _text_kind(head)
    if kind and kind not in found:
        found.append(kind)
    return tuple(found)


def markup_kind(text: bytes) -> str:
    """What the first tag that tells makes of a text: html, svg, hta, or `""` without one."""
    match = _MARKUP.search(text, 0, MARKUP_WINDOW)
    if not match:
        return ""
    if b"<hta:application" in text[:MARKUP_WINDOW].lower():
        return "hta"
    return "svg" if match[1].lower() == b"svg" else "html"


def _text_kind(head: bytes) -> str:
    text = head[:MARKUP_WINDOW].lstrip()
    for bom in _BOM:
        text = text.removeprefix(bom)
    if b"\0" in text[:64]:
        text = text.replace(b"\0", b"")  # UTF-16, as far as a tag's letters go
    text = text.lstrip()
    if text[:1] == b"<":
        return markup_kind(text)
    if text[:4] == b"{\\rt":
        return "rtf"
    if _CALENDAR.match(text):
        return "icalendar"
    if _is_shortcut(text):
        return "url"
    return "mail" if _is_mail(head) else ""


def _is_first_member(head: bytes) -> bool:
    """True if what has a PDF's mark is the first file of an archive that stores it as it is."""
    mark = head.find(b"%PDF-")
    if head.startswith(b"PK\x03\x04"):
        name, extra = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
        return mark == 30 + name + extra
    return mark == _TAR_BLOCK and (head.startswith(b"ustar", 257) or _is_old_tar(head))


def _is_mail(head: bytes) -> bool:
    """Several header fields on top, one of them such as only mail has (RFC 5322 §3.6)."""
    section = _HEADER.match(head.lstrip(b"\r\n"))
    return section is not None and _MAIL_FIELD.search(section[0]) is not None


def _has_partitions(head: bytes) -> bool:
    """The table of a disk's first sector: four entries of status, type, first block and count."""
    entries = [head[at : at + 16] for at in range(446, 510, 16)]
    return all(entry[0] in (0, 0x80) for entry in entries) and any(
        entry[4] and any(entry[8:12]) and any(entry[12:16]) for entry in entries
    )


def _is_old_tar(head: bytes) -> bool:
    """A tar header of before POSIX.1-1988 has no mark, but a checksum (octal, at octet 148)."""
    if len(head) < _TAR_BLOCK or not _TAR_CHECKSUM.fullmatch(head[148:156]) or not head[0]:
        return False
    claimed = int(head[148:156].strip(b" \0") or b"0", 8)
    octets = head[:148] + bytes(8 * b" ") + head[156:_TAR_BLOCK]
    # Some tars counted octets above 127 as negative numbers.
    return claimed in (sum(octets), sum(octet - ((octet & 0x80) << 1) for octet in octets))


def _is_word(head: bytes, mark: bytes) -> bool:
    """True if what looks like the mark is the beginning of a text."""
    if mark not in _WORDS:
        return False
    behind = _TEXT_BEHIND.match(head, len(mark))
    return behind is not None and behind.end() >= min(len(mark) + 4, len(head))


def _is_lzma(head: bytes) -> bool:
    """A header that has no mark, but a dictionary of one of few sizes and a size that may be."""
    if len(head) <= _LZMA.size or head[_LZMA.size]:
        return False
    properties, dictionary, size = _LZMA.unpack_from(head)
    # 2^n, or 2^n + 2^(n-1)
    is_usual = dictionary == 0xFFFFFFFF or (
        dictionary >= 4096 and dictionary.bit_count() <= 2 and not dictionary & (dictionary << 2)
    )
    return (
        properties < _LZMA_PROPERTIES
        and is_usual
        and (size == (1 << 64) - 1 or 0 < size < _LZMA_SIZE)
    )


def _behind_skipped(head: bytes) -> str:
    """The kind behind frames that readers skip: Zstandard's, which LZ4 has as well."""
    position = 0
    for _ in range(_FRAMES_LIMIT):
        if not _SKIPPED.match(head, position):
            break
        position += 8 + int.from_bytes(head[position + 4 : position + 8], "little")
    return (
        "lz4" if head[position + 1 : position + 4] in (b"\x22\x4d\x18", b"\x21\x4c\x18") else "zst"
    )


def _is_shortcut(text: bytes) -> bool:
    """Sections and settings up to the one of a link; not a text that quotes them."""
    for line in map(bytes.strip, text.splitlines()):
        if line.lower() == b"[internetshortcut]":
            return True
        if line and line[:1] not in b"[;" and b"=" not in line:
            return False
    return False
