"""What a site offers to all of its filters: things of which a process needs one, not one a filter.

The settings of a filter that needs any of it have `build_with(services)` in place of `build()`.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from filterd.chain.headers import LabelSettings
from filterd.message.matching import LOCAL, networks
from filterd.resolver.settings import ResolverSettings
from filterd.state.trial import TrialState

if TYPE_CHECKING:
    from filterd.resolver.resolver import Resolver
    from filterd.state.facts import SharedState


class Services:
    """What filters may use. Everything is made when it is first asked for, opens no connection and
    starts no thread before it is used, so that it can be made before a fork.

    resolver: settings `[resolver]`. trusted_networks: relays whose Received fields are believed, as
    `[chain]` names them; trusts_local: this host is one. state: makes what `[state]` describes; by
    default one in memory, which tests use. key: reads the site's own key, from which `secret` is
    made; by default one that nobody else has. labels: what delivered mail carries, and how this
    host calls itself there. classifies: a trained classifier is in the chain and gives points.
    """

    def __init__(
        self,
        resolver: ResolverSettings | None = None,
        trusted_networks: Sequence[str] = (),
        state: Callable[[], SharedState] = TrialState,
        key: Callable[[], bytes] | None = None,
        labels: LabelSettings | None = None,
        *,
        classifies: bool = False,
    ) -> None:
        self._resolver = resolver if resolver is not None else ResolverSettings()
        self.trusted_networks = networks(trusted_networks)
        self.trusts_local = LOCAL in trusted_networks
        self._opened_state = state
        self._read_key = key
        self.labels = labels if labels is not None else LabelSettings()
        self.classifies = classifies

    @cached_property
    def resolver(self) -> Resolver:
        """The resolver that all filters of the process share, with its cache."""
        from filterd.resolver.resolver import Resolver  # noqa: PLC0415  (asyncio)

        return Resolver(self._resolver)

    @cached_property
    def state(self) -> SharedState:
        """What filters remember from one message to the next, shared with other processes and
        hosts. Safe for threads. Raises StateError for a URL that cannot be used."""
        return self._opened_state()

    @cached_property
    def _key(self) -> bytes:
        return self._read_key() if self._read_key is not None else os.urandom(32)

    def secret(self, use: str) -> bytes:
        """A key of 32 octets for one use, the same in all processes of the site. Raises OSError
        where the site's key cannot be read, FileNotFoundError where it has none yet."""
        return hmac.new(self._key, f"filterd {use}".encode(), "sha256").digest()
