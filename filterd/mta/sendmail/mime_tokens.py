"""Content-Type and Content-Transfer-Encoding as sendmail cuts them into words.

Source: sendmail 8.17 `mime.c`; observed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from filterd.mta.cf.tokens import exceeded

MAX_PARAMETERS = 20
"""Parameters of a Content-Type that are looked at, MAXMIMEARGS."""

MAX_FIELD = 2043
"""Octets of a field with one more for each token, MAXLINE less 5."""

_WORD = re.compile(
    rb'"(?:[^"\\]|\\.)*+"?|[][()<>@,;:\\/?=]|[^\s"()<>@,;:\\/?=\x5b\x5d]++', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class MimeContentType:
    """kind, subtype: in lower case. parameters: names in lower case, values without quotes.
    has_gap: a parameter is empty."""

    kind: str = "-none-"
    subtype: str = "-none-"
    parameters: dict[str, bytes] = field(default_factory=dict)
    has_gap: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.subtype}"

    @property
    def is_odd(self) -> bool:
        """Whether it is so wrong that nothing of the message is encoded."""
        return self.has_gap or (self.kind == "multipart" and not self.parameters.get("boundary"))


def words(value: bytes) -> list[bytes]:
    """The tokens of a field: strings, single delimiters, what stands between; without comments.

    None where sendmail's limits are exceeded: 256 octets a token, 1,000 tokens, `MAX_FIELD`.
    """
    found: list[bytes] = []
    depth = 0
    for match in _WORD.finditer(value):
        one = match[0]
        if one == b"(":
            depth += 1
        elif one == b")":
            depth = max(depth - 1, 0)
        elif not depth:
            found.append(one)
    # What prescan refuses says nothing: a multipart is text then.
    return [] if exceeded(found, MAX_FIELD) else found


def encoding(value: bytes | None) -> str:
    """Of Content-Transfer-Encoding, without comments; empty for none."""
    return b"".join(words(value or b"")).decode("ascii", "replace")


def content_type(value: bytes | None, default: bytes = b"text/plain") -> MimeContentType:
    """What a Content-Type says. default: in the place of a missing one."""
    tokens = words(default if value is None else value)
    if not tokens or not _is_atom(tokens[0]):
        return MimeContentType()
    kind, subtype, at = tokens[0], b"-none-", 1
    if tokens[1:2] == [b"/"] and len(tokens) > 2:
        subtype, at = tokens[2], 3
    parameters: dict[str, bytes] = {}
    has_gap = False
    while len(parameters) < MAX_PARAMETERS:
        while at < len(tokens) and tokens[at] != b";":
            at += 1
        at += 1
        if at >= len(tokens):
            break
        if tokens[at] == b";":
            has_gap = True
            continue
        name = _text(tokens[at])
        if tokens[at + 1 : at + 2] == [b"="] and tokens[at + 2 : at + 3] != [b";"]:
            value = tokens[at + 2] if at + 2 < len(tokens) else b""
            parameters.setdefault(name, _unquoted(value))
            at += 2
        at += 1
    return MimeContentType(_text(kind), _text(subtype), parameters, has_gap)


def _is_atom(token: bytes) -> bool:
    return token[:1] not in b'"()<>@,;:\\/[]?='


def _text(token: bytes) -> str:
    return token.decode("ascii", "replace").lower()


def _unquoted(token: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", token.strip(b'"'), flags=re.DOTALL)
