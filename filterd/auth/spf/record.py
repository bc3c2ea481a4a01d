"""SPF records read by the grammar of RFC 7208 §12: all of a record, before any of it counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from filterd.auth.spf.macros import MacroError, MacroString, parse_domain_spec, parse_macros
from filterd.message.authentication import AuthResult

RECORD_LIMIT = 8 << 10
"""Octets of a record; longer ones are permerror. The RFC wants 450 (§3.4), long ones in use have
some thousand."""

REMEMBERED_SIZE = 1024
"""Octets of a record that is remembered as it was read, so that large domains are read once."""

REMEMBERED = 512

TERM_LIMIT = 200
"""Characters of a term that results and errors show."""

_IS_RECORD = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9._-]*+)=(.*+)\Z", re.IGNORECASE | re.ASCII)
_DIRECTIVE = re.compile(r"([+\-?~]?)([a-z][a-z0-9]*+)(?![a-z0-9._-])", re.IGNORECASE | re.ASCII)
_LENGTHS = re.compile(r"(?:(?<!/)/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?\Z")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,2})\Z", re.ASCII)
_UNPRINTABLE = re.compile(r"[^ -~]")

_QUALIFIERS = {
    "": AuthResult.PASS,
    "+": AuthResult.PASS,
    "-": AuthResult.FAIL,
    "~": AuthResult.SOFTFAIL,
    "?": AuthResult.NEUTRAL,
}


class RecordError(ValueError):
    """A record with a syntax error: permerror (§4.6). The message names the term."""


class Mechanism(StrEnum):
    """RFC 7208 §5."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    PTR = "ptr"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"


_WITHOUT_DNS = frozenset({Mechanism.ALL, Mechanism.IP4, Mechanism.IP6})


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """The address of the client as a number; an IPv4 address in IPv6 is one of IPv4 (§5)."""

    version: int
    number: int

    @classmethod
    def of(cls, address: IPv4Address | IPv6Address) -> ClientAddress:
        """The client with this address."""
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return cls(address.version, int(address))

    @property
    def address(self) -> IPv4Address | IPv6Address:
        """Without zone."""
        return IPv4Address(self.number) if self.version == 4 else IPv6Address(self.number)


@dataclass(frozen=True, slots=True)
class Directive:
    """A mechanism with its qualifier.

    text: as the record has it, at most `TERM_LIMIT` characters. spec: the domain, () for that of
    the record. length4, length6: of the prefix, bits. version, network: of ip4 and ip6, the address
    as a number, without what is behind the prefix.
    """

    result: AuthResult
    mechanism: Mechanism
    text: str
    spec: MacroString = ()
    length4: int = 32
    length6: int = 128
    version: int = 0
    network: int = 0

    @property
    def asks(self) -> bool:
        """Whether it takes the DNS to tell if it matches (§4.6.4)."""
        return self.mechanism not in _WITHOUT_DNS

    def holds(self, client: ClientAddress) -> bool:
        """Whether one that does not ask matches."""
        if self.version != client.version:
            return self.mechanism is Mechanism.ALL
        return self._prefix(client, client.number) == self.network

    def covers(self, client: ClientAddress, address: int) -> bool:
        """Whether the client is in the network of an address of the same version."""
        return self._prefix(client, client.number) == self._prefix(client, address)

    def _prefix(self, client: ClientAddress, address: int) -> int:
        return address >> (32 - self.length4 if client.version == 4 else 128 - self.length6)


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """directives: in their order. redirect, explanation: targets of the modifiers, None without."""

    directives: tuple[Directive, ...]
    redirect: MacroString | None = None
    explanation: MacroString | None = None


def is_record(text: bytes) -> bool:
    """Whether a TXT record is one of SPF, right or wrong (§4.5)."""
    return _IS_RECORD.match(text) is not None


def parse_record(text: bytes) -> SpfRecord:
    """Read a record for which `is_record` is true. Raises RecordError."""
    if len(text) > RECORD_LIMIT:
        raise RecordError(f"a record of {len(text)} octets, expected at most {RECORD_LIMIT}")
    return _remembered(text) if len(text) <= REMEMBERED_SIZE else _parsed(text)


def _parsed(text: bytes) -> SpfRecord:
    # What is not ASCII is a letter of no term.
    terms = text.decode("ascii", "replace")[len("v=spf1") :].split(" ")
    directives: list[Directive] = []
    targets: dict[str, MacroString] = {}
    for term in terms:
        if not term:
            continue
        modifier = _MODIFIER.match(term)
        try:
            if modifier is None:
                directives.append(_directive(term))
                continue
            name = modifier[1].lower()
            if name not in ("redirect", "exp"):
                parse_macros(modifier[2])
                continue
            if name in targets:
                raise MacroError(f"{name}= stands twice")
            targets[name] = parse_domain_spec(modifier[2])
        except MacroError as error:
            raise RecordError(f'term "{shown(term)}": {error}') from None
    return SpfRecord(tuple(directives), targets.get("redirect"), targets.get("exp"))


_remembered = lru_cache(REMEMBERED)(_parsed)


def _directive(term: str) -> Directive:
    """Raises MacroError."""
    found = _DIRECTIVE.match(term)
    try:
        mechanism = Mechanism(found[2].lower() if found else "")
    except ValueError:
        raise MacroError("there is no such mechanism") from None
    assert found is not None
    rest = term[found.end() :]
    result, text = _QUALIFIERS[found[1]], shown(term)
    match mechanism:
        case Mechanism.ALL:
            if rest:
                raise MacroError('expected "all" alone')
            return Directive(result, mechanism, text)
        case Mechanism.IP4 | Mechanism.IP6:
            return _network(result, mechanism, text, rest)
        case Mechanism.A | Mechanism.MX:
            lengths = _LENGTHS.search(rest)
            assert lengths is not None  # it matches nothing, at the end
            length4, length6 = int(lengths[1] or 32), int(lengths[2] or 128)
            if length4 > 32 or length6 > 128:
                raise MacroError("the prefix is longer than an address")
            spec = _spec(rest[: lengths.start()])
            return Directive(result, mechanism, text, spec, length4, length6)
    spec = _spec(rest)
    if not spec and mechanism is not Mechanism.PTR:
        raise MacroError("a domain is missing")
    return Directive(result, mechanism, text, spec)


def _spec(text: str) -> MacroString:
    """What stands behind the name of a mechanism: nothing, or a colon and a domain-spec."""
    if not text:
        return ()
    if not text.startswith(":"):
        raise MacroError('expected ":" and a domain')
    return parse_domain_spec(text[1:])


def _network(result: AuthResult, mechanism: Mechanism, text: str, rest: str) -> Directive:
    version = 4 if mechanism is Mechanism.IP4 else 6
    bits = 32 if version == 4 else 128
    address, slash, length = rest.removeprefix(":").partition("/")
    try:
        found = ip_address(address)
        good = rest.startswith(":") and found.version == version and "%" not in address
    except ValueError:
        good = False
    if not good:
        raise MacroError(f"expected an IPv{version} address")
    # No zeros at the left, as the grammar has it for addresses.
    if slash and (not _NUMBER.match(length) or int(length) > bits):
        raise MacroError(f"expected a prefix of 0 to {bits} bits")
    own = int(length) if slash else bits
    network = int(found) >> (bits - own)
    if version == 4:
        return Directive(result, mechanism, text, (), own, 128, version, network)
    return Directive(result, mechanism, text, (), 32, own, version, network)


def shown(text: str) -> str:
    """A term for headers, logs and people: printable ASCII, bounded."""
    return _UNPRINTABLE.sub("?", text[:TERM_LIMIT])
