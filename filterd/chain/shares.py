"""A report on mail to several recipients, as some of them may know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from filterd.chain.outcomes import worst
from filterd.chain.report import ScanReport, values
from filterd.chain.verdict import total

R = TypeVar("R", bound=ScanReport)


def as_for(report: R, is_own: Callable[[str], bool]) -> R:
    """The report without what was found about recipients alone that are not one's own.

    Of a message to several, what was found about the one with the most points stands behind the
    symbols that all share; in its place comes what was found about one's own.
    """
    own = [one for one in report.outcomes if is_own(one.recipient)]
    behind = max(
        (
            one.symbols
            for one in report.outcomes
            if report.symbols[-len(one.symbols) :] == one.symbols
        ),
        key=len,
        default=(),
    )
    if not behind or behind in {one.symbols for one in own}:
        return report
    symbols = report.symbols[: -len(behind)] + worst(own)
    return type(report)(**{**values(report), "symbols": symbols, "score": total(symbols)})
