"""Whether the state that filters share can be used, and whose mail is held."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator

from filterd.config.assembly import site_state
from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.filters.greylist.settings import GreylistSettings
from filterd.filters.known.settings import KnownSettings
from filterd.filters.rates.counting import HeldParty, RateCounts
from filterd.filters.rates.settings import RatesSettings
from filterd.filters.recipients.settings import RecipientsSettings
from filterd.state.facts import StateError

_USERS = (GreylistSettings, RatesSettings, RecipientsSettings, KnownSettings)

HELD_LIMIT = 20
"""Of those whose mail is held so many are named, the newest ones."""


def state(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, where a filter of the chain needs it."""
    users = [name for kind in _USERS for name in settings.in_chain(kind)]
    if not users:
        return
    where = "state.url" if settings.state.url else "its file"
    held: list[HeldParty] = []
    try:
        opened = site_state(settings, keeping=False)
        doubts = opened.doubts()
        if settings.in_chain(RatesSettings):
            held = RateCounts(opened).all_held(time.time(), HELD_LIMIT)
    except StateError as error:
        means = ", ".join(f"{name}: {settings.filters[name].link.on_error}" for name in users)
        yield Finding(
            Level.FAIL,
            "state",
            str(error),
            f"until it can be used, on_error counts ({means}); see docs/databases.md",
        )
        return
    for doubt in doubts:
        yield Finding(
            Level.WARN, "state", f"{where}: {doubt}", "set maxmemory-policy to noeviction there"
        )
    if not doubts:
        yield Finding(Level.OK, "state", f"{where} can be used by {', '.join(users)}")
    for one in held:
        yield Finding(
            Level.WARN,
            "rates",
            f"mail of {one.by} {one.party} is held: {one.why}",
            "look at it: filterd quarantine list --symbol ACCOUNT_HELD; to let mail through again: "
            f"filterd rates free {one.by} {shlex.quote(one.party)}",
        )
