"""What a list's answer means: return codes, and the symbols that they stand for.

An answer is an address in 127.0.0.0/8 (RFC 5782 §2.1). Lists tell errors by the same way: Spamhaus
and others in 127.255.255.0/24. Whatever is in that network, or outside of 127.0.0.0/8, is never a
listing: a resolver that rewrites "no", a domain that was sold, a quota that is exceeded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from filterd.message.envelope import ip

EXPECTED_CODE = (
    'expected "127.0.0.2", "127.0.0.4-7", "127.0.*.3", "127.0.1.0/24", or "&8" for a bit of the '
    "last number"
)
EXPECTED_MEANING = (
    'expected "SYMBOL", "SYMBOL 2.5", "SYMBOL -1 allow", "SYMBOL 2.5 client", or "error"'
)

ERROR = "error"

_RANGE = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")
_BITS = re.compile(r"&([0-9]{1,3})")
SYMBOL = re.compile(r"[A-Z][A-Z0-9_]{1,62}")


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """What a code stands for. symbol: `""` for an error of the list. allows: the client that is
    named so is not held to be listed by others. client_only: only of the client's own address, as
    for networks of dial-up users, from where mail through a relay is nothing odd."""

    symbol: str
    points: float = 0.0
    allows: bool = False
    client_only: bool = False

    @classmethod
    def parse(cls, text: str) -> CodeMeaning:
        """Read `SYMBOL [POINTS] [allow] [client]`, or `error`. Raises ValueError."""
        words = text.split()
        if words == [ERROR]:
            return cls("")
        symbol, rest = (words[0], words[1:]) if words else ("", [])
        if not SYMBOL.fullmatch(symbol):
            raise ValueError(f"{text!r} is not a meaning of a code; {EXPECTED_MEANING}")
        points, flags = 0.0, set(rest)
        if rest and rest[0] not in ("allow", "client"):
            flags = set(rest[1:])
            try:
                points = float(rest[0])
            except ValueError:
                points = math.nan
        if not math.isfinite(points) or not flags <= {"allow", "client"}:
            raise ValueError(f"{text!r} is not a meaning of a code; {EXPECTED_MEANING}")
        return cls(symbol, points, "allow" in flags, "client" in flags)

    @property
    def praises(self) -> bool:
        """True if it makes a message better: then only the client's own address may have it."""
        return self.allows or self.points < 0


@dataclass(frozen=True, slots=True)
class Code:
    """Answers that mean the same. ranges: lowest and highest of each of the four numbers. bits: any
    of these in the last number, 0 for all."""

    ranges: tuple[tuple[int, int], ...]
    bits: int = 0

    @classmethod
    def parse(cls, text: str) -> Code:
        """Read one of the forms in EXPECTED_CODE. Raises ValueError."""
        bits = _BITS.fullmatch(text)
        if bits is not None and 0 < int(bits[1]) < 256:
            return cls(((127, 127), *[(0, 255)] * 3), int(bits[1]))
        if "/" in text:
            try:
                network = IPv4Network(text)
            except ValueError:
                raise ValueError(f"{text!r} is not a network; {EXPECTED_CODE}") from None
            ends = zip(network[0].packed, network[-1].packed, strict=True)
            return cls(_within_127(text, tuple(ends)))
        parts = text.split(".")
        ranges = tuple(map(_range, parts))
        if len(parts) != 4 or None in ranges:
            raise ValueError(f"{text!r} is not a return code; {EXPECTED_CODE}")
        return cls(_within_127(text, tuple(found for found in ranges if found is not None)))

    def fits(self, answer: bytes) -> bool:
        """True if the four numbers of an answer are meant."""
        if self.bits:
            return bool(answer[3] & self.bits) and not is_error(answer)
        return all(low <= one <= high for one, (low, high) in zip(answer, self.ranges, strict=True))

    @property
    def is_of_errors(self) -> bool:
        """True if it is about nothing but answers that are always errors."""
        return not self.bits and self.ranges[:3] == ((127, 127), (255, 255), (255, 255))


def _range(text: str) -> tuple[int, int] | None:
    if text == "*":
        return 0, 255
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    low = int(found[1])
    high = int(found[2] or found[1])
    return (low, high) if low <= high <= 255 else None


def _within_127(text: str, ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    if ranges[0] != (127, 127):
        raise ValueError(f"{text!r} is outside of 127.0.0.0/8, where no list answers")
    return ranges


def packed(record: object) -> bytes | None:
    """The four numbers of an answer; None for anything but an IPv4 address."""
    found = ip(record) if isinstance(record, str) else None
    return found.packed if found is not None and found.version == 4 else None


def is_error(answer: bytes) -> bool:
    """True for an answer that is never a listing, whoever gives it."""
    return answer[0] != 127 or answer[:3] == b"\x7f\xff\xff"


Table = tuple[tuple[Code, CodeMeaning], ...]
"""The codes of a list, in the order of the settings."""


def table(codes: Mapping[str, str]) -> Table:
    """The codes of a list, parsed. Raises ValueError for the first that is wrong."""
    return tuple(checked(code, meaning) for code, meaning in codes.items())


def checked(code: str, meaning: str) -> tuple[Code, CodeMeaning]:
    """One line of `codes`. Raises ValueError."""
    found = Code.parse(code), CodeMeaning.parse(meaning)
    if found[1].symbol and found[0].is_of_errors:
        raise ValueError(f"{code!r} is always an error of the list; leave it out")
    return found


def meanings(
    answers: Iterable[bytes], codes: Table, unnamed: CodeMeaning | None
) -> list[CodeMeaning]:
    """What the answers mean, without repetitions. unnamed: what a listing without a code means,
    None for nothing. An answer that is an error has the meaning without a symbol."""
    found: dict[CodeMeaning, None] = {}
    for answer in answers:
        if is_error(answer):
            found[CodeMeaning("")] = None
            continue
        fitting = [meaning for code, meaning in codes if code.fits(answer)]
        errors = [meaning for meaning in fitting if not meaning.symbol]
        if not fitting and unnamed is not None:
            fitting = [unnamed]
        found.update(dict.fromkeys(errors or fitting))
    return list(found)
