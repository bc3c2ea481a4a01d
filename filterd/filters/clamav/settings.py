"""Settings `[filters.clamav]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Gt

from filterd.chain.filter import Filter
from filterd.filters.scanners.options import SUSPICIONS, HostOptions, ScanOptions, Unscanned
from filterd.filters.scanners.symbols import descriptions
from filterd.scanners.clamd.server import ClamdServer
from filterd.system.mistakes import mistakes

__all__ = ["SUSPICIONS", "ClamAVSettings", "Unscanned"]

PREFIX = "CLAM"
"""Of the symbols."""


@dataclass(frozen=True)
class ClamAVSettings(ScanOptions, HostOptions):
    """Has clamd scan every message; what a virus means, [policy] says."""

    must_examine: ClassVar[bool] = True

    server: Annotated[
        tuple[str, ...] | str,
        Doc(
            "clamd's address, unix:/path, tcp:host:port or tls:host:port; "
            "of several the first that answers"
        ),
    ] = "unix:/run/clamav/clamd.ctl"
    size_limit: Annotated[
        int,
        Gt(0),
        Doc("octets that clamd is expected to take (StreamMaxLength); compared at start"),
    ] = 100 << 20
    scan: Annotated[
        Literal["message", "parts", "both"],
        Doc("what is sent: the message as a whole, its parts decoded one by one, or both"),
    ] = "message"
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

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            self.check_hosts(wrong, ClamdServer.parse)
            self.check_options(wrong)

    @property
    def servers(self) -> tuple[ClamdServer, ...]:
        """Each clamd, in the order in which they are asked."""
        return tuple(ClamdServer.parse(address, self.ca) for address in self.addresses)

    @property
    def needs_network(self) -> bool:
        """Some clamd is not behind a unix socket."""
        return not all(server.is_local for server in self.servers)

    @property
    def waits_for_network(self) -> bool:
        """It does, for most messages."""
        return self.needs_network

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return descriptions(PREFIX)

    def build(self) -> Filter:
        """The filter, no clamd asked yet."""
        from filterd.filters.clamav.filter import ClamAV  # noqa: PLC0415  (a running filter)

        return ClamAV(self)
