"""Settings `[filters.sklearn]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.chain.filter import Filter
from filterd.filters.bayes.symbols import descriptions
from filterd.filters.points import DEFAULT_POINTS, Points, PointTable
from filterd.system.mistakes import mistakes

PREFIX = "SKLEARN_"
"""Of the symbols."""


@dataclass(frozen=True)
class SklearnSettings:
    """Scores mail with a scikit-learn text pipeline that the site trained itself."""

    needs_network: ClassVar[bool] = False

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
    points: Points = DEFAULT_POINTS

    def __post_init__(self) -> None:
        with mistakes() as wrong, wrong.at("points"):
            PointTable(self.points)

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return descriptions(PREFIX, "The pipeline of the site")

    def build(self) -> Filter:
        """The filter, its pipeline not opened yet."""
        from filterd.filters.sklearn.filter import Sklearn  # noqa: PLC0415  (loads numpy)

        return Sklearn(self)
