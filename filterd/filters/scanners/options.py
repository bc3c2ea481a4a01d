"""What the settings of filters that ask virus scanners have in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Protocol

Unscanned = Literal["continue", "quarantine", "tempfail", "reject"]
"""What it means that nobody scanned something."""

SUSPICIONS: Mapping[str, float] = MappingProxyType({"Heuristics.*": 3.0, "PUA.*": 3.0})
"""Names that ClamAV itself calls guesses, and unwanted but harmless programs."""


class ScanOptions(Protocol):
    """What the settings of such a filter have in common."""

    @property
    def scan(self) -> str:
        """`message`, `parts` or `both`."""
        ...

    @property
    def parts_at_once(self) -> int:
        """Parts of one message that are scanned side by side."""
        ...

    @property
    def suspicions(self) -> Mapping[str, float]:
        """Points by pattern of a name."""
        ...

    @property
    def too_large(self) -> Unscanned:
        """What it means that something is larger than the scanners take."""
        ...

    @property
    def over_limit(self) -> Unscanned:
        """What it means that a scanner gave up."""
        ...

    @property
    def warn_days(self) -> float:
        """Age of signatures that is worth a warning."""
        ...
