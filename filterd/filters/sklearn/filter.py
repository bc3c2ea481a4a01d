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
from filterd.filters.bayes.symbols import symbol_name
from filterd.filters.points import PointTable
from filterd.filters.sklearn.settings import PREFIX, SklearnSettings
from filterd.message import Message


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
        symbol = Symbol(symbol_name(p, PREFIX), self._table.at(total), f"p={p:.4f}")
        return Verdict(symbols=(symbol,), probability=p)
