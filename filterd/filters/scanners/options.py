"""What the settings of filters that ask virus scanners have in common, and of their scanners."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.filters.scanners.freshness import FAIL_DAYS, WARN_DAYS, AgeLimits
from filterd.scanners.databases import SETTLE_SECONDS
from filterd.scanners.hosts import COOL_DOWN, check_weights
from filterd.system.mistakes import Mistakes

Unscanned = Literal["continue", "quarantine", "tempfail", "reject"]
"""What it means that nobody scanned something."""

SUSPICIONS: Mapping[str, float] = MappingProxyType({"Heuristics.*": 3.0, "PUA.*": 3.0})
"""Names that ClamAV itself calls guesses, and unwanted but harmless programs."""


@dataclass(frozen=True)
class ScanOptions:
    """What is scanned, and what names, sizes, limits and old signatures mean."""

    scan: Annotated[
        Literal["message", "parts", "both"],
        Doc("what is sent: the message as a whole, its parts decoded one by one, or both"),
    ] = "both"
    parts_at_once: Annotated[
        int, Ge(1), Le(16), Doc("parts of one message that are scanned side by side")
    ] = 1
    too_large: Annotated[
        Unscanned,
        Doc("what it means that a part is larger than a scanner takes, so that it did not scan it"),
    ] = "quarantine"
    over_limit: Annotated[
        Unscanned,
        Doc("what it means that a scanner works and gives up on this message, as on archive bombs"),
    ] = "quarantine"
    suspicions: Annotated[
        Mapping[str, float | Literal["virus"]],
        Doc(
            'points for names that prove no virus, or "virus", by pattern of the name or of '
            "scanner:name; the first match counts"
        ),
    ] = field(default_factory=lambda: dict(SUSPICIONS))
    warn_days: Annotated[
        float, Gt(0), Doc("age of signatures from which log, status, doctor and dashboard warn")
    ] = WARN_DAYS
    fail_days: Annotated[
        float, Gt(0), Doc("age of signatures from which doctor and dashboard show a failure")
    ] = FAIL_DAYS
    cache_seconds: Annotated[
        float,
        Ge(0),
        Doc("seconds for which a scanner's answer about a content is remembered; 0: not at all"),
    ] = 0.0
    cache_entries: Annotated[
        int, Gt(0), Le(1 << 20), Doc("answers that are remembered; each takes 256 octets")
    ] = 16384
    settle: Annotated[
        float,
        Ge(0),
        Doc(
            "seconds after a change in `databases` in which nothing is remembered: the scanner has "
            "read them by then"
        ),
    ] = SETTLE_SECONDS

    @property
    def limits(self) -> AgeLimits:
        """How old signatures may be where a scanner has no limits of its own."""
        return AgeLimits(self.warn_days, self.fail_days)

    def check_options(self, wrong: Mistakes) -> None:
        """Note what is wrong with these."""
        with wrong.at("fail_days"):
            self.limits.check()
        for pattern, points in self.suspicions.items():
            with wrong.at("suspicions", pattern):
                if points != "virus" and not math.isfinite(points):
                    raise ValueError(f"{points} is not a number")


@dataclass(frozen=True)
class HostOptions:
    """A scanner that is asked over a connection, on one host or several."""

    server: Annotated[
        tuple[str, ...] | str, Doc("the scanner's address; of several the first that answers")
    ]
    weights: Annotated[
        tuple[float, ...],
        Doc("the share of scans that each server gets first; empty: always the first that is well"),
    ] = ()
    ca: Annotated[
        str,
        Doc("file of certificates that servers are checked with over TLS; empty: the system's"),
    ] = ""
    silence: Annotated[
        float, Gt(0), Doc("seconds that one server may be silent before the next is asked")
    ] = 20.0
    patience: Annotated[
        float,
        Ge(0),
        Doc("seconds for which servers are asked again while none answers, as when one restarts"),
    ] = 5.0
    cool_down: Annotated[
        float, Ge(0), Doc("seconds for which a server that failed is asked after the others")
    ] = COOL_DOWN
    scans_at_once: Annotated[
        int, Ge(0), Doc("scans that all workers together ask for at a time; 0: no limit")
    ] = 0
    size_limit: Annotated[int, Gt(0), Doc("octets that it takes")] = 100 << 20

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of each server, in the order in which they are asked."""
        return (self.server,) if isinstance(self.server, str) else self.server

    def check_hosts(
        self, wrong: Mistakes, parse: Callable[[str], object], *where: str | int
    ) -> None:
        """Note what is wrong with addresses and weights. parse: raises ValueError for what is no
        address. where: the key of the table that these are in."""
        with wrong.at(*where, "server"):
            if not self.addresses:
                raise ValueError("is empty; expected an address")
        for index, address in enumerate(self.addresses):
            with wrong.at(*where, "server", *([] if isinstance(self.server, str) else [index])):
                parse(address)
        with wrong.at(*where, "weights"):
            check_weights(self.weights, len(self.addresses))


@dataclass(frozen=True)
class SignatureOptions:
    """Where a scanner's signatures are, and how old they may be."""

    databases: Annotated[
        Path | None,
        Doc(
            "folder of its signatures, if they are ClamAV's and on this host: for a scanner that "
            "does not say what it scans with, and for signatures of other origin"
        ),
    ] = None
    warn_days: Annotated[
        float | None, Gt(0), Doc("age from which its signatures are old; unset: as for all")
    ] = None
    fail_days: Annotated[
        float | None, Gt(0), Doc("age from which they are a failure; unset: as for all")
    ] = None

    def limits(self, usual: AgeLimits) -> AgeLimits:
        """How old its signatures may be. usual: what holds for all."""
        return AgeLimits(
            usual.warn_days if self.warn_days is None else self.warn_days,
            usual.fail_days if self.fail_days is None else self.fail_days,
        )
