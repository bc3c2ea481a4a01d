"""Macros in SPF records and explanations (RFC 7208 §7): read once, expanded for each message.

Both ends are hostile: a record may hold ten thousand macros, and each may stand for a sender of
any length. So a name is expanded from its right end, and only as far as a name can be long.
"""

from __future__ import annotations

import re
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

NAME_LIMIT = 253
"""Characters of a name that the DNS can be asked for; a longer one loses left labels (§7.3)."""

VALUE_LIMIT = 1000
"""Characters of what one macro stands for: more than a sender or a name has (RFC 5321 §4.5.3.1)."""

EXPLANATION_LIMIT = 500
"""Characters of an explanation: about what fits into one SMTP reply (RFC 5321 §4.5.3.1.5)."""

EXPLANATION_TEXT_LIMIT = 2000
"""Octets of an explanation as it is published, with its macros; a longer one is not used."""

PARTS_LIMIT = 9999
"""Parts of a value that a macro can ask for; a greater number asks for all of them, too."""

_MACRO = r"%\{([slodiphvcrt])0*+([0-9]*+)(r?)([.\-+,/_=]*+)\}|%([%_\-])"
_TOKEN = re.compile(_MACRO + r"|([!-$&-~]++)", re.IGNORECASE | re.ASCII)
_EXPLANATION_TOKEN = re.compile(_MACRO + r"|([ -$&-~]++)", re.IGNORECASE | re.ASCII)
_TOP_LABEL = re.compile(r"(?![0-9]++\Z)[a-z0-9](?:[a-z0-9-]*+(?<!-))?\Z", re.IGNORECASE | re.ASCII)
_UNPRINTABLE = re.compile(r"[^ -~]")

_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
_ONLY_IN_EXPLANATIONS = frozenset("crt")


class MacroError(ValueError):
    """Text that the grammar of §7.1 does not know; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Macro:
    """`%{d2r-}`. letter: lower case. escaped: it was written in upper case, and what it stands for
    is percent-encoded. parts: how many from the right, 0 for all. delimiters: what parts a value,
    "" for the dot."""

    letter: str
    escaped: bool
    parts: int
    reverse: bool
    delimiters: str


MacroString = tuple[str | Macro, ...]


def parse_macros(text: str, *, explanation: bool = False) -> MacroString:
    """A macro-string, or with `explanation` an explain-string. Raises MacroError."""
    return _parsed(text, explanation=explanation)[0]


def parse_domain_spec(text: str) -> MacroString:
    """A domain-spec: it ends with a macro or a top label (§7.1). Raises MacroError."""
    found, last = _parsed(text, explanation=False)
    if not found:
        raise MacroError("a domain is missing")
    if last:
        _, dot, label = last.removesuffix(".").rpartition(".")
        if not dot or not _TOP_LABEL.match(label):
            raise MacroError(f"{_shown(text)} does not end in a domain")
    return found


def _parsed(text: str, *, explanation: bool) -> tuple[MacroString, str]:
    """And the text behind the last macro."""
    pattern = _EXPLANATION_TOKEN if explanation else _TOKEN
    found: list[str | Macro] = []
    position, last = 0, ""
    while position < len(text):
        token = pattern.match(text, position)
        if token is None:
            raise MacroError(f"{_shown(text[position:])} is not a macro or printable ASCII")
        letter, parts, reverse, delimiters, escape, last = token.groups("")
        if last:
            found.append(last)
        elif escape:
            found.append(_ESCAPES[escape])
        else:
            if letter.lower() in _ONLY_IN_EXPLANATIONS and not explanation:
                raise MacroError(f"{_shown(token[0])} may only stand in an explanation")
            if not parts and token[0][3:4].isdigit():
                raise MacroError(f"{_shown(token[0])} asks for no parts")
            number = int(parts or 0) if len(parts) <= len(str(PARTS_LIMIT)) else PARTS_LIMIT
            found.append(Macro(letter.lower(), letter.isupper(), number, bool(reverse), delimiters))
        position = token.end()
    return tuple(found), last


@dataclass(frozen=True, slots=True)
class SpfSession:
    """What is known of a client and the identity that is checked. local, domain: of the sender.
    host: the name of this host."""

    client: IPv4Address | IPv6Address
    local: str
    domain: str
    helo: str
    host: str


class MacroValues:
    """What the letters stand for (§7.2).

    domain: whose record is evaluated now. validated: asks for the name of the client, `%{p}`.
    """

    def __init__(self, session: SpfSession, validated: Callable[[], str]) -> None:
        self.session = session
        self.domain = session.domain
        self._validated = validated
        self._made: dict[Macro, str] = {}

    def use(self, domain: str) -> None:
        """Another domain's record is evaluated from now on."""
        self.domain = domain
        self._made.clear()

    def name(self, spec: MacroString) -> str | None:
        """The name to ask for, of at most `NAME_LIMIT` characters; None where it is not ASCII: such
        a term never matches (RFC 8616 §4)."""
        pieces: list[str] = []
        size = 0
        for part in reversed(spec):
            pieces.append(part if isinstance(part, str) else self._of(part))
            size += len(pieces[-1])
            if size > NAME_LIMIT + 1:
                break
        text = "".join(reversed(pieces)).removesuffix(".").lower()
        if len(text) > NAME_LIMIT:
            whole = text[-NAME_LIMIT - 1] == "."
            text = text[-NAME_LIMIT:] if whole else text[-NAME_LIMIT:].partition(".")[2]
        return text if text.isascii() else None

    def explanation(self, spec: MacroString) -> str:
        """An explanation as printable ASCII, of at most `EXPLANATION_LIMIT` characters."""
        pieces: list[str] = []
        size = 0
        for part in spec:
            pieces.append(part if isinstance(part, str) else self._of(part))
            size += len(pieces[-1])
            if size >= EXPLANATION_LIMIT:
                break
        return _UNPRINTABLE.sub("?", "".join(pieces)[:EXPLANATION_LIMIT])

    def _of(self, macro: Macro) -> str:
        made = self._made.get(macro)
        if made is None:
            made = self._made[macro] = _transformed(self._value(macro.letter), macro)
        return made

    def _value(self, letter: str) -> str:
        session = self.session
        match letter:
            case "s":
                value = f"{session.local}@{session.domain}"
            case "l":
                value = session.local
            case "o":
                value = session.domain
            case "d":
                value = self.domain
            case "i":
                value = dotted(session.client)
            case "p":
                value = self._validated()
            case "h":
                value = session.helo
            case "v":
                value = "in-addr" if session.client.version == 4 else "ip6"
            case "c":
                value = str(session.client)
            case "r":
                value = session.host or "unknown"
            case _:
                value = str(int(time.time()))
        return value[-VALUE_LIMIT:]


def dotted(client: IPv4Address | IPv6Address) -> str:
    """An address as macro `i` has it: octets of IPv4, nibbles of IPv6, with dots between."""
    if client.version == 4:
        return str(client)
    return ".".join(client.exploded.replace(":", "").upper())


def _transformed(value: str, macro: Macro) -> str:
    delimiters = macro.delimiters or "."
    if macro.parts or macro.reverse or delimiters != ".":
        for other in set(delimiters[1:]):
            value = value.replace(other, delimiters[0])
        parts = value.split(delimiters[0])
        if macro.reverse:
            parts.reverse()
        value = ".".join(parts[-macro.parts :])
    if macro.escaped:
        return urllib.parse.quote(value, safe="", errors="surrogateescape")
    return value


def _shown(text: str, limit: int = 60) -> str:
    """A piece of a record for people: printable ASCII, bounded, in quotation marks."""
    return '"' + _UNPRINTABLE.sub("?", text[:limit]) + ("..." if len(text) > limit else "") + '"'
