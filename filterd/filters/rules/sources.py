"""Which files the settings mean, and whether they have changed."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from pathlib import Path

from filterd.filters.rules.settings import RulesSettings
from filterd.rules import files
from filterd.rules.conf.lines import FILE_OCTETS
from filterd.system.bounded import read_regular

OWN = Path(files.__file__).with_name("own.cf")
"""The rule set that comes with filterd."""

INCLUDED_LIMIT = 1000
"""Included files that are watched."""

INCLUDE = re.compile(rb"^[ \t]*+include[ \t]++(\S[^\r\n#]*+)", re.MULTILINE | re.IGNORECASE)
"""A line that includes a file, whether it counts or not."""

_included: dict[tuple[str, int, int, int], tuple[Path, ...]] = {}
"""What a file includes, by its signature: files are looked at every few seconds."""


def paths(settings: RulesSettings) -> list[Path]:
    """The files in the order in which they are read: what loads plugins, filterd's own rules,
    SpamAssassin's, the site's. Raises OSError for one that is not there, ValueError for more files
    than there may be."""
    found = files.find(map(Path, settings.files), use_stock=settings.stock)
    first = [path for path in found if path.suffix.lower() == ".pre"]
    own = [OWN] if settings.own and OWN.is_file() else []
    return [*first, *own, *found[len(first) :]]


def signature(settings: RulesSettings) -> Hashable:
    """What is different once a file has changed, been added or taken away."""
    try:
        found = paths(settings)
    except (OSError, ValueError) as error:
        return str(error)
    return files.signature([*found, *_all_included(found)])


def _all_included(names: Iterable[Path]) -> list[Path]:
    """All files that these include, those of a condition that does not hold among them."""
    waiting, seen = list(names), set(names)
    found: list[Path] = []
    while waiting and len(found) < INCLUDED_LIMIT:
        for path in _includes(waiting.pop()):
            if path not in seen:
                seen.add(path)
                found.append(path)
                waiting.append(path)
    return found


def _includes(path: Path) -> tuple[Path, ...]:
    (state,) = files.signature([path])
    if state not in _included:
        try:
            content = read_regular(path, FILE_OCTETS)
        except OSError:
            content = b""
        named = (one.strip().decode("utf-8", "surrogateescape") for one in INCLUDE.findall(content))
        _included[state] = tuple(path.parent / name for name in named if "\0" not in name)
    return _included[state]
