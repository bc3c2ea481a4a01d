"""A scikit-learn text pipeline that the site trained itself, as a filter.

It runs beside `bayes` or instead of it. scikit-learn is imported when the filter is prepared, so a
chain without it does not pay for it. A pipeline takes seconds to open, so workers do not follow a
new file by themselves as they follow the classifier's models: a reload of the daemon does.
"""

from __future__ import annotations

from typing import ClassVar

from filterd.bayes.model.online import logistic
from filterd.bayes.model.pipelines import TextPipeline
from filterd.chain.verdict import Symbol, Verdict
from filterd.filters.points import PointTable
from filterd.filters.sklearn.settings import SklearnSettings
from filterd.message import Message

_STEPS = (0.999, 0.99, 0.95, 0.80, 0.60, 0.40, 0.20, 0.05, 0.01)
_NAMES = ("999", "99", "95", "80", "60", "50", "40", "20", "05", "00")


class Sklearn:
    """Scores mail with a scikit-learn text pipeline that the site trained itself."""

    name: ClassVar[str] = "sklearn"

    def __init__(self, settings: SklearnSettings) -> None:
        self.settings = settings
        self._table = PointTable(settings.points)
        self._pipeline: TextPipeline | None = None

    def prepare(self) -> None:
        """Open the pipeline. Raises ModelFileError or ValueError where there is none to use."""
        if self.settings.model is None:
            raise ValueError(
                "[filters.sklearn] model: names no file; `filterd train --sklearn` makes one"
            )
        self._pipeline = TextPipeline(self.settings.model, self.settings.trusted)

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
