"""ClamAV: the whole message is sent to clamd, which unpacks and scans it.

Several servers are tried in order, or by weight, again and again for a while, so that a restart of
clamd is waited for. What is done with a message and with names, `filters/scanners` says. Source:
clamd(8), clamd.conf(5).
"""

from __future__ import annotations

import logging
from typing import ClassVar

from filterd.filters.clamav.settings import PREFIX, ClamAVSettings
from filterd.filters.scanners.engine import ScanError, VirusFilter
from filterd.filters.scanners.probe import unreachable, warn_of_sizes
from filterd.message import Message
from filterd.scanners.answer import Scanner
from filterd.scanners.cache import AnswerCache, Remembering
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdServer
from filterd.scanners.hosts import Hosts
from filterd.scanners.several import Several
from filterd.scanners.slots import Slots

__all__ = ["ClamAV", "ScanError"]

log = logging.getLogger(__name__)


class ClamAV(VirusFilter):
    """Has clamd scan every message; what a virus means, [policy] says."""

    name: ClassVar[str] = "clamav"
    prefix: ClassVar[str] = PREFIX
    unnamed: ClassVar[str] = "ClamAV"

    def __init__(self, settings: ClamAVSettings) -> None:
        self.settings = settings
        self._clamds = tuple(
            ClamdScanner(
                server,
                settings.silence,
                databases=settings.databases,
                settle=settings.settle,
            )
            for server in settings.servers
        )
        hosts: list[Scanner] = list(self._clamds)
        if settings.cache_seconds:
            cache = AnswerCache(settings.cache_entries, settings.cache_seconds)
            hosts = [Remembering(host, cache) for host in hosts]
        self.hosts = Hosts(
            "clamd",
            hosts,
            patience=settings.patience,
            weights=settings.weights,
            cool_down=settings.cool_down,
        )
        super().__init__(
            Several((self.hosts,), named=False),
            settings,
            slots=Slots(settings.scans_at_once) if settings.scans_at_once else None,
            patience=settings.silence,
        )

    def prepare(self) -> None:
        """Compare `size_limit` with what each clamd takes; that is a warning, as a clamd that is
        away when filterd starts is none of its failures."""
        warn_of_sizes("clamav", self._servers, self.settings.size_limit, self.settings.silence)

    def unreachable(self) -> str:
        """Why no clamd can be connected to now, `""` if one can: for those who look at stored mail
        and need not wait for a scanner."""
        return unreachable(self._servers, self.settings.silence)

    def ask(self, message: Message) -> None:
        """Hand the message to the first clamd, if that needs no waiting."""
        if self.settings.scan == "parts" or self._slots is not None:
            return
        host = self.hosts.ahead()
        if isinstance(host, ClamdScanner):
            host.ask(message.data)

    @property
    def _servers(self) -> tuple[ClamdServer, ...]:
        return tuple(one.server for one in self._clamds)
