"""The list of recipients who want another strictness: a text file that people and pages edit.

`strict joe@mx.example`, one entry a line, `#` for comments; `lenient` and `normal` are the other
steps, and a domain stands for all its mailboxes. For each recipient the first entry that fits
counts, so a person's own entry stands above that of the domain.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from filterd.filters.senders.list import ListEntryError, lines_of, words_and_comment
from filterd.message.address import AddressPatternError, pattern_keys
from filterd.system.durable import locked, write_atomically

log = logging.getLogger(__name__)

Step = Literal["strict", "normal", "lenient"]

STEPS: tuple[Step, ...] = get_args(Step)

_EXPECTED = (
    "is not an entry; expected `strict RECIPIENT`, `normal RECIPIENT` or `lenient RECIPIENT`"
)


@dataclass(frozen=True, slots=True)
class StrictnessEntry:
    """One line. recipient: a pattern as `filterd.message.address` has them. Raises ListEntryError
    for a pattern that could never match."""

    step: Step
    recipient: str

    def __post_init__(self) -> None:
        _ = self.keys

    @property
    def keys(self) -> tuple[str, ...]:
        """What the recipient stands for, as `Mailbox.covered_by` has it."""
        try:
            return pattern_keys(self.recipient)
        except AddressPatternError as error:
            raise ListEntryError(str(error)) from None

    def __str__(self) -> str:
        return f"{self.step} {self.recipient}"


def read(path: Path) -> tuple[StrictnessEntry, ...]:
    """The entries, in order; none if there is no such file. Raises ListEntryError with file and
    line, OSError."""
    found = []
    for number, line in enumerate(lines_of(path), 1):
        try:
            entry = _entry_of(line)
        except ListEntryError as error:
            raise ListEntryError(f"{path}:{number}: {error}") from None
        if entry is not None:
            found.append(entry)
    return tuple(found)


def _entry_of(text: str) -> StrictnessEntry | None:
    """The entry of a line, None for an empty one or a comment. Raises ListEntryError."""
    match words_and_comment(text)[0]:
        case []:
            return None
        case ["strict" | "normal" | "lenient" as step, recipient]:
            return StrictnessEntry(step, recipient)
    raise ListEntryError(_EXPECTED)


def by_key(entries: Iterable[StrictnessEntry]) -> dict[str, tuple[int, StrictnessEntry]]:
    """Entries by what they stand for, each with its place: the first one of each."""
    found: dict[str, tuple[int, StrictnessEntry]] = {}
    for number, entry in enumerate(entries):
        for key in entry.keys:
            found.setdefault(key, (number, entry))
    return found


def first_of(
    known: dict[str, tuple[int, StrictnessEntry]], keys: Iterable[str]
) -> StrictnessEntry | None:
    """The entry that counts for a recipient of these keys."""
    fitting = [known[key] for key in keys if key in known]
    return min(fitting, key=lambda one: one[0])[1] if fitting else None


def change(path: Path, entries: Iterable[StrictnessEntry], note: str = "") -> None:
    """Put entries above all others, in place of those about the same recipients; other lines stay.
    note: a comment behind each, one line. Raises ListEntryError, OSError."""
    new = {entry.keys: entry for entry in entries}
    with locked(path):
        kept = []
        for line in lines_of(path):
            try:
                one = _entry_of(line)
            except ListEntryError:
                one = None  # for a person to correct: `read` names it
            if one is None or one.keys not in new:
                kept.append(line)
        added = [f"{entry}  # {note}" if note else str(entry) for entry in new.values()]
        text = "".join(f"{line}\n" for line in (*added, *kept))
        write_atomically(path, [text.encode("utf-8", "surrogateescape")])
