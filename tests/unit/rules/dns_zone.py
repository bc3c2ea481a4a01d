"""A DNS in memory for rules that ask one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from filterd.resolver.answer import DnsAnswer, DnsStatus, Record, RecordType


class Zone:
    """It remembers what was asked in time, and what only when it was needed.

    records: by `name TYPE`; a status in their place is a failure.
    """

    def __init__(self, records: Mapping[str, Record | DnsStatus]) -> None:
        self.records = records
        self.started: set[tuple[str, RecordType]] = set()
        self.late: set[tuple[str, RecordType]] = set()

    def start_all(self, questions: Iterable[tuple[str, RecordType]]) -> None:
        self.started.update(questions)

    def answer(self, name: str, kind: RecordType) -> DnsAnswer:
        if (name, kind) not in self.started:
            self.late.add((name, kind))
        found = self.records.get(f"{name} {kind}", DnsStatus.NXDOMAIN)
        if isinstance(found, DnsStatus):
            return DnsAnswer(found)
        return DnsAnswer(DnsStatus.FOUND, (found,))
