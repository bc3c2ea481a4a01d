"""Settings `[filters.senders]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc
from annotated_types import Ge, Le

from filterd.chain.filter import Filter
from filterd.filters.senders.symbols import DESCRIPTIONS
from filterd.system import paths


@dataclass(frozen=True)
class SendersSettings:
    """Gives points to senders that somebody allowed or blocked."""

    needs_network: ClassVar[bool] = False

    file: Annotated[
        Path, Doc("the list; `filterd quarantine allow` and `block` write it, people may as well")
    ] = paths.QUARANTINE / "senders.list"
    allow_score: Annotated[float, Le(0), Doc("points for an allowed sender")] = -20.0
    block_score: Annotated[float, Ge(0), Doc("points for a blocked sender")] = 20.0

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build(self) -> Filter:
        """The filter, its list not read yet."""
        from filterd.filters.senders.filter import Senders  # noqa: PLC0415  (a running filter)

        return Senders(self)
