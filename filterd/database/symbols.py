"""Names of symbols, as people look for them."""

from __future__ import annotations


def symbol_spellings(name: str) -> tuple[str, ...]:
    """How a symbol may be written that somebody looks for by this name: as it is, for rules with
    small letters, or in capitals, which nobody likes to type."""
    return tuple(dict.fromkeys((name, name.upper())))
