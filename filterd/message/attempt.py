"""Which try to scan a message it is, for filters that count."""

from __future__ import annotations

from typing import NamedTuple


class ScanAttempt(NamedTuple):
    """Names what filters count for a message, the same where another worker scans it again because
    the first one ended. place: where no two messages are scanned at a time; `""` where nobody scans
    it again. number: of the message there. repeated: it was begun before. begun: when it was begun
    first, in seconds since 1970."""

    place: str = ""
    number: int = 0
    repeated: bool = False
    begun: float = 0.0


FIRST_ATTEMPT = ScanAttempt()
"""That of a message which nobody scans again."""
