"""A scanner whose clean bills count only as long as it is seen to find something.

Some servers call everything clean while their engine is away (c-icap's virus_scan answers 204). So
after a clean answer the scanner is asked about the antivirus test file, unless it found that within
the last seconds.
"""

from __future__ import annotations

import time

from filterd.message.fields import Buffer
from filterd.scanners.answer import (
    Answer,
    Clean,
    Infected,
    Scanner,
    Signatures,
    Unavailable,
)
from filterd.scanners.clamd.package import clamd


class Verified:
    """The scanner, asked about the test file from time to time."""

    def __init__(self, scanner: Scanner, seconds: float) -> None:
        """seconds: how long finding the test file counts."""
        self.scanner = scanner
        self._seconds = seconds
        self._until = 0.0

    @property
    def name(self) -> str:
        """The scanner's."""
        return self.scanner.name

    @property
    def size_limit(self) -> int:
        """The scanner's."""
        return self.scanner.size_limit

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """The scanner's answer; unavailable where it is clean and the test file would be too."""
        answer = self.scanner.scan(content, deadline)
        if not isinstance(answer, Clean) or time.monotonic() < self._until:
            return answer
        known = self.scanner.scan(bytes(clamd.EICAR), deadline)
        if isinstance(known, Infected):
            self._until = time.monotonic() + self._seconds
            return answer
        if isinstance(known, Unavailable):
            return known
        return Unavailable(f"{self.name} does not find the antivirus test file: it scans nothing")

    def signatures(self, deadline: float) -> Signatures:
        """The scanner's. Raises ScannerError."""
        return self.scanner.signatures(deadline)
