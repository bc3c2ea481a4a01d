"""The recipients of one message, as the client names them one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from filterd.mta.delivery.router import DeliveryError, Router, identity
from filterd.mta.mail.address import Route
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.mail.entry import Target


class MessageRecipients(Protocol):
    """The recipients of one message. blocks: the methods may block, and belong into a thread."""

    blocks: bool

    def parse(self, path: EnvelopePath) -> Route:
        """Where a recipient goes, before anything is known of local users. Raises DeliveryError."""

    def add(self, path: EnvelopePath, route: Route) -> EnvelopePath:
        """Take a recipient that was parsed. Raises DeliveryError for an unknown one.

        Returns the path itself, or the first one if the message has this recipient already.
        """

    def refused(self, path: EnvelopePath) -> None:
        """A filter has refused a path that was added."""

    def key(self, address: str) -> str:
        """The same text for addresses of one recipient."""

    def asks(self, paths: Iterable[EnvelopePath]) -> bool:
        """Whether `targets` would block for these."""

    def targets(self, paths: Iterable[EnvelopePath]) -> tuple[Target, ...]:
        """Who gets the message in the end, for the recipients that are left when it is accepted."""


class PlainRecipients:
    """Those of a router without rules. relay: where an address on another host goes, None for
    nowhere; may_relay: whether the client may send mail there."""

    blocks = False

    def __init__(
        self,
        router: Router,
        relay: Callable[[str], Route] | None = None,
        may_relay: Callable[[], bool] = lambda: False,
    ) -> None:
        self._router, self._relay, self._may_relay = router, relay, may_relay
        self._known: dict[str, EnvelopePath] = {}
        self._relayed: set[str] = set()

    def parse(self, path: EnvelopePath) -> Route:
        try:
            return self._router.resolve(path.address)
        except DeliveryError:
            if self._relay is None or not self._may_relay():
                raise
        route = self._relay(path.address)
        self._relayed.add(path.address)
        return route

    def add(self, path: EnvelopePath, route: Route) -> EnvelopePath:
        del route
        return self._known.setdefault(self.key(path.address), path)

    def refused(self, path: EnvelopePath) -> None:
        key = self.key(path.address)
        if self._known.get(key) is path:
            del self._known[key]

    def key(self, address: str) -> str:
        return identity(self._router, address)

    def asks(self, paths: Iterable[EnvelopePath]) -> bool:
        del paths
        return self.blocks

    def targets(self, paths: Iterable[EnvelopePath]) -> tuple[Target, ...]:
        relayed = self._relayed
        return self._router.expand(
            tuple(
                Target(one.address, one.parameters, relayed=one.address in relayed) for one in paths
            )
        )
