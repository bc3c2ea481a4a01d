"""The list of allowed and blocked senders: a text file that people and commands edit.

`allow ann@a.example for joe@mx.example if proven`, one entry a line, `#` for comments. For each
recipient the first entry that fits counts. `if proven`: only if SPF or DKIM proves that the
sender's domain sent the message.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filterd.message.address import EXPECTED, AddressPatternError, Mailbox, pattern_keys
from filterd.system.bounded import plain_text, read_regular
from filterd.system.durable import locked, write_atomically

log = logging.getLogger(__name__)

Kind = Literal["allow", "block"]

EVERYBODY = "*"

SIZE_LIMIT = 16 << 20
"""Octets of a list that are read; some 300,000 entries, more is a job for an access map."""


class ListEntryError(ValueError):
    """An entry that cannot be read; the text names file, line and what was expected."""


class NoEffectError(ListEntryError):
    """An entry that no mail could ever fit."""


_EXPECTED = "is not an entry; expected `allow SENDER for RECIPIENT if proven`"

_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^\s"#])++')
"""A word of a line; a local part in quotation marks may have blanks in it."""

_BLANK_OR_WORD = re.compile(rf"\s++|({_WORD.pattern})")


@dataclass(frozen=True, slots=True)
class SenderEntry:
    """One line. sender, recipient: patterns as `filterd.message.address` has them, or `*`. proven:
    it counts only for mail that proves to come from the sender's domain.

    Raises NoEffectError for a pattern that could never match.
    """

    kind: Kind
    sender: str
    recipient: str = EVERYBODY
    proven: bool = False

    def __post_init__(self) -> None:
        for word in (self.sender, self.recipient):
            if word == EVERYBODY:
                continue
            if not _WORD.fullmatch(word):
                raise NoEffectError(f"{word!r} is not an address or a domain; {EXPECTED}")
            try:
                pattern_keys(word)
            except AddressPatternError as error:
                raise NoEffectError(str(error)) from None

    def __str__(self) -> str:
        condition = " if proven" if self.proven else ""
        return f"{self.kind} {self.sender} for {self.recipient}{condition}"

    def is_same(self, other: SenderEntry) -> bool:
        """True if both say the same of the same mailboxes, however they are spelled; one may
        demand proof, and the other not."""
        return self.kind == other.kind and self.speaks_of_same(other)

    def speaks_of_same(self, other: SenderEntry) -> bool:
        """True if both are about the same mailboxes."""
        return keys_of(self.sender) == keys_of(other.sender) and (
            keys_of(self.recipient) == keys_of(other.recipient)
        )


def word_for(address: str, host: str) -> str:
    """How the list spells a mailbox. host: of an address without a domain, as the MTA calls
    itself."""
    mailbox = Mailbox.parse(address)
    word = str(mailbox if mailbox.domain else Mailbox(mailbox.local, host or "localhost"))
    if "#" in word and not word.startswith('"'):
        # It begins a comment outside of quotation marks.
        local, _, domain = word.rpartition("@")
        word = f'"{local}"@{domain}'
    return word


def keys_of(word: str) -> tuple[str, ...]:
    """The keys under which the list finds a pattern (see `message/matching.py`)."""
    return (EVERYBODY,) if word == EVERYBODY else pattern_keys(word)


def read(path: Path, *, strict: bool = False) -> tuple[SenderEntry, ...]:
    """The entries of a list, in order; none if there is no such file.

    Entries without effect are left out, and the log says so: former versions took them. strict:
    they raise NoEffectError instead. Raises ListEntryError for a line that is not an entry,
    OSError.
    """
    found = []
    for number, line in enumerate(lines_of(path), 1):
        try:
            entry = _entry_of(line)
        except NoEffectError as error:
            if strict:
                raise NoEffectError(f"{path}:{number}: {error}") from None
            log.warning("%s:%d: an entry without effect: %s", path, number, error)
            continue
        except ListEntryError as error:
            raise ListEntryError(f"{path}:{number}: {error}") from None
        if entry is not None:
            found.append(entry)
    return tuple(found)


def lines_of(path: Path) -> list[str]:
    """The lines of a list, by any line end; empty if the file does not exist. Raises
    ListEntryError, OSError."""
    try:
        data = read_regular(path, SIZE_LIMIT)
    except FileNotFoundError:
        return []
    try:
        text = plain_text(data, "surrogateescape")
    except ValueError as error:
        raise ListEntryError(f"{path}: {error}") from None
    lines = re.split("\r\n|\r|\n", text)
    return lines if lines[-1] else lines[:-1]


@dataclass(frozen=True, slots=True)
class NotedEntry:
    """An entry as it stands in the list. line: from 1. note: the comment behind it."""

    line: int
    entry: SenderEntry
    note: str


def noted(path: Path) -> list[NotedEntry]:
    """The entries of a list with their comments, in order; those without effect are left out.
    Raises ListEntryError for a line that is not an entry, OSError."""
    found = []
    for number, line in enumerate(lines_of(path), 1):
        try:
            entry = _entry_of(line)
        except NoEffectError:
            continue
        except ListEntryError as error:
            raise ListEntryError(f"{path}:{number}: {error}") from None
        if entry is not None:
            found.append(NotedEntry(number, entry, words_and_comment(line)[1]))
    return found


def change(path: Path, entry: SenderEntry, *, remove: bool = False, note: str = "") -> bool:
    """Put an entry into the list or take it out; False if nothing had to be changed. note: a
    comment behind it, one line.

    Entries about the same mailboxes go when one is put in. It stands before the first line that
    also speaks of that sender, since of several the first counts; comments stay. Raises
    ListEntryError, OSError.
    """
    with locked(path):
        entries = read(path)
        if remove and not any(one.is_same(entry) for one in entries):
            return False
        if not remove and _decides(entries, entry):
            return False
        kept: list[str] = []
        place: int | None = None
        for line in lines_of(path):
            try:
                one = _entry_of(line)
            except NoEffectError:
                one = None
            if one is not None and (one.is_same(entry) if remove else one.speaks_of_same(entry)):
                continue
            if place is None and one is not None and _may_overrule(one, entry):
                place = len(kept)
            kept.append(line)
        if not remove:
            line = f"{entry}  # {note}" if note else str(entry)
            kept.insert(len(kept) if place is None else place, line)
        text = "".join(f"{line}\n" for line in kept)
        write_atomically(path, [text.encode("utf-8", "surrogateescape")])
        return True


def _decides(entries: Iterable[SenderEntry], entry: SenderEntry) -> bool:
    """True if the entry is in the list, and no earlier one says otherwise."""
    for one in entries:
        if one.is_same(entry) and one.proven == entry.proven:
            return True
        if _may_overrule(one, entry):
            return False
    return False


def _may_overrule(one: SenderEntry, entry: SenderEntry) -> bool:
    """True if an entry that stands first would decide for mail that the other one is about."""
    if one.kind == entry.kind:
        return False
    return _overlap(one.sender, entry.sender) and _overlap(one.recipient, entry.recipient)


def _overlap(one: str, other: str) -> bool:
    if EVERYBODY in (one, other):
        return True
    return _includes(one, other) or _includes(other, one)


def _includes(wide: str, narrow: str) -> bool:
    """True if a pattern covers what another one stands for; `x` stands for any local part."""
    key = keys_of(narrow)[0]
    example = key if not key.startswith((".", "@")) else "x@" + key[1:]
    return not set(keys_of(wide)).isdisjoint(Mailbox.parse(example).covered_by())


def words_of(text: str) -> list[str]:
    """The words of a line before a comment. Raises ListEntryError for what is not made of words."""
    return words_and_comment(text)[0]


def words_and_comment(text: str) -> tuple[list[str], str]:
    """The words of a line, and the text of the comment behind them. Raises ListEntryError for what
    is not made of words."""
    words = []
    position = 0
    while found := _BLANK_OR_WORD.match(text, position):
        position = found.end()
        if found[1]:
            words.append(found[1])
    if text[position : position + 1] not in ("", "#"):
        raise ListEntryError(_EXPECTED)
    return words, text[position + 1 :].strip()


def _entry_of(text: str) -> SenderEntry | None:
    """The entry of a line, None for an empty one or a comment. Raises ListEntryError."""
    words = words_of(text)
    proven = words[-2:] == ["if", "proven"] and words[0] == "allow"
    match words[:-2] if proven else words:
        case []:
            return None
        case ["allow" | "block" as kind, sender]:
            return SenderEntry(kind, sender, proven=proven)
        case ["allow" | "block" as kind, sender, "for", recipient]:
            return SenderEntry(kind, sender, recipient, proven)
    raise ListEntryError(_EXPECTED)
