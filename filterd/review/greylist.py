"""Mail that greylisting delays: who may see it, and letting it in before its time.

The message itself is still with the sender's server. A reviewer sees what waits for its own
recipients; the network of a client, which concerns everybody, only an admin lets in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property

from filterd.config.assembly import site_state
from filterd.config.load import Settings
from filterd.filters.greylist.settings import GreylistSettings
from filterd.filters.greylist.strangers import client_identity
from filterd.filters.greylist.triplets import Triplets, Visible, WaitingTriplet
from filterd.quarantine import Store
from filterd.review.actions import ActionError, ActionResult
from filterd.review.reviewer import Reviewer
from filterd.review.rights import ACTIONS, ADMIN_ONLY, role_refusal


class WaitingMail:
    """What waits at one site. Methods raise StateError, and StoreError for the journal."""

    def __init__(
        self, settings: Settings, store: Store, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock

    @property
    def is_used(self) -> bool:
        """True if a filter of the chain delays mail."""
        return bool(self._settings.in_chain(GreylistSettings))

    @cached_property
    def _triplets(self) -> Triplets:
        return Triplets(self._greylist, site_state(self._settings))

    @property
    def _greylist(self) -> GreylistSettings:
        return self._settings.of_filter(GreylistSettings)

    def waiting(self, reviewer: Reviewer, limit: int, text: str = "") -> list[WaitingTriplet]:
        """What waits and may be seen, newest first. text: a part of client, sender or
        recipient."""
        return self._triplets.waiting(self._clock(), limit, text, _visible(reviewer))

    def allow(self, reviewer: Reviewer, ids: Sequence[str], who: str) -> list[ActionResult]:
        """Let mail in when it is next sent; what became of each id. Raises ActionError for a role
        that may not do that."""
        if why := role_refusal(reviewer, ACTIONS["greylist"]):
            raise ActionError(why)
        let_in = self._triplets.allow(frozenset(ids), who, self._clock(), _visible(reviewer))
        found = {one.id: one for one in let_in}
        for one in found.values():
            note = f"greylist: {one.sender or '<>'} from {one.client}"
            self._store.note("allowed", "", who, note, (one.recipient,))
        return [_result(id, found.get(id)) for id in dict.fromkeys(ids)]

    def allow_client(self, reviewer: Reviewer, client: str, who: str) -> str:
        """Let all mail of an address, a network or a big sender in; what counts as one client.

        Raises ValueError for what is not a client, ActionError for a reviewer.
        """
        if not reviewer.is_admin:
            raise ActionError(ADMIN_ONLY)
        identity = client_identity(client, self._greylist)
        self._triplets.allow_client(identity, who, self._clock())
        self._store.note("allowed", "", who, f"greylist: all mail from {identity}")
        return identity


def _visible(reviewer: Reviewer) -> Visible | None:
    if reviewer.sees_all:
        return None
    return lambda recipient: bool(recipient) and reviewer.may_see([recipient])


def _result(id: str, found: WaitingTriplet | None) -> ActionResult:
    if found is None:
        return ActionResult(id, False, "does not wait")
    words = f"{found.sender or '<>'} to {found.recipient} passes when it is sent"
    return ActionResult(id, True, words)
