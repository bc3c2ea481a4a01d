"""Received fields: by which hosts a message says it came, and how far that can be believed.

Each host puts its field on top of those of the hosts before it (RFC 5321 §4.4), so a field is worth
as much as the host that wrote it. The address of the SMTP client is known from the MTA. If it is a
relay that the site trusts, the topmost field is that relay's and names its client; and so on, down
to the first client that nobody vouches for. What stands below may be forged.

Forms: RFC 5321 §4.4 as sendmail and Postfix write it, and those of Exim, qmail and Exchange. Words
of authenticated submission: RFC 3848 and RFC 6531 §4.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from filterd.message.envelope import Client, Envelope, ip
from filterd.message.fields import HeaderField
from filterd.message.matching import Network, is_in_networks

FIELDS_LIMIT = 100
"""Received fields that are read, from the top; a message with more goes in circles (RFC 5321
§6.3)."""

FIELD_LIMIT = 4096
"""Octets of a field that are read; those of real hosts stay below 600, but a client whose HELO is
as long as a line may be (2048 in Postfix) must not push its address out of sight."""

TRUSTED_LIMIT = 20
"""Trusted relays one behind the other that are gone through."""

_TOKEN = re.compile(r'[()]|"(?:[^"\\]|\\.)*+"?|\\.?|[^\s()"\\]++|\s++', re.DOTALL)
_BRACKETED = re.compile(r"\[([^\[\]\s]{2,60})\]")
_SAID = re.compile(r"(?i)(?<![^\s(])(?:helo|ident)[= ]\s*+[^\s)]++")
_HELO = re.compile(r"(?i)(?<![^\s(])helo[= ]\s*+([^\s)]{1,255})")
_AUTHENTICATED = re.compile(r"(?i)authenticated sender:|authenticated bits|smtp auth")
_PROTOCOLS = frozenset("esmtpa esmtpsa lmtpa lmtpsa utf8smtpa utf8smtpsa utf8lmtpa".split())


@dataclass(frozen=True, slots=True)
class Hop:
    """What one Received field says of the host that handed the message over.

    address: IPv4 or IPv6 as text, `""` if it says none. name: as the writer's own look-up had it,
    `""` if that is not said. helo: what the host called itself. by: who wrote the field, in its own
    words. authenticated: the host, or its user, had logged in.
    """

    address: str = ""
    name: str = ""
    helo: str = ""
    by: str = ""
    authenticated: bool = False


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where what can be believed ends.

    client: the first host that is not a trusted relay: the SMTP client itself, mostly. Its address
    is `""` for mail that was made on this host or on a trusted relay, and where a relay does not
    say who its client was. relays: how many trusted ones lie before it. beyond: what the fields
    below say, the nearest first; anybody may have forged these.
    """

    client: Hop
    relays: int = 0
    beyond: tuple[Hop, ...] = ()


def hops(fields: Iterator[HeaderField]) -> tuple[Hop, ...]:
    """What these Received fields say. Never raises."""
    found = []
    for field in islice(fields, FIELDS_LIMIT):
        found.append(_hop(field.text[:FIELD_LIMIT]))
    return tuple(found)


def boundary(
    envelope: Envelope,
    received: Sequence[Hop],
    trusted: Sequence[Network],
    *,
    trusts_local: bool = False,
) -> Boundary:
    """How far the Received fields of a message with this envelope can be believed.

    trusted: networks of relays. trusts_local: this host is one, as where a filter or fetchmail
    hands mail over.
    """
    client = envelope.client
    hop = Hop(client.address, _name(client.name), client.helo, "", bool(envelope.authenticated))
    place = 0
    while (
        place < min(len(received), TRUSTED_LIMIT)
        and not hop.authenticated
        and _is_trusted(hop.address, trusted, trusts_local=trusts_local)
    ):
        hop = received[place]
        place += 1
        if not hop.address:
            # A relay that does not say where it has the message from made it itself.
            break
    return Boundary(hop, place, tuple(received[place:]))


def _is_trusted(address: str, trusted: Sequence[Network], *, trusts_local: bool) -> bool:
    local = trusts_local and Client(address=address).is_local
    return local or is_in_networks(address, trusted)


def _hop(text: str) -> Hop:
    clauses, protocol, authenticated = _clauses(text)
    words, comments = clauses.get("from", ("", ""))
    by = clauses.get("by", ("", ""))[0]
    authenticated = authenticated or protocol in _PROTOCOLS
    if not words:
        return Hop(by=by, authenticated=authenticated)
    # What the host said of itself is not its address: `[192.0.2.1] (helo=[10.0.0.1])`.
    seen = _SAID.sub("", comments)
    address, name, helo = _address(seen), "", words
    if address:
        name = _name_before(seen)
    called = _HELO.search(comments)
    if called is not None:
        # Exim and qmail put what they looked up first, and what the host said in a comment.
        name, helo = _name(words), called[1]
    literal = _literal(words)
    if not address and literal:
        address, helo = literal, helo if called is not None else ""
    return Hop(address, name, helo, by, authenticated)


def _clauses(text: str) -> tuple[dict[str, tuple[str, str]], str, bool]:
    """The first word and the comments of the clauses `from` and `by`; the word behind `with`, in
    lower case; whether a comment tells of a login. What stands behind `;` is the date."""
    found: dict[str, tuple[str, str]] = {}
    clause, protocol, depth = "", "", 0
    authenticated = False
    comment: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "(":
            depth += 1
            comment.append(token)
        elif token == ")" and depth:
            depth -= 1
            comment.append(token)
            if not depth:
                inside = "".join(comment)
                comment = []
                authenticated = authenticated or bool(_AUTHENTICATED.search(inside))
                if clause in found:
                    word, before = found[clause]
                    found[clause] = word, before + inside
        elif depth:
            comment.append(token)
        elif not token.isspace():
            lowered = token.lower()
            if clause in ("from", "by") and clause not in found:
                # Whatever it is: a host may call itself `by`, or `a;`.
                found[clause] = token.rstrip(";"), ""
                if clause == "from":
                    continue
            elif lowered in ("from", "by", "with", "id", "for", "via"):
                clause = lowered if lowered not in found else ""
            elif clause == "with" and not protocol:
                protocol = lowered.rstrip(";")
            if token.endswith(";"):
                break
    return found, protocol, authenticated


def _address(comments: str) -> str:
    """The address in the comments behind `from`: in brackets, or a comment of its own."""
    for bracketed in _BRACKETED.finditer(comments):
        if found := _plain(bracketed[1]):
            return found
    for comment in comments.replace(")", "(").split("("):
        word = comment.strip().rpartition("@")[2]
        if word and (found := _plain(word)):
            return found
    return ""


def _name_before(comments: str) -> str:
    """The name in `(mail.example [192.0.2.1])`; not sendmail's `(user@mail.example [...])`'s user,
    nor Postfix's `unknown`."""
    if "[" not in comments:
        return ""
    inside = comments.partition("(")[2].partition("[")[0].strip(" (")
    return _name(inside.rpartition(" ")[2].rpartition("@")[2])


def _name(text: str) -> str:
    """A host name; `""` for what says that there is none."""
    name = text.rstrip(".").lower()
    return "" if name in ("unknown", "unverified", "") or name.startswith("[") else name


def _literal(word: str) -> str:
    return _plain(word[1:].partition("]")[0]) if word.startswith("[") else ""


def _plain(text: str) -> str:
    """An IP address in its canonical form, `""` for what is none."""
    # A scope (`fe80::1%eth0`) means something on one host only.
    found = None if "%" in text else ip(text[5:] if text[:5].lower() == "ipv6:" else text)
    return "" if found is None else str(found)
