"""A name server without a server: zones as a table, for the checks of `filterd.auth`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from filterd.resolver.answer import DnsAnswer, DnsStatus, Record, RecordType
from filterd.resolver.names import query_name, written

Zone = Mapping[str, Mapping[str, Sequence[Record] | DnsStatus]]
"""By name, by type: the records, or how the question ends: `{"a.example": {"TXT": [b"v=spf1 -all"],
"MX": DnsStatus.SERVFAIL}}`. Aliases are type CNAME, and are followed."""

ALIASES_LIMIT = 8


class Zones:
    """Answers from a table, and keeps what was asked."""

    def __init__(self, zone: Zone) -> None:
        self._zone = {written(query_name(name)): records for name, records in zone.items()}
        self.asked: list[tuple[str, RecordType]] = []

    def start(self, name: str, kind: RecordType) -> None:
        """Nothing has to be begun."""

    def answer(self, name: str, kind: RecordType) -> DnsAnswer:
        """As a resolver answers: names without records below them do not exist."""
        self.asked.append((name, kind))
        try:
            wanted = written(query_name(name))
        except ValueError as error:
            return DnsAnswer(DnsStatus.INVALID, detail=str(error))
        for _ in range(ALIASES_LIMIT):
            records = self._zone.get(wanted)
            if records is None:
                below = any(one.endswith("." + wanted) for one in self._zone)
                return DnsAnswer(DnsStatus.NODATA if below else DnsStatus.NXDOMAIN)
            found = records.get(kind.value, ())
            if isinstance(found, DnsStatus):
                return DnsAnswer(found, detail=f"{found} of {wanted}")
            if found:
                return DnsAnswer(DnsStatus.FOUND, tuple(found), ttl=300.0, canonical=wanted)
            alias = records.get("CNAME", ())
            if isinstance(alias, DnsStatus) or not alias:
                return DnsAnswer(DnsStatus.NODATA)
            wanted = str(alias[0])
        return DnsAnswer(DnsStatus.MALFORMED, detail="aliases go in a circle")
