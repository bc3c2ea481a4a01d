"""What a file is, by its first octets: only the kinds that a mail policy asks about.

A small table of our own, since general ones (file(1), puremagic) know thousands of kinds and take
milliseconds, and a policy needs few. Sources: the format's specification where named, else the
magic database of file(1).
"""

from __future__ import annotations

import re

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
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),  # RFC 8878 §3.1.1
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP", "lzip"),
    (b"\x1f\x9d", "compress"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"MSCF", "cab"),  # MS-CAB §2.1
    (b"ISc(", "installshield"),
    (b"xar!", "xar"),
    (b"!<arch>\n", "ar"),
    (b"070701", "cpio"),
    (b"070702", "cpio"),
    (b"070707", "cpio"),
    (b"\xc7\x71", "cpio"),
    (b"\x71\xc7", "cpio"),
    (b"\x60\xea", "arj"),
    (b"EGGA", "egg"),
    (b"ALZ\x01", "alz"),
    (b"SIT!", "stuffit"),
    (b"StuffIt (c)", "stuffit"),
    (b"MSWIM\0\0\0", "wim"),
    (b"UC2\x1a", "uc2"),
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

_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (7, b"**ACE**", "ace"),
    (20, b"\xdc\xa7\xc4\xfd", "zoo"),
    (257, b"ustar", "tar"),  # pax(1)
    (32769, b"CD001", "iso"),  # ECMA-119 §8.1.2
    (32769, b"BEA01", "udf"),  # ECMA-167 2/9.1.2
)

_MARKUP = re.compile(rb"(?i)<(?:!doctype\s+)?(html|svg|script|hta:application|body|head|iframe)\b")
_LHA = re.compile(rb"..-l[hz][0-9sd]-", re.DOTALL)
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

_URL = re.compile(rb"(?im)^\[InternetShortcut\]\s*$")

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
    if known:
        found.append(_KINDS[known[0]])
    for offset, mark, kind in _MARKS:
        if head.startswith(mark, offset):
            found.append(kind)
    if "tar" not in found and _is_old_tar(head):
        found.append("tar")
    if _LHA.match(head):
        found.append("lha")
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
    if b"hta:application" in text[:MARKUP_WINDOW].lower():
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
    if _URL.search(text):
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
    return claimed == sum(head[:148]) + 8 * 0x20 + sum(head[156:_TAR_BLOCK])
