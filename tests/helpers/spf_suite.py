"""The format of the SPF community's test suite: YAML documents of zones and cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from filterd.auth.spf import check_spf
from filterd.message.authentication import SpfCheck
from filterd.resolver.answer import MX, DnsStatus, Record, RecordType
from tests.helpers.zones import Zone, Zones

Data = dict[str, dict[str, Sequence[Record] | DnsStatus]]


@dataclass(frozen=True)
class Case:
    """One case. results: each of them is right, the first one preferred. explanation: what exp=
    has to say; None: whatever it says; "" for none."""

    name: str
    zone: Zone
    client: str
    helo: str
    sender: str
    results: tuple[str, ...]
    explanation: str | None

    def checked(self) -> SpfCheck:
        """The result for MAIL FROM."""
        zones = Zones(self.zone)
        return check_spf(
            zones, ip_address(self.client), self.helo, self.sender, host="mx.example.org"
        )[0]

    def differs(self) -> str:
        """What is wrong, "" if nothing is."""
        found = self.checked()
        if found.result not in self.results:
            return f"expected {' or '.join(self.results)}, found {found}"
        if self.explanation is not None and found.explanation != self.explanation:
            return f"expected the explanation {self.explanation!r}, found {found.explanation!r}"
        return ""


def cases(file: Path) -> Iterator[Case]:
    """All cases of a file."""
    for document in yaml.load_all(file.read_bytes(), yaml.CSafeLoader):
        zone = _zone(document["zonedata"])
        for name, one in document["tests"].items():
            results = one["result"]
            explanation = one.get("explanation")
            yield Case(
                name,
                zone,
                one["host"],
                one["helo"],
                one["mailfrom"],
                tuple([results] if isinstance(results, str) else results),
                "" if explanation == "DEFAULT" else explanation,
            )


def _zone(data: Mapping[str, Sequence[Any]]) -> Zone:
    """SPF stands for TXT where a name has no TXT; TIMEOUT is for all types that it has not."""
    zone: Data = {}
    for name, entries in data.items():
        records: dict[str, list[Record]] = {}
        silent = "TIMEOUT" in entries
        for entry in entries:
            if entry != "TIMEOUT":
                ((kind, value),) = entry.items()
                records.setdefault(kind, []).extend(_records(kind, value))
        old = records.pop("SPF", [])
        records.setdefault("TXT", old)
        here: dict[str, Sequence[Record] | DnsStatus] = {}
        for kind in RecordType:
            found = records.get(kind.value, [])
            here[kind.value] = DnsStatus.TIMEOUT if silent and not found else found
        zone[name] = here
    return zone


def _records(kind: str, value: Any) -> list[Record]:
    if value == "NONE":
        return []
    if kind == "MX":
        return [MX(value[0], value[1].lower().removesuffix("."))]
    if kind in ("TXT", "SPF"):
        return ["".join([value] if isinstance(value, str) else value).encode()]
    return [value.lower().removesuffix(".")]
