"""Text to tokens and back, as sendmail's `prescan` and `cataddr` do it.

Operators are tokens of their own, runs of other characters are atoms, a quoted string is one token
and keeps its quotes. Blanks separate and are dropped. There are three tables: for addresses from
outside and what maps answer (comments in parentheses are dropped), for rules and test mode
(parentheses are operators), and for internal text (marks are operators).

Source: sendmail 8.17 `parseaddr.c`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from filterd.mta.cf.marks import ALL_MARKS, CLASS, NOT_CLASS, REFERENCE, RUNTIME

MAX_TOKENS = 1000
"""Tokens of an address or a rule, MAXATOM."""

MAX_TOKEN = 256
"""Octets of a token, MAXNAME."""

MAX_SCANNED = 1251
"""Octets of an address with one more for each token: sendmail's buffer, PSBUFSIZE less 5."""

MAX_SCANNED_RULE = 3043
"""The same for one side of a rule."""

DEFAULT_OPERATORS = ".:@[]"
"""If the file does not say `O OperatorChars`."""

DELIMITERS = "()<>,;\r\n"
"""Operators in any case."""

MARK_OCTETS = tuple(chr(0xDC00 + octet) for octet in range(0x80, 0xA0))
"""Octets that are marks to sendmail."""

SPACES = " \t\n\v\f\r"

Tokens = list[str]
Report = Callable[[str], None]
"""Takes an error text with its codes in front, `553 Unbalanced '<'`."""


class _Type(IntEnum):
    OPERATOR = 0
    ATOM = 1
    QUOTE = 2
    SPACE = 3
    ONE = 4  # takes the next character as well


_OPERATOR, _ATOM, _QUOTE, _SPACE, _ONE = _Type

_BREAKS = (
    # After an operator and an atom comes a break, but between two atoms.
    (True, True, True, True, True),
    (True, False, True, True, True),
    (False, False, False, False, False),
    (False, False, False, False, False),
    (False, False, False, False, False),
)
"""By the state before and the type of a character: whether a token ends in front of it."""


class Table:
    """What each character is. comments: whether parentheses hold comments."""

    def __init__(self, operators: str, *, comments: bool, marks: bool) -> None:
        self.comments = comments
        self._types = dict.fromkeys(operators + DELIMITERS, _OPERATOR)
        self._types |= dict.fromkeys(SPACES, _SPACE)
        self._types['"'] = _QUOTE
        self._types |= dict.fromkeys("()", _SPACE if comments else _OPERATOR)
        if marks:
            self._types |= dict.fromkeys((*ALL_MARKS, *MARK_OCTETS), _OPERATOR)
            self._types |= dict.fromkeys((RUNTIME, CLASS, NOT_CLASS, REFERENCE, "\udcff"), _ONE)
        single = "".join(re.escape(c) for c, type in self._types.items() if type == _OPERATOR)
        pairs = "".join(re.escape(c) for c, type in self._types.items() if type == _ONE)
        self._plain = re.compile(
            (f"[{pairs}].?|" if pairs else "") + f"[{single}]|[^{single}{pairs}{SPACES}]+",
            re.DOTALL,
        )
        hard = '"\\\\\0\udcff' + ("()" if comments else "")
        self._hard = re.compile(f"[{hard}]")

    def type(self, character: str) -> int:
        return self._types.get(character, _ATOM)

    def split(self, text: str, delimiter: str, *, ignore: bool) -> Tokens | None:
        """The tokens of text without quotes, comments and such; None if it has them."""
        if delimiter and (delimiter in text or delimiter == " "):
            return None
        if self._hard.search(text) or not (ignore or _is_balanced(text)):
            return None
        return self._plain.findall(text)


def _is_balanced(text: str) -> bool:
    """Whether no angle bracket is missing."""
    opened = text.count("<")
    if opened != text.count(">"):
        return False
    # Mostly there is one pair, or none.
    return text.find("<") <= text.find(">") if opened < 2 else _is_nested(text)


def _is_nested(text: str) -> bool:
    depth = 0
    for one in text:
        depth += (one == "<") - (one == ">")
        if depth < 0:
            return False
    return True


@dataclass(frozen=True, slots=True)
class TokenTables:
    """The three tables of one configuration, and how tokens are joined.

    space: what stands between two atoms, the option BlankSub.
    """

    addresses: Table
    rules: Table
    internal: Table
    space: str
    not_atoms: frozenset[str]

    @classmethod
    def of(cls, operators: str = DEFAULT_OPERATORS, space: str = " ") -> TokenTables:
        internal = Table(operators, comments=True, marks=True)
        starts = {chr(code) for code in range(128)} | ALL_MARKS
        starts |= {*MARK_OCTETS, "\udcff"}
        return cls(
            Table(operators, comments=True, marks=False),
            Table(operators, comments=False, marks=True),
            internal,
            space,
            frozenset(one for one in starts if internal.type(one) != _ATOM),
        )

    def join(self, tokens: Iterable[str], space: str | None = None, limit: int = 0) -> str:
        """The tokens as text: nothing between them but `space` between two atoms.

        space: None for BlankSub. limit: characters after which the text is cut; 0 for none.
        """
        between = self.space if space is None else space
        not_atoms = self.not_atoms
        out: list[str] = []
        after_atom = False
        for token in tokens:
            atom = token[:1] not in not_atoms
            if atom and after_atom:
                out.append(between)
            out.append(token)
            after_atom = atom
        text = "".join(out)
        return text[:limit] if limit else text


@dataclass(frozen=True, slots=True)
class Scanned:
    """tokens: None for a text that cannot be one. end: where the delimiter is, or the text ends."""

    tokens: Tokens | None
    end: int


def scan(
    text: str,
    table: Table,
    report: Report,
    *,
    delimiter: str = "",
    ignore: bool = False,
    size: int = MAX_SCANNED,
) -> Scanned:
    """Cut text into tokens. An empty text has none; then `tokens` is None, as after an error.

    delimiter: ends the text outside of `<>`, comments and quotes. ignore: do not complain of, or
    mend, what is unbalanced (rules).
    """
    tokens = table.split(text, delimiter, ignore=ignore)
    if tokens is None:
        return _Scanner(text, table, report, delimiter, ignore, size).run()
    # Nothing of a short text can be too much.
    is_short = len(text) <= MAX_TOKEN and 2 * len(text) < size - MAX_TOKEN
    error = "" if is_short else exceeded(tokens, size)
    if error:
        report(error)
        return Scanned(None, len(text))
    return Scanned(tokens or None, len(text))


def exceeded(tokens: Sequence[str | bytes], size: int) -> str:
    """The first limit that sendmail would meet on its way, as an error, "" for none. size: octets
    of all with one more for each."""
    if not tokens or (
        len(tokens) <= MAX_TOKENS
        and max(map(len, tokens)) <= MAX_TOKEN
        and sum(map(len, tokens)) + len(tokens) < size - MAX_TOKEN
    ):
        return ""
    used = 0
    for number, token in enumerate(tokens):
        if used + len(token) >= size:
            return "553 5.1.1 Address too long"
        if number >= MAX_TOKENS:
            return "553 5.1.0 prescan: too many tokens"
        if len(token) > MAX_TOKEN:
            return "553 5.1.0 prescan: token too long"
        used += len(token) + 1
    return ""


class _Scanner:
    """The general case, one character at a time."""

    def __init__(
        self, text: str, table: Table, report: Report, delimiter: str, ignore: bool, size: int
    ) -> None:
        self._text, self._table, self._report = text, table, report
        self._delimiter, self._ignore, self._size = delimiter, ignore, size
        self._tokens: Tokens = []
        self._token: list[str] = []
        self._used = 0
        self._error = ""
        self._state: int = _ATOM
        self._comments = 0
        self._angles = 0
        self._route = False

    def run(self) -> Scanned:  # noqa: PLR0912  # the order of the questions is sendmail's
        at = 0
        escaped = False
        while not self._error:
            one = self._text[at : at + 1]
            at += 1
            if one in ("", "\0"):
                one = self._missing()
                at -= 1
                if not one:
                    break
            elif one == self._delimiter and not self._comments and self._state != _QUOTE:
                if not self._angles:
                    at -= 1
                    break
                if one == "," and not self._route and not self._ignore:
                    self._report("553 Unbalanced '<'")
                    one = ">"
                    at -= 1
            if escaped:
                escaped = False
                if self._comments:
                    continue
                # `\!` outside of quotes is `!`.
                if one != "!" or self._state == _QUOTE:
                    self._store("\\")
                    self._store(one)
                    continue
            if one == "\\":
                escaped = True
                self._advance(one, stored=False)
                continue
            kept = one if self._state == _QUOTE else self._seen(one, at)
            if not kept:
                continue
            if kept == self._delimiter and not self._angles and self._state != _QUOTE:
                at -= 1
                break
            self._advance(kept)
        if not self._error:
            self._flush()
        if self._error:
            self._report(self._error)
            return Scanned(None, max(at - 1, 0))
        return Scanned(self._tokens or None, at)

    def _missing(self) -> str:
        """At the end: the character that is missing there, "" for none."""
        if self._ignore:
            return ""
        if self._state == _QUOTE:
            self._report("553 Unbalanced '\"'")
            return '"'
        if self._comments:
            self._report("553 Unbalanced '('")
            return ")"
        if self._angles:
            self._report("553 Unbalanced '<'")
            return ">"
        return ""

    def _seen(self, one: str, at: int) -> str:
        """Count brackets. Returns what is kept of a character, "" for nothing."""
        if one == "(" and self._table.comments:
            self._comments += 1
            return ""
        if one == ")" and self._table.comments:
            if self._comments:
                self._comments -= 1
            elif not self._ignore:
                self._report("553 Unbalanced ')'")
                return ""
            return one
        if self._comments:
            return ""
        if one == "<":
            self._angles += 1
            if self._text[at:].lstrip(SPACES).startswith("@"):
                self._route = True
        elif one == ">":
            self._route = False
            if self._angles:
                self._angles -= 1
            elif not self._ignore:
                self._report("553 Unbalanced '>'")
                return ""
        elif self._delimiter == " " and one in SPACES:
            return " "
        return one

    def _advance(self, one: str, *, stored: bool = True) -> None:
        type = self._table.type(one)
        if _BREAKS[self._state][type]:
            self._flush()
        drop = type == _SPACE and self._state in (_OPERATOR, _ATOM, _SPACE)
        if self._state == _QUOTE:
            self._state = _OPERATOR if type == _QUOTE else _QUOTE
        elif self._state == _ONE:
            self._state = _OPERATOR
        else:
            self._state = type
        if stored and not drop:
            self._store(one)

    def _store(self, one: str) -> None:
        if self._used >= self._size:
            self._error = self._error or "553 5.1.1 Address too long"
            return
        self._token.append("\x7f" if one == "\udcff" else one)
        self._used += 1

    def _flush(self) -> None:
        if not self._token or self._error:
            return
        if self._used >= self._size:
            self._error = "553 5.1.1 Address too long"
        elif len(self._tokens) >= MAX_TOKENS:
            self._error = "553 5.1.0 prescan: too many tokens"
        elif len(self._token) > MAX_TOKEN:
            self._error = "553 5.1.0 prescan: token too long"
        else:
            self._tokens.append("".join(self._token))
            self._used += 1
            self._token = []


def without_quotes(text: str) -> str:
    """The text without its quotes; a backslash keeps the next character and goes."""
    if '"' not in text and "\\" not in text:
        return text
    out: list[str] = []
    rest = iter(text)
    for one in rest:
        if one == "\\":
            out.append(next(rest, ""))
        elif one != '"':
            out.append(one)
    return "".join(out)
