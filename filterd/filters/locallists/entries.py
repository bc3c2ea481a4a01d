"""Entries of a local list: a text file that people edit, one a line, `#` for comments.

    192.0.2.0/24
    dialup.example for mx.example
    /^mail[0-9]+\\.isp\\./           # a regular expression

Regular expressions are RE2's, which are matched in a time that only grows with the text
(https://github.com/google/re2/wiki/Syntax); Python's own may take for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from filterd.filters.locallists.settings import Fact
from filterd.filters.senders.list import (
    EVERYBODY,
    ListEntryError,
    keys_of,
    lines_of,
    words_and_comment,
)
from filterd.message.address import AddressPatternError, pattern_keys
from filterd.message.matching import networks

REGEX_LIMIT = 1000
"""Regular expressions of one list."""

REGEX_SIZE_LIMIT = 1000
"""Characters of one."""

NULL_SENDER = "<>"

# Up to the first slash behind which nothing, a comment or a recipient stands: the comment may have
# slashes, too.
_REGEX = re.compile(r"/(.*?)/(?=\Z|\s++(?:\Z|#|for\s))", re.DOTALL)

ADDRESSES: frozenset[Fact] = frozenset({"sender", "recipient", "from"})


class EntryLevel(IntEnum):
    """For whom an entry is. Of several that fit, those of the highest level decide."""

    GLOBAL = 0
    DOMAIN = 1
    USER = 2

    @property
    def word(self) -> str:
        """As symbols' details have it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One line. pattern: as it stands there, a regular expression with its slashes. recipient: for
    whose mail it is, `*` for all. line: its number."""

    pattern: str
    recipient: str
    line: int

    def __str__(self) -> str:
        """The line without its comment."""
        if self.recipient == EVERYBODY:
            return self.pattern
        return f"{self.pattern} for {self.recipient}"

    def identity(self, about: Fact) -> tuple[object, ...]:
        """What it has in common with other spellings of the same entry; for one that has been
        checked."""
        recipient = keys_of(self.recipient)
        if self.regex or self.pattern == NULL_SENDER:
            return (self.pattern, recipient)
        if about == "client":
            return (networks([self.pattern], local=False)[0], recipient)
        return (pattern_keys(self.pattern), recipient)

    @property
    def regex(self) -> str:
        """The regular expression, `""` for another pattern."""
        return self.pattern[1:-1] if self.pattern.startswith("/") else ""

    @property
    def level(self) -> EntryLevel:
        """How close it is to one recipient."""
        if self.recipient == EVERYBODY:
            return EntryLevel.GLOBAL
        return (
            EntryLevel.DOMAIN
            if keys_of(self.recipient)[0].startswith(("@", "."))
            else EntryLevel.USER
        )


def read(path: Path, about: Fact) -> tuple[ListEntry, ...]:
    """The entries of a file, empty if the file does not exist. Raises ListEntryError, with file,
    line and what was expected, and OSError."""
    found = []
    texts = []
    for number, line in enumerate(lines_of(path), 1):
        try:
            entry, _comment = parse(line, number, [about])
        except ListEntryError as error:
            raise ListEntryError(f"{path}:{number}: {error}") from None
        if entry is None:
            continue
        if entry.regex:
            texts.append(entry.regex)
        if len(texts) > REGEX_LIMIT:
            raise ListEntryError(f"{path}:{number}: more than {REGEX_LIMIT} regular expressions")
        found.append(entry)
    try:
        compiled(texts)
    except ListEntryError as error:
        raise ListEntryError(f"{path}: {error}") from None
    return tuple(found)


def parse(line: str, number: int, abouts: Iterable[Fact]) -> tuple[ListEntry | None, str]:
    """The entry of a line, None for an empty one or a comment, and the comment behind it. abouts:
    what the entry is compared with. Raises ListEntryError for what is not an entry or could never
    fit.
    """
    entry, comment = _entry(line, number)
    if entry is not None:
        for about in abouts:
            _check(entry, about)
    return entry, comment


def _entry(line: str, number: int) -> tuple[ListEntry | None, str]:
    text = line.strip()
    regex = _REGEX.match(text) if text.startswith("/") else None
    pattern = []
    if regex is not None:
        pattern, text = [regex[0]], text[regex.end() :]
    try:
        words, comment = words_and_comment(text)
    except ListEntryError:
        words, comment = ["?"] * 4, ""
    match [*pattern, *words]:
        case []:
            return None, comment
        case [found]:
            return ListEntry(found, EVERYBODY, number), comment
        case [found, "for", recipient]:
            return ListEntry(found, recipient, number), comment
    raise ListEntryError("is not an entry; expected `PATTERN`, or `PATTERN for RECIPIENT`")


def _check(entry: ListEntry, about: Fact) -> None:
    """Raise ListEntryError for an entry that could never fit."""
    try:
        if entry.recipient != EVERYBODY:
            pattern_keys(entry.recipient)
        if entry.regex:
            expression(entry.regex)
        elif about == "subject":
            raise ListEntryError(f"{entry.pattern!r}: expected a regular expression, as /lottery/")
        elif about == "client":
            networks([entry.pattern], local=False)
        elif about not in ADDRESSES or entry.pattern != NULL_SENDER:
            for key in pattern_keys(entry.pattern):
                if about not in ADDRESSES and not key.startswith(("@", ".")):
                    raise ListEntryError(f'{entry.pattern!r} is not a domain; expected "a.example"')
    except AddressPatternError as error:
        raise ListEntryError(str(error)) from None
    except ListEntryError:
        raise
    except ValueError as error:
        raise ListEntryError(str(error)) from None


def expression(text: str) -> str:
    """A regular expression that can be used. Raises ListEntryError."""
    if len(text) > REGEX_SIZE_LIMIT:
        raise ListEntryError(f"a regular expression of more than {REGEX_SIZE_LIMIT} characters")
    re2 = engine()
    try:
        re2.compile(text, options(re2))
    except re2.error as error:
        told = error.args[0] if error.args else ""
        why = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        raise ListEntryError(f"/{text}/ is not a regular expression of RE2: {why}") from None
    except UnicodeEncodeError:
        raise ListEntryError("a regular expression that is not UTF-8") from None
    return text


def engine() -> Any:
    """The module re2. Raises ListEntryError where it is not installed."""
    try:
        import re2  # noqa: PLC0415  (an extra)
    except ImportError:
        raise ListEntryError(
            "regular expressions need the package google-re2: pip install 'filterd[regex]'"
        ) from None
    return re2


def options(re2: Any) -> Any:
    """How expressions are compiled: without regard to case, in 8 MiB at most."""
    made = re2.Options()
    made.case_sensitive = False
    made.log_errors = False
    made.max_mem = 8 << 20
    return made


def compiled(texts: Sequence[str]) -> Any:
    """One automaton for all expressions of a list, None for none. Raises ListEntryError."""
    if not texts:
        return None
    re2 = engine()
    made = re2.Set.SearchSet(options(re2))
    try:
        for text in texts:
            made.Add(text)
        made.Compile()
    except re2.error:
        raise ListEntryError(
            "its regular expressions are too large together; expected shorter ones, or several "
            "lists"
        ) from None
    return made


def expressions(entries: tuple[ListEntry, ...]) -> Iterator[tuple[int, str]]:
    """Place and text of those that are regular expressions."""
    return ((place, one.regex) for place, one in enumerate(entries) if one.regex)
