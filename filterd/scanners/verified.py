"""A scanner whose clean bills count only as long as it is seen to find something.

Some servers call everything clean while their engine is away (c-icap's virus_scan answers 204). So
after a clean answer the scanner is asked about the antivirus test file, unless it found that within
the last seconds. The same question tells a content that takes too long from an engine that hangs
behind a server that answers all else.
"""

from __future__ import annotations

import time

from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    Answer,
    Clean,
    GivenUp,
    Infected,
    Scanner,
    Unavailable,
)
from filterd.scanners.clamd.package import clamd
from filterd.scanners.decorator import ScannerDecorator

HUNG_SECONDS = 2.0
"""For the test file, where the scanner was silent about a content; a server that is well takes
milliseconds."""


class Verified(ScannerDecorator):
    """The scanner, asked about the test file from time to time."""

    def __init__(self, scanner: Scanner, seconds: float) -> None:
        """seconds: how long finding the test file counts."""
        super().__init__(scanner)
        self._seconds = seconds
        self._until = 0.0

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """The scanner's answer; unavailable where it is clean and the test file would be too, and
        where it took too long and the test file would as well."""
        answer = self.scanner.scan(content, deadline)
        if isinstance(answer, GivenUp) and answer.kind == "time":
            limit = min(deadline, time.monotonic() + HUNG_SECONDS)
            found = isinstance(self.scanner.scan(bytes(clamd.EICAR), limit), Infected)
            return answer if found else Unavailable(answer.why)
        if not isinstance(answer, Clean) or time.monotonic() < self._until:
            return answer
        known = self.scanner.scan(bytes(clamd.EICAR), deadline)
        if isinstance(known, Infected):
            self._until = time.monotonic() + self._seconds
            return answer
        if isinstance(known, Unavailable):
            return known
        return Unavailable(f"{self.name} does not find the antivirus test file: it scans nothing")
