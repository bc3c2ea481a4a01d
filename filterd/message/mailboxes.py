"""The mailboxes of a header field that lists addresses: From, Sender, To, Reply-To.

What is not by the grammar is read so that no address is missed that some mail reader may show:
where it can be read in two ways, both are given. Encoded words (RFC 2047) are part of a name, never
of an address, and are not decoded; but for those in a domain, which some readers decode.

Source: RFC 5322 §3.4, §4.4; RFC 6532.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise, takewhile

from filterd.message.address import Mailbox
from filterd.message.decoding import header_text
from filterd.message.message import Message

FIELD_LIMIT = 64 << 10
"""Octets of a field that are read; a list of a thousand people has about 40,000."""

MAILBOXES_LIMIT = 1000
"""Mailboxes of one field."""

JOINED_LIMIT = 64
"""Tokens of an address whose parts stand apart; what has more is read as far as that."""

_TOKEN = re.compile(
    r"""
    (?P<blank> \s++ )
  | (?P<word> "(?:[^"\\]|\\.)*+" | \[[^\[\]\\"<>@,;]*+\] | \\. | [^\s<>@,;:.()"\[\\]++ )
  | (?P<joint> [@.] )
  | (?P<special> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_PARENTHESIS = re.compile(r"[()]|\\.", re.DOTALL)
_ROUTE = re.compile(r'\s*+@[^:<>"();]*+:')


def mailboxes(field: bytes | str, limit: int = MAILBOXES_LIMIT) -> tuple[Mailbox, ...]:
    """The mailboxes of a field's value, in order, as often as they stand there; never raises.

    field: octets as they came, folded or not, or text. Groups are taken apart, comments, display
    names and source routes left out. More than `limit` mailboxes and what is behind `FIELD_LIMIT`
    are not read.
    """
    text = field if isinstance(field, str) else field[:FIELD_LIMIT].decode("utf-8", "replace")
    return tuple(islice(_MailboxListReader(text[:FIELD_LIMIT]).read(), limit))


def author_of(message: Message) -> Mailbox | None:
    """The author, where the message has exactly one: one From field with one address."""
    fields = tuple(islice(message.fields("From"), 2))
    if len(fields) != 1 or len(fields[0].raw_value) > FIELD_LIMIT:
        return None
    found = mailboxes(fields[0].raw_value, 2)
    return found[0] if len(found) == 1 else None


class _MailboxListReader:
    """Reads one list, from left to right, each octet a bounded number of times."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[list[str]] = [[]]  # of the address, each in tokens
        self._glued: set[int] = set()  # those that only a comment keeps apart from the one before
        self._name: list[list[str]] = [[]]  # what stood before `<`
        self._in_brackets = False
        self._has_comments = True

    def read(self) -> Iterator[Mailbox]:
        position = 0
        blank = glue = False
        while token := _TOKEN.match(self._text, position):
            position = token.end()
            kind, text = token.lastgroup, token[0]
            if kind == "blank":
                blank, glue = True, False
                continue
            if text == "(" and self._has_comments:
                end = self._comment_end(position)
                if end:
                    glue = glue or not blank
                    position, blank = end, True
                    continue
                self._has_comments = False
            word = self._words[-1]
            if kind == "joint" or (kind == "word" and (not blank or word[-1:] in (["@"], ["."]))):
                word.append(text)
            elif kind == "word":
                self._words.append([text])
                if glue:
                    self._glued.add(len(self._words) - 1)
            elif text == "<":
                if self._in_brackets:
                    # Not closed, or nested: no name stands in brackets.
                    yield from self._inside()
                else:
                    self._name, self._words = self._words, [[]]
                self._in_brackets = True
                route = _ROUTE.match(self._text, position)
                position = route.end() if route else position
            elif text in ",;:>":
                yield from self._address(is_name=text == ":")
            # Nothing that was left out joins what stands around it: `x@a.example(b`.
            blank, glue = kind == "special", False
        yield from self._address()

    def _comment_end(self, start: int) -> int:
        """Behind the parenthesis that closes a comment; 0 where none does."""
        depth = 1
        for found in _PARENTHESIS.finditer(self._text, start):
            depth += {"(": 1, ")": -1}.get(found[0], 0)
            if not depth:
                return found.end()
        return 0

    def _address(self, *, is_name: bool = False) -> Iterator[Mailbox]:
        """What was read up to here; where the brackets have no address, what stood before them may
        be one. is_name: of a group, which has none."""
        found = False
        for mailbox in self._inside():
            found = True
            yield mailbox
        name, self._name, self._in_brackets = self._name, [[]], False
        if not found and not is_name:
            for word in name:
                yield from _readings(word)

    def _inside(self) -> Iterator[Mailbox]:
        words, self._words = self._words, [[]]
        glued, self._glued = self._glued, set()
        joined: list[str] = []
        for number, word in enumerate(words):
            yield from _readings(word)
            if (number in glued and "@" not in word) or _continues(joined, word):
                joined = [*joined, *word] if len(joined) < JOINED_LIMIT else joined
                yield from _readings(joined)
            else:
                joined = word


def _continues(tokens: list[str], word: list[str]) -> bool:
    """Whether a word after a blank may be the rest of a domain that has no dot yet: some readers
    take `ann@mx. example` and `ann@m x.example` alike."""
    if "@" not in tokens or "@" in word or "." not in word:
        return False
    return "." not in takewhile(lambda token: token != "@", reversed(tokens))


def _readings(tokens: list[str]) -> Iterator[Mailbox]:
    """The mailbox of `local@domain`; of `a@b@c` both that there may be."""
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == "@":
            parts.append([])
        else:
            parts[-1].append(token)
    for local, following in pairwise(parts):
        # A domain ends where something begins that none can have.
        domain = "".join(takewhile(lambda token: token[0] not in '"\\', following))
        if "=?" in domain:
            domain = header_text(domain.encode("utf-8", "replace")).rpartition("@")[2]
        mailbox = Mailbox.parse(f"{''.join(local)}@{domain}")
        if mailbox.domain:
            yield mailbox
