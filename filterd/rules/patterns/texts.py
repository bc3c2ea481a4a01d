"""Several texts in which patterns are looked for, each by itself, at the price of one."""

from __future__ import annotations

from collections.abc import Sequence


class PatternTexts:
    """Paragraphs, URIs, a field: what the patterns of one kind are matched with.

    items: the texts. lines: all of them, joined with line feeds. joined: with NUL; None where a
    text has a NUL itself. longest: octets of the longest.
    """

    __slots__ = ("_lower", "items", "joined", "lines", "longest")

    def __init__(self, items: Sequence[bytes]) -> None:
        self.items = items
        if len(items) == 1:
            self.lines = items[0]
            self.longest = len(self.lines)
            self.joined = None if 0 in self.lines else self.lines
        else:
            self.lines = b"\n".join(items)
            self.longest = max(map(len, items), default=0)
            self.joined = None if 0 in self.lines else b"\x00".join(items)
        self._lower: bytes | None = None

    @property
    def lower(self) -> bytes:
        """`lines` in lower case (ASCII)."""
        if self._lower is None:
            self._lower = self.lines.lower()
        return self._lower

    def start(self, skip: int) -> int | None:
        """Where text number `skip` begins; None when there are not so many."""
        if skip >= len(self.items):
            return None
        return sum(map(len, self.items[:skip])) + skip
