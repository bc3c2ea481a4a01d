"""Maps of a few lines of a sendmail.cf."""

from __future__ import annotations

from collections.abc import Sequence

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.lookup import MapAnswer
from filterd.mta.cf.parser import parse
from filterd.mta.maps.opening import MapSite, SiteMaps, open_maps


class Values(dict[str, str]):
    """Macros at run time."""

    def set(self, name: str, value: str | None) -> None:
        if value is None:
            self.pop(name, None)
        else:
            self[name] = value


def cf_of(*lines: str) -> SendmailCf:
    return parse("\n".join(lines) + "\n", "x.cf", lambda path: path.read_bytes())


def maps_of(*lines: str, macros: Values | None = None, site: MapSite | None = None) -> SiteMaps:
    return open_maps(cf_of(*lines), Values() if macros is None else macros, site)


def look(line: str, key: str, *arguments: str, site: MapSite | None = None) -> MapAnswer:
    """One lookup in the map of one K line."""
    return look_in((line,), key, *arguments, site=site)


def look_in(
    lines: Sequence[str], key: str, *arguments: str, site: MapSite | None = None
) -> MapAnswer:
    """One lookup in the map of the last line. What opening complains of comes first."""
    maps = maps_of(*lines, site=site)
    map = maps.find(lines[-1].split()[0].removeprefix("K"))
    assert map is not None
    opening = map.open()
    answer = map.lookup(key, arguments)
    if not opening.complaint:
        return answer
    assert not answer.complaint
    return MapAnswer(answer.value, answer.status, opening.complaint, answer.entry, opening.trouble)
