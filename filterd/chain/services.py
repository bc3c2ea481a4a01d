"""What a site offers to all of its filters: things of which a process needs one, not one a filter.

The settings of a filter that needs any of it have `build_with(services)` in place of `build()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from filterd.message.matching import LOCAL, networks
from filterd.resolver.settings import ResolverSettings

if TYPE_CHECKING:
    from filterd.resolver.resolver import Resolver


class Services:
    """What filters may use. Everything is made when it is first asked for, opens no connection and
    starts no thread before it is used, so that it can be made before a fork.

    resolver: settings `[resolver]`. trusted_networks: relays whose Received fields are believed, as
    `[chain]` names them; trusts_local: this host is one.
    """

    def __init__(
        self, resolver: ResolverSettings | None = None, trusted_networks: Sequence[str] = ()
    ) -> None:
        self._resolver = resolver if resolver is not None else ResolverSettings()
        self.trusted_networks = networks(trusted_networks)
        self.trusts_local = LOCAL in trusted_networks

    @cached_property
    def resolver(self) -> Resolver:
        """The resolver that all filters of the process share, with its cache."""
        from filterd.resolver.resolver import Resolver  # noqa: PLC0415  (asyncio)

        return Resolver(self._resolver)
