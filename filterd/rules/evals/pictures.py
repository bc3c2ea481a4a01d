"""What ImageInfo and PDFInfo ask alike: of the sizes of pictures, and the names of files."""

from __future__ import annotations

from collections.abc import Iterable

from filterd.rules.evals.arguments import is_within, pattern
from filterd.rules.view.view import View


def is_ratio_within(view: View, pixels: int, least: str, below: str) -> bool:
    """True if octets of text to pixels are at least the one and less than the other. The text is
    what a pattern of the same kind of rule looks at. Raises ValueError."""
    text = sum(map(len, view.text))
    return pixels > 0 and text > 0 and float(least) <= text / pixels < float(below)


def is_size_within(
    sizes: Iterable[tuple[int, int]],
    least_height: str,
    least_width: str,
    most_height: str | None,
    most_width: str | None,
) -> bool:
    """True if one (height, width) is within bounds. Raises ValueError."""
    return any(
        is_within(height, least_height, most_height) and is_within(width, least_width, most_width)
        for height, width in sizes
    )


def is_named(names: Iterable[bytes], name: str) -> bool:
    """True if the name is one of them."""
    return name.encode("latin-1", "replace") in names


def is_any_matched(names: Iterable[bytes], regexp: str) -> bool:
    """True if the pattern matches one of them. Raises ValueError."""
    compiled = pattern(regexp)
    return any(compiled.search(name) is not None for name in names)
