"""Values of many fields that every message has some of: frozen to the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["value"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(**options):
        """`dataclass`, without what `frozen` does at run time: to set a field that is frozen takes
        60 ns more, and a report has thirty of them."""
        return dataclass(**{**options, "frozen": False})
