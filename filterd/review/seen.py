"""What a reviewer sees of a report on mail to several recipients."""

from __future__ import annotations

from typing import TypeVar

from filterd.chain.outcomes import worst
from filterd.chain.report import ScanReport, values
from filterd.chain.verdict import total
from filterd.review.reviewer import Reviewer

R = TypeVar("R", bound=ScanReport)


def as_seen(report: R, reviewer: Reviewer) -> R:
    """The report without what was found about recipients alone that are not the reviewer's.

    Of a message to several, what was found about the one with the most points stands behind the
    symbols that all share; in its place comes what was found about the reviewer's own.
    """
    if reviewer.is_admin:
        return report
    own = [one for one in report.outcomes if reviewer.within([one.recipient])]
    others = {one.symbols for one in report.outcomes} - {one.symbols for one in own}
    for alone in sorted(filter(None, others), key=len, reverse=True):
        if report.symbols[-len(alone) :] == alone:
            symbols = report.symbols[: -len(alone)] + worst(own)
            return type(report)(**{**values(report), "symbols": symbols, "score": total(symbols)})
    return report
