"""Whether the state of greylisting, rates and recipients can be used."""

from __future__ import annotations

from collections.abc import Iterator

from filterd.config.assembly import site_state
from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level
from filterd.filters.greylist.settings import GreylistSettings
from filterd.filters.rates.settings import RatesSettings
from filterd.filters.recipients.settings import RecipientsSettings
from filterd.state.facts import StateError

_USERS = (GreylistSettings, RatesSettings, RecipientsSettings)


def state(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, where a filter of the chain needs it."""
    users = [name for kind in _USERS for name in settings.in_chain(kind)]
    if not users:
        return
    where = "state.url" if settings.state.url else "its file"
    try:
        doubts = site_state(settings, keeping=False).doubts()
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
