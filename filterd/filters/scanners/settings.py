"""Settings `[filters.scanners]`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.chain.filter import Filter
from filterd.filters.scanners.freshness import AgeLimits
from filterd.filters.scanners.kinds import AnyOne, ClamdSettings, CommandSettings, IcapSettings
from filterd.filters.scanners.options import ScanOptions
from filterd.filters.scanners.symbols import descriptions
from filterd.scanners.several import Decide
from filterd.system.mistakes import Mistakes, mistakes

__all__ = ["ClamdSettings", "CommandSettings", "IcapSettings", "ScannersSettings"]

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")

PREFIX = "AV"
"""Of the symbols."""


@dataclass(frozen=True)
class _Members:
    """Who is asked, and whose word counts."""

    decide: Annotated[
        Decide,
        Doc(
            "whose word counts: any (all are asked, what one finds is found), majority, or first "
            "(the first that answers)"
        ),
    ] = "any"
    order: Annotated[
        tuple[str, ...],
        Doc("names of the scanners in the order in which `first` asks; empty: as they stand"),
    ] = ()
    clamd: Annotated[tuple[ClamdSettings, ...], Doc("scanners that are clamd")] = ()
    icap: Annotated[tuple[IcapSettings, ...], Doc("scanners behind ICAP")] = ()
    command: Annotated[tuple[CommandSettings, ...], Doc("scanners that are programs")] = ()
    outvoted: Annotated[
        float, Doc("points for what a minority of scanners found, with decide = majority")
    ] = 3.0
    known_bad: Annotated[
        tuple[str, ...], Doc("files of SHA-256 sums of parts that are viruses, sorted")
    ] = ()
    known_good: Annotated[
        tuple[str, ...],
        Doc("files of SHA-256 sums of parts that no scanner is asked about, sorted"),
    ] = ()


@dataclass(frozen=True)
class ScannersSettings(ScanOptions, _Members):
    """Has several virus scanners scan every message; what a virus means, [policy] says."""

    must_examine: ClassVar[bool] = True

    unpack: Annotated[
        bool,
        Doc(
            "with parts: scan the files by themselves too that archives and documents hold, within "
            "the limits of the filter parts"
        ),
    ] = False

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for kind, index, one in self._members():
                self._check_one(wrong, one, kind, index)
            with wrong.at("order"):
                if self.order and sorted(self.order) != sorted(self.names):
                    raise ValueError(f"expected each of these once: {', '.join(self.names)}")
            self.check_options(wrong)
            with wrong.at("outvoted"):
                if not math.isfinite(self.outvoted):
                    raise ValueError(f"{self.outvoted} is not a number")
            for key in ("known_bad", "known_good"):
                for index, path in enumerate(getattr(self, key)):
                    with wrong.at(key, index):
                        _check_absolute(Path(path))

    @property
    def names(self) -> tuple[str, ...]:
        """The scanners', as they stand."""
        return tuple(one.name for _kind, _index, one in self._members())

    def limits_of(self, name: str) -> AgeLimits:
        """How old the signatures of that scanner may be; the usual limits for a name that none
        has."""
        own = (one for _kind, _index, one in self._members() if one.name == name)
        return next((one.limits(self.limits) for one in own), self.limits)

    def _members(self) -> Iterator[tuple[str, int, AnyOne]]:
        """Every scanner with its kind and its place among those."""
        groups: dict[str, tuple[AnyOne, ...]] = {
            "clamd": self.clamd,
            "icap": self.icap,
            "command": self.command,
        }
        for kind, group in groups.items():
            for index, one in enumerate(group):
                yield kind, index, one

    def _check_one(self, wrong: Mistakes, one: AnyOne, kind: str, index: int) -> None:
        with wrong.at(kind, index, "name"):
            if _NAME.fullmatch(one.name) is None:
                raise ValueError(
                    f"{one.name!r} is not a name; expected small letters, digits, - and _"
                )
            if self.names.count(one.name) > 1:
                raise ValueError(f"two scanners are called {one.name!r}")
        one.check(wrong, kind, index)
        with wrong.at(kind, index, "fail_days"):
            if (one.warn_days, one.fail_days) != (None, None):
                one.limits(self.limits).check()
        with wrong.at(kind, index, "databases"):
            if one.databases is not None:
                _check_absolute(one.databases)

    @property
    def needs_network(self) -> bool:
        """A scanner is on another host; of a program nobody knows what it does."""
        return bool(self.icap or self.command) or not all(
            server.is_local for one in self.clamd for server in one.servers
        )

    @property
    def waits_for_network(self) -> bool:
        """It does, for most messages."""
        return self.needs_network

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return descriptions(PREFIX)

    def build(self) -> Filter:
        """The filter, no scanner asked yet."""
        from filterd.filters.scanners.filter import Scanners  # noqa: PLC0415  (a running filter)

        return Scanners(self)


def _check_absolute(path: Path) -> None:
    """Raise ValueError if the path counts from a folder: which one nobody could say."""
    if not path.is_absolute():
        raise ValueError(f"{str(path)!r} is not an absolute path")
