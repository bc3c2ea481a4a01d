"""A rule (R line) compiled, with sendmail's complaints about it; it is kept and run all the same.

Source: sendmail 8.17 `readcf.c`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from filterd.mta.cf.marks import (
    ANY,
    CALL,
    CLASS,
    FI,
    HOST,
    HOST_LOOKUP,
    HOST_LOOKUP_END,
    IF,
    LOOKUP,
    LOOKUP_END,
    NOT_CLASS,
    ONE,
    REFERENCE,
    RUNTIME,
    SOME,
    USER,
    Complain,
)
from filterd.mta.cf.patterns import MAX_WILDCARDS, LeftHandSide
from filterd.mta.cf.tokens import MAX_SCANNED_RULE, Table, Tokens, scan

MAX_ARGUMENTS = 10
"""Arguments of a lookup with its key, MAX_MAP_ARGS."""

_NOT_ON_LEFT = {
    REFERENCE: "$1-$9",
    USER: "$:",
    CALL: "$>",
    IF: "$?",
    FI: "$.",
    HOST_LOOKUP: "$[",
    HOST_LOOKUP_END: "$]",
    LOOKUP: "$(",
    LOOKUP_END: "$)",
}

_ITEM_MARKS = (REFERENCE, RUNTIME)

_NOT_ON_RIGHT = {ANY: "$*", SOME: "$+", ONE: "$-", CLASS: "$=", NOT_CLASS: "$~"}


@dataclass(frozen=True, slots=True)
class Replacement:
    """The right side. prefix: USER for once (`$:`), HOST for once and return (`$@`), or nothing.

    items: (text, "") for a token, (digit, REFERENCE), (character for a name, RUNTIME).
    """

    tokens: tuple[str, ...]
    prefix: str
    items: tuple[tuple[str, str], ...]

    @classmethod
    def compile(cls, tokens: Sequence[str]) -> Replacement:
        prefix = tokens[0][0] if tokens and tokens[0][0] in (USER, HOST) else ""
        return cls(
            tuple(tokens),
            prefix,
            tuple(
                [
                    (token[1:2], token[0]) if token[0] in _ITEM_MARKS else (token, "")
                    for token in tokens[bool(prefix) :]
                ]
            ),
        )


@dataclass(frozen=True, slots=True)
class RewriteRule:
    """An R line. line: its number in the file; left, right: as written, without the comment."""

    line: int
    left: str
    right: str
    pattern: LeftHandSide = field(repr=False, compare=False)
    replacement: Replacement = field(repr=False, compare=False)


def compile_rule(
    line: int, written: tuple[str, str], sides: tuple[str, str], table: Table, complain: Complain
) -> RewriteRule:
    """Compile a rule. written: both sides as in the file; sides: with marks, and expanded."""
    left = _side(sides[0], table)
    _check_left(left, complain)
    pattern = LeftHandSide.compile(left)
    wildcards = pattern.wildcards
    if wildcards > MAX_WILDCARDS:
        complain("R line: too many wildcards")
        pattern = LeftHandSide.compile([])
    right = _side(sides[1], table)
    _check_right(right, wildcards, complain)
    return RewriteRule(line, *written, pattern, Replacement.compile(right))


def _side(text: str, table: Table) -> Tokens:
    scanned = scan(text, table, _no_report, delimiter="\t", ignore=True, size=MAX_SCANNED_RULE)
    return scanned.tokens or []


def _no_report(text: str) -> None:
    del text


def _check_left(tokens: Tokens, complain: Complain) -> None:
    if not tokens:
        complain("R line: null LHS")
    for token in tokens:
        if token[0] in _NOT_ON_LEFT:
            complain(f"Inappropriate use of {_NOT_ON_LEFT[token[0]]} on LHS")


def _check_right(tokens: Tokens, wildcards: int, complain: Complain) -> None:
    if not tokens:
        complain("R line: null RHS")
    end, arguments = "", 0
    inside = False
    for token in tokens:
        mark = token[0]
        if mark == REFERENCE:
            # sendmail compares characters.
            if not "0" < token[1:2] <= chr(ord("0") + wildcards):
                complain(f"replacement ${token[1:2]} out of bounds")
        elif mark in _NOT_ON_RIGHT:
            complain(f"Inappropriate use of {_NOT_ON_RIGHT[mark]} on RHS")
        elif mark == HOST and inside:
            arguments += 1
            if arguments >= MAX_ARGUMENTS:
                complain("too many arguments for map lookup")
        elif mark in (HOST_LOOKUP, LOOKUP):
            if inside:
                complain("cannot nest map lookups")
            inside, arguments = True, 0
            end = HOST_LOOKUP_END if mark == HOST_LOOKUP else LOOKUP_END
        elif mark == end:
            inside, end = False, ""
    if inside:
        complain("missing map closing token")
