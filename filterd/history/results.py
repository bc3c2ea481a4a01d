"""What the history answers, and how it says that it cannot."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.history.record import Record


class HistoryError(OSError):
    """The records cannot be read or written; the text says why."""


class BrokenHistoryError(HistoryError):
    """What is in file or database cannot be used: it is damaged, or of another version of filterd.
    is_newer: a newer version made it in a database that hosts share."""

    def __init__(self, text: str, *, is_newer: bool = False) -> None:
        super().__init__(text)
        self.is_newer = is_newer


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Records, newest first; next: what `after` must be for those behind, empty at the end."""

    rows: tuple[Record, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class FilterFailures:
    """Messages without a filter's opinion, and the newest of them: when, which, why."""

    filter: str
    messages: int
    last: float
    id: str
    detail: str
