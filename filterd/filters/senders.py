"""Senders that somebody allowed or blocked, for one recipient or for all: a list, and points.

The list is a text file that people can read and edit: `allow ann@a.example for joe@mx.example`, one
entry a line, `#` for comments. An allowed sender gets negative points and a blocked one positive
ones, so that other findings still count: an envelope sender is easily forged, and a virus stays a
virus. For each recipient the first entry that fits counts. One message has one score, so it is
given where all its recipients are of one opinion.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_doc import Doc
from annotated_types import Ge, Le

from filterd.chain.verdict import NO_OPINION, Symbol, Verdict
from filterd.message import Envelope, Message, Recipient
from filterd.message.address import EXPECTED, Mailbox, PatternError, pattern_keys
from filterd.message.matching import recipient_keys
from filterd.system import paths
from filterd.system.bounded import plain_text, read_regular
from filterd.system.durable import locked, write_atomically

log = logging.getLogger(__name__)

Kind = Literal["allow", "block"]

EVERYBODY = "*"

SIZE_LIMIT = 16 << 20
"""Octets of a list that are read; some 300,000 entries, more is a job for an access map."""


class ListError(ValueError):
    """An entry that cannot be read; the text names file, line and what was expected."""


class NoEffectError(ListError):
    """An entry that no mail could ever fit."""


_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^\s"#])++')
"""A word of a line; a local part in quotation marks may have blanks in it."""

_BLANK_OR_WORD = re.compile(rf"\s++|({_WORD.pattern})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. sender, recipient: patterns as `filterd.message.address` has them, or `*`.

    Raises NoEffectError for a pattern that could never match.
    """

    kind: Kind
    sender: str
    recipient: str = EVERYBODY

    def __post_init__(self) -> None:
        for word in (self.sender, self.recipient):
            if word == EVERYBODY:
                continue
            if not _WORD.fullmatch(word):
                raise NoEffectError(f"{word!r} is not an address or a domain; {EXPECTED}")
            try:
                pattern_keys(word)
            except PatternError as error:
                raise NoEffectError(str(error)) from None

    def __str__(self) -> str:
        return f"{self.kind} {self.sender} for {self.recipient}"

    def is_same(self, other: Entry) -> bool:
        """True if both say the same of the same mailboxes, however they are spelled."""
        return self.kind == other.kind and self.speaks_of_same(other)

    def speaks_of_same(self, other: Entry) -> bool:
        """True if both are about the same mailboxes."""
        return _keys(self.sender) == _keys(other.sender) and (
            _keys(self.recipient) == _keys(other.recipient)
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


def _keys(word: str) -> tuple[str, ...]:
    return (EVERYBODY,) if word == EVERYBODY else pattern_keys(word)


def read(path: Path, *, strict: bool = False) -> tuple[Entry, ...]:
    """The entries of a list, in order; none if there is no such file.

    Entries without effect are left out, and the log says so: former versions took them. strict:
    they raise NoEffectError instead. Raises ListError for a line that is not an entry, OSError.
    """
    found = []
    for number, line in enumerate(_lines(path), 1):
        try:
            entry = _entry_of(line)
        except NoEffectError as error:
            if strict:
                raise NoEffectError(f"{path}:{number}: {error}") from None
            log.warning("%s:%d: an entry without effect: %s", path, number, error)
            continue
        except ListError as error:
            raise ListError(f"{path}:{number}: {error}") from None
        if entry is not None:
            found.append(entry)
    return tuple(found)


def _lines(path: Path) -> list[str]:
    """The lines of a list, by any line end; none if there is no such file. Raises ListError,
    OSError."""
    try:
        data = read_regular(path, SIZE_LIMIT)
    except FileNotFoundError:
        return []
    try:
        text = plain_text(data, "surrogateescape")
    except ValueError as error:
        raise ListError(f"{path}: {error}") from None
    lines = re.split("\r\n|\r|\n", text)
    return lines if lines[-1] else lines[:-1]


def change(path: Path, entry: Entry, *, remove: bool = False) -> bool:
    """Put an entry into the list or take it out; False if nothing had to be changed.

    Entries about the same mailboxes go when one is put in. It stands before the first line that
    also speaks of that sender, since of several the first counts; comments stay. Raises ListError,
    OSError.
    """
    with locked(path):
        entries = read(path)
        if remove and not any(one.is_same(entry) for one in entries):
            return False
        if not remove and _decides(entries, entry):
            return False
        kept: list[str] = []
        place: int | None = None
        for line in _lines(path):
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
            kept.insert(len(kept) if place is None else place, str(entry))
        text = "".join(f"{line}\n" for line in kept)
        write_atomically(path, [text.encode("utf-8", "surrogateescape")])
        return True


def _decides(entries: Iterable[Entry], entry: Entry) -> bool:
    """True if the entry is there already, and no other one before it speaks against it."""
    for one in entries:
        if one.is_same(entry):
            return True
        if _may_overrule(one, entry):
            return False
    return False


def _may_overrule(one: Entry, entry: Entry) -> bool:
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
    key = _keys(narrow)[0]
    example = key if not key.startswith((".", "@")) else "x@" + key[1:]
    return not set(_keys(wide)).isdisjoint(Mailbox.parse(example).covered_by())


def _entry_of(text: str) -> Entry | None:
    """The entry of a line, None for an empty one or a comment. Raises ListError."""
    words = []
    position = 0
    while found := _BLANK_OR_WORD.match(text, position):
        position = found.end()
        if found[1]:
            words.append(found[1])
    match words if text[position : position + 1] in ("", "#") else ["?"]:
        case []:
            return None
        case ["allow" | "block" as kind, sender]:
            return Entry(kind, sender)
        case ["allow" | "block" as kind, sender, "for", recipient]:
            return Entry(kind, sender, recipient)
    raise ListError("is not an entry; expected `allow SENDER for RECIPIENT`")


class _Lookup:
    """Entries by what they speak of: each message costs a few looks, however long the list is."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._by_sender: dict[str, list[int]] = defaultdict(list)
        for number, entry in enumerate(entries):
            for key in _keys(entry.sender):
                self._by_sender[key].append(number)

    def find(self, envelope: Envelope) -> Entry | None:
        """What counts for the message: for each recipient the first entry that fits, if all of
        these are of one kind. The entry is that of the first recipient."""
        if not self._entries:
            return None
        covering: dict[str, int] = {}
        for key in (EVERYBODY, *Mailbox.parse(envelope.sender).covered_by()):
            for number in self._by_sender.get(key, ()):
                for recipient in _keys(self._entries[number].recipient):
                    covering[recipient] = min(number, covering.get(recipient, number))
        if not covering:
            return None
        first: Entry | None = None
        for one in envelope.recipients or (Recipient(""),):
            keys = {EVERYBODY, *recipient_keys(one, envelope)}
            numbers = [covering[key] for key in keys if key in covering]
            if not numbers:
                return None
            entry = self._entries[min(numbers)]
            first = first or entry
            if entry.kind != first.kind:
                return None
        return first


@dataclass
class Senders:
    """Gives points to senders that somebody allowed or blocked."""

    name: ClassVar[str] = "senders"

    file: Annotated[
        Path, Doc("the list; `filterd quarantine allow` and `block` write it, people may as well")
    ] = paths.QUARANTINE / "senders.list"
    allow_score: Annotated[float, Le(0), Doc("points for an allowed sender")] = -20.0
    block_score: Annotated[float, Ge(0), Doc("points for a blocked sender")] = 20.0

    def __post_init__(self) -> None:
        self._lookup = _Lookup(())
        self._seen: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Read the list. Raises ListError, OSError."""
        self._refresh()

    def examine(self, message: Message) -> Verdict:
        """Find what counts for this sender and all recipients.

        A list that was changed into one that cannot be read leaves the former in force, and the log
        says so. Raises OSError if the file itself cannot be read.
        """
        try:
            self._refresh()
        except ListError as error:
            log.error("the list is not used, the last good one stays: %s", error)
        entry = self._lookup.find(message.envelope)
        if entry is None:
            return NO_OPINION
        allowed = entry.kind == "allow"
        name = "SENDER_ALLOWED" if allowed else "SENDER_BLOCKED"
        score = self.allow_score if allowed else self.block_score
        return Verdict(symbols=(Symbol(name, score, str(entry)),))

    def _refresh(self) -> None:
        """Read the list anew if it has changed since."""
        try:
            status = self.file.stat()
        except FileNotFoundError:
            self._lookup, self._seen = _Lookup(()), None
            return
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            # Looked at once: a mistake is not told again for every message.
            self._seen = seen
            self._lookup = _Lookup(read(self.file))
