"""What an archive holds: the parts of a site, and each file with its checksum."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from filterd.system.bounded import json_value

NAME = "manifest.json"
"""The last member of the archive: one without it is not whole."""

FORMAT = 1

SIZE_LIMIT = 1 << 30
"""Octets of a manifest; a million messages take 300 MB."""

MADE_LIMIT = 1e11
"""Seconds since 1970: the year 5138, which a date can show."""

_SUM = re.compile(r"[0-9a-f]{64}")


class BackupError(Exception):
    """Nothing was saved, or nothing was changed. The text says why."""


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One file. name: in the archive. sum: SHA-256 of the content, in hex. link: what a symbolic
    link names, in the same folder; it has no content."""

    name: str
    size: int
    mode: int
    sum: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """made: seconds since 1970. version: of filterd. parts: the number of each folder or file in
    the archive → the setting that names it. folders: which of them are folders. elsewhere: settings
    that name databases of servers, which are not in the archive."""

    made: float
    version: str
    parts: Mapping[str, str]
    folders: tuple[str, ...]
    elsewhere: tuple[str, ...]
    items: tuple[ArchivedFile, ...] = field(repr=False)

    @property
    def octets(self) -> int:
        """Of all files."""
        return sum(one.size for one in self.items)

    def encode(self) -> bytes:
        """As JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}).encode()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Raises BackupError for what is not a manifest of this format."""
        try:
            value: dict[str, Any] = json_value(data)
            if value.pop("format") != FORMAT:
                raise BackupError("the archive is from another version of filterd")
            value["items"] = tuple(ArchivedFile(**one) for one in value["items"])
            found = cls(**{**value, "folders": tuple(value["folders"])})
            _check_head(found)
            for one in found.items:
                _check(one, found.parts)
            _check_places(found)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BackupError(f"the manifest is damaged: {error}") from None
        return found


def _check_head(found: Manifest) -> None:
    """Raises ValueError, TypeError."""
    texts = (found.version, *found.parts, *found.parts.values(), *found.folders, *found.elsewhere)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("expected texts in version, parts, folders and elsewhere")
    if not 0 <= found.made < MADE_LIMIT:
        raise ValueError(f"made: {found.made!r}, expected seconds since 1970")


def _check(item: ArchivedFile, parts: Mapping[str, str]) -> None:
    """Raises ValueError for a name that leads elsewhere."""
    words = item.name.split("/")
    if words[0] not in parts or any(word in ("", ".", "..") for word in words):
        raise ValueError(f"{item.name!r} is not in a part of the archive")
    if b"\0" in os.fsencode(item.name + item.link):
        raise ValueError(f"{item.name!r}: expected a name without NUL")
    if item.link and (item.link in (".", "..") or "/" in item.link):
        raise ValueError(f"{item.name!r} names {item.link!r}, expected a name in the same folder")
    if not item.link and not _SUM.fullmatch(item.sum):
        raise ValueError(f"{item.name!r} has no checksum")
    if item.size < 0 or item.mode & ~0o777:
        raise ValueError(f"{item.name!r}: size {item.size}, mode {item.mode:o}")


def _check_places(found: Manifest) -> None:
    """Raises ValueError for a name that is there twice, or below a file or a link: what is written
    there would be elsewhere."""
    names = {one.name for one in found.items}
    if len(names) != len(found.items):
        raise ValueError("a name is in it twice")
    for name in names:
        above, _, _ = name.rpartition("/")
        if above in names:
            raise ValueError(f"{name!r} is in {above!r}, which is not a folder")
        if not above and name in found.folders:
            raise ValueError(f"{name!r} is a file and a folder")
