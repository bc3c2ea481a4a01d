"""The addresses in header fields, as a mailer is to see them.

Each address of a field like From or To is rewritten alone; what stands around it stays. The field
is then written again with a comma and a blank between addresses, in lines of at most 78 octets.

Source: sendmail 8.17 `headers.c` (commaize, chompheader).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from filterd.mta.cf.checks import FROM, HEADER_FLAGS, RECIPIENT
from filterd.mta.cf.tokens import SPACES, Table, scan
from filterd.mta.mail.address import to_octets, to_text

FOLD = 78
"""Octets of a line of addresses."""

INDENT = "        "
"""What a further line begins with."""

MAX_ADDRESSES = 2000
"""Addresses of one field that are rewritten; a longer field is kept as it is."""

MAX_FIELD = 1 << 16
"""Octets of a field that is rewritten; sendmail refuses headers of more than half of it."""

_NEW_STYLE = re.compile(r"[,;<(]")

Rewrite = Callable[[str, bool], str]
"""An address of the header as the mailer sees it. The second argument: it is a sender's."""

Fields = Sequence[tuple[bytes, bytes]]
"""Names and values; a value is all that stands behind the colon."""


def rewritten(
    fields: Fields, table: Table, rewrite: Rewrite, *, old_style: bool, limit: int = 0
) -> Iterator[tuple[bytes, bytes]]:
    """The fields with their addresses rewritten.

    table: cuts addresses into tokens. old_style: blanks separate recipients (OldStyleHeaders),
    where no field shows by its signs that it is newer. limit: octets of a line of the mailer, L=.
    """
    width = min(limit - 2, FOLD) if limit > len(INDENT) else FOLD
    if old_style:
        old_style = not any(
            _flags(name) & (FROM | RECIPIENT) and _NEW_STYLE.search(to_text(value))
            for name, value in fields
        )
    for name, value in fields:
        flags = _flags(name)
        if not flags & (FROM | RECIPIENT) or len(value) > MAX_FIELD:
            yield name, value
            continue
        sender = bool(flags & FROM)
        delimiter = " " if old_style and not sender else ","
        text = to_text(value)
        found = list(islice(addresses(text, table, delimiter), MAX_ADDRESSES + 1))
        if len(found) > MAX_ADDRESSES:
            yield name, value
            continue
        blank = text[: len(text) - len(text.lstrip(SPACES))].replace("\n", " ")
        new = [rewrite(one, sender) for one in found]
        yield name, to_octets(blank + _folded([one for one in new if one], len(name) + 1, width))


def _flags(name: bytes) -> int:
    return HEADER_FLAGS.get(name.decode("ascii", "replace").lower(), 0)


def addresses(text: str, table: Table, delimiter: str) -> Iterator[str]:
    """The members of a list of addresses. delimiter: `,`, or a blank in old lists."""
    at, size = 0, len(text)
    while at < size:
        if text[at] in SPACES or text[at] == ",":
            at += 1
            continue
        start = at
        while True:
            at += max(scan(text[at:], table, _silent, delimiter=delimiter).end, 0)
            # `joe @ x.test` is one address, also where blanks separate.
            ahead = len(text) - len(text[at:].lstrip(SPACES))
            if ahead >= size or text[ahead] != "@":
                break
            at = ahead + 1
            at += len(text[at:]) - len(text[at:].lstrip(SPACES))
        part = text[start:at].rstrip(SPACES + ",")
        at = max(at, start + 1)
        if part:
            yield part


def _folded(members: list[str], used: int, width: int) -> str:
    """The members with commas, folded. used: octets in front of the first."""
    lines: list[str] = []
    line, column = "", used
    for one in members:
        if not line:
            line, column = one, column + len(one)
        elif column + len(one) + 2 > width:
            lines.append(line)
            line, column = INDENT + one, len(INDENT) + len(one)
        else:
            line, column = f"{line}, {one}", column + len(one) + 2
    return ",\n".join([*lines, line])


def _silent(text: str) -> None:
    del text
