"""Maps without anything behind them: null, dequote, arith, arpa, macro, regex, syslog."""

from __future__ import annotations

import ipaddress
import json
import logging
import random
import re
import subprocess
import sys
from collections.abc import Hashable, Sequence

from filterd.mta.cf import posix_regex
from filterd.mta.cf.lookup import EX_NOTFOUND, EX_OK, MapAnswer, RunTimeMacros
from filterd.mta.cf.map_options import MapOptions, regex_fields
from filterd.mta.cf.posix_regex import Spans, SubjectTooLongError
from filterd.mta.maps.base import (
    EX_CONFIG,
    EX_SOFTWARE,
    BaseMap,
    MapError,
    MapValue,
    octets,
    text_of,
)

EX_DATAERR = 65

REGEX_TIMEOUT = 5.0
"""Seconds for a pattern with back-references; a good one takes a few milliseconds."""

MACRO_NAME_LIMIT = 25
"""Characters of a macro's name, MAXMACNAMELEN."""

RESULT_LIMIT = 255
"""Octets that the sub-matches of a regex may have together; the rest is cut."""

_log = logging.getLogger(__name__)


class _LastingMap(BaseMap):
    """A map whose answers depend on nothing but key and arguments."""

    def _version(self) -> Hashable | None:
        return "lasting"


class NullMap(_LastingMap):
    """Finds nothing."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        del key, arguments
        return MapAnswer(None, EX_NOTFOUND)


class DequoteMap(_LastingMap):
    """Takes quotes off, if that leaves one sound token."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        del arguments
        bare = dequoted(octets(key), octets(self.options.space or ""))
        if bare is None:
            return MapAnswer()
        return MapAnswer(text_of(bare + octets(self.options.append)))


def dequoted(text: bytes, space: bytes) -> bytes | None:
    """The text without its quotes, None if there are none or brackets are unbalanced or a blank is
    inside. space: what replaces a blank, empty for nothing."""
    out = bytearray()
    comments = angles = quotes = 0
    is_escaped = False
    for number in text:
        one = bytes((number,))
        if is_escaped:
            is_escaped = False
            out += one
            continue
        if one == b" " and space:
            one = space[:1]
        if one in b" \t":
            return None
        if one == b"\\":
            is_escaped = True
        elif one == b"(":
            comments += 1
        elif one == b")":
            comments -= 1
        if comments < 0:
            return None
        if not comments:
            if one == b'"':
                quotes += 1
                continue
            angles += (one == b"<") - (one == b">")
            if angles < 0:
                return None
        out += one
    if angles or comments or is_escaped or quotes == 0 or quotes % 2:
        return None
    return bytes(out)


class ArithMap(BaseMap):
    """C arithmetic on two arguments; the key is the operator."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        if len(arguments) < 2 or not key:
            return MapAnswer(None, EX_CONFIG)
        left, right = (strtol(octets(one)) for one in arguments[:2])
        operator = key[0]
        if operator not in "|&%+-*/l=r":
            return MapAnswer(None, EX_CONFIG)
        if (operator in "%/" and right == 0) or (operator == "r" and right - left + 1 <= 0):
            return MapAnswer()
        if operator in "l=":
            holds = left < right if operator == "l" else left == right
            return MapAnswer("TRUE" if holds else "FALSE")
        return MapAnswer(str(_wrapped(_computed(operator, left, right)))[:15])


def _computed(operator: str, left: int, right: int) -> int:
    quotient = abs(left) // abs(right) if right else 0
    quotient = quotient if (left < 0) == (right < 0) else -quotient
    match operator:
        case "|":
            return left | right
        case "&":
            return left & right
        case "%":
            return left - quotient * right
        case "/":
            return quotient
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    return random.randint(left, right)  # noqa: S311  # to spread load, no secret


def _wrapped(number: int) -> int:
    """As a C long of 64 bits has it."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


_NUMBER = re.compile(rb"[ \t\n\v\f\r]*([+-]?)(0[xX](?=[0-9a-fA-F])[0-9a-fA-F]+|0[0-7]*|[0-9]+)")


def strtol(text: bytes) -> int:
    """The number that a text begins with: decimal, 0x hexadecimal, 0 octal; 0 for none.

    Numbers that are too large stay at the limit of a C long. Source: C11 §7.22.1.4.
    """
    match = _NUMBER.match(text)
    if match is None:
        return 0
    digits = match[2]
    if digits[:2].lower() == b"0x":
        base, digits = 16, digits[2:]
    else:
        base = 8 if digits.startswith(b"0") else 10
    # More digits than a long has stand for its limit.
    number = int(digits[:40], base) if len(digits.lstrip(b"0")) < 40 else 1 << 70
    number = -number if match[1] == b"-" else number
    return max(-(1 << 63), min(number, (1 << 63) - 1))


class ArpaMap(BaseMap):
    """An IP address with its parts turned round, as the DNS has them."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        try:
            if key[:5].lower() == "ipv6:":
                digits = ipaddress.IPv6Address(key[5:]).exploded.replace(":", "")
                turned = ".".join(reversed(digits))
            else:
                turned = ".".join(reversed(str(ipaddress.IPv4Address(key)).split(".")))
        except ValueError:
            return MapAnswer(None, EX_DATAERR)
        return self._value(key, arguments, MapValue(turned.encode()))


class MacroMap(BaseMap):
    """Sets a macro to the first argument, or unsets it."""

    def __init__(self, options: MapOptions, macros: RunTimeMacros) -> None:
        super().__init__(options)
        self._macros = macros

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        if not key:
            return MapAnswer(None, EX_CONFIG)
        name, complaints = macro_name(key)
        complaint = "\n".join(complaints)
        if not name:
            return MapAnswer(None, EX_CONFIG, complaint, trouble=EX_SOFTWARE if complaint else 0)
        self._macros.set(name, arguments[0] if arguments else None)
        return MapAnswer("", EX_OK, complaint, trouble=EX_SOFTWARE if complaint else EX_OK)


def macro_name(text: str) -> tuple[str, list[str]]:
    """The macro that a text names, `x` or `{Name}`, empty for none, and sendmail's complaints."""
    if not text or text.startswith("{}"):
        return "", ["Name required for macro/class"]
    if not text.startswith("{"):
        return text[0], []
    complaints: list[str] = []
    name, end = "", len(text)
    for at, one in enumerate(text[1:], 1):
        if one == "}" or len(name) >= MACRO_NAME_LIMIT:
            end = at
            break
        if one.isascii() and (one.isalnum() or one == "_"):
            name += one
        else:
            complaints.append(f"Invalid macro/class character {one}")
    if end == len(text):
        complaints.append(f"Unbalanced {{ on {name}")
    elif text[end] != "}":
        complaints.append(f"Macro/class name ({{{name}}}) too long ({MACRO_NAME_LIMIT} chars max)")
    else:
        return name, complaints
    return "", [*complaints, "Unable to assign macro/class ID (mid = 0xffffffff)"]


class RegexMap(BaseMap):
    """Matches a pattern; the result is nothing, or the sub-matches that `-s` lists."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        subject = octets(key)
        spans = self._search(subject)
        if self.options.negates or spans is None:
            if (spans is None) != self.options.negates:
                return MapAnswer()
            return self._value(key, arguments, MapValue(b""))
        fields = self.options.fields
        if fields is None:
            return self._value(key, arguments, MapValue(b""))
        pattern = self.options.pattern
        if arguments and pattern is not None:
            fields, problem = regex_fields(arguments[0] or "0", pattern.group_count + 1)
            if problem:
                return MapAnswer(None, EX_CONFIG, problem, trouble=EX_SOFTWARE)
        parts = [subject[slice(*spans[one])] if spans[one][0] >= 0 else b"" for one in fields]
        if not _is_balanced(b"".join(parts)):
            _log.warning("regex map %s: result of %r cannot be an address", self.options.name, key)
            return MapAnswer()
        joined = octets(self.options.joiner).join(parts)[:RESULT_LIMIT]
        return self._value(key, arguments, MapValue(joined))

    def _search(self, subject: bytes) -> Spans | None:
        """Raises MapError if there is no answer in time."""
        pattern = self.options.pattern
        if pattern is None:
            return None
        name = self.options.name
        try:
            if not pattern.has_back_reference:
                return pattern.search(subject)
            done = subprocess.run(
                [sys.executable, "-I", "-S", posix_regex.__file__],
                input=pattern.request(subject),
                capture_output=True,
                timeout=REGEX_TIMEOUT,
                check=True,
            )
            spans = json.loads(done.stdout)
        except SubjectTooLongError as error:
            raise MapError(f"regex map {name}: text too long: {error}") from None
        except subprocess.TimeoutExpired:
            raise MapError(f"regex map {name}: no answer within {REGEX_TIMEOUT:g} s") from None
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            raise MapError(f"regex map {name}: cannot search: {error}") from None
        return None if spans is None else tuple((start, end) for start, end in spans)


def _is_balanced(text: bytes) -> bool:
    """Whether the tokeniser can take it: brackets and quotes in pairs, no blank outside quotes."""
    angles = comments = blanks = 0
    in_quotes = is_escaped = False
    for one in text:
        if is_escaped:
            is_escaped = False
        elif in_quotes and one not in b'"\\':
            continue
        else:
            is_escaped = one == ord("\\")
            comments += (one == ord("(")) - (one == ord(")"))
            angles += (one == ord("<")) - (one == ord(">"))
            blanks += one == ord(" ")
            in_quotes ^= one == ord('"')
    return not (angles or comments or blanks or in_quotes or is_escaped)


_LEVELS = {
    "EMERG": logging.CRITICAL,
    "ALERT": logging.CRITICAL,
    "CRIT": logging.CRITICAL,
    "ERR": logging.ERROR,
    "WARNING": logging.WARNING,
    "NOTICE": logging.INFO,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
}


class SyslogMap(BaseMap):
    """Writes its key to the log, and is replaced by nothing."""

    def _answer(self, key: str, arguments: Sequence[str]) -> MapAnswer:
        said = self._value(key, arguments, MapValue(octets(key))).value or ""
        _log.log(_LEVELS[self.options.priority], "%s", said.encode("ascii", "backslashreplace"))
        return MapAnswer("")
