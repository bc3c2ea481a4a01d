"""Names of hosts as sendmail finds them: hosts file and DNS, in the order of the service switch.

Source: sendmail 8.17 `domain.c` (getcanonname, getmxrr), `map.c`; answers as observed.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.mta.cf.lookup import EX_NOTFOUND, EX_OK, EX_TEMPFAIL, RunTimeMacros
from filterd.mta.maps.sequence import services
from filterd.resolver.answer import MX, DnsAnswer, DnsStatus, RecordType
from filterd.resolver.names import pointer_name
from filterd.resolver.resolver import RESOLV_CONF, Resolver, system_resolver
from filterd.system.bounded import read_regular

DNS_TIMEOUT = 10.0
"""Seconds for all questions of one lookup."""

SYSTEM_HOSTS = Path("/etc/hosts")
"""What the C library reads for the name of an address, whatever `O HostsFile` says."""

HOSTS_LIMIT = 16 << 20
"""Octets of the hosts file."""

ALIAS_LIMIT = 10
"""Aliases of aliases, MAXCNAMEDEPTH."""

NULL_MX = 69
"""The status for a domain that says it takes no mail (RFC 7505)."""


@dataclass(frozen=True, slots=True)
class HostFiles:
    """The files that say where names come from. They are asked for when they are needed."""

    switch: Callable[[], Path]
    hosts: Callable[[], Path]
    expands_aliases: Callable[[], bool]


class HostNames:
    """Looks names up. `macros` has `$m`, which is put behind a name without a dot."""

    def __init__(
        self, files: HostFiles, macros: RunTimeMacros, resolver: Resolver | None = None
    ) -> None:
        self._files = files
        self._macros = macros
        self._given = resolver

    @property
    def _resolver(self) -> Resolver:
        return self._given or system_resolver()

    @property
    def uses_dns(self) -> bool:
        return "dns" in services(self._files.switch(), "hosts")

    def ask(self, name: str, kind: RecordType, seconds: float) -> DnsAnswer:
        return self._resolver.ask(name, kind).answer(seconds)

    def canonical(
        self, name: str, *, tries_mx: bool = True, seconds: float = DNS_TIMEOUT
    ) -> tuple[str | None, int]:
        """The full name of a host, without a dot at its end, None for none, and a status."""
        end = time.monotonic() + seconds
        failed = False
        for service in services(self._files.switch(), "hosts"):
            found: str | None = None
            status = EX_NOTFOUND
            if service == "files":
                found = self._in_file(name)
            elif service == "dns":
                found, status = self._in_dns(name, tries_mx, end)
            if found is not None:
                return self._with_domain(found), EX_OK
            failed |= status == EX_TEMPFAIL
        return None, EX_TEMPFAIL if failed else EX_NOTFOUND

    def _with_domain(self, name: str) -> str | None:
        bare = name.removesuffix(".")
        domain = self._macros.get("m")
        if "." in bare:
            return name
        return f"{bare}.{domain}" if domain else None

    def _lines(self, file: Path) -> list[list[str]]:
        try:
            data = read_regular(file, HOSTS_LIMIT)
        except (OSError, ValueError):
            return []
        text = data.decode("ascii", "surrogateescape")
        return [line.partition("#")[0].split() for line in text.split("\n")]

    def _in_file(self, name: str) -> str | None:
        wanted = {name.removesuffix(".").lower()}
        short, dot, domain = name.removesuffix(".").partition(".")
        if dot and domain.lower() == (self._macros.get("m") or "").lower():
            wanted.add(short.lower())
        for names in (words[1:] for words in self._lines(self._files.hosts())):
            if wanted & {one.lower() for one in names}:
                found = next((one for one in names if "." in one), names[0])
                return self._with_domain(found) or found
        return None

    def _in_dns(self, name: str, tries_mx: bool, end: float) -> tuple[str | None, int]:
        status, domains = EX_NOTFOUND, search_domains(name)
        name = name.removesuffix(".")
        for _ in range(ALIAS_LIMIT):
            target, status = self._searched(name, domains, tries_mx, end)
            if target is None or target == name:
                return target, status
            if status == EX_OK:
                return target, EX_OK
            # An alias without an address: its target may have an MX record.
            name, domains = target, [""]
        return None, status

    def _searched(
        self, name: str, domains: Sequence[str], tries_mx: bool, end: float
    ) -> tuple[str | None, int]:
        """The name that was found and EX_OK, or an alias's target that has to be looked for yet."""
        status = EX_NOTFOUND
        for domain in domains:
            full = f"{name}.{domain}" if domain else name
            for kind in (RecordType.A, RecordType.MX):
                if kind is RecordType.MX and not (tries_mx or not domain):
                    break
                answer = self.ask(full, kind, end - time.monotonic())
                if answer.failed:
                    status = EX_TEMPFAIL
                    if domain:
                        return None, status
                    continue
                if answer.status in (DnsStatus.NXDOMAIN, DnsStatus.INVALID):
                    break
                canonical = answer.canonical or full
                if not self._files.expands_aliases() or canonical.lower() == full.lower():
                    canonical = full
                if answer.status is DnsStatus.FOUND:
                    return canonical, EX_OK
                if canonical != full:
                    return canonical, EX_NOTFOUND
        return None, status

    def name_of(self, address: str, *, seconds: float = DNS_TIMEOUT) -> tuple[str | None, int]:
        """The name of an address: the system's hosts file, then the PTR record."""
        try:
            wanted = ipaddress.ip_address(address)
        except ValueError:
            return None, EX_NOTFOUND
        for words in self._lines(SYSTEM_HOSTS):
            try:
                if len(words) > 1 and ipaddress.ip_address(words[0]) == wanted:
                    return words[1], EX_OK
            except ValueError:
                continue
        answer = self.ask(pointer_name(address), RecordType.PTR, seconds)
        if answer.texts:
            return answer.texts[0], EX_OK
        return None, EX_TEMPFAIL if answer.failed and self.uses_dns else EX_NOTFOUND

    def mail_exchangers(self, name: str, *, seconds: float = DNS_TIMEOUT) -> tuple[list[str], int]:
        """The hosts that take mail for a name, best first, each with a dot at its end, and a
        status; the name itself where it has an address only."""
        if name.startswith("["):
            return [name], EX_OK
        if not name or not self.uses_dns:
            return [], EX_OK
        end = time.monotonic() + seconds
        answer = self.ask(name, RecordType.MX, seconds)
        records = sorted(
            (one for one in answer.records if isinstance(one, MX)), key=lambda one: one.preference
        )
        if answer.failed:
            return [], EX_TEMPFAIL
        if len(records) == 1 and not records[0].exchange:
            return [], NULL_MX
        if records:
            return list(dict.fromkeys(one.exchange + "." for one in records)), EX_OK
        status = EX_OK if answer.status is DnsStatus.NODATA else EX_NOTFOUND
        own = name.removesuffix(".").lower()
        if answer.canonical and answer.canonical.lower() != own:
            # An alias of something without MX: sendmail does not look further.
            return [], status
        found, _ = self.canonical(name, tries_mx=False, seconds=end - time.monotonic())
        return ([found.removesuffix(".") + "."], EX_OK) if found else ([], status)


def search_domains(name: str, path: Path = RESOLV_CONF) -> list[str]:
    """What is put behind a name, in turn; empty for the name as it is. Source: resolv.conf(5)."""
    if name.endswith("."):
        return [""]
    domains: list[str] = []
    try:
        for line in path.read_text("utf-8", "replace")[:65536].splitlines():
            words = line.split()
            if len(words) > 1 and words[0] in ("search", "domain"):
                domains = words[1:7]
    except OSError:
        pass
    # sendmail asks for a name without a dot only with a domain behind it.
    return ["", *domains] if "." in name else domains
