"""DNS lists of the settings, and which of them are switched off for a while."""

from __future__ import annotations

import time
from dataclasses import dataclass

from filterd.config.assembly import site_state
from filterd.config.load import Settings
from filterd.filters.dnslists.resting import resting_lists
from filterd.filters.dnslists.settings import DnsListsSettings


@dataclass(frozen=True, slots=True)
class DnsListStatus:
    """zone: as it is asked. why: it is not asked now, empty if it is. until: it is asked again,
    seconds since 1970."""

    zone: str
    why: str = ""
    until: float = 0.0


def dns_list_status(settings: Settings, now: float | None = None) -> tuple[DnsListStatus, ...]:
    """Each list of the chain's filters once. now: seconds since 1970, None for the clock's.

    Of a state that cannot be read nothing is known: then none of them rests, and who asks for the
    state says what is wrong with it.
    """
    moment = time.time() if now is None else now
    lists = [one for own in settings.in_chain(DnsListsSettings).values() for one in own.lists]
    zones = dict.fromkeys(one.name for one in lists)
    if not zones:
        return ()
    try:
        state = site_state(settings, keeping=False)
        try:
            resting = {one.zone: one for one in resting_lists(state, moment)}
        finally:
            state.close()
    except OSError:
        resting = {}
    return tuple(
        DnsListStatus(zone, resting[zone].why, resting[zone].until)
        if zone in resting
        else DnsListStatus(zone)
        for zone in zones
    )
