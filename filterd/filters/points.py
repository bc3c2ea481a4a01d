"""Points by probability of spam: the table in the settings of filters that estimate one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from annotated_doc import Doc

Points = Annotated[
    tuple[tuple[float, float], ...],
    Doc(
        "points by probability of spam: [probability, points] pairs, both rising; between two "
        "pairs the points follow the log-odds"
    ),
]
"""The setting."""

DEFAULT_POINTS: tuple[tuple[float, float], ...] = (
    (0.001, -3.0),
    (0.01, -2.0),
    (0.1, -1.0),
    (0.5, 1.0),
    (0.9, 5.0),
    (0.99, 8.0),
    (0.999, 14.9),
)


class PointTable:
    """[probability, points] pairs, both rising; between two pairs the points follow the log-odds.

    Raises ValueError for a table that does not rise, or with a probability that is not between 0
    and 1.
    """

    def __init__(self, pairs: Sequence[tuple[float, float]]) -> None:
        self._curve = [(log_odds(p), points) for p, points in pairs if 0.0 < p < 1.0]
        if len(self._curve) != len(pairs) or not self._curve:
            raise ValueError("every probability must lie between 0 and 1")
        if any(a[0] >= b[0] or a[1] > b[1] for a, b in pairwise(self._curve)):
            raise ValueError("probabilities and points must rise from pair to pair")

    @property
    def most(self) -> float:
        """The highest points that it gives."""
        return self._curve[-1][1]

    def at(self, total: float) -> float:
        """The points of a log-odds of spam."""
        curve = self._curve
        if total <= curve[0][0]:
            return curve[0][1]
        for (x0, y0), (x1, y1) in pairwise(curve):
            if total < x1:
                return y0 + (y1 - y0) * (total - x0) / (x1 - x0)
        return curve[-1][1]


def log_odds(p: float) -> float:
    """ln(p / (1 - p))."""
    return math.log(p / (1.0 - p))
