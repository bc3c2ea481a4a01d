"""The calls in an mc file, by line, as m4 reads them without expanding them.

m4 knows words, quoted strings and everything else. A word that is a macro and is followed at once
by a parenthesis takes arguments: separated by commas, blanks before each are dropped, one level of
quotes is taken off, `dnl` drops the rest of its line. Source: GNU m4 1.4.19 manual, "Syntax".

Takes time in proportion to the length of the text times the depth of calls in calls.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

DEPTH = 8
"""Calls inside of the arguments of other calls that are looked at, `ifdef` in `ifdef`."""

GUESS_LIMIT = 2000
"""Octets of a text that looks like a call and is none; more would be tried again and again."""

GUESSES = 100
"""How many of them are looked at."""

RAW_SECTIONS = frozenset(
    """
    LOCAL_CONFIG LOCAL_RULESETS LOCAL_RULE_0 LOCAL_RULE_1 LOCAL_RULE_2 LOCAL_RULE_3 LOCAL_UUCP
    LOCAL_NET_CONFIG LOCAL_DNSBL MAILER_DEFINITIONS LOCAL_SRV_FEATURES LOCAL_CLT_FEATURES
    LOCAL_TRY_TLS LOCAL_TLS_RCPT LOCAL_TLS_CLIENT LOCAL_TLS_SERVER
    """.split()
)
"""Directives without arguments after which lines of the sendmail.cf follow."""

CONDITIONS = ("ifdef", "ifelse")

BUILTINS = frozenset(
    """
    builtin changecom changequote changeword debugfile debugmode decr define defn divert divnum dnl
    dumpdef errprint esyscmd eval format ifdef ifelse include incr index indir len m4exit m4wrap
    maketemp mkstemp patsubst popdef pushdef regexp shift sinclude substr syscmd sysval traceoff
    traceon translit undefine undivert
    """.split()
)
"""The macros of GNU m4."""

_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. text: without its outer quotes; raw: as typed, blanks before it left out."""

    raw: str
    text: str
    line: int
    outside: str
    """What is not in quotes."""

    @property
    def quoted(self) -> bool:
        return not self.outside.strip() and self.raw != ""


@dataclass(frozen=True, slots=True)
class Call:
    """A macro with what it was given. after: the rest of its line; spaced: a blank stands between
    the name and the parenthesis, so that m4 gives it nothing. nested: in the arguments of another,
    where it may never be carried out. commented: behind a `#` that does not keep m4 from it."""

    name: str
    arguments: tuple[Argument, ...]
    line: int
    end: int
    after: str = ""
    spaced: bool = False
    nested: bool = False
    commented: bool = False
    diverted: bool = False

    def argument(self, number: int) -> str:
        """The text of an argument, counted from 1; empty if it is not there."""
        return self.arguments[number - 1].text if number <= len(self.arguments) else ""


@dataclass(frozen=True, slots=True)
class CopiedLine:
    """A line that m4 copies to the sendmail.cf, and the section that it is in (empty for none)."""

    number: int
    text: str
    section: str
    whole: bool
    """Nothing else stands on the line."""


@dataclass(slots=True)
class Scan:
    """What is in the text. unclosed: for each quote or parenthesis still open at the end, what it
    is and its line, the outermost first."""

    calls: list[Call] = field(default_factory=list)
    lines: list[CopiedLine] = field(default_factory=list)
    unclosed: list[tuple[str, int]] = field(default_factory=list)
    stray_ends: list[tuple[int, str]] = field(default_factory=list)
    """Arguments with a `'` that ends nothing: line and the argument as typed."""
    unknown: list[Call] = field(default_factory=list)
    """What looks like a call of a macro that does not exist: m4 copies it."""
    bare: list[tuple[int, str]] = field(default_factory=list)
    """Names of macros without a parenthesis behind them, where a line begins: line and name."""

    def named(self, *names: str) -> list[Call]:
        """The calls of these macros, in order."""
        return [call for call in self.calls if call.name in names]


def scan(text: str, known: frozenset[str], *, comments: bool = False) -> Scan:
    """Read a text. known: names of macros, besides m4's own and those that the text defines.
    comments: `#` begins a comment, as before the mc includes cf.m4."""
    scanner = _McScanner(text, set(BUILTINS | known), comments)
    scanner.top()
    return scanner.found


class _McScanner:
    def __init__(
        self, text: str, known: set[str], comments: bool, first_line: int = 1, depth: int = 0
    ) -> None:
        self.text = text
        self._known = known
        self.found = Scan()
        self._comments = comments
        self._first = first_line
        self._depth = depth
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._open, self._close = "`", "'"
        self._section = ""
        self._diverted = False
        self._guesses = 0
        self._copied: dict[int, list[str]] = {}
        self._sections: dict[int, str] = {}

    def line(self, place: int) -> int:
        return self._first + bisect_right(self._newlines, place - 1)

    def top(self) -> None:
        """The text outside of calls."""
        place, text = 0, self.text
        hash_line = 0  # the last line on which a `#` came first
        fresh = True  # nothing but blanks on this line so far
        while place < len(text):
            char = text[place]
            if char == "\n":
                fresh = True
                self._copy(place, "")
                place += 1
            elif char == "#" and self._comments:
                place = self._end_of_line(place)
            elif self._open and text.startswith(self._open, place):
                end = self._string(place)
                inner = text[place + len(self._open) : max(place, end - len(self._close))]
                for number, part in enumerate(inner.split("\n")):
                    self._copy(place, part, number)
                place, fresh = end, False
            elif (match := _WORD.match(text, place)) is not None:
                commented = hash_line == self.line(place)
                place = self._word(match, commented, first=fresh and not commented)
                fresh = text[place - 1] == "\n"
            else:
                if char == "#" and fresh:
                    hash_line = self.line(place)
                self._copy(place, char)
                fresh = fresh and char.isspace()
                place += 1
        self._finish()

    def _word(self, match: re.Match[str], commented: bool, *, first: bool) -> int:
        text, name, place = self.text, match[0], match.end()
        if name == "dnl":
            # What stood before it on the line is copied, and the newline with it.
            return min(self._end_of_line(place) + 1, len(text))
        if text.startswith("(", place):
            if name in self._known:
                call, end = self._call(name, match.start(), commented)
                if call is None:
                    return len(text)
                self._add(call)
                return end
            outside = not (self._section or self._diverted or commented)
            if outside and (call := self._guess(match, place)) is not None:
                self.found.unknown.append(call)
        if name in RAW_SECTIONS and not commented:
            self._section = name
            line = self.line(match.start())
            self._add(
                Call(
                    name, (), line, line, self._rest(place), diverted=False, nested=self._depth > 0
                )
            )
            self._diverted = False
            return place
        blank = re.compile(r"[ \t]+\(").match(text, place)
        if blank and not commented and not self._section and name in self._known:
            # For the checks only: m4 calls it without arguments and copies the parenthesis.
            if (call := self._guess(match, blank.end() - 1)) is not None:
                self.found.calls.append(replace(call, spaced=True))
        elif first and name in self._known and not (self._section or self._diverted):
            self.found.bare.append((self.line(match.start()), name))
        self._copy(match.start(), name)
        return place

    def _guess(self, match: re.Match[str], parenthesis: int) -> Call | None:
        """What would be a call if m4 took it for one."""
        self._guesses += 1
        if self._guesses > GUESSES:
            return None
        start = match.start()
        text = self.text[start : start + GUESS_LIMIT]
        guess = _McScanner(text, self._known, self._comments, self.line(start))
        return guess._call(match[0], 0, False, parenthesis - start)[0]

    def _rest(self, place: int) -> str:
        return self.text[place : self._end_of_line(place)]

    def _end_of_line(self, place: int) -> int:
        end = self.text.find("\n", place)
        return len(self.text) if end < 0 else end

    def _add(self, call: Call) -> None:
        self.found.calls.append(call)
        if call.name == "divert":
            self._diverted = call.argument(1).strip().startswith("-")
            self._section = "" if call.argument(1).strip() in ("", "0", "-1") else "divert"
        elif call.name == "changequote":
            if not call.arguments or (len(call.arguments) == 1 and not call.argument(1)):
                self._open, self._close = "`", "'"
            else:
                self._open, self._close = call.argument(1), call.argument(2) or "'"
        elif call.name == "changecom":
            self._comments = bool(call.argument(1))
        elif call.name == "include" and call.argument(1).endswith("m4/cf.m4"):
            self._comments = False
        elif call.name in ("define", "pushdef"):
            self._known.add(call.argument(1))
        if call.name in CONDITIONS and self._depth < DEPTH:
            for argument in call.arguments[1:]:
                # An argument's line is where it begins, its quotes with it.
                inner = _McScanner(
                    argument.text, self._known, self._comments, argument.line, self._depth + 1
                )
                inner._open, inner._close = self._open, self._close
                inner._diverted, inner._section = self._diverted, self._section
                inner.top()
                self.found.calls += inner.found.calls
                self.found.lines += inner.found.lines

    def _string(self, place: int) -> int:
        """The end of the quoted string that begins here, or of the text if it does not end."""
        opened = [place]
        # Strings nest: `a `b' c' is one.
        ends = re.compile(f"{re.escape(self._open)}|{re.escape(self._close)}")
        at = place + len(self._open)
        while (match := ends.search(self.text, at)) is not None:
            if match[0] == self._close:
                opened.pop()
                if not opened:
                    return match.end()
            else:
                opened.append(match.start())
            at = match.end()
        self.found.unclosed += [("quote", self.line(one)) for one in opened]
        return len(self.text)

    def _call(
        self, name: str, start: int, commented: bool, parenthesis: int = -1
    ) -> tuple[Call | None, int]:
        """The call whose name stands at `start`, and its end; None if it does not close."""
        text = self.text
        place = (parenthesis if parenthesis >= 0 else start + len(name)) + 1
        arguments: list[Argument] = []
        while True:
            begin = self._skip_blanks(place)
            argument, place = self._argument(begin)
            if place >= len(text):
                if not self.found.unclosed:
                    self.found.unclosed.append((f"parenthesis of {name}", self.line(start)))
                return None, place
            arguments.append(argument)
            if self._close in argument.outside and self._open == "`":
                self.found.stray_ends.append((argument.line, argument.raw))
            place += 1
            if text[place - 1] == ")":
                break
        none = len(arguments) == 1 and not arguments[0].raw
        call = Call(
            name,
            () if none else tuple(arguments),
            self.line(start),
            self.line(place - 1),
            self._rest(place),
            nested=self._depth > 0,
            commented=commented,
            diverted=self._diverted,
        )
        return call, place

    def _argument(self, begin: int) -> tuple[Argument, int]:
        """The argument that begins here, and the place of the comma or parenthesis behind it, or
        the end of the text."""
        text, place, depth = self.text, begin, 1
        kept: list[str] = []  # one level of quotes taken off
        outside: list[str] = []
        while place < len(text):
            char = text[place]
            if self._open and text.startswith(self._open, place):
                end = self._string(place)
                if end >= len(text) and self.found.unclosed:
                    place = len(text)
                    break
                kept.append(text[place + len(self._open) : end - len(self._close)])
                place = end
                continue
            if self._comments and char == "#":
                end = self._end_of_line(place)
                kept.append(text[place:end])
                place = end
                continue
            if (match := _WORD.match(text, place)) is not None:
                place = match.end()
                if match[0] == "dnl":
                    place = min(self._end_of_line(place) + 1, len(text))
                    place = place if kept else self._skip_blanks(place)
                    continue
                kept.append(match[0])
                outside.append(match[0])
                continue
            if char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
            if depth == 0 or (char == "," and depth == 1):
                break
            kept.append(char)
            outside.append(char)
            place += 1
        argument = Argument(text[begin:place], "".join(kept), self.line(begin), "".join(outside))
        return argument, place

    def _skip_blanks(self, place: int) -> int:
        match = re.compile(r"\s*").match(self.text, place)
        assert match is not None
        return match.end()

    def _copy(self, place: int, text: str, further: int = 0) -> None:
        """Text that m4 copies to its output. further: lines after the one of `place`."""
        if self._diverted:
            return
        self._copied.setdefault(self.line(place) + further, []).append(text)
        if text and self._section:
            self._sections[self.line(place) + further] = self._section

    def _finish(self) -> None:
        source = self.text.split("\n")
        for number, parts in sorted(self._copied.items()):
            text = "".join(parts)
            if text.strip():
                original = (
                    source[number - self._first] if number - self._first < len(source) else ""
                )
                self.found.lines.append(
                    CopiedLine(number, text, self._sections.get(number, ""), original == text)
                )


def names_in(text: str) -> Iterator[str]:
    """The words of an m4 text that could be macros, comments after `dnl` and `#` lines left out."""
    for line in text.split("\n"):
        if line.lstrip().startswith("#"):
            continue
        yield from _WORD.findall(re.split(r"\bdnl\b", line, maxsplit=1)[0])
