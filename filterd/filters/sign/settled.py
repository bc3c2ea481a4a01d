"""Fields with addresses in a form that the MTA leaves alone, so that a signature survives.

sendmail rewrites lists of addresses after the milters are through: a comma and a blank between
members, names with a dot or an apostrophe in quotation marks, no blanks in angle brackets, no
source routes, no dot behind a domain (`headers.c`: commaize, crackaddr), recipients without a
domain in its own. filterd makes the same changes first. Both MTAs break lines of more than 998
octets.

Source: seen with sendmail 8.17.1 and Postfix 3.7.11.
"""

from __future__ import annotations

import re

from filterd.auth.dkim.header import Canonicalization, canonical_field
from filterd.chain.checks import VALUE_LIMIT

ADDRESS_FIELDS = frozenset(
    "from sender reply-to to cc resent-from resent-sender resent-to resent-cc".split()
)
"""Fields with addresses, in lower case, that are signed."""

RECIPIENTS = frozenset({"to", "cc", "resent-to", "resent-cc"})

LINE_LIMIT = 76
"""Characters of a line where it can be folded (RFC 5322 §2.1.1)."""

HARD_LIMIT = 990
"""Octets of a line that MTAs leave in one piece."""

SIZE_LIMIT = 30_000
"""Octets of a field that is rewritten; sendmail takes no header of more than 32 KiB."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|\\.?|<[^<>"]*+>|[(),]|[^"\\<(),]++|<', re.DOTALL)
_MEMBER = re.compile(r'([^"()<>\\]*+)<([^<>"()\\]*+)>')
_BARE = re.compile(r"[^\s\"()<>\\:;,]++")
_QUOTED_IN_PHRASES = re.compile(r"[.'@;:\[\]]")


def settled(name: str, raw: bytes, *, rewriting: bool = True, host: str = "") -> str | None:
    """The value of a field as it will stay, lines joined by LF and tab; None if it stays as it is,
    or if it cannot be helped.

    raw: all after the colon. rewriting: the MTA rewrites addresses, as sendmail does; without it
    only lines that are too long are folded. host: the domain that it adds to recipients without
    one.
    """
    is_long = max(map(len, raw.split(b"\n"))) > HARD_LIMIT
    if len(raw) > SIZE_LIMIT or not (rewriting or is_long):
        return None
    try:
        text = raw.decode().replace("\r\n", "").replace("\n", "")
    except UnicodeDecodeError:
        return None
    domain = host if name.lower() in RECIPIENTS else ""
    members = [_member(one, domain) if rewriting else one for one in _members(text)]
    value = _folded([one for one in members if one], len(name) + 2)
    if "\r" in value or "\0" in value or len(value.encode()) > VALUE_LIMIT:
        return None
    relaxed = Canonicalization.RELAXED
    # Folding alone does no harm to a relaxed signature.
    is_same = canonical_field(name, value.encode(), relaxed) == canonical_field(name, raw, relaxed)
    return None if is_same and not is_long else value


def _members(text: str) -> list[str]:
    """What stands between the commas of a list."""
    members: list[str] = []
    parts: list[str] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        depth = max(depth + (token == "(") - (token == ")"), 0)
        if token == "," and not depth:
            members.append("".join(parts))
            parts = []
        else:
            parts.append(token)
    return [one.strip() for one in [*members, "".join(parts)]]


def _member(text: str, host: str) -> str:
    found = _MEMBER.fullmatch(text)
    if found is None:
        return _completed(text, host) if _BARE.fullmatch(text) else text
    phrase, address = found[1], "".join(found[2].split())
    if address.startswith("@"):
        address = address.partition(":")[2] or address
    if _QUOTED_IN_PHRASES.search(phrase) and "=?" not in phrase:
        phrase = f'"{phrase.strip()}" '
    return f"{phrase}<{_completed(address, host)}>"


def _completed(address: str, host: str) -> str:
    if "@" in address:
        return address.removesuffix(".")
    return f"{address}@{host}" if host and address else address


def _folded(members: list[str], used: int) -> str:
    lines = [""]
    for index, one in enumerate(members):
        piece = one + ("," if index + 1 < len(members) else "")
        if lines[-1].strip() and used + 1 + len(piece) > LINE_LIMIT:
            lines.append("\t")
            used = len("        ")
        blank = " " if lines[-1].strip() else ""
        lines[-1] += blank + piece
        used += len(blank) + len(piece)
    return "\n".join(lines)
