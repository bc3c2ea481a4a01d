"""What the arguments of eval tests mean: bounds and patterns."""

from __future__ import annotations

from filterd.rules.conf.regexp import pattern_of
from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns import Compiled, compile_pattern


def is_within(value: float, least: str, most: str | None = None) -> bool:
    """True if the value is at least the one and at most the other. Raises ValueError."""
    return float(least) <= value and (most is None or value <= float(most))


def pattern(text: str) -> Compiled:
    """A pattern, with delimiters and flags or without. Raises ValueError."""
    if text.startswith("/") or (text[:1] == "m" and text[1:2] in ("{", "(", "<", "[", "!", ",")):
        return compile_pattern(pattern_of(text.encode("latin-1", "replace")))
    return compile_pattern(RulePattern(text))
