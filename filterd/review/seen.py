"""What a reviewer sees of reports on mail to several recipients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from filterd.chain.report import ScanReport
from filterd.chain.sentence import sentence
from filterd.chain.shares import as_for
from filterd.chain.verdict import Outcome, Symbol
from filterd.database.symbols import symbol_spellings
from filterd.review.reviewer import Reviewer

R = TypeVar("R", bound=ScanReport)


def as_seen(report: R, reviewer: Reviewer) -> R:
    """The report without what was found about recipients alone that are not the reviewer's."""
    if reviewer.sees_all:
        return report
    return as_for(report, lambda recipient: bool(reviewer.within([recipient])))


def all_as_seen(found: Iterable[R], reviewer: Reviewer, symbol: str) -> tuple[R, ...]:
    """What a search for a symbol (empty for none) has found, as the reviewer sees it.
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
    """True if a search for that name finds a message with these."""
    return not {one.name for one in symbols}.isdisjoint(symbol_spellings(name))


def own_outcomes(report: ScanReport, reviewer: Reviewer) -> list[Outcome]:
    """What those recipients get whom the reviewer may see, and all where nobody is named."""
    return [one for one in report.outcomes if not one.recipient or reviewer.within([one.recipient])]


def seen_sentence(report: ScanReport, reviewer: Reviewer) -> str:
    """The verdict in one sentence, by what the reviewer's own recipients get."""
    return sentence(report, own_outcomes(report, reviewer))
