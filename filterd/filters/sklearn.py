"""A scikit-learn text pipeline that the site trained itself, as a filter.

It runs beside `bayes` or instead of it. scikit-learn is imported when the filter is prepared, so a
chain without it does not pay for it. A pipeline takes seconds to open, so workers do not follow a
new file by themselves as they follow the classifier's models: a reload of the daemon does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.bayes.model.online import logistic
from filterd.bayes.model.pipelines import TextPipeline
from filterd.chain.verdict import Symbol, Verdict
from filterd.filters.points import DEFAULT_POINTS, PointTable
from filterd.message import Message

_STEPS = (0.999, 0.99, 0.95, 0.80, 0.60, 0.40, 0.20, 0.05, 0.01)
_NAMES = ("999", "99", "95", "80", "60", "50", "40", "20", "05", "00")


@dataclass
class Sklearn:
    """Scores mail with a scikit-learn text pipeline that the site trained itself."""

    name: ClassVar[str] = "sklearn"

    model: Annotated[
        Path | None, Doc("skops file with the pipeline, as `filterd train --sklearn` writes it")
    ] = None
    trusted: Annotated[
        tuple[str, ...],
        Doc(
            "full names of types that may be made from the file beside scikit-learn's own, as "
            "skops.io.get_untrusted_types lists them; list only what you know to be harmless"
        ),
    ] = ()
    points: Annotated[
        tuple[tuple[float, float], ...],
        Doc(
            "points by probability of spam: [probability, points] pairs, both rising; between two "
            "pairs the points follow the log-odds"
        ),
    ] = DEFAULT_POINTS

    _pipeline: TextPipeline | None = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._table = PointTable(self.points)

    def prepare(self) -> None:
        """Open the pipeline. Raises ModelFileError or ValueError where there is none to use."""
        if self.model is None:
            raise ValueError(
                "[filters.sklearn] model: names no file; `filterd train --sklearn` makes one"
            )
        self._pipeline = TextPipeline(self.model, self.trusted)

    def examine(self, message: Message) -> Verdict:
        """Return the probability of spam and the points that it means."""
        if self._pipeline is None:
            self.prepare()
        assert self._pipeline is not None
        total = self._pipeline.log_odds(message)
        p = logistic(total)
        symbol = Symbol(symbol_name(p), self._table.at(total), f"p={p:.4f}")
        return Verdict(symbols=(symbol,), probability=p)


def symbol_name(probability: float) -> str:
    """The symbol of a probability: `SKLEARN_00` to `SKLEARN_999`, steps as those of `bayes`."""
    place = next((i for i, least in enumerate(_STEPS) if probability >= least), len(_STEPS))
    return f"SKLEARN_{_NAMES[place]}"
