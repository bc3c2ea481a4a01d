"""What one can ask the history for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Conditions that must all hold; empty and None are left out.

    text, sender, recipient: a part. domain: of the sender or of a recipient. action: a word.
    symbol: a whole name. failed: a filter that gave no opinion. since, until: seconds since 1970.
    after: the `next` of the page before. visible: only messages to one of these recipients, whole
    addresses and `@domain`. id: of one message.
    """

    text: str = ""
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    action: str = ""
    symbol: str = ""
    failed: str = ""
    since: float | None = None
    until: float | None = None
    limit: int = 50
    after: str = ""
    visible: tuple[str, ...] = ()
    id: str = ""
