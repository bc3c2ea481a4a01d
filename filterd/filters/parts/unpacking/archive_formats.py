"""Which of libarchive's readers open which kind of file.

Only formats and filters that libarchive reads itself are switched on: some others it reads by
starting programs.
"""

from __future__ import annotations

FORMATS: dict[str, tuple[str, ...]] = {
    "zip": ("zip",),
    "7z": ("7zip",),
    "rar": ("rar", "rar5"),
    "tar": ("tar",),
    "cpio": ("cpio",),
    "ar": ("ar",),
    "cab": ("cab",),
    "iso": ("iso9660",),
    "lha": ("lha",),
    "xar": ("xar",),
    "rpm": ("cpio",),
}
"""libarchive's formats for a kind. All others are one compressed file, whatever is in it: given
the choice, libarchive takes a file of zeros for an empty tar and shows nothing."""

FILTERS: dict[str, tuple[str, ...]] = {
    "gz": ("gzip",),
    "bz2": ("bzip2",),
    "xz": ("xz",),
    "zst": ("zstd",),
    "lz4": ("lz4",),
    "lzip": ("lzip",),
    "lzma": ("lzma",),
    "compress": ("compress",),
    "rpm": ("gzip", "bzip2", "xz", "lzma", "lz4", "zstd", "lzip", "compress", "rpm"),
}
"""libarchive's filters for a kind. A compressed file gets its own one only: with more, libarchive
takes what it unpacks to for compressed once more if it looks so (a Windows shortcut looks like
LZMA), and shows nothing of it. What is compressed twice is opened as a file in a file."""

DECRYPTED = frozenset({"zip"})
"""Kinds that libarchive can decrypt."""


def is_one_file(kind: str) -> bool:
    """True for a kind that is one file, compressed, and has no names of its own."""
    return kind not in FORMATS
