"""Test mode without a terminal: lines in, what it prints out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from filterd.mta.bt.around import Around
from filterd.mta.bt.debug import DebugLevels
from filterd.mta.bt.machine import HelpTopics, NamesByMaps, host
from filterd.mta.bt.session import TestMode
from filterd.mta.cf.host import Host
from filterd.mta.maps.opening import MapSite, open_maps
from filterd.mta.sendmail.cf_files import parse_cf, read_text
from filterd.mta.sendmail.macros import VERSION


def as_typed(text: str) -> str:
    """Text as the keyboard gives it: one character for each octet."""
    return text.encode("utf-8", "surrogateescape").decode("ascii", "surrogateescape")


def as_printed(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def session(
    path: Path,
    lines: Iterable[str],
    *,
    debug: Sequence[str] = (),
    preset: Sequence[str] = (),
    machine: Host | None = None,
) -> list[str]:
    """What is printed before the first prompt, and then for each line."""
    printed: list[str] = []
    own = machine or host(VERSION, "t")
    cf = parse_cf(read_text(path), str(path), host=own, preset=preset)
    maps = open_maps(cf, cf.program.definitions, MapSite(allows_programs=True))
    levels = DebugLevels()
    for one in debug:
        levels.set(one)
    around = Around(maps, NamesByMaps(maps), HelpTopics(cf), VERSION, "root")
    mode = TestMode(cf, around, levels, printed.append)
    maps.alias_rules = lambda: mode.resolver
    mode.start()
    answers = ["".join(printed)]
    for line in lines:
        printed.clear()
        if not mode.ended:
            mode.line(as_typed(line))
        answers.append("".join(printed))
    return list(map(as_printed, answers))
