"""Settings `[filters.clamav]`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.chain.filter import Filter
from filterd.filters.clamav.clamd import ClamdServer
from filterd.system.mistakes import mistakes

SUSPICIONS: Mapping[str, float] = MappingProxyType({"Heuristics.*": 3.0, "PUA.*": 3.0})
"""Names that ClamAV itself calls guesses, and unwanted but harmless programs."""

Unscanned = Literal["continue", "quarantine", "tempfail", "reject"]
"""What it means that nobody scanned something."""


@dataclass(frozen=True)
class ClamAVSettings:
    """Has clamd scan every message; what a virus means, [policy] says."""

    must_examine: ClassVar[bool] = True

    server: Annotated[
        tuple[str, ...] | str,
        Doc("clamd's address, unix:/path or tcp:host:port; of several the first that answers"),
    ] = "unix:/run/clamav/clamd.ctl"
    silence: Annotated[
        float, Gt(0), Doc("seconds that one clamd may be silent before the next is asked")
    ] = 20.0
    patience: Annotated[
        float,
        Ge(0),
        Doc("seconds for which clamd is asked again while none answers, as when it restarts"),
    ] = 5.0
    scans_at_once: Annotated[
        int, Ge(0), Doc("scans that all workers together ask for at a time; 0: one per worker")
    ] = 0
    scan: Annotated[
        Literal["message", "parts", "both"],
        Doc("what is sent: the message as a whole, its parts decoded one by one, or both"),
    ] = "message"
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

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("server"):
                if not self.addresses:
                    raise ValueError("is empty; expected unix:/path or tcp:host:port")
            for index, address in enumerate(self.addresses):
                with wrong.at("server", *([] if isinstance(self.server, str) else [index])):
                    ClamdServer.parse(address)
            for pattern, points in self.suspicions.items():
                with wrong.at("suspicions", pattern):
                    if not math.isfinite(points):
                        raise ValueError(f"{points} is not a number")

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of each clamd, in the order in which they are asked."""
        return (self.server,) if isinstance(self.server, str) else self.server

    def build(self) -> Filter:
        """The filter, no clamd asked yet."""
        from filterd.filters.clamav.filter import ClamAV  # noqa: PLC0415  (a running filter)

        return ClamAV(self)
