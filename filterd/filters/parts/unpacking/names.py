"""File names as desktops understand them, with the tricks that hide what a file is.

A name is judged in every form that some reader may make of it: as it stands, percent-decoded, in
Unicode's compatibility form, without invisible characters, cut at a colon, a semicolon or a line
break, the last path component only, trailing dots and blanks dropped (Windows does), and after
right-to-left marks are taken out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

NAME_LIMIT = 4096
"""Characters of a name that are judged, from its end: the extension is there. Windows has 260."""

_SEPARATOR = re.compile(r"[/\\]")
_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]"
)
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ENDS = re.compile(r"[\x00\r\n\x85\u2028\u2029]")
_CUT = re.compile(r"[:;?#]")
_CLSID = re.compile(r"\{[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}\W*$")
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_ESCAPES = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^[A-Za-z]:[/\\]")


def shown(name: str, limit: int = 200) -> str:
    """The name fit for a notice or a log: no control or direction characters, not too long."""
    return _INVISIBLE.sub("?", name)[:limit]


def extensions(name: str) -> Iterator[tuple[str, bool]]:
    """Every extension, lower case, that some reader may see in the name, and whether the name
    itself ends so: false if only what stands before a colon or its like does. May repeat."""
    for form, is_whole in _forms(name[-NAME_LIMIT:]):
        stem, dot, extension = form.rpartition(".")
        if dot and (stem or extension):
            yield extension.lower(), is_whole


def has_class_id(name: str) -> bool:
    """True for `report.txt.{00020906-...}`: Windows hides the class id and opens with its class."""
    return _CLSID.search(name[-NAME_LIMIT:]) is not None


def has_direction_marks(name: str) -> bool:
    """True if characters in it make a screen show the name in another order."""
    return _BIDI.search(name) is not None


def leaves_folder(name: str) -> bool:
    """True for a path that goes up or is absolute: unpacked carelessly, it overwrites files."""
    return _ESCAPES.search(name) is not None


def link_leaves_folder(name: str, target: str) -> bool:
    """True for a link of that name that points outside the folder it is unpacked to."""
    if target.startswith(("/", "\\")) or (_ESCAPES.match(target) and target[1:2] == ":"):
        return True
    depth = 0
    for step in (*_SEPARATOR.split(name)[:-1], *_SEPARATOR.split(target)):
        if step == "..":
            depth -= 1
            if depth < 0:
                return True
        elif step not in ("", "."):
            depth += 1
    return False


def _forms(name: str) -> Iterator[tuple[str, bool]]:
    variants = [name]
    if "%" in name:
        variants.append(_PERCENT.sub(_decoded, name))
    for variant in variants:
        folded = unicodedata.normalize("NFKC", variant)
        for text in dict.fromkeys((variant, folded)):
            for whole in (text, *_ENDS.split(text)):
                yield _last(whole), True
                yield from ((_last(piece), False) for piece in _CUT.split(whole))


def _last(path: str) -> str:
    return _trimmed(_SEPARATOR.split(_INVISIBLE.sub("", path).rstrip("/\\"))[-1])


def _trimmed(name: str) -> str:
    """Without trailing dots, blanks and quotes; blanks before the extension go too."""
    base, dot, extension = name.rstrip(". \t\"'\xa0\u3000)").rpartition(".")
    return base + dot + "".join(extension.split())


def _decoded(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace")
