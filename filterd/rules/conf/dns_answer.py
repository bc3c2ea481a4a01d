"""Which answers of the DNS an `askdns` line wants, or a `urirhssub` line and its kin.

Source: Mail::SpamAssassin::Plugin::AskDNS(3), Mail::SpamAssassin::Plugin::URIDNSBL(3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address
from types import MappingProxyType

from filterd.rules.conf.lines import LineError, quoted, text_of
from filterd.rules.conf.regexp import pattern_of
from filterd.rules.conf.rule import RulePattern

_LISTS = 0x7F000000
"""127.0.0.0/8, where answers of DNS lists are (RFC 5782 §2.1)."""

_RCODES = MappingProxyType(
    {
        name: number
        for number, name in enumerate(
            "NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH"
            " NOTZONE".split()
        )
    }
)
"""Names of RFC 1035 §4.1.1 and RFC 2136 §2.2."""

_PATTERN = re.compile(rb"(?:/.+/|m\W.+\W)[a-z]*+\Z", re.DOTALL)
_TEXT = re.compile(rb"(['\"])(.*)\1\Z", re.DOTALL)
_CODES = re.compile(rb"\[([A-Za-z0-9]++(?:\s*+,\s*+[A-Za-z0-9]++)*+)\]\Z")
_NUMBERS = re.compile(rb"([^/-]++)(?:([/-])(.++))?\Z", re.DOTALL)
_DECIMAL = re.compile(rb"\d{1,10}\Z")
_HEXADECIMAL = re.compile(rb"0x[0-9a-fA-F]{1,8}\Z")


@dataclass(frozen=True, slots=True)
class WantedNumbers:
    """Numbers that addresses of IPv4 are: one of the bits of `first` and within 127.0.0.0/8 where
    `between` is `""`; from `first` to `second` with `-`; the bits of the mask `second` as in
    `first` with `/`."""

    first: int
    between: str = ""
    second: int = 0

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        if self.between == "-":
            return self.first <= number <= self.second
        if self.between == "/":
            return number & self.second == self.first & self.second
        return bool(number & self.first) and number & 0xFF000000 == _LISTS


@dataclass(frozen=True, slots=True)
class WantedAnswer:
    """What `askdns` wants; one of these. pattern: for the record as text. text: the whole record.
    numbers: for addresses. codes: status codes of the answer, whatever its records are."""

    pattern: RulePattern | None = None
    text: str | None = None
    numbers: WantedNumbers | None = None
    codes: frozenset[int] = frozenset()


def _number(written: bytes) -> tuple[int, bool]:
    """A number, and whether it was written as an address."""
    if _DECIMAL.match(written):
        return int(written), False
    if _HEXADECIMAL.match(written):
        return int(written, 16), False
    try:
        return int(IPv4Address(written.decode("latin-1"))), True
    except AddressValueError:
        raise LineError(
            f"expected a number, an address, or two of them with - or /: {quoted(written)}"
        ) from None


@lru_cache(1024)
def wanted_numbers(written: bytes) -> WantedNumbers:
    """`16`, `0x10`, `127.0.1.2`, `127.0.1.20-127.0.1.39`, `127.0.1.0/255.255.255.0`. Raises
    LineError."""
    found = _NUMBERS.match(written)
    if not found:
        raise LineError(f"expected a number or an address: {quoted(written)}")
    first, is_address = _number(found[1])
    if found[2]:
        return WantedNumbers(first, text_of(found[2]), _number(found[3])[0])
    return WantedNumbers(first, "-", first) if is_address else WantedNumbers(first)


def _code(written: str) -> int:
    if written.isdecimal() and len(written) <= 4:
        return int(written)
    found = _RCODES.get(written.upper())
    if found is None:
        raise LineError(f"{written!r} is not a status code of the DNS, as NXDOMAIN or 3")
    return found


@lru_cache(1024)
def wanted_answer(written: bytes) -> WantedAnswer:
    """`/pattern/`, `"text"`, `[NXDOMAIN,2]`, or numbers. Raises LineError."""
    if _PATTERN.match(written):
        return WantedAnswer(pattern=pattern_of(written))
    if text := _TEXT.match(written):
        return WantedAnswer(text=text_of(text[2]))
    if codes := _CODES.match(written):
        words = text_of(codes[1]).split(",")
        return WantedAnswer(codes=frozenset(_code(word.strip()) for word in words))
    return WantedAnswer(numbers=wanted_numbers(written))
