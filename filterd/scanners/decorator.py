"""A scanner around another one: what it does not change is the other one's."""

from __future__ import annotations

from filterd.message.fields import Buffer
from filterd.scanners.answer import Answer, Scanner, Signatures


class ScannerDecorator:
    """Answers as the scanner inside does."""

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner

    @property
    def name(self) -> str:
        """The scanner's."""
        return self.scanner.name

    @property
    def size_limit(self) -> int:
        """The scanner's."""
        return self.scanner.size_limit

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """The scanner's."""
        return self.scanner.scan(content, deadline)

    def signatures(self, deadline: float) -> Signatures:
        """The scanner's. Raises ScannerError."""
        return self.scanner.signatures(deadline)
