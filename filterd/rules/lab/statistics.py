"""How often each rule hits spam and ham, as SpamAssassin's STATISTICS files have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from filterd.rules.lab.observations import Observation


@dataclass(frozen=True, slots=True)
class RuleStatistics:
    """One rule on labelled mail. spam, ham: messages that it hits, of all_spam and all_ham."""

    name: str
    spam: int
    ham: int
    all_spam: int
    all_ham: int

    @property
    def overall_percent(self) -> float:
        """Of all messages, percent that it hits."""
        return _percent(self.spam + self.ham, self.all_spam + self.all_ham)

    @property
    def spam_percent(self) -> float:
        """Of all spam, percent that it hits."""
        return _percent(self.spam, self.all_spam)

    @property
    def ham_percent(self) -> float:
        """Of all ham, percent that it hits."""
        return _percent(self.ham, self.all_ham)

    @property
    def s_o(self) -> float:
        """S/O: the share of spam among its hits if there was as much spam as ham, 0 to 1; 0.5 for a
        rule without hits."""
        both = self.spam_percent + self.ham_percent
        return self.spam_percent / both if both else 0.5


def statistics(observations: Iterable[Observation]) -> dict[str, RuleStatistics]:
    """What each rule with a hit does, by name."""
    hits: Mapping[bool, Counter[str]] = {True: Counter(), False: Counter()}
    messages: Counter[bool] = Counter()
    for one in observations:
        messages[one.spam] += 1
        hits[one.spam].update(one.hits)
    return {
        name: RuleStatistics(
            name, hits[True][name], hits[False][name], messages[True], messages[False]
        )
        for name in sorted(hits[True].keys() | hits[False].keys())
    }


def by_worth(found: Iterable[RuleStatistics]) -> Iterator[RuleStatistics]:
    """Rules that tell spam best first, those that tell ham last; of two alike, the one with more
    hits."""
    yield from sorted(found, key=lambda one: (-one.s_o, -one.overall_percent, one.name))


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
