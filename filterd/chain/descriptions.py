"""What symbols mean, in a line of plain English each.

A filter describes its own symbols: its settings have `describe`. Descriptions are looked up where
people see a symbol; no verdict and no report carries them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from filterd.chain.filter import Buildable
from filterd.chain.links import failed_name
from filterd.chain.verdict import Symbol
from filterd.system.display import printable

log = logging.getLogger(__name__)

DESCRIPTION_LIMIT = 300
"""Characters of a description that are shown."""

SYMBOLS_LIMIT = 10_000
"""Symbols of one filter that are described: a site's lists of senders or zones have hundreds."""

RELEASED = "RELEASED"
"""Of a message that a person released."""

WORKER_FAILED = "WORKER_FAILED"
"""Of a message that took down the process that scanned it."""

OF_CHAIN: Mapping[str, str] = {
    RELEASED: "A person released the message from the quarantine; filters let it pass.",
    WORKER_FAILED: "The process that scanned the message crashed, or took too long.",
}
"""Symbols that no filter gives."""


@runtime_checkable
class Describing(Protocol):
    """Settings of a filter that says what its symbols mean."""

    def describe(self) -> Mapping[str, str]:
        """Symbol → what it means, in one line, for all symbols that the filter gives with these
        settings. Opens nothing."""
        ...


class Descriptions:
    """The descriptions of a site's symbols. filters: by the name that the settings have for it; of
    a symbol that two filters describe, the first counts."""

    def __init__(self, filters: Mapping[str, Buildable]) -> None:
        self._known: dict[str, str] = dict(OF_CHAIN)
        for name, own in filters.items():
            for symbol, text in _described(name, own).items():
                self._known.setdefault(symbol, text)
        for name in filters:
            told = f"The filter {name} failed: it has no opinion of the message."
            self._known.setdefault(failed_name(name), told)

    def of(self, name: str) -> str:
        """What the symbol of that name means; `""` if no filter says."""
        return self._known.get(name, "")

    def told(self, symbol: Symbol) -> tuple[str, str]:
        """What a symbol means, and its detail where that is more.

        The detail of a rule's symbol is its `describe`, as it was when the message came. So what no
        filter describes has its detail for a description.
        """
        known = self.of(symbol.name)
        if not known:
            return symbol.detail, ""
        return known, "" if symbol.detail == known else symbol.detail

    def describe(self, report: dict[str, Any]) -> dict[str, Any]:
        """The plain report that is given, each of its symbols with a `description` now."""
        own = [one["symbols"] for one in report.get("outcomes", ()) if one.get("symbols")]
        for symbols in (report["symbols"], *own):
            for one in symbols:
                one["description"] = self.of(one["name"]) or one.get("detail", "")
        return report


def _described(name: str, own: Buildable) -> dict[str, str]:
    """What a filter says. What it says wrong is left out: pages do not fail for a text."""
    if not isinstance(own, Describing):
        return {}
    try:
        found = list(own.describe().items())[:SYMBOLS_LIMIT]
        return {
            symbol: printable(" ".join(text.split()))[:DESCRIPTION_LIMIT]
            for symbol, text in found
            if isinstance(symbol, str)
        }
    except Exception as error:  # noqa: BLE001  (a filter of somebody else)
        log.warning("the filter %s does not describe its symbols: %s", name, error)
        return {}
