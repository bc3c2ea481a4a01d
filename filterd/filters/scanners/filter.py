"""Several virus scanners side by side, and lists of sums before them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from filterd.chain.verdict import Verdict
from filterd.filters.parts.unpacking.unpack import Unpacker
from filterd.filters.scanners.build import clamd_hosts, command, icap_hosts
from filterd.filters.scanners.engine import VirusFilter
from filterd.filters.scanners.freshness import AgeLimits
from filterd.filters.scanners.kinds import ClamdSettings, IcapSettings
from filterd.filters.scanners.probe import unreachable, warn_of_sizes
from filterd.filters.scanners.settings import PREFIX, ScannersSettings
from filterd.message import Entity, Message
from filterd.message.fields import Buffer
from filterd.scanners.answer import Infected, Scanner, Signatures
from filterd.scanners.cache import AnswerCache, Remembering
from filterd.scanners.hashes import HashList
from filterd.scanners.hosts import Hosts
from filterd.scanners.limited import Limited
from filterd.scanners.several import Answers, Several
from filterd.scanners.slots import Slots

LIST = "known_bad"
"""Who says so, where a list has the sum."""


class HashListScanner:
    """Scanners behind lists of sums: what is known is not asked about."""

    def __init__(self, several: Several, bad: Sequence[HashList], good: Sequence[HashList]) -> None:
        self._several = several
        self._bad = tuple(bad)
        self._good = tuple(good)

    def scan(self, content: Buffer, deadline: float) -> Answers:
        """What the lists say, or else what the scanners say."""
        if not self._bad and not self._good:
            return self._several.scan(content, deadline)
        digest = hashlib.sha256(content).hexdigest()
        found = self.bad(digest)
        if found is not None:
            return Answers((found,))
        if any(one.find(digest) is not None for one in self._good):
            return Answers()
        return self._several.scan(content, deadline)

    def bad(self, digest: str) -> Infected | None:
        """What a list of bad sums says. Raises HashListError."""
        for one in self._bad:
            name = one.find(digest)
            if name is not None:
                return Infected(Infected.named(name or f"Listed.{digest[:16]}").name, LIST)
        return None

    def signatures(self, deadline: float) -> list[Signatures]:
        """Of each scanner that says."""
        return self._several.signatures(deadline)

    def check(self) -> None:
        """Read the lists. Raises HashListError."""
        for one in (*self._bad, *self._good):
            one.check()

    @property
    def has_bad(self) -> bool:
        """Whether there is a list of bad sums."""
        return bool(self._bad)


class Scanners(VirusFilter):
    """Has several scanners scan every message; what a virus means, [policy] says."""

    name: ClassVar[str] = "scanners"
    prefix: ClassVar[str] = PREFIX
    unnamed: ClassVar[str] = "filterd"

    def __init__(self, settings: ScannersSettings) -> None:
        self.settings = settings
        self.members = members(settings)
        order = settings.order or settings.names
        several = Several([self.members[name] for name in order], settings.decide)
        self._lists = HashListScanner(
            several,
            [HashList(Path(path)) for path in settings.known_bad],
            [HashList(Path(path)) for path in settings.known_good],
        )
        super().__init__(self._lists, settings, outvoted=settings.outvoted)

    def prepare(self) -> None:
        """Read the lists, look for the programs, and compare what each clamd takes."""
        self._lists.check()
        for one in self.settings.command:
            program = one.arguments[0]
            if shutil.which(program) is None:
                raise FileNotFoundError(f"scanner {one.name}: there is no program {program}")
        for own in self.settings.clamd:
            warn_of_sizes("scanners", own.servers, own.size_limit, own.silence)

    def unreachable(self) -> str:
        """Why no scanner can be asked now, `""` if one can: for those who look at stored mail."""
        settings = self.settings
        if settings.icap or settings.command or not settings.clamd:
            return ""
        servers = [server for own in settings.clamd for server in own.servers]
        return unreachable(servers, settings.clamd[0].silence)

    def _limits(self, by: str) -> AgeLimits:
        return self.settings.limits_of(by)

    def _inside(self, leaf: Entity) -> Iterator[bytes]:
        """The files that a part holds, if they are asked for. One that was not unpacked whole is
        left to the scanners, which get the archive as well."""
        if not self.settings.unpack:
            return
        for file in Unpacker().files(leaf.filenames, leaf.content, leaf.content_type):
            if file.complete and file.content is not leaf.content:
                yield file.content

    def examine(self, message: Message) -> Verdict:
        """Return what lists and scanners say. Raises ScanError if they cannot be asked."""
        if self._lists.has_bad and self._options.scan == "message":
            # Sums are of parts, also where scanners get the message as a whole.
            for leaf in message.leaves():
                found = self._lists.bad(hashlib.sha256(leaf.content).hexdigest())
                if found is not None:
                    findings = self._findings()
                    findings.add(found)
                    if findings.virus:
                        if self.locates:
                            findings.infected = self._infected(message)
                        return findings.verdict(
                            self._scanner(), self._options.too_large, self._options.over_limit
                        )
        return super().examine(message)


def members(settings: ScannersSettings) -> dict[str, Scanner]:
    """The scanners of the settings by name, each with its hosts, its limit and what it
    remembers."""
    remembered: Callable[[Scanner], Scanner] = lambda scanner: scanner  # noqa: E731
    if settings.cache_seconds:
        cache = AnswerCache(settings.cache_entries, settings.cache_seconds)
        remembered = lambda scanner: Remembering(scanner, cache)  # noqa: E731
    found: dict[str, Scanner] = {}
    # What is remembered was verified; what is asked to verify must not be remembered.
    for clamd in settings.clamd:
        hosts = clamd_hosts(clamd, settings.settle)
        found[clamd.name] = _as_one(clamd, [remembered(host) for host in hosts])
    for icap in settings.icap:
        hosts = icap_hosts(icap, settings.settle)
        found[icap.name] = _as_one(icap, [remembered(host) for host in hosts])
    for own in settings.command:
        program = remembered(command(own, settings.settle))
        if own.scans_at_once:
            program = Limited(program, Slots(own.scans_at_once), own.seconds)
        found[own.name] = program
    return found


def _as_one(own: ClamdSettings | IcapSettings, hosts: Sequence[Scanner]) -> Scanner:
    one: Scanner = Hosts(
        own.name, hosts, patience=own.patience, weights=own.weights, cool_down=own.cool_down
    )
    if own.scans_at_once:
        one = Limited(one, Slots(own.scans_at_once), own.silence)
    return one
