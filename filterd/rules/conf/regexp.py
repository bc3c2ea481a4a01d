"""A Perl regular expression as a rule writes it: delimiters, pattern, flags.

Whether the pattern can be compiled is not asked here. Source: Mail::SpamAssassin::Conf(3),
perlop(1) on `m/PATTERN/`.
"""

from __future__ import annotations

import re

from filterd.rules.conf.lines import LineError, quoted, text_of
from filterd.rules.conf.rule import RulePattern

_PAIRS = {b"{": b"}", b"(": b")", b"<": b">", b"[": b"]"}

_OPENING = re.compile(rb"(?:m|qr)(\W)")

# SpamAssassin takes every letter but `e`, and leaves it to Perl to refuse most of them.
_FLAGS = re.compile(rb"[a-df-z]*\Z")

_INLINE_FLAGS = frozenset("imsxnadlup")
"""Letters that may stand in `(?...)`: perlre(1), "Extended Patterns"."""

_CODE = re.compile(r"\(\?\??\{")

_ESCAPED = re.compile(rb"\\.", re.DOTALL)

CAPTURE = re.compile(r"\(\?P?[<'][A-Z]")
"""The beginning of a group whose text other rules use: `(?<NAME>...)`."""

TEMPLATE = re.compile(r"(?<!\\)%\{([A-Z][A-Z0-9]*+(?:_[A-Z0-9]++)*+(?:\([^(){}]*+\))?)\}")
"""Where the text of such a group goes: `%{NAME}`."""


def pattern_of(written: bytes) -> RulePattern:
    """The pattern of `/.../flags`, `m{...}flags` and the like. Raises LineError."""
    inner, closing, flags = _delimited(written)
    if closing not in (b"}", b")", b"]") and closing in _ESCAPED.sub(b"", inner):
        raise LineError(
            f"the delimiter {quoted(closing)!r} stands in the pattern: write a \\ before"
        )
    source = text_of(inner)
    if _CODE.search(source):
        raise LineError("Perl code in a pattern, (?{...}), is not possible")
    wrong = sorted(set(flags) - _INLINE_FLAGS)
    if wrong:
        raise LineError(f"the flag {wrong[0]!r} of a pattern is unknown, expected i, m, s or x")
    return RulePattern(source, "".join(sorted(flags)))


def always_matches(source: str) -> str:
    """Why a pattern matches every text, as far as one sees: "" when it does not."""
    if not source:
        return "it is empty"
    bare = re.sub(r"\\.", "__", source)
    if "||" in bare:
        return "it contains '||'"
    if bare.startswith("|") or bare.endswith("|"):
        return "it begins or ends with '|'"
    return ""


def _delimited(written: bytes) -> tuple[bytes, bytes, str]:
    """What stands between the delimiters, the closing one, and the flags."""
    if written.startswith(b"/"):
        rest, closing = written[1:], b"/"
    else:
        opening = _OPENING.match(written)
        if not opening:
            raise LineError(f"no delimiters around the pattern, expected /.../: {quoted(written)}")
        if opening[1] == b"\\":
            raise LineError("a backslash cannot be the delimiter of a pattern")
        rest, closing = written[opening.end() :], _PAIRS.get(opening[1], opening[1])
    end = rest.rfind(closing)
    if end < 0 or not _FLAGS.match(rest, end + 1):
        expected = f"{quoted(closing)} and flags"
        raise LineError(f"the pattern does not end with {expected}: {quoted(written)}")
    return rest[:end], closing, text_of(rest[end + 1 :])
