"""The symbols of filters that ask virus scanners, and what they mean.

Each filter has its own prefix: `CLAM_VIRUS`, `AV_VIRUS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

VIRUS, OUTVOTED = "VIRUS", "OUTVOTED"
TOO_LARGE, LIMIT = "TOO_LARGE", "LIMIT"
ENCRYPTED, MACRO, PHISHING, PUA = "ENCRYPTED", "MACRO", "PHISHING", "PUA"

SUSPICION = "SUSPICION"
"""Of a name that the settings call a suspicion, and that has no symbol of its own."""

_DESCRIPTIONS: Mapping[str, str] = {
    VIRUS: "A scanner found a virus.",
    OUTVOTED: "A scanner found a virus, and too few others agree.",
    TOO_LARGE: "Something in it is larger than a scanner takes: it was not scanned.",
    LIMIT: "A scanner gave up at one of its limits: not all of it was scanned.",
    ENCRYPTED: "Something in it is encrypted: a scanner cannot look inside.",
    MACRO: "A document in it contains macros.",
    PHISHING: "A scanner takes it for phishing: it looks like mail or a page of somebody else.",
    PUA: "It contains a program that is unwanted by many, and no virus.",
    SUSPICION: "A scanner finds it suspicious; that proves no virus.",
}


@cache
def names(prefix: str) -> Mapping[str, str]:
    """What is found → the symbol of a filter with that prefix."""
    return {what: f"{prefix}_{what}" for what in _DESCRIPTIONS}


def descriptions(prefix: str) -> Mapping[str, str]:
    """What the symbols of a filter with that prefix mean."""
    return {name: _DESCRIPTIONS[what] for what, name in names(prefix).items()}
