"""A scikit-learn text pipeline that the site trained itself, as a filter.

It runs beside `bayes` or instead of it. scikit-learn is imported when the filter is prepared, so a
chain without it does not pay for it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.bayes.online import logistic
from filterd.bayes.pipelines import TextPipeline
from filterd.filters.points import DEFAULT_POINTS, PointTable
from filterd.message import Message
from filterd.verdict import Symbol, Verdict

log = logging.getLogger(__name__)

RELOAD_INTERVAL = 1.0  # seconds between looks for a new version of the file

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
    _seen: object = field(init=False, default=None, repr=False, compare=False)
    _next_look: float = field(init=False, default=0.0, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._table = PointTable(self.points)

    def prepare(self) -> None:
        """Open the pipeline. Raises ModelFileError or ValueError where there is none to use."""
        self._seen = self._generation()
        self._pipeline = self._opened()
        self._next_look = time.monotonic() + RELOAD_INTERVAL

    def examine(self, message: Message) -> Verdict:
        """Return the probability of spam and the points that it means."""
        if self._pipeline is None:
            self.prepare()
        elif time.monotonic() >= self._next_look:
            self._reload_if_new()
        assert self._pipeline is not None
        total = self._pipeline.log_odds(message)
        p = logistic(total)
        symbol = Symbol(symbol_name(p), self._table.at(total), f"p={p:.4f}")
        return Verdict(symbols=(symbol,), probability=p)

    def _opened(self) -> TextPipeline:
        if self.model is None:
            raise ValueError(
                "[filters.sklearn] model: names no file; `filterd train --sklearn` makes one"
            )
        return TextPipeline(self.model, self.trusted)

    def _generation(self) -> object:
        """Something that changes when the file is replaced; cheap."""
        try:
            status = self.model.stat() if self.model else None
        except OSError:
            return None
        return status and (status.st_ino, status.st_mtime_ns, status.st_size)

    def _reload_if_new(self) -> None:
        self._next_look = time.monotonic() + RELOAD_INTERVAL
        generation = self._generation()
        if generation == self._seen:
            return
        self._seen = generation
        try:
            self._pipeline = self._opened()
        except ValueError as error:
            log.error("the new pipeline is not used, the last good one stays: %s", error)
        else:
            log.info("pipeline reloaded from %s", self.model)


def symbol_name(probability: float) -> str:
    """The symbol of a probability: `SKLEARN_00` to `SKLEARN_999`, steps as those of `bayes`."""
    place = next((i for i, least in enumerate(_STEPS) if probability >= least), len(_STEPS))
    return f"SKLEARN_{_NAMES[place]}"
