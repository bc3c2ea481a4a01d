"""What a reviewer sees of reports on mail to several recipients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from filterd.chain.outcomes import worst
from filterd.chain.report import ScanReport, values
from filterd.chain.verdict import Symbol, total
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


def all_as_seen(found: Iterable[R], reviewer: Reviewer, symbol: str) -> tuple[R, ...]:
    """What a search for a symbol (in any case, empty for none) has found, as the reviewer sees it.
    What has it only for others is left out."""
    return tuple(
        [
            seen
            for report in found
            for seen in [as_seen(report, reviewer)]
            if not symbol or has_symbol(seen.symbols, symbol)
        ]
    )


def has_symbol(symbols: Sequence[Symbol], name: str) -> bool:
    """True if a search for that name, in any case, finds a message with these."""
    return name.upper() in [one.name for one in symbols]
