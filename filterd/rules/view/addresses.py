"""Addresses in a header field as SpamAssassin takes them apart: generously, in one pass.

Source: RFC 5322 §3.4; the results of `header Field:addr` and `:name` in SpamAssassin 4.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filterd.rules.view.domains import is_host_name

ENDS_LIMIT = 50
"""Places where an address in angle brackets may end that are tried."""

_QUOTED = rb'"(?:[^"\\]++|\\.)*+"'
_USER = rb'(?:"(?:[^"\\]++|\\.)*+"|[^@\s<>()\[\],:;]++)'
_MAIL = rb'%b@(?:[^"\s<>()\[\],:;]++|\[[\d:.]++\])' % _USER
_ADDRESS = re.compile(_MAIL, re.DOTALL)
_BRACKETED = re.compile(rb"<(%b)>" % _MAIL, re.DOTALL)
_PHRASE = re.compile(rb'(?:%b|[^",;<]++)++' % _QUOTED, re.DOTALL)
_OPEN = re.compile(rb"<\s*+")
_BLANKS = re.compile(rb"\s*+")
_AGAIN = re.compile(rb"(?:\s*+<\s*+(?:%b)?+[^\s>]*+\s*+>)++" % _QUOTED, re.DOTALL)
_COMMENT = re.compile(rb"\s*+\(((?:[^()\\]++|\\.)*+)\)", re.DOTALL)
_END = re.compile(rb"\s*+(?:[,;]|\Z)")
_NOT_IN_GROUP = re.compile(rb'["()<>]')
_AT_OR_CLOSE = re.compile(rb"[>@]")
_SPACE = re.compile(rb"\s")
_QUOTE = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_TOKEN = re.compile(rb"[^()\\]++|\\.?|[()]", re.DOTALL)
_ESCAPE = re.compile(rb"\\(?!\\)")
_FOLDED = re.compile(rb"\s+")
_WHITE = b" \t\n\r\x0b\x0c"


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox, all text as it stands there; None for what is missing.

    phrase: the display name without its quotation marks, or the comment where there is none.
    """

    address: bytes | None
    phrase: bytes | None = None
    comment: bytes | None = None

    @property
    def host(self) -> bytes:
        """What is behind the `@`; `b""` without an address."""
        return self.address.partition(b"@")[2] if self.address is not None else b""


def parse_addresses(value: bytes) -> tuple[Address, ...]:
    """The mailboxes in a field's value, folded as it stands in the message. Never raises."""
    text = _without_group(value.rstrip(_WHITE).replace(b"\\\\", b""))
    if not text.strip(_WHITE):
        return ()
    found: list[Address] = []
    position = 0
    while position < len(text):
        one = _one(text, position)
        if one is None:
            break
        address, position = one
        found.append(address)
    if b"@" in text[position:]:
        for match in _BRACKETED.finditer(text, position):
            if _is_usable(match[1]):
                found.append(Address(_up_to_second_at(match[1])))
    return tuple(found)


def _without_group(text: bytes) -> bytes:
    """`Name: a@b.example, c@d.example;` without its name (RFC 5322 §3.4)."""
    mark = _NOT_IN_GROUP.search(text)
    colon = text.rfind(b":", 0, mark.start() if mark is not None else len(text))
    if colon < 1:
        return text
    rest = text[colon + 1 :].lstrip(_WHITE)
    return b"" if rest.startswith(b";") else rest


def _one(text: bytes, position: int) -> tuple[Address, int] | None:
    """The mailbox that begins there, and where the next one may."""
    start = _BLANKS.match(text, position)
    assert start is not None
    begin = start.end()
    phrase = _PHRASE.match(text, begin)
    after = phrase.end() if phrase is not None else begin
    opened = _OPEN.match(text, after)
    if opened is not None:
        for address, close in _bracketed(text, opened.end()):
            ended = _ended(text, close + 1, again=True)
            if ended is not None:
                comment, end = ended
                name = phrase[0] if phrase is not None else None
                return _made(name, address, comment, is_bracketed=True), end
    alone = _ADDRESS.match(text, begin)
    if alone is not None and (ended := _ended(text, alone.end())) is not None:
        return _made(None, alone[0], ended[0]), ended[1]
    if phrase is not None and (ended := _ended(text, phrase.end())) is not None:
        return _made(phrase[0], None, ended[0]), ended[1]
    if begin > position and (ended := _ended(text, begin)) is not None:
        # Nothing at all before a comma: a name of one blank.
        return _made(text[begin - 1 : begin], None, None), ended[1]
    return None


def _bracketed(text: bytes, start: int) -> list[tuple[bytes, int]]:
    """What may stand in the brackets, the longest first, and where they close."""
    mark = _AT_OR_CLOSE.search(text, start)
    if mark is None:
        return []
    first = mark.start()
    space = _SPACE.search(text, first)
    stop = space.start() if space is not None else len(text)
    found: list[tuple[bytes, int]] = []
    behind = _BLANKS.match(text, stop)
    assert behind is not None
    if stop > first and text[behind.end() : behind.end() + 1] == b">":
        found.append((text[start:stop], behind.end()))
    close = text.rfind(b">", first + 1, stop)
    while close > 0 and len(found) < ENDS_LIMIT:
        found.append((text[start:close], close))
        close = text.rfind(b">", first + 1, close)
    if text[first : first + 1] == b">":
        found.append((text[start:first].rstrip(_WHITE), first))
    return found


def _ended(text: bytes, position: int, *, again: bool = False) -> tuple[bytes | None, int] | None:
    """The comment behind a mailbox, and where the next one may begin; None if it goes on. again:
    the address may stand there twice."""
    if again and (repeated := _AGAIN.match(text, position)) is not None:
        position = repeated.end()
    comment = _COMMENT.match(text, position)
    end = _END.match(text, comment.end() if comment is not None else position)
    return None if end is None else (comment[1] if comment is not None else None, end.end())


def _made(
    phrase: bytes | None,
    address: bytes | None,
    comment: bytes | None,
    *,
    is_bracketed: bool = False,
) -> Address:
    if is_bracketed and address is not None:
        address = _without_comments(address)
        if _ADDRESS.fullmatch(address) is None:
            address = None
    if address is not None and not _is_usable(address):
        address = None
    if phrase is not None:
        phrase = _without_quotes(phrase)
        whole = _ADDRESS.match(phrase)
        if (
            address is None
            and whole is not None
            and whole.end() == len(phrase)
            and _is_usable(phrase)
            and is_host_name(phrase.split(b"@")[1].decode("latin-1"))
        ):
            address, phrase = phrase, None
        elif phrase in (b"", address):
            phrase = None
    if phrase is None:
        phrase = comment
    return Address(_up_to_second_at(address), phrase, comment)


def _without_quotes(phrase: bytes) -> bytes:
    pieces: list[bytes] = []
    position = 0
    while (quote := phrase.find(b'"', position)) >= 0:
        pieces.append(_without_comments(phrase[position:quote]))
        quoted = _QUOTE.match(phrase, quote)
        if quoted is None:
            # All quotation marks behind it are escaped, or open nothing either.
            pieces += map(_without_comments, phrase[quote:].split(b'"'))
            return b"".join(pieces)
        pieces.append(_ESCAPE.sub(b"", quoted[1]))
        position = quoted.end()
    pieces.append(_without_comments(phrase[position:]))
    return b"".join(pieces)


def _without_comments(text: bytes) -> bytes:
    """What stands in no parentheses; those that hold others stay (RFC 5322 §3.2.2)."""
    if b"(" not in text:
        return text
    pieces: list[bytes] = []
    opened = -1
    for token in _TOKEN.findall(text):
        if token == b")" and opened >= 0:
            del pieces[opened:]
            opened = -1
            continue
        if token == b"(":
            opened = len(pieces)
        elif opened < 0 and token == b"\\(":
            # Outside a comment a backslash escapes nothing.
            pieces.append(b"\\")
            token, opened = b"(", len(pieces)  # noqa: PLW2901  its second half
        pieces.append(token)
    return b"".join(pieces)


def _is_usable(address: bytes) -> bool:
    return not address.startswith(b'""@') and address.count(b'"') != 1


def _up_to_second_at(address: bytes | None) -> bytes | None:
    return address if address is None else b"@".join(address.split(b"@")[:2])


def tidy_name(name: bytes) -> bytes:
    """A display name in one line, without single quotation marks around it."""
    if not name.strip(_WHITE):
        return name
    name = _FOLDED.sub(b" ", name).strip(_WHITE)
    if len(name) > 1 and name.startswith(b"'") and name.endswith(b"'"):
        return name[1:-1]
    return name
