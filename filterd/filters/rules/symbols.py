"""The symbols that the filter adds to those of the rules, which have their `describe`."""

from __future__ import annotations

from collections.abc import Mapping

LIMIT_SYMBOL = "RULES_LIMIT"
"""Takes away, or gives, what the sum of all rules has beyond `most` or `least`."""

DESCRIPTIONS: Mapping[str, str] = {
    LIMIT_SYMBOL: "All rules together give no more, and no fewer, points than the settings allow.",
}
