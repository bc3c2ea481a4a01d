"""Settings `[filters.bayes]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.chain.filter import Filter
from filterd.filters.bayes.symbols import RECIPIENT, descriptions
from filterd.filters.points import DEFAULT_POINTS, Points, PointTable
from filterd.system import paths
from filterd.system.mistakes import mistakes


@dataclass(frozen=True)
class BayesSettings:
    """Scores mail with the site's trained model, or with the starter model until there is one."""

    needs_network: ClassVar[bool] = False

    models: Annotated[
        Path, Doc("folder of the site's model versions, where `filterd train` and `learn` write")
    ] = paths.MODELS
    database: Annotated[
        str,
        Doc("URL of the training journal; empty: an SQLite file in the folder (journal.sqlite3)"),
    ] = ""
    starter: Annotated[
        bool, Doc("use the starter model while the site's own has learned too little")
    ] = True
    points: Points = DEFAULT_POINTS

    def __post_init__(self) -> None:
        with mistakes() as wrong, wrong.at("points"):
            PointTable(self.points)

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return {
            **descriptions(),
            RECIPIENT: "What this recipient or its domain taught adds to the classifier's points.",
        }

    def build(self) -> Filter:
        """The filter, its models not opened yet."""
        from filterd.filters.bayes.filter import Bayes  # noqa: PLC0415  (loads numpy)

        return Bayes(self)
