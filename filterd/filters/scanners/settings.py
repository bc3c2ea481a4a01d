"""Settings `[filters.scanners]`."""

from __future__ import annotations

import math
import re
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
from filterd.scanners.command import Meaning
from filterd.scanners.databases import SETTLE_SECONDS
from filterd.scanners.hosts import COOL_DOWN, check_weights
from filterd.scanners.icap.scanner import IcapServer
from filterd.scanners.presets import PRESETS
from filterd.scanners.several import Decide
from filterd.system.mistakes import Mistakes, mistakes

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class ClamdSettings:
    """One clamd, on one host or several."""

    name: Annotated[str, Doc("a word for it: in symbols, logs and `suspicions`")]
    server: Annotated[
        tuple[str, ...], Doc("addresses: unix:/path, tcp:host:port or tls:host:port")
    ] = ("unix:/run/clamav/clamd.ctl",)
    weights: Annotated[
        tuple[float, ...], Doc("the share of each server; empty: always the first that is well")
    ] = ()
    ca: Annotated[str, Doc("file of certificates that tls: servers are checked with")] = ""
    silence: Annotated[float, Gt(0), Doc("seconds that a server may be silent")] = 20.0
    patience: Annotated[
        float, Ge(0), Doc("seconds for which servers are asked again while none answers")
    ] = 5.0
    cool_down: Annotated[
        float, Ge(0), Doc("seconds for which a server that failed is asked after the others")
    ] = COOL_DOWN
    scans_at_once: Annotated[
        int, Ge(0), Doc("scans that all workers together ask for at a time; 0: no limit")
    ] = 0
    size_limit: Annotated[int, Gt(0), Doc("octets that it takes; compared at start")] = 100 << 20
    databases: Annotated[
        str, Doc("folder of its signatures, if it is on this host; empty: it is not")
    ] = ""


@dataclass(frozen=True)
class IcapSettings:
    """One service behind ICAP, on one host or several."""

    name: Annotated[str, Doc("a word for it: in symbols, logs and `suspicions`")]
    server: Annotated[tuple[str, ...], Doc("addresses: icap://host:1344/service, or icaps://...")]
    weights: Annotated[
        tuple[float, ...], Doc("the share of each server; empty: always the first that is well")
    ] = ()
    ca: Annotated[str, Doc("file of certificates that icaps: servers are checked with")] = ""
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
    silence: Annotated[float, Gt(0), Doc("seconds that a server may be silent")] = 20.0
    patience: Annotated[
        float, Ge(0), Doc("seconds for which servers are asked again while none answers")
    ] = 5.0
    cool_down: Annotated[
        float, Ge(0), Doc("seconds for which a server that failed is asked after the others")
    ] = COOL_DOWN
    scans_at_once: Annotated[
        int, Ge(0), Doc("scans that all workers together ask for at a time; 0: no limit")
    ] = 0
    size_limit: Annotated[int, Gt(0), Doc("octets above which it is not asked")] = 100 << 20


@dataclass(frozen=True)
class CommandSettings:
    """One program."""

    name: Annotated[str, Doc("a word for it: in symbols, logs and `suspicions`")]
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


_AnyOne = ClamdSettings | IcapSettings | CommandSettings


@dataclass(frozen=True)
class ScannersSettings:
    """Has several virus scanners scan every message; what a virus means, [policy] says."""

    must_examine: ClassVar[bool] = True

    decide: Annotated[
        Decide,
        Doc(
            "whose word counts: any (all are asked, what one finds is found), majority, or first "
            "(the first that answers)"
        ),
    ] = "any"
    order: Annotated[
        tuple[str, ...],
        Doc("names of the scanners in the order in which `first` asks; empty: as they stand"),
    ] = ()
    clamd: Annotated[tuple[ClamdSettings, ...], Doc("scanners that are clamd")] = ()
    icap: Annotated[tuple[IcapSettings, ...], Doc("scanners behind ICAP")] = ()
    command: Annotated[tuple[CommandSettings, ...], Doc("scanners that are programs")] = ()
    known_bad: Annotated[
        tuple[str, ...], Doc("files of SHA-256 sums of parts that are viruses, sorted")
    ] = ()
    known_good: Annotated[
        tuple[str, ...],
        Doc("files of SHA-256 sums of parts that no scanner is asked about, sorted"),
    ] = ()
    scan: Annotated[
        Literal["message", "parts", "both"],
        Doc("what is sent: the message as a whole, its parts decoded one by one, or both"),
    ] = "both"
    unpack: Annotated[
        bool,
        Doc(
            "with parts: scan the files by themselves too that archives and documents hold, within "
            "the limits of the filter parts"
        ),
    ] = False
    parts_at_once: Annotated[
        int, Ge(1), Le(16), Doc("parts of one message that are scanned side by side")
    ] = 1
    too_large: Annotated[
        Unscanned, Doc("what it means that a part is larger than the scanners take")
    ] = "quarantine"
    over_limit: Annotated[
        Unscanned, Doc("what it means that a scanner works and gives up on this message")
    ] = "quarantine"
    suspicions: Annotated[
        Mapping[str, float],
        Doc(
            "points for names that prove no virus, by pattern of the name or of scanner:name; the "
            "first match counts"
        ),
    ] = field(default_factory=lambda: dict(SUSPICIONS))
    outvoted: Annotated[
        float, Doc("points for what a minority of scanners found, with decide = majority")
    ] = 3.0
    warn_days: Annotated[
        float, Gt(0), Doc("age of signatures from which status, doctor and dashboard warn")
    ] = WARN_DAYS
    fail_days: Annotated[
        float, Gt(0), Doc("age of signatures from which doctor and dashboard show a failure")
    ] = FAIL_DAYS
    cache_seconds: Annotated[
        float, Ge(0), Doc("seconds for which a scanner's answer is remembered; 0: not at all")
    ] = 0.0
    cache_entries: Annotated[
        int, Gt(0), Le(1 << 20), Doc("answers that are remembered; each takes 256 octets")
    ] = 16384
    settle: Annotated[
        float,
        Ge(0),
        Doc("seconds after a change in `databases` in which nothing of that clamd is remembered"),
    ] = SETTLE_SECONDS

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            kinds: tuple[tuple[str, tuple[_AnyOne, ...]], ...] = (
                ("clamd", self.clamd),
                ("icap", self.icap),
                ("command", self.command),
            )
            for kind, group in kinds:
                for index, one in enumerate(group):
                    with wrong.at(kind, index, "name"):
                        self._check_name(one.name)
                    if isinstance(one, CommandSettings):
                        self._check_command(wrong, index, one)
                    else:
                        self._check_servers(wrong, kind, index, one)
            with wrong.at("order"):
                if self.order and sorted(self.order) != sorted(self.names):
                    raise ValueError(f"expected each of these once: {', '.join(self.names)}")
            for pattern, points in self.suspicions.items():
                with wrong.at("suspicions", pattern):
                    if not math.isfinite(points):
                        raise ValueError(f"{points} is not a number")
            with wrong.at("outvoted"):
                if not math.isfinite(self.outvoted):
                    raise ValueError(f"{self.outvoted} is not a number")
            with wrong.at("fail_days"):
                check_days(self.warn_days, self.fail_days)
            for key in ("known_bad", "known_good"):
                for index, path in enumerate(getattr(self, key)):
                    with wrong.at(key, index):
                        if not Path(path).is_absolute():
                            raise ValueError(f"{path!r} is not an absolute path")

    @property
    def names(self) -> tuple[str, ...]:
        """The scanners', as they stand."""
        every: tuple[_AnyOne, ...] = (*self.clamd, *self.icap, *self.command)
        return tuple(one.name for one in every)

    def _check_name(self, name: str) -> None:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a name; expected small letters, digits, - and _")
        if self.names.count(name) > 1:
            raise ValueError(f"two scanners are called {name!r}")

    @staticmethod
    def _check_servers(
        wrong: Mistakes, kind: str, index: int, one: ClamdSettings | IcapSettings
    ) -> None:
        with wrong.at(kind, index, "server"):
            if not one.server:
                raise ValueError("is empty")
            for address in one.server:
                (ClamdServer if kind == "clamd" else IcapServer).parse(address)
        with wrong.at(kind, index, "weights"):
            check_weights(one.weights, len(one.server))

    @staticmethod
    def _check_command(wrong: Mistakes, index: int, one: CommandSettings) -> None:
        with wrong.at("command", index, "command"):
            if not one.preset and not one.command:
                raise ValueError(f"is empty, and so is preset; presets: {', '.join(PRESETS)}")
        with wrong.at("command", index, "statuses"):
            if not one.preset and not one.statuses:
                raise ValueError('is empty; expected { "0" = "clean", "1" = "infected" } or such')
            for status in one.statuses:
                if not status.isdecimal() or int(status) > 255:
                    raise ValueError(f"{status!r} is not an exit status")
            if one.statuses and "clean" not in one.statuses.values():
                raise ValueError('has no status that is "clean"')
        with wrong.at("command", index, "pattern"):
            try:
                re.compile(one.pattern)
            except re.error as error:
                raise ValueError(f"{one.pattern!r} is not a regular expression: {error}") from None

    def build(self) -> Filter:
        """The filter, no scanner asked yet."""
        from filterd.filters.scanners.filter import Scanners  # noqa: PLC0415  (a running filter)

        return Scanners(self)
