"""A local list as people see and edit it: line by line, with comments and mistakes.

What is changed is one line; all others stay as they are, octet for octet.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from filterd.filters.locallists.entries import REGEX_LIMIT, ListEntry, compiled, parse
from filterd.filters.locallists.settings import Fact
from filterd.filters.senders.list import SIZE_LIMIT, ListEntryError
from filterd.system.bounded import plain_text

LINE_LIMIT = 2000
"""Characters of a line that is written."""

TOO_LONG = f"more than {LINE_LIMIT} characters; expected a shorter entry or note"

MISTAKES_LIMIT = 100
"""Mistakes of one list that are told."""

MISTAKE_LIMIT = 500
"""Characters of what is told about one: it may repeat the line."""

_LINE_END = re.compile("(\r\n|\r|\n)")


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line. number: from 1. entry: None for a comment, an empty line or a mistake. note: the
    comment. mistake: what is wrong, and what was expected."""

    number: int
    text: str
    entry: ListEntry | None = None
    note: str = ""
    mistake: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a list cannot be used. line: 0 for the list as a whole."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class ListSummary:
    """All of a list. mistakes: the first ones; wrong: how many there are."""

    entries: int = 0
    mistakes: tuple[Mistake, ...] = ()
    wrong: int = 0


class ListText:
    """The text of a list. abouts: what its entries are compared with. Raises ListEntryError for
    what is not text."""

    def __init__(self, data: bytes, abouts: Sequence[Fact]) -> None:
        self.data = data
        self._abouts = abouts
        try:
            text = plain_text(data, "surrogateescape")
        except ValueError as error:
            raise ListEntryError(str(error)) from None
        parts = _LINE_END.split(text)
        self._texts, self._ends = parts[::2], [*parts[1::2], ""]
        if not self._texts[-1]:
            del self._texts[-1], self._ends[-1]

    @property
    def version(self) -> str:
        """SHA-256 in hex: two texts with one version are the same."""
        return version_of(self.data)

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._texts)

    def line(self, number: int) -> TextLine:
        """One line, from 1. Raises IndexError."""
        if number < 1:
            raise IndexError(number)
        text = self._texts[number - 1]
        try:
            entry, note = parse(text, number, self._abouts)
        except ListEntryError as error:
            return TextLine(number, text, mistake=str(error)[:MISTAKE_LIMIT])
        return TextLine(number, text, entry, note)

    def lines(self, text: str = "", after: int = 0) -> Iterator[TextLine]:
        """The lines that are not empty and have this text in them, whatever its case. after: the
        number of the last one that is known."""
        wanted = text.casefold()
        for number in range(after + 1, len(self) + 1):
            own = self._texts[number - 1]
            if own.strip() and wanted in own.casefold():
                yield self.line(number)

    def summary(self) -> ListSummary:
        """Read all lines."""
        entries, wrong = 0, 0
        mistakes: list[Mistake] = []
        expressions: list[str] = []
        for line in self.lines():
            entries += line.entry is not None
            if line.mistake:
                wrong += 1
                if len(mistakes) < MISTAKES_LIMIT:
                    mistakes.append(Mistake(line.number, line.mistake))
            if line.entry is not None and line.entry.regex:
                expressions.append(line.entry.regex)
        if why := _too_much(expressions):
            mistakes.append(Mistake(0, why))
            wrong += 1
        return ListSummary(entries, tuple(mistakes), wrong)

    def find(self, entry: ListEntry) -> TextLine | None:
        """The line that says the same."""
        about = self._abouts[0]
        wanted = entry.identity(about)
        return next(
            (
                line
                for line in self.lines()
                if line.entry is not None and line.entry.identity(about) == wanted
            ),
            None,
        )

    def written(self, typed: str, note: str, number: int) -> TextLine:
        """A line as it would be written. typed: the entry; note: its comment, of which there may be
        one in `typed` as well. Raises ListEntryError."""
        if len(typed) + len(note) > LINE_LIMIT:
            raise ListEntryError(TOO_LONG)
        if not (typed + note).isprintable():
            raise ListEntryError(
                "it has characters that cannot be shown; expected one line of text"
            )
        entry, comment = parse(typed, number, self._abouts)
        if entry is None:
            raise ListEntryError(
                "the entry is empty; expected `PATTERN`, or `PATTERN for RECIPIENT`"
            )
        note = " ".join((note or comment).split())
        text = f"{entry}  # {note}" if note else str(entry)
        if len(text) > LINE_LIMIT:
            raise ListEntryError(TOO_LONG)
        try:
            is_read = parse(text, number, self._abouts) == (entry, note)
        except ListEntryError:
            is_read = False
        if not is_read:
            raise ListEntryError("this note cannot stand behind this entry")
        return TextLine(number, text, entry, note)

    def added(self, line: TextLine) -> ListText:
        """The list with one more line, at the end. Raises ListEntryError."""
        texts, ends = [*self._texts, line.text], [*self._ends, self._end]
        if self._ends and not self._ends[-1]:
            ends[-2] = self._end
        return self._with(texts, ends)

    def changed(self, line: TextLine) -> ListText:
        """The list with another line in the place of the one with its number. Raises
        ListEntryError."""
        texts = [*self._texts]
        old = texts[line.number - 1]
        texts[line.number - 1] = old[: len(old) - len(old.lstrip())] + line.text
        return self._with(texts, self._ends)

    def removed(self, number: int) -> ListText:
        """The list without one line."""
        place = number - 1
        return self._with(
            self._texts[:place] + self._texts[number:], self._ends[:place] + self._ends[number:]
        )

    @property
    def _end(self) -> str:
        """How lines of this file end."""
        return self._ends[0] if self._ends and self._ends[0] else "\n"

    def _with(self, texts: Sequence[str], ends: Sequence[str]) -> ListText:
        mark = codecs.BOM_UTF8 if self.data.startswith(codecs.BOM_UTF8) else b""
        joined = "".join(text + end for text, end in zip(texts, ends, strict=True))
        data = mark + joined.encode("utf-8", "surrogateescape")
        if len(data) > SIZE_LIMIT:
            raise ListEntryError(f"the list would be larger than {SIZE_LIMIT >> 20} MiB")
        return ListText(data, self._abouts)


def version_of(data: bytes) -> str:
    """The version of a list with this content."""
    return hashlib.sha256(data).hexdigest()


def _too_much(expressions: Sequence[str]) -> str:
    """Why regular expressions cannot be used together; empty if they can."""
    if len(expressions) > REGEX_LIMIT:
        return f"more than {REGEX_LIMIT} regular expressions"
    try:
        compiled(expressions)
    except ListEntryError as error:
        return str(error)
    return ""
