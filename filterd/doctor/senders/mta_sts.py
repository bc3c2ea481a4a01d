"""MTA-STS and TLSRPT as values: what a domain says of TLS for mail that comes to it.

Sources: RFC 8461 §3 (MTA-STS), §4.1 (names of MX hosts); RFC 8460 §3 (TLSRPT).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from filterd.message.address import canonical_domain
from filterd.resolver.answer import DnsAnswer

RECORD_LIMIT = 4096
"""Octets of a TXT record that are read."""

POLICY_LIMIT = 64 << 10
"""Octets of a policy file; RFC 8461 §3.3 suggests that limit."""

LINES_LIMIT = 1000

MOST_AGE = 31_557_600
"""Seconds, RFC 8461 §3.2: about a year."""

SHORT_AGE = 86_400
"""Seconds below which a policy protects hardly anybody (§10.2 suggests weeks)."""

Mode = Literal["enforce", "testing", "none"]

_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_AGE = re.compile(r"[0-9]{1,10}")
_PATTERN = re.compile(r"(?:\*\.)?(?:[a-z0-9_-]{1,63}\.)*+[a-z0-9-]{1,63}")
_UNPRINTABLE = re.compile(r"[^ -~]")


class StsError(ValueError):
    """What is published cannot be used; the text says why, in printable ASCII."""


def shown(text: str, limit: int = 100) -> str:
    """A text from outside as people read it: printable ASCII, not too long."""
    short = _UNPRINTABLE.sub("?", text[:limit])
    return f"{short}..." if len(text) > limit else short


def record_of(answer: DnsAnswer, version: str) -> str | None:
    """The one TXT record that begins with that version, `STSv1` or `TLSRPTv1`; None where there is
    none. Raises StsError where there are several, which count as none."""
    texts = [record.decode("latin-1") for record in answer.records if isinstance(record, bytes)]
    found = [one for one in texts if _version(one) == version]
    if len(found) > 1:
        raise StsError(f"{len(found)} TXT records begin with v={version}; expected one")
    if found and len(found[0]) > RECORD_LIMIT:
        raise StsError(f"the TXT record has more than {RECORD_LIMIT} octets")
    return found[0] if found else None


def _version(text: str) -> str:
    first, _, _ = text[:RECORD_LIMIT].partition(";")
    name, _, value = first.partition("=")
    return value.strip() if name.strip() == "v" else ""


def _tags(text: str) -> dict[str, str]:
    """The tags of a record, the first of each name."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def sts_id(record: str) -> str:
    """The id of an MTA-STS record, by which senders see that the policy has changed. Raises
    StsError."""
    id = _tags(record).get("id", "")
    if not _ID.fullmatch(id):
        raise StsError(f"its id is {shown(id)!r}; expected 1 to 32 letters and digits")
    return id


def report_uris(record: str) -> tuple[str, ...]:
    """Where reports on TLS go, of a TLSRPT record. Raises StsError."""
    uris = tuple(uri.strip() for uri in _tags(record).get("rua", "").split(","))
    for uri in uris:
        scheme, _, rest = uri.partition(":")
        mark = {"mailto": "@", "https": "//"}.get(scheme.lower())
        if mark is None or mark not in rest:
            raise StsError(
                f"its rua has {shown(uri)!r}; expected mailto:tls@mx.example or an https: URI"
            )
    return uris


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy file. mx: patterns of names, in lower case. max_age: seconds for which senders keep
    it."""

    mode: Mode
    max_age: int
    mx: tuple[str, ...]

    @classmethod
    def parse(cls, octets: bytes) -> StsPolicy:
        """The policy of a file's content. Raises StsError."""
        if len(octets) > POLICY_LIMIT:
            raise StsError(f"has more than {POLICY_LIMIT} octets")
        values: dict[str, str] = {}
        patterns: list[str] = []
        lines = octets.decode("utf-8", "replace").split("\n", LINES_LIMIT + 1)
        if len(lines) > LINES_LIMIT:
            raise StsError(f"has more than {LINES_LIMIT} lines")
        for number, line in enumerate(lines, 1):
            text = line.removesuffix("\r").strip()
            if not text:
                continue
            name, colon, value = (part.strip() for part in text.partition(":"))
            if not colon:
                raise StsError(f"line {number} is {shown(text)!r}; expected `name: value`")
            if name == "mx":
                patterns.append(_pattern(value, number))
            else:
                values.setdefault(name, value)
        if values.get("version") != "STSv1":
            raise StsError("has no line `version: STSv1`")
        return cls(_mode(values.get("mode", "")), _age(values.get("max_age", "")), tuple(patterns))

    def covers(self, host: str) -> bool:
        """True if one of the patterns stands for the host: `*.` for one label (RFC 8461 §4.1)."""
        name = canonical_domain(host)
        above = f"*.{name.partition('.')[2]}"
        return name in self.mx or above in self.mx

    def uncovered(self, hosts: Sequence[str]) -> tuple[str, ...]:
        """Those of these hosts that no pattern stands for."""
        return tuple(host for host in hosts if not self.covers(host))


def _pattern(text: str, number: int) -> str:
    pattern = text.lower().removesuffix(".")
    if not _PATTERN.fullmatch(pattern):
        raise StsError(f"line {number}: mx is {shown(text)!r}; expected a host name or *.DOMAIN")
    return pattern


def _mode(text: str) -> Mode:
    match text:
        case "enforce" | "testing" | "none":
            return text
    raise StsError(f"its mode is {shown(text)!r}; expected enforce, testing or none")


def _age(text: str) -> int:
    if not _AGE.fullmatch(text) or int(text) > MOST_AGE:
        raise StsError(f"its max_age is {shown(text)!r}; expected 0 to {MOST_AGE} seconds")
    return int(text)
