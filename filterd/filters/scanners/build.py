"""Scanners from their settings."""

from __future__ import annotations

from filterd.filters.scanners.kinds import ClamdSettings, CommandSettings, IcapSettings
from filterd.scanners.answer import Scanner
from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.command import CommandScanner
from filterd.scanners.databases import SETTLE_SECONDS, Databases, Dated
from filterd.scanners.icap.scanner import IcapScanner
from filterd.scanners.presets import PRESETS
from filterd.scanners.processes import Limits
from filterd.scanners.verified import Verified


def clamd_hosts(own: ClamdSettings, settle: float = SETTLE_SECONDS) -> list[Scanner]:
    """A scanner for each host. settle: seconds after which changed signatures are in use."""
    return [
        ClamdScanner(server, own.silence, databases=own.databases, settle=settle)
        for server in own.servers
    ]


def icap_hosts(own: IcapSettings, settle: float = SETTLE_SECONDS) -> list[Scanner]:
    """The same for a service behind ICAP, asked about the antivirus test file now and then."""
    hosts: list[Scanner] = [
        IcapScanner(
            server,
            own.silence,
            method=own.method,
            preview=own.preview,
            size_limit=own.size_limit,
        )
        for server in own.servers
    ]
    if own.verify_seconds:
        hosts = [Verified(host, own.verify_seconds) for host in hosts]
    if own.databases is not None:
        hosts = [Dated(host, Databases(own.databases, settle)) for host in hosts]
    return hosts


def command(own: CommandSettings, settle: float = SETTLE_SECONDS) -> Scanner:
    """The program; what is not set comes from the preset."""
    preset = PRESETS.get(own.preset)
    statuses = {int(status): meaning for status, meaning in own.statuses.items()}
    program = CommandScanner(
        own.name,
        own.arguments,
        statuses or (preset.statuses if preset else {}),
        own.pattern or (preset.pattern if preset else ""),
        limits=Limits(own.seconds, own.cpu, own.memory, own.disk),
        version=own.version or (preset.version if preset else ()),
        user=own.user,
        folder=own.folder,
        size_limit=own.size_limit,
    )
    if own.databases is None:
        return program
    return Dated(program, Databases(own.databases, settle))
