"""Sets of octets as integers: bit n stands for octet n.

What Perl's classes mean under `/aa`, as SpamAssassin compiles its rules: \\w, \\d, \\s and the
POSIX classes are ASCII's; /i folds the letters of Latin-1 as well. Source: perlrecharclass(1).
"""

from __future__ import annotations

from collections.abc import Iterable

ALL = (1 << 256) - 1


def bits(octets: Iterable[int]) -> int:
    """The set of these octets."""
    found = 0
    for octet in octets:
        found |= 1 << octet
    return found


def span(first: int, last: int) -> int:
    """All octets from first to last."""
    return (1 << (last + 1)) - (1 << first)


def negated(mask: int) -> int:
    return ALL & ~mask


def members(mask: int) -> list[int]:
    """The octets of a set, ascending."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


def ranges(mask: int) -> list[tuple[int, int]]:
    """The runs of octets that are beside each other: first and last."""
    found: list[tuple[int, int]] = []
    for octet in members(mask):
        if found and found[-1][1] == octet - 1:
            found[-1] = (found[-1][0], octet)
        else:
            found.append((octet, octet))
    return found


UPPER = span(0x41, 0x5A)
LOWER = span(0x61, 0x7A)
UPPER_LATIN = span(0xC0, 0xDE) & ~(1 << 0xD7)
LOWER_LATIN = UPPER_LATIN << 32
CASED = UPPER | LOWER | UPPER_LATIN | LOWER_LATIN
DIGIT = span(0x30, 0x39)
WORD = UPPER | LOWER | DIGIT | 1 << 0x5F
SPACE = span(0x09, 0x0D) | 1 << 0x20
HORIZONTAL = bits((0x09, 0x20, 0xA0))
VERTICAL = span(0x0A, 0x0D) | 1 << 0x85
NEWLINE = 1 << 0x0A
NUL = 1
GRAPH = span(0x21, 0x7E)

ESCAPES: dict[str, int] = {
    "d": DIGIT,
    "D": negated(DIGIT),
    "w": WORD,
    "W": negated(WORD),
    "s": SPACE,
    "S": negated(SPACE),
    "h": HORIZONTAL,
    "H": negated(HORIZONTAL),
    "v": VERTICAL,
    "V": negated(VERTICAL),
    "N": negated(NEWLINE),
}
"""Classes by the letter of their escape."""

POSIX: dict[str, int] = {
    "alpha": UPPER | LOWER,
    "digit": DIGIT,
    "alnum": UPPER | LOWER | DIGIT,
    "upper": UPPER,
    "lower": LOWER,
    "space": SPACE,
    "blank": bits((0x09, 0x20)),
    "punct": GRAPH & ~(UPPER | LOWER | DIGIT),
    "print": span(0x20, 0x7E),
    "graph": GRAPH,
    "cntrl": span(0x00, 0x1F) | 1 << 0x7F,
    "xdigit": DIGIT | span(0x41, 0x46) | span(0x61, 0x66),
    "word": WORD,
    "ascii": span(0x00, 0x7F),
}
"""POSIX classes by name."""


def folded(mask: int) -> int:
    """The set with both cases of each letter."""
    upper = mask & (UPPER | UPPER_LATIN)
    lower = mask & (LOWER | LOWER_LATIN)
    return mask | upper << 32 | lower >> 32
