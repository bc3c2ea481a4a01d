"""The recipients of one message, as the client names them one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from filterd.mta.delivery.router import Router, identity
from filterd.mta.mail.address import Route
from filterd.mta.mail.draft import Path
from filterd.mta.mail.entry import Target


class Recipients(Protocol):
    """The recipients of one message. blocks: the methods may block, and belong into a thread."""

    blocks: bool

    def parse(self, path: Path) -> Route:
        """Where a recipient goes, before anything is known of local users. Raises DeliveryError."""

    def add(self, path: Path, route: Route) -> Path:
        """Take a recipient that was parsed. Raises DeliveryError for an unknown one.

        Returns the path itself, or the first one if the message has this recipient already.
        """

    def refused(self, path: Path) -> None:
        """A filter has refused a path that was added."""

    def key(self, address: str) -> str:
        """The same text for addresses of one recipient."""

    def targets(self, paths: Iterable[Path]) -> tuple[Target, ...]:
        """Who gets the message in the end, for the recipients that are left when it is accepted."""


class PlainRecipients:
    """Those of a router without rules."""

    blocks = False

    def __init__(self, router: Router) -> None:
        self._router = router
        self._known: dict[str, Path] = {}

    def parse(self, path: Path) -> Route:
        return self._router.resolve(path.address)

    def add(self, path: Path, route: Route) -> Path:
        del route
        return self._known.setdefault(self.key(path.address), path)

    def refused(self, path: Path) -> None:
        key = self.key(path.address)
        if self._known.get(key) is path:
            del self._known[key]

    def key(self, address: str) -> str:
        return identity(self._router, address)

    def targets(self, paths: Iterable[Path]) -> tuple[Target, ...]:
        return self._router.expand(tuple(Target(one.address, one.parameters) for one in paths))
