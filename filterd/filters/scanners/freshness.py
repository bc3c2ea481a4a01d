"""How old signatures may be: one pair of limits for log, status, doctor, dashboard and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WARN_DAYS = 3.0
"""Days from which old signatures are worth a warning: ClamAV publishes new ones daily."""

FAIL_DAYS = 14.0
"""Days from which it is wrong: the virus of last week is not found."""


class Freshness(StrEnum):
    """How old a scanner's signatures are for its limits."""

    FRESH = "fresh"
    OLD = "old"
    STALE = "stale"
    UNKNOWN = "unknown"

    @property
    def is_bad(self) -> bool:
        """Whether a limit is reached."""
        return self in (Freshness.OLD, Freshness.STALE)


@dataclass(frozen=True, slots=True)
class AgeLimits:
    """warn_days, fail_days: the age of signatures, in days, from which they are old, and stale."""

    warn_days: float = WARN_DAYS
    fail_days: float = FAIL_DAYS

    def freshness(self, days: int | None) -> Freshness:
        """Of signatures that are so many days old, None if that is unknown."""
        if days is None:
            return Freshness.UNKNOWN
        if days >= self.fail_days:
            return Freshness.STALE
        return Freshness.OLD if days >= self.warn_days else Freshness.FRESH

    def check(self) -> None:
        """Raise ValueError if the limits contradict each other."""
        if self.fail_days < self.warn_days:
            raise ValueError(
                f"is {self.fail_days:g}; expected at least warn_days, {self.warn_days:g}"
            )
