"""Maps in the delivery mode `deferred`: those with `-D` are not asked, and fail for now.

Source: sendmail 8.17 `map.c` (map_lookup).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from filterd.mta.cf.lookup import EX_TEMPFAIL, Map, MapAnswer, Maps, Opening


@dataclass(frozen=True, slots=True)
class RestingMap:
    """A map that is not asked."""

    strips_quotes: bool
    space: str | None
    failure_suffix: str | None = None
    defers: bool = True
    rests_when_deferred: bool = True
    is_open: bool = True

    def version(self) -> Hashable | None:
        return None

    def open(self) -> Opening:
        return Opening(is_open=True)

    def lookup(self, key: str, arguments: Sequence[str] = ()) -> MapAnswer:
        del key, arguments
        return MapAnswer(None, EX_TEMPFAIL)


@dataclass(frozen=True, slots=True)
class RestingMaps:
    """The maps of a configuration, with those that rest."""

    maps: Maps

    def define(self, name: str, type: str, arguments: str) -> Sequence[str]:
        return self.maps.define(name, type, arguments)

    def find(self, name: str) -> Map | None:
        found = self.maps.find(name)
        if found is None or not found.rests_when_deferred:
            return found
        return RestingMap(found.strips_quotes, found.space)
