"""Settings `[filters.clamav]`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.chain.filter import Filter
from filterd.filters.scanners.freshness import FAIL_DAYS, WARN_DAYS, check_days
from filterd.filters.scanners.options import SUSPICIONS, Unscanned
from filterd.scanners.clamd.server import ClamdServer
from filterd.scanners.databases import SETTLE_SECONDS
from filterd.scanners.hosts import COOL_DOWN, check_weights
from filterd.system.mistakes import mistakes

__all__ = ["SUSPICIONS", "ClamAVSettings", "Unscanned"]


@dataclass(frozen=True)
class ClamAVSettings:
    """Has clamd scan every message; what a virus means, [policy] says."""

    must_examine: ClassVar[bool] = True

    server: Annotated[
        tuple[str, ...] | str,
        Doc(
            "clamd's address, unix:/path, tcp:host:port or tls:host:port; "
            "of several the first that answers"
        ),
    ] = "unix:/run/clamav/clamd.ctl"
    weights: Annotated[
        tuple[float, ...],
        Doc("the share of messages that each server gets first; empty: always the first server"),
    ] = ()
    ca: Annotated[
        str, Doc("file of certificates that tls: servers are checked with; empty: the system's")
    ] = ""
    silence: Annotated[
        float, Gt(0), Doc("seconds that one clamd may be silent before the next is asked")
    ] = 20.0
    patience: Annotated[
        float,
        Ge(0),
        Doc("seconds for which clamd is asked again while none answers, as when it restarts"),
    ] = 5.0
    cool_down: Annotated[
        float, Ge(0), Doc("seconds for which a server that failed is asked after the others")
    ] = COOL_DOWN
    scans_at_once: Annotated[
        int, Ge(0), Doc("scans that all workers together ask for at a time; 0: one per worker")
    ] = 0
    scan: Annotated[
        Literal["message", "parts", "both"],
        Doc("what is sent: the message as a whole, its parts decoded one by one, or both"),
    ] = "message"
    parts_at_once: Annotated[
        int, Ge(1), Le(16), Doc("parts of one message that are scanned side by side")
    ] = 1
    size_limit: Annotated[
        int,
        Gt(0),
        Doc("octets that clamd is expected to take (StreamMaxLength); compared at start"),
    ] = 100 << 20
    too_large: Annotated[
        Unscanned,
        Doc("what it means that a part is larger than clamd takes, so that nobody scanned it"),
    ] = "quarantine"
    over_limit: Annotated[
        Unscanned,
        Doc("what it means that clamd works and gives up on this message, as on archive bombs"),
    ] = "quarantine"
    suspicions: Annotated[
        Mapping[str, float],
        Doc("points for names that prove no virus, by pattern; the first match counts"),
    ] = field(default_factory=lambda: dict(SUSPICIONS))
    warn_days: Annotated[
        float, Gt(0), Doc("age of the signatures from which status, doctor and dashboard warn")
    ] = WARN_DAYS
    fail_days: Annotated[
        float, Gt(0), Doc("age of the signatures from which doctor and dashboard show a failure")
    ] = FAIL_DAYS
    databases: Annotated[
        Path | None,
        Doc(
            "folder of clamd's signatures, if it is on this host: for a clamd that does not say "
            "what it scans with, and for signatures of other origin"
        ),
    ] = None
    freshclam_log: Annotated[
        Path | None, Doc("freshclam's log, which doctor reads; unset: Debian's, if it is there")
    ] = None
    cache_seconds: Annotated[
        float, Ge(0), Doc("seconds for which clamd's answer about a content is remembered; 0: not")
    ] = 0.0
    cache_entries: Annotated[
        int, Gt(0), Le(1 << 20), Doc("answers that are remembered; each takes 256 octets")
    ] = 16384
    settle: Annotated[
        float,
        Ge(0),
        Doc(
            "seconds after a change in `databases` in which nothing is remembered: clamd has read "
            "them by then"
        ),
    ] = SETTLE_SECONDS

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("server"):
                if not self.addresses:
                    raise ValueError("is empty; expected unix:/path or tcp:host:port")
            for index, address in enumerate(self.addresses):
                with wrong.at("server", *([] if isinstance(self.server, str) else [index])):
                    ClamdServer.parse(address, self.ca)
            with wrong.at("weights"):
                check_weights(self.weights, len(self.addresses))
            with wrong.at("fail_days"):
                check_days(self.warn_days, self.fail_days)
            for pattern, points in self.suspicions.items():
                with wrong.at("suspicions", pattern):
                    if not math.isfinite(points):
                        raise ValueError(f"{points} is not a number")

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of each clamd, in the order in which they are asked."""
        return (self.server,) if isinstance(self.server, str) else self.server

    @property
    def servers(self) -> tuple[ClamdServer, ...]:
        """The same, parsed."""
        return tuple(ClamdServer.parse(address, self.ca) for address in self.addresses)

    def build(self) -> Filter:
        """The filter, no clamd asked yet."""
        from filterd.filters.clamav.filter import ClamAV  # noqa: PLC0415  (a running filter)

        return ClamAV(self)
