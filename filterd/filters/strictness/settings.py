"""Settings `[filters.strictness]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc
from annotated_types import Ge, Le

from filterd.chain.filter import Filter
from filterd.filters.strictness.symbols import DESCRIPTIONS
from filterd.system import paths


@dataclass(frozen=True)
class StrictnessSettings:
    """Gives points by how strict a recipient wants the filter."""

    needs_network: ClassVar[bool] = False

    file: Annotated[Path, Doc("the list; users' pages write it, people may as well")] = (
        paths.QUARANTINE / "strictness.list"
    )
    strict_score: Annotated[
        float, Ge(0), Le(100), Doc("points for mail to a strict recipient; 0: nobody can be strict")
    ] = 2.0
    lenient_score: Annotated[
        float,
        Ge(-100),
        Le(0),
        Doc("points for mail to a lenient recipient; 0: nobody can be lenient"),
    ] = -2.0

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build(self) -> Filter:
        """The filter, its list not read yet."""
        from filterd.filters.strictness.filter import (  # noqa: PLC0415  (a running filter)
            StrictnessFilter,
        )

        return StrictnessFilter(self)
