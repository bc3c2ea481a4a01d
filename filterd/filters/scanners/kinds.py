"""Settings of one scanner of each kind: clamd, a service behind ICAP, a program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.filters.scanners.options import HostOptions, SignatureOptions
from filterd.scanners.clamd.server import ClamdServer
from filterd.scanners.command import Meaning
from filterd.scanners.icap.scanner import IcapServer
from filterd.scanners.presets import PRESETS
from filterd.system.mistakes import Mistakes


@dataclass(frozen=True)
class _Named:
    name: Annotated[str, Doc("a word for it: in symbols, logs and `suspicions`")]


@dataclass(frozen=True)
class ClamdSettings(SignatureOptions, HostOptions, _Named):
    """One clamd, on one host or several."""

    server: Annotated[
        tuple[str, ...] | str, Doc("addresses: unix:/path, tcp:host:port or tls:host:port")
    ] = "unix:/run/clamav/clamd.ctl"
    size_limit: Annotated[
        int, Gt(0), Doc("octets that it is expected to take (StreamMaxLength); compared at start")
    ] = 100 << 20

    @property
    def servers(self) -> tuple[ClamdServer, ...]:
        """Its hosts, in the order in which they are asked."""
        return tuple(ClamdServer.parse(address, self.ca) for address in self.addresses)

    def check(self, wrong: Mistakes, *where: str | int) -> None:
        """Note what is wrong. where: the key of its table."""
        self.check_hosts(wrong, ClamdServer.parse, *where)


@dataclass(frozen=True)
class IcapSettings(SignatureOptions, HostOptions, _Named):
    """One service behind ICAP, on one host or several."""

    server: Annotated[
        tuple[str, ...] | str, Doc("addresses: icap://host:1344/service, or icaps://...")
    ]
    size_limit: Annotated[int, Gt(0), Doc("octets above which it is not asked")] = 100 << 20
    method: Annotated[Literal["respmod", "reqmod"], Doc("what the service expects")] = "respmod"
    preview: Annotated[
        bool,
        Doc("let the server decide by the first octets, as it may by the type of the content"),
    ] = False
    verify_seconds: Annotated[
        float,
        Ge(0),
        Doc(
            "how long it counts that the server found the antivirus test file, which it is asked "
            "about after clean answers; 0: it is not asked"
        ),
    ] = 10.0

    @property
    def servers(self) -> tuple[IcapServer, ...]:
        """Its hosts, in the order in which they are asked."""
        return tuple(IcapServer.parse(address, self.ca) for address in self.addresses)

    def check(self, wrong: Mistakes, *where: str | int) -> None:
        """Note what is wrong. where: the key of its table."""
        self.check_hosts(wrong, IcapServer.parse, *where)


@dataclass(frozen=True)
class CommandSettings(SignatureOptions, _Named):
    """One program."""

    preset: Annotated[
        Literal["", "clamscan", "clamdscan", "fsav"],
        Doc("a program that is known; what is set besides replaces what it says"),
    ] = ""
    command: Annotated[
        tuple[str, ...],
        Doc("program and arguments, {file} for the content's path; without that: standard input"),
    ] = ()
    statuses: Annotated[
        Mapping[str, Meaning],
        Doc("exit status → clean, infected, given_up or unavailable; others count as unavailable"),
    ] = field(default_factory=dict)
    pattern: Annotated[
        str,
        Doc(
            "regular expression that finds the name in a line of output, in its first group; a "
            "status that means infected counts only with it. Empty: the program says no names"
        ),
    ] = ""
    version: Annotated[
        tuple[str, ...], Doc("command that says what it scans with; needed to remember answers")
    ] = ()
    user: Annotated[str, Doc("as whom it runs; needs a daemon that may change its user")] = ""
    folder: Annotated[str, Doc("folder for its files; empty: the system's temporary one")] = ""
    seconds: Annotated[float, Gt(0), Doc("seconds that it may take")] = 20.0
    cpu: Annotated[int, Gt(0), Doc("seconds of processor time of each of its processes")] = 60
    memory: Annotated[
        int, Ge(0), Doc("MiB of address space of each of its processes; 0: what a worker has")
    ] = 0
    disk: Annotated[int, Gt(0), Doc("MiB that it may write")] = 1024
    scans_at_once: Annotated[
        int, Ge(0), Doc("of this program at a time, in all workers together; 0: no limit")
    ] = 2
    size_limit: Annotated[int, Gt(0), Doc("octets above which it is not asked")] = 100 << 20

    @property
    def arguments(self) -> tuple[str, ...]:
        """Program and arguments, from the preset where they are not set."""
        return self.command or PRESETS[self.preset].command

    def check(self, wrong: Mistakes, *where: str | int) -> None:
        """Note what is wrong. where: the key of its table."""
        with wrong.at(*where, "command"):
            if not self.preset and not self.command:
                raise ValueError(f"is empty, and so is preset; presets: {', '.join(PRESETS)}")
        with wrong.at(*where, "statuses"):
            if not self.preset and not self.statuses:
                raise ValueError('is empty; expected { "0" = "clean", "1" = "infected" } or such')
            for status in self.statuses:
                if not status.isdecimal() or int(status) > 255:
                    raise ValueError(f"{status!r} is not an exit status")
            if self.statuses and "clean" not in self.statuses.values():
                raise ValueError('has no status that is "clean"')
        with wrong.at(*where, "pattern"):
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"{self.pattern!r} is not a regular expression: {error}") from None


AnyOne = ClamdSettings | IcapSettings | CommandSettings
"""A scanner of some kind."""
