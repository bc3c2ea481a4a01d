"""What a pattern may cost. Nothing here changes what a pattern means: beyond a limit the search is
given up with `TooMuchWork`."""

from __future__ import annotations

PATTERN_OCTETS = 1_000_000
"""Length of a pattern's source. With its tags replaced, one of the stock rules has 223,699."""

NESTING = 64
"""Groups in groups."""

STEPS_AT_ONE_PLACE = 10_000
"""Backtracking points (PCRE2: match limit) from one beginning, at the first attempt."""

STEPS_OF_A_WINDOW = 100_000
"""The same for all beginnings in one window, at the second attempt."""

HEAP_KIB = 20_000
"""Memory for one search in KiB (PCRE2: heap limit)."""

DEPTH = 100_000
"""Nested backtracking points (PCRE2: depth limit)."""

AT_ONCE = 8_192 * 8_192
"""Octets of a text, times those that one beginning can reach: up to this, one search tries all
beginnings. Beyond it they are tried window by window, as PCRE2 counts its steps again from each
beginning, and does not count loops over single octets at all."""

WINDOWS = (4_096, 512, 64, 8, 1)
"""Beginnings in a window. The next size is taken when a window takes too many steps."""

WINDOW = 30_000_000
"""Beginnings in a window, times the octets that each can reach: about 0.1 s at the worst."""

UNDIVIDED = 65_536
"""Octets of a text for a pattern whose search cannot be divided (`(*SKIP)`, `(?R)`)."""

SECONDS = 1.0
"""CPU seconds of one search, looked at between windows."""

HYPERSCAN_PATTERNS = 8_000
"""Patterns of one kind that Hyperscan is given: it takes about 10 ms to compile one. For the rest
literals are looked for."""

DATABASE_PATTERNS = 50
"""Patterns in one database of Hyperscan's: the time to compile grows much faster than their
number."""

GOOD_LITERAL = 3
"""Octets of a literal that keeps a pattern out of the automaton that Hyperscan makes of all others
in its database. A pattern without one has a database of its own: together they take minutes."""

LITERALS = 12
"""Literals of which one must be there, for a pattern."""
