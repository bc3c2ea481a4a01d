"""How old signatures may be: one pair of limits for log, status, doctor, dashboard and metrics."""

from __future__ import annotations

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

    @classmethod
    def of(cls, days: int | None, warn_days: float, fail_days: float) -> Freshness:
        """Of signatures that are so many days old, None if that is unknown."""
        if days is None:
            return cls.UNKNOWN
        if days >= fail_days:
            return cls.STALE
        return cls.OLD if days >= warn_days else cls.FRESH


def check_days(warn_days: float, fail_days: float) -> None:
    """Raise ValueError if the limits contradict each other."""
    if fail_days < warn_days:
        raise ValueError(f"is {fail_days:g}; expected at least warn_days, {warn_days:g}")
