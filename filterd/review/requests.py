"""Requests for release: recipients ask for mail that they may not have without an answer."""

from __future__ import annotations

from filterd.database.storable import storable
from filterd.quarantine import Store
from filterd.quarantine.copies import HeldCopy, asked_for, mark
from filterd.review.access import Access

LOOKED_AT = 2000
"""Requests that are read to find those of one reviewer."""


class RequestQueue:
    """The open requests of one site. Methods raise StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, access: Access, limit: int) -> list[HeldCopy]:
        """Requests for mail to the reviewer's own recipients, the oldest first; with the points and
        symbols that it may know."""
        found = asked_for(self._store.index, LOOKED_AT)
        own = [one for one in found if access.reviewer.within([one.copy.recipient])]
        return [HeldCopy(access.seen(one.row), one.copy) for one in own[:limit]]

    def is_open(self, access: Access, id: str, recipient: str) -> bool:
        """True if that recipient asks for that message. Raises UnknownIdError for what the reviewer
        may not see."""
        access.entry(id)
        state = self._store.delivery_state(id)
        own = access.reviewer.within([one.recipient for one in state.deliveries if one.asked])
        return storable(recipient) in map(storable, own)

    def refuse(self, access: Access, id: str, recipient: str, note: str = "") -> bool:
        """Do not release a message to somebody who asks for it; False if nobody does. note: the
        reason, which the recipient reads. Raises ActionError, UnknownIdError for what the reviewer
        may not see."""
        access.require("requests")
        entry = access.entry(id)
        own = access.reviewer.within(entry.held_for)
        named = [one for one in own if storable(one) == storable(recipient)]
        return bool(mark(self._store, "refused", id, named, access.who, note))
