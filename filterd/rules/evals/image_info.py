"""ImageInfo: how many pictures a message has, and how large they are.

Source: Mail::SpamAssassin::Plugin::ImageInfo(3); the formats: PNG §5.3, JPEG (ITU-T T.81 §B.2.2),
GIF89a §18.
"""

from __future__ import annotations

import re
import struct
from collections import Counter

from filterd.rules.evals.arguments import is_within
from filterd.rules.evals.pictures import is_any_matched, is_named, is_ratio_within, is_size_within
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.parts import PartView
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::ImageInfo")

HEAD = 65536
"""Octets at the beginning of a PNG file in which its size is looked for."""

SEGMENTS = 1000
"""Segments of a JPEG file in which its size is looked for."""

_TYPE = re.compile(r"image/(gif|png|jpe?g)")

# Start of frame: all of C0 to CF but the tables DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class Images:
    """The pictures of a message, by kind: `gif`, `png`, `jpeg`, and `all`.

    counts: how many. pixels: their area together. sizes: (height, width) of each. names: file
    names of those that are what they say.
    """

    def __init__(self, view: View) -> None:
        self.counts: Counter[str] = Counter(all=0, gif=0, png=0, jpeg=0)
        self.pixels: Counter[str] = Counter(all=0, gif=0, png=0, jpeg=0)
        self.sizes: dict[str, set[tuple[int, int]]] = {}
        self.names: set[bytes] = set()
        for part in view.parts.leaves():
            found = _TYPE.fullmatch(part.type)
            if found is not None and _is_base64(part):
                self._add(part, "jpeg" if found[1] == "jpg" else found[1])

    def _add(self, part: PartView, kind: str) -> None:
        height, width = _SIZE[kind](part.content)
        for key in (kind, "all"):
            self.counts[key] += 1
            if height and width:
                self.pixels[key] += height * width
                self.sizes.setdefault(key, set()).add((height, width))
        if height and width and part.name:
            self.names.add(part.name)


def _is_base64(part: PartView) -> bool:
    return part.header(b"content-transfer-encoding").lower() == b"base64"


def gif_size(data: bytes) -> tuple[int, int]:
    """Height and width of a GIF picture; (0, 0) for anything else."""
    if data[:6] not in (b"GIF87a", b"GIF89a") or len(data) < 10:
        return 0, 0
    width, height = struct.unpack_from("<HH", data, 6)
    return height, width


def png_size(data: bytes) -> tuple[int, int]:
    """Height and width of a PNG picture; (0, 0) for anything else."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return 0, 0
    # The chunk that says it comes first; elsewhere only where it begins at a multiple of 8 octets.
    for position in range(8, min(len(data) - 15, HEAD), 8):
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"IEND":
            break
        if name == b"IHDR" and length == 13:
            width, height = struct.unpack_from(">II", data, position + 8)
            return height, width
    return 0, 0


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width of a JPEG picture; (0, 0) for anything else."""
    if not data.startswith(b"\xff\xd8"):
        return 0, 0
    position = 2
    for _ in range(SEGMENTS):
        if position + 4 > len(data):
            break
        begin, marker, length = struct.unpack_from(">BBH", data, position)
        if begin != 0xFF or marker in (0xDA, 0xD9) or length < 2:
            break
        if marker in _FRAMES:
            if position + 9 > len(data):
                break
            height, width = struct.unpack_from(">HH", data, position + 5)
            return height, width
        position += 2 + length
    return 0, 0


_SIZE = {"gif": gif_size, "png": png_size, "jpeg": jpeg_size}


def images(view: View) -> Images:
    """The pictures of a message, looked for once."""
    found = view.notes.get("image_info")
    if not isinstance(found, Images):
        found = view.notes["image_info"] = Images(view)
    return found


@PLUGIN.test("image_count")
def image_count(view: View, kind: str, least: str, most: str | None = None) -> bool:
    """How many pictures of a kind, `all` for any."""
    counts = images(view).counts
    return kind in counts and is_within(counts[kind], least, most)


@PLUGIN.test("pixel_coverage")
def pixel_coverage(view: View, kind: str, least: str, most: str | None = None) -> bool:
    """The area of all pictures of a kind, in pixels."""
    pixels = images(view).pixels
    return kind in pixels and is_within(pixels[kind], least, most)


@PLUGIN.test("image_to_text_ratio")
def image_to_text_ratio(view: View, kind: str, least: str, below: str) -> bool:
    """Octets of text to pixels."""
    return is_ratio_within(view, images(view).pixels.get(kind, 0), least, below)


@PLUGIN.test("image_size_exact")
def image_size_exact(view: View, kind: str, height: str, width: str) -> bool:
    """A picture of that height and width in pixels."""
    return (int(height), int(width)) in images(view).sizes.get(kind, ())


@PLUGIN.test("image_size_range")
def image_size_range(
    view: View,
    kind: str,
    least_height: str,
    least_width: str,
    most_height: str | None = None,
    most_width: str | None = None,
) -> bool:
    """A picture whose height and width, in pixels, are within bounds."""
    sizes = images(view).sizes.get(kind, ())
    return is_size_within(sizes, least_height, least_width, most_height, most_width)


@PLUGIN.test("image_named")
def image_named(view: View, name: str) -> bool:
    """A picture whose file has that name."""
    return is_named(images(view).names, name)


@PLUGIN.test("image_name_regex")
def image_name_regex(view: View, regexp: str) -> bool:
    """A picture whose file name matches."""
    return is_any_matched(images(view).names, regexp)
