"""Perl's regular expressions on octets, as SpamAssassin uses them: one, or thousands at once."""

from filterd.rules.patterns.compiled import (
    Compiled,
    PatternMatch,
    PatternParts,
    Span,
    TooMuchWork,
    compile_pattern,
)
from filterd.rules.patterns.syntax import PatternError

__all__ = [
    "Compiled",
    "PatternError",
    "PatternMatch",
    "PatternParts",
    "Span",
    "TooMuchWork",
    "compile_pattern",
]
