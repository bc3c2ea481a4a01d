"""How the checks ask the DNS."""

from __future__ import annotations

from typing import Protocol

from filterd.resolver.answer import DnsAnswer, RecordType


class DnsQuestions(Protocol):
    """The questions of one message, within a number and a time, each asked once.

    `filterd.resolver.lookups.DnsLookups` is one; tests have one of zones in memory
    (tests/helpers/zones.py).
    """

    def start(self, name: str, kind: RecordType) -> object:
        """Begin to ask, and wait for nothing."""
        ...

    def answer(self, name: str, kind: RecordType) -> DnsAnswer:
        """The answer. Raises nothing: a failure is an answer, too (`DnsAnswer.failed`)."""
        ...
