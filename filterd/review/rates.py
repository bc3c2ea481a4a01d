"""Accounts and clients whose mail is held for its share of refused messages, and freeing them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from filterd.config.assembly import site_state
from filterd.config.load import Settings
from filterd.filters.rates.counting import HeldParty, RateCounts
from filterd.filters.rates.settings import RatesSettings, SenderParty
from filterd.quarantine import Store

if TYPE_CHECKING:
    from filterd.review.access import Access


class HeldParties:
    """Whose mail is held at one site. Methods raise ActionError for somebody who is not an admin,
    StateError, and StoreError for the journal."""

    def __init__(
        self, settings: Settings, store: Store, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock

    @property
    def is_used(self) -> bool:
        """True if a filter of the chain counts mail."""
        return bool(self._settings.in_chain(RatesSettings))

    @cached_property
    def _rates(self) -> RateCounts:
        return RateCounts(site_state(self._settings))

    def held(self, access: Access, limit: int) -> list[HeldParty]:
        """Whose mail is held, newest first."""
        access.require("rates")
        return self._rates.all_held(self._clock(), limit)

    def free(self, access: Access, by: SenderParty, party: str) -> bool:
        """Let somebody's mail through again, and begin to count from nothing; False if none of it
        was held. What was held stays in the quarantine."""
        access.require("rates")
        was_held = self._rates.free(by, party)
        if was_held:
            note = f"rates: mail of {by} {party} goes through again"
            self._store.note("allowed", "", access.who, note)
        return was_held
