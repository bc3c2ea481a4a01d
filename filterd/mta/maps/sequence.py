"""Maps made of others: sequence, and switch, whose members the service switch file names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from filterd.mta.cf.lookup import EX_NOTFOUND, EX_OK, EX_TEMPFAIL, MapAnswer
from filterd.mta.cf.map_arguments import MEMBER_LIMIT
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.base import EX_SOFTWARE, BaseMap, MapError
from filterd.system.bounded import read_regular

DEPTH_LIMIT = 20
"""Sequences inside of sequences; one that contains itself has no end."""

SWITCH_LIMIT = 1 << 16
"""Octets of the service switch file."""

SERVICES = {"aliases": ["files"], "hosts": ["dns", "files"]}
"""What counts where the service switch file does not say it."""

FindMap = Callable[[str], BaseMap | None]


class SequenceMap(BaseMap):
    """The first member that finds something."""

    def __init__(self, options: MapOptions, find: FindMap) -> None:
        super().__init__(options)
        self._find = find
        self._members = options.members
        self._depth = 0

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        if self._depth >= DEPTH_LIMIT:
            raise MapError(f"Sequence map {self.options.name} contains itself")
        self._depth += 1
        try:
            return self._first(key, arguments)
        finally:
            self._depth -= 1

    def _first(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        status, failed, trouble = EX_OK, False, EX_OK
        complaints: list[str] = []
        for name in self._members:
            member = self._find(name)
            if member is None or not member.is_open:
                continue
            answer = member.lookup(key, arguments)
            complaints += [answer.complaint] if answer.complaint else []
            trouble = trouble or answer.trouble
            if answer.value is not None:
                return MapAnswer(
                    answer.value, answer.status, "\n".join(complaints), answer.entry, trouble
                )
            status = answer.status
            failed |= status == EX_TEMPFAIL
        if failed:
            status = EX_TEMPFAIL
        elif status == EX_OK:
            status = EX_NOTFOUND
        return MapAnswer(None, status, "\n".join(complaints), trouble=trouble)


class SwitchMap(SequenceMap):
    """The members NAME.TYPE for the types that the service switch has for its argument."""

    def __init__(self, options: MapOptions, find: FindMap, switch_file: Callable[[], Path]) -> None:
        super().__init__(options, find)
        self._switch_file = switch_file

    def _open(self) -> tuple[str, int]:
        types = services(self._switch_file(), self.options.file)
        if not types:
            # sendmail says nothing here; the lookups fail for now.
            raise MapError("")
        names = [f"{self.options.name}.{type}" for type in types]
        self._members = tuple(name for name in names if self._find(name) is not None)
        complaint = "\n".join(
            f"Switch map {self.options.name}: unknown member map {name}"
            for name in names
            if name not in self._members
        )
        return complaint, EX_SOFTWARE if complaint else EX_OK


def services(switch_file: Path, service: str) -> list[str]:
    """The types of a service (`hosts`, `aliases`) in the order in which they are asked."""
    try:
        text = read_regular(switch_file, SWITCH_LIMIT).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        text = ""
    found: list[str] = []
    for line in text.split("\n"):
        name, *types = re.split(r"[ \t]+", line.partition("#")[0].rstrip()) or [""]
        if name.lower() == service.lower() and types:
            found = types[:MEMBER_LIMIT]
    return found or SERVICES.get(service.lower(), [])
