"""A rule (R line) compiled, with sendmail's complaints about it; it is kept and run all the same.

A rule of which there is nothing to complain is compiled when it is first used.

Source: sendmail 8.17 `readcf.c`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
    METASYMBOLS,
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

MAX_PLAIN = 250
"""Octets of a plain rule, with which none of sendmail's limits can be met."""

_PLAIN = r"[^$#\t\n\v\f\r\0\"\\]*"
_PLAIN_RULE = re.compile(
    rf"R({_PLAIN}(?:\$(?:[*+@-]|[=~][A-Za-z]){_PLAIN})*)\t+"
    rf"({_PLAIN}(?:\$[1-9@:#>]{_PLAIN})*)(?:\t[^$\n\0]*)?"
)
_REFERENCES = re.compile(r"\$([1-9])")
_MARKS = METASYMBOLS | {str(digit): f"{REFERENCE}{digit}" for digit in range(1, 10)}

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


class RewriteRule:
    """An R line. line: its number in the file; left, right: as written, without the comment."""

    __slots__ = ("_pattern", "_replacement", "_table", "left", "line", "right")

    def __init__(
        self,
        line: int,
        written: tuple[str, str],
        compiled: tuple[LeftHandSide, Replacement] | None,
        table: Table,
    ) -> None:
        """compiled: None for a rule of which nothing is to be complained: both sides are compiled
        when they are first used."""
        self.line = line
        self.left, self.right = written
        self._table = table
        self._pattern: LeftHandSide | None = None
        self._replacement: Replacement | None = None
        if compiled is not None:
            self._pattern, self._replacement = compiled

    @property
    def pattern(self) -> LeftHandSide:
        if self._pattern is None:
            self._pattern = LeftHandSide.compile(_side(marked(self.left), self._table))
        return self._pattern

    @property
    def replacement(self) -> Replacement:
        if self._replacement is None:
            self._replacement = Replacement.compile(_side(marked(self.right), self._table))
        return self._replacement


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
    return RewriteRule(line, written, (pattern, Replacement.compile(right)), table)


def plain_rule(line: int, text: str, table: Table) -> RewriteRule | None:
    """The rule of a line (`R…`) of which sendmail says nothing, or None where that is not certain.

    Such a line has sendmail's own marks only (`$*`, `$=X`, `$1` …), so it means the same at any
    time. A file may have 100,000 of them.
    """
    found = _PLAIN_RULE.fullmatch(text) if len(text) <= MAX_PLAIN and text.isascii() else None
    if found is None:
        return None
    left, right = found[1], found[2]
    wildcards = left.count("$") - left.count("$@")
    if wildcards > MAX_WILDCARDS or not left.strip() or not right.strip():
        return None
    if "$" in right and max(_REFERENCES.findall(right), default="") > str(wildcards):
        return None
    return RewriteRule(line, (left, right), None, table)


def marked(text: str) -> str:
    """One side of a plain rule with marks for its `$`."""
    first, *rest = text.split("$")
    return first + "".join([_MARKS[one[0]] + one[1:] for one in rest])


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
