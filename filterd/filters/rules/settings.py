"""Settings `[filters.rules]`."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_doc import Doc
from annotated_types import Ge, Le

from filterd.filters.rules.symbols import DESCRIPTIONS
from filterd.system import paths
from filterd.system.mistakes import mistakes

if TYPE_CHECKING:
    from filterd.chain.filter import Filter
    from filterd.chain.services import Services

USE_NETWORK, USE_BAYES = 1, 2
"""Bits of the number of a score set."""


@dataclass(frozen=True)
class RulesSettings:
    """Weighs mail by rules in SpamAssassin's language: its stock rules, your own, filterd's own."""

    files: Annotated[
        tuple[str, ...],
        Doc(
            "rule files, and folders whose *.pre and *.cf files are read; the later wins, and all "
            "of them come after the stock rules"
        ),
    ] = ()
    stock: Annotated[
        bool,
        Doc("read SpamAssassin's rules and local.cf where the system has them, as sa-update does"),
    ] = True
    own: Annotated[bool, Doc("read the small rule set that comes with filterd")] = True
    use_network: Annotated[
        bool, Doc("true: rules may ask DNS lists, and the points for that count")
    ] = False
    score_set: Annotated[
        int | None,
        Ge(0),
        Le(3),
        Doc(
            "which of a rule's four scores counts: 0 neither Bayes nor network, 1 network, 2 "
            "Bayes, 3 both; unset: by use_network, and whether bayes is in the chain"
        ),
    ] = None
    scores: Annotated[
        Mapping[str, float], Doc("rule → points, in place of those in the files; 0 turns it off")
    ] = field(default_factory=dict)
    exclude: Annotated[
        tuple[str, ...], Doc('rules that are not used, as "RDNS_NONE" or "KAM_*"')
    ] = ()
    most: Annotated[float, Doc("points that all rules together give at most")] = math.inf
    least: Annotated[float, Doc("points that all rules together give at least")] = -math.inf
    language: Annotated[str, Doc("language of descriptions, where the files have it")] = "en"
    cache: Annotated[
        Path,
        Doc("folder for compiled patterns and a copy of the last good rules, made where it can be"),
    ] = paths.RULES

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.files):
                with wrong.at("files", index):
                    if not Path(text).is_absolute():
                        raise ValueError(f"{text!r} is not absolute; expected a path such as /etc")
            for name, points in self.scores.items():
                with wrong.at("scores", name):
                    if not math.isfinite(points):
                        raise ValueError(f"{points} is not a number")
            with wrong.at("most"):
                if math.isnan(self.most):
                    raise ValueError("is not a number; expected points such as 12.0, or inf")
            with wrong.at("least"):
                if math.isnan(self.least) or self.least > self.most:
                    raise ValueError(f"{self.least} is above most = {self.most}")

    def signature(self) -> Hashable:
        """What is different once a rule file has changed, been added or taken away."""
        from filterd.filters.rules.sources import signature  # noqa: PLC0415  (no mail needs it)

        return signature(self)

    @property
    def needs_network(self) -> bool:
        """Rules may ask DNS lists."""
        return self.use_network

    @property
    def waits_for_network(self) -> bool:
        """It does, for most messages."""
        return self.needs_network

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build_with(self, services: Services) -> Filter:
        """The filter, its rules not read yet."""
        from filterd.filters.rules.filter import Rules  # noqa: PLC0415  (loads PCRE2, Hyperscan)

        return Rules(self, services)
