"""The symbols of a probability of spam, and what they mean; `sklearn` has the same steps."""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "BAYES_"
RECIPIENT = "BAYES_RECIPIENT"
"""What the model of a recipient or of a domain adds, or takes off."""

STEPS: tuple[tuple[float, str], ...] = (
    (0.999, "999"),
    (0.99, "99"),
    (0.95, "95"),
    (0.80, "80"),
    (0.60, "60"),
    (0.40, "50"),
    (0.20, "40"),
    (0.05, "20"),
    (0.01, "05"),
    (0.0, "00"),
)
"""From which probability on a message gets which symbol, in SpamAssassin's vocabulary."""


def symbol_name(probability: float, prefix: str = PREFIX) -> str:
    """The symbol of a probability."""
    return prefix + next(name for least, name in STEPS if probability >= least)


def descriptions(prefix: str = PREFIX, who: str = "The classifier") -> Mapping[str, str]:
    """What each of the symbols means. who: estimates the probability."""
    found, above = {}, 1.0
    for least, name in STEPS:
        found[prefix + name] = f"{who} says: spam with {_range(least, above)} probability."
        above = least
    return found


def _range(least: float, above: float) -> str:
    if above == 1.0:
        return f"{least * 100:g} % or more"
    return f"{least * 100:g} to {above * 100:g} %"
