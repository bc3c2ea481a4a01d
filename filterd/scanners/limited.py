"""A scanner that only so many may ask at the same time, in all workers together."""

from __future__ import annotations

import time

from filterd.message.fields import Buffer
from filterd.scanners.answer import Answer, Scanner, Unavailable
from filterd.scanners.decorator import ScannerDecorator
from filterd.scanners.slots import NoSlotError, Slots


class Limited(ScannerDecorator):
    """The scanner, asked while a slot is held."""

    def __init__(self, scanner: Scanner, slots: Slots, patience: float) -> None:
        """patience: seconds that a slot is waited for."""
        super().__init__(scanner)
        self._slots = slots
        self._patience = patience

    def scan(self, content: Buffer, deadline: float) -> Answer:
        """The scanner's answer; unavailable where no slot is free in time."""
        patience = min(self._patience, max(deadline - time.monotonic(), 0.0))
        try:
            with self._slots.one(patience):
                return self.scanner.scan(content, deadline)
        except NoSlotError as error:
            return Unavailable(f"{self.name}: scans_at_once, {error}")
