"""Points by how strict a recipient wants the filter: for that recipient's mail alone."""

from __future__ import annotations

import logging
from typing import ClassVar

from filterd.chain.verdict import NO_OPINION, RecipientSymbols, Symbol, Verdict
from filterd.filters.senders.list import ListEntryError
from filterd.filters.strictness.list import StrictnessEntry, by_key, first_of, read
from filterd.filters.strictness.settings import StrictnessSettings
from filterd.filters.strictness.symbols import LENIENT, STRICT
from filterd.message import Message
from filterd.message.matching import recipient_keys
from filterd.system.watched_file import WatchedFile

log = logging.getLogger(__name__)


class StrictnessFilter:
    """Gives strict recipients' mail some points, and takes some from that of lenient ones."""

    name: ClassVar[str] = "strictness"

    def __init__(self, settings: StrictnessSettings) -> None:
        self.settings = settings
        self._known: dict[str, tuple[int, StrictnessEntry]] = {}
        self._file = WatchedFile(settings.file)

    def prepare(self) -> None:
        """Read the list. Raises ListEntryError, OSError."""
        self._refresh()

    def examine(self, message: Message) -> Verdict:
        """Find each recipient's step.

        A list that was changed into one that cannot be read leaves the former in force, and the log
        says so. Raises OSError if the file itself cannot be read.
        """
        try:
            self._refresh()
        except ListEntryError as error:
            log.error("the list is not used, the last good one stays: %s", error)
        if not self._known:
            return NO_OPINION
        apart = []
        for one in message.envelope.recipients:
            entry = first_of(self._known, recipient_keys(one, message.envelope))
            symbol = None if entry is None else self._symbol(entry)
            if symbol is not None:
                apart.append(RecipientSymbols(one.address, (symbol,)))
        return Verdict(points_apart=tuple(apart)) if apart else NO_OPINION

    def _symbol(self, entry: StrictnessEntry) -> Symbol | None:
        if entry.step == "strict" and self.settings.strict_score:
            return Symbol(STRICT, self.settings.strict_score, str(entry))
        if entry.step == "lenient" and self.settings.lenient_score:
            return Symbol(LENIENT, self.settings.lenient_score, str(entry))
        return None

    def _refresh(self) -> None:
        """Read the list again if it has changed since."""
        match self._file.look():
            case "gone":
                self._known = {}
            case "changed":
                self._known = by_key(read(self.settings.file))
