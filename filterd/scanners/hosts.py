"""One scanner on several hosts: in order or by weight, failover, and a pause for one that
failed."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence

from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    CLEAN,
    Answer,
    Scanner,
    ScannerError,
    Signatures,
    Unavailable,
)

log = logging.getLogger(__name__)

COOL_DOWN = 30.0
"""Seconds for which a host that failed is asked last, and is not waited for."""

PAUSE = 0.25
"""Seconds between two rounds over hosts that all failed."""


class Hosts:
    """Scanners of one kind that answer as one: the first that answers counts.

    A host that gives up on content is not one that failed: the others would fare as badly.
    """

    def __init__(
        self,
        name: str,
        hosts: Sequence[Scanner],
        *,
        patience: float,
        weights: Sequence[float] = (),
        cool_down: float = COOL_DOWN,
    ) -> None:
        """patience: seconds for which all are asked again while none answers. weights: the share of
        scans that each host gets first; none: always the first host that is well."""
        self.name = name
        self.hosts = tuple(hosts)
        self._patience = patience
        self._weights = tuple(weights)
        self._credit = [0.0] * len(self.hosts)
        self._cool_down = cool_down
        self.avoided: dict[str, float] = {}

    @property
    def size_limit(self) -> int:
        """What the host takes that takes most."""
        return max(host.size_limit for host in self.hosts)

    def ahead(self) -> Scanner | None:
        """The host that the next content will go to, None if that is not known yet."""
        if self._weights:
            return None
        if not self.avoided:
            return self.hosts[0]
        usual = self._usual(time.monotonic())
        return usual[0] if usual else None

    def scan(self, content: Buffer, deadline: float = math.inf) -> Answer:
        """The answer of the first host that has one. While all are known to be away, one message
        after the other need not wait for them."""
        now = time.monotonic()
        order: Sequence[Scanner] = self.hosts
        until = now + self._patience
        if self.avoided:
            usual = self._usual(now)
            order = self._by_weight(usual) + [host for host in self.hosts if host not in usual]
            until = until if usual else now
        elif self._weights:
            order = self._by_weight(order)
        while True:
            troubles: list[str] = []
            for host in order:
                answer = host.scan(content, deadline)
                if answer is CLEAN or not isinstance(answer, Unavailable):
                    if self.avoided:
                        self.avoided.pop(host.name, None)
                    return answer
                log.debug("%s: %s", self.name, answer.why)
                troubles.append(answer.why)
                self.avoided[host.name] = time.monotonic() + self._cool_down
            if time.monotonic() + PAUSE > min(until, deadline):
                return Unavailable(f"no {self.name} answered: " + "; ".join(troubles))
            time.sleep(PAUSE)

    def signatures(self, deadline: float) -> Signatures:
        """Of the host that the next content goes to, or the first that says. Raises
        ScannerError."""
        now = time.monotonic()
        troubles = []
        for host in sorted(self.hosts, key=lambda one: self.avoided.get(one.name, now)):
            try:
                return host.signatures(deadline)
            except ScannerError as error:
                troubles.append(str(error))
        raise ScannerError("; ".join(troubles))

    def _usual(self, now: float) -> list[Scanner]:
        """The hosts that are not known to have failed lately."""
        return [host for host in self.hosts if self.avoided.get(host.name, now) <= now]

    def _by_weight(self, hosts: Sequence[Scanner]) -> list[Scanner]:
        """The hosts, first the one whose turn it is (smooth weighted round robin)."""
        if not self._weights or not hosts:
            return list(hosts)
        places = [place for place, host in enumerate(self.hosts) if host in hosts]
        for place in places:
            self._credit[place] += self._weights[place]
        first = max(places, key=lambda place: self._credit[place])
        self._credit[first] -= sum(self._weights[place] for place in places)
        rest = sorted((p for p in places if p != first), key=lambda p: -self._weights[p])
        return [self.hosts[place] for place in (first, *rest)]


def check_weights(weights: Sequence[float], hosts: int) -> None:
    """Raise ValueError if these are not the weights of so many hosts."""
    if weights and len(weights) != hosts:
        raise ValueError(f"has {len(weights)} numbers for {hosts} servers; expected one for each")
    if any(not math.isfinite(weight) or weight < 0 for weight in weights):
        raise ValueError("expected numbers that are not negative")
    if weights and not sum(weights):
        raise ValueError("expected one number above 0")
