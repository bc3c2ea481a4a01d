"""Perl's regular expressions, read into a tree. Source: perlre(1) of Perl 5.36."""

from __future__ import annotations

from dataclasses import dataclass, field

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns.classes import ClassReader
from filterd.rules.patterns.limits import NESTING, PATTERN_OCTETS
from filterd.rules.patterns.octets import (
    ALL,
    CASED,
    ESCAPES,
    NEWLINE,
    folded,
    negated,
    span,
)
from filterd.rules.patterns.syntax import (
    Back,
    Brackets,
    Condition,
    Edge,
    Either,
    Group,
    LookAround,
    Node,
    Octets,
    Other,
    PatternError,
    Repeat,
    Sequence,
    Tree,
)

_FLAGS = frozenset("imsxn")
_CHARSETS = frozenset("adlup")
"""Letters that choose a character set, and `p`: of no effect on octets under /aa."""

_EDGES = {"A": Edge.START, "Z": Edge.END_OR_NEWLINE, "z": Edge.END, "G": Edge.SEARCH_START}
_EDGES |= {"b": Edge.WORD_EDGE, "B": Edge.NO_WORD_EDGE, "K": Edge.KEEP}

_LOOKS = ("(?=", "(?!", "(?<=", "(?<!")
_WORDS = {
    "pla": "(?=",
    "positive_lookahead": "(?=",
    "nla": "(?!",
    "negative_lookahead": "(?!",
    "plb": "(?<=",
    "positive_lookbehind": "(?<=",
    "nlb": "(?<!",
    "negative_lookbehind": "(?<!",
    "atomic": "(?>",
}
_VERBS = frozenset(("ACCEPT", "FAIL", "F", "COMMIT", "PRUNE", "SKIP", "THEN"))
_REPEAT_MOST = 65_534
_LINE_BREAK = span(0x0A, 0x0D) | 1 << 0x85


_KEY = 24
"""Octets behind an opening bracket by which known brackets are found."""

_KNOWN_MOST = 2_000
_known: dict[tuple[str, frozenset[str]], list[tuple[str, Brackets]]] = {}


def read(pattern: RulePattern) -> Tree:
    """The tree of a pattern. Raises PatternError with the reason."""
    if len(pattern.source) > PATTERN_OCTETS:
        raise PatternError(f"longer than {PATTERN_OCTETS} octets")
    reader = _PatternReader(pattern)
    tree = reader.tree()
    if reader.octal_doubt > tree.groups:  # \10 with fewer groups is an octal number
        reader = _PatternReader(pattern, groups=tree.groups)
        tree = reader.tree()
    return tree


@dataclass(slots=True)
class _Scope:
    """The flags in force, and what a group has so far."""

    flags: frozenset[str]
    branches: list[list[Node]] = field(default_factory=lambda: [[]])


class _PatternReader(ClassReader):
    def __init__(self, pattern: RulePattern, groups: int | None = None) -> None:
        super().__init__(pattern.source)
        self.flags = frozenset(pattern.flags) & _FLAGS
        unknown = sorted(set(pattern.flags) - _FLAGS - _CHARSETS - {"o"})
        if unknown:
            raise PatternError(f"flag {unknown[0]!r}: expected letters of imsxn")
        self.groups = 0
        self.names: dict[str, int] = {}
        self.known_groups = groups
        self.octal_doubt = 0
        self.references = 0
        self.bound = self.stops = False

    def tree(self) -> Tree:
        root = self._alternatives(self.flags, 0)
        if self.at < len(self.text):
            raise PatternError(f"')' at {self.at} without '('")
        return Tree(root, self.groups, self.names, divisible=not self.bound, stops=self.stops)

    # -- alternatives, sequences, repeats

    def _alternatives(self, flags: frozenset[str], depth: int, *, reset: bool = False) -> Node:
        """Up to `)` or the end. Flags that change within hold for what follows, also behind `|`."""
        if depth > NESTING:
            raise PatternError(f"more than {NESTING} groups in groups")
        scope = _Scope(flags)
        first_group = most_groups = self.groups
        while True:
            self._skip_blanks(scope.flags)
            if self.at >= len(self.text) or self.text[self.at] == ")":
                break
            if self.text[self.at] == "|":
                self.at += 1
                scope.branches.append([])
                if reset:
                    most_groups = max(most_groups, self.groups)
                    self.groups = first_group
                continue
            item = self._atom(scope, depth)
            if item is not None:
                scope.branches[-1].append(self._repeated(item, scope.flags))
        self.groups = max(self.groups, most_groups)
        branches = tuple(
            branch[0] if len(branch) == 1 else Sequence(tuple(branch)) for branch in scope.branches
        )
        return branches[0] if len(branches) == 1 else Either(branches)

    def _repeated(self, item: Node, flags: frozenset[str]) -> Node:
        self._skip_blanks(flags)
        bounds = self._quantifier()
        if bounds is None:
            return item
        manner = self.text[self.at : self.at + 1]
        if manner in ("?", "+"):
            self.at += 1
        else:
            manner = ""
        if bounds[1] is not None and bounds[0] > bounds[1]:
            raise PatternError(f"quantifier {{{bounds[0]},{bounds[1]}}}: expected them ascending")
        if max(bounds[0], bounds[1] or 0) > _REPEAT_MOST:
            raise PatternError(f"quantifier over {_REPEAT_MOST}")
        self._skip_blanks(flags)
        behind = self.at
        if self._quantifier() is not None:
            raise PatternError(f"nested quantifiers at {behind}")
        return Repeat(item, bounds[0], bounds[1], manner)

    def _quantifier(self) -> tuple[int, int | None] | None:
        """The quantifier that stands here, without its manner; None where there is none."""
        mark = self.text[self.at : self.at + 1]
        if mark in ("*", "+", "?") and mark:
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[mark]
        if mark != "{":
            return None
        end = self.text.find("}", self.at, self.at + 16)
        if end < 0:
            return None
        least, comma, most = (
            part.strip(" \t") for part in self.text[self.at + 1 : end].partition(",")
        )
        digits = least + most
        if not digits or not digits.isascii() or not digits.isdigit():
            return None
        self.at = end + 1
        if not comma:
            return int(least), int(least)
        return int(least or 0), int(most) if most else None

    def _skip_blanks(self, flags: frozenset[str]) -> None:
        """Comments; and under /x also blanks and the rest of lines behind `#`."""
        while self.at < len(self.text):
            if self.text.startswith("(?#", self.at):
                end = self.text.find(")", self.at)
                if end < 0:
                    raise PatternError("comment without its end")
                self.at = end + 1
            elif "x" not in flags:
                return
            elif self.text[self.at] in " \t\n\r\f\v\x85":
                self.at += 1
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end + 1
            else:
                return

    # -- atoms

    def _atom(self, scope: _Scope, depth: int) -> Node | None:
        """One atom; None for what only changes flags."""
        flags = scope.flags
        mark = self.text[self.at]
        if mark == "(":
            return self._group(scope, depth)
        if mark == "\\":
            return self._escape(flags)
        if mark in "*+?" or self._is_quantifier_here():
            raise PatternError(f"quantifier at {self.at} follows nothing")
        self.at += 1
        if mark == "[":
            return Octets(self.bracket(folds="i" in flags, blanks="xx" in flags))
        if mark == ".":
            return Octets(ALL if "s" in flags else negated(NEWLINE))
        if mark == "^":
            return Edge.LINE_START if "m" in flags else Edge.START
        if mark == "$":
            return Edge.LINE_END if "m" in flags else Edge.END_OR_NEWLINE
        return _octet(ord(mark), flags)

    def _is_quantifier_here(self) -> bool:
        before = self.at
        found = self._quantifier() is not None
        self.at = before
        return found

    def _escape(self, flags: frozenset[str]) -> Node:
        letter = self.text[self.at + 1 : self.at + 2]
        if letter in ("b", "B") and self.text.startswith("{", self.at + 2):
            raise PatternError(f"\\{letter}{{...}} is not supported")
        if letter in _EDGES and letter:
            self.at += 2
            self.bound = self.bound or letter == "G"
            return _EDGES[letter]
        if letter == "N" and self.text.startswith("{", self.at + 2):
            return _octets(self.escaped_octet(), flags)
        if letter in ESCAPES and letter:
            self.at += 2
            return Octets(ESCAPES[letter])
        if letter == "R":
            self.at += 2
            pair = Sequence((Octets(1 << 0x0D), Octets(1 << 0x0A)))
            return Group("(?>", Either((pair, Octets(_LINE_BREAK))))
        if letter == "X":  # of octets: CR LF, or one
            self.at += 2
            pair = Sequence((Octets(1 << 0x0D), Octets(1 << 0x0A)))
            return Group("(?>", Either((pair, Octets(ALL))))
        if letter in ("p", "P") and letter:
            mask = self.property()
            return Octets(folded(mask) if "i" in flags else mask)
        if letter in ("g", "k") and letter:
            self.references += 1
            return self._named_back(flags)
        if letter in "123456789" and letter:
            back = self._numbered_back(flags)
            if back is not None:
                self.references += 1
                return back
        return _octets(self.escaped_octet(), flags)

    def _numbered_back(self, flags: frozenset[str]) -> Back | None:
        end = self.at + 1
        while end < len(self.text) and self.text[end] in "0123456789" and end < self.at + 8:
            end += 1
        digits = self.text[self.at + 1 : end]
        number = int(digits)
        if number > 9:
            self.octal_doubt = max(self.octal_doubt, number)
            if self.known_groups is not None and number > self.known_groups:
                return None
        self.at = end
        return Back(f"\\g{{{number}}}", number, "i" in flags)

    def _named_back(self, flags: frozenset[str]) -> Back:
        """`\\g1 \\g{-1} \\g{name} \\k<name> \\k'name' \\k{name}`."""
        start = self.at + 2
        mark = self.text[start : start + 1]
        if mark in ("{", "<", "'") and mark:
            end = self.text.find({"{": "}", "<": ">", "'": "'"}[mark], start + 1)
            name = self.text[start + 1 : end].strip() if end > 0 else ""
            self.at = end + 1
        else:
            end = start + (mark == "-")
            while end < len(self.text) and self.text[end].isdigit():
                end += 1
            name = self.text[start:end]
            self.at = end
        number = name.removeprefix("-")
        if number.isascii() and number.isdigit():
            group = int(number) if number == name else self.groups + 1 - int(number)
            if group < 1:
                raise PatternError(f"reference to group {name}, which is not there")
            return Back(f"\\g{{{group}}}", group, "i" in flags)
        if not _is_name(name):
            raise PatternError(f"reference to a group at {start}: expected its number or name")
        return Back(f"\\k<{name}>", name, "i" in flags)

    # -- groups

    def _group(self, scope: _Scope, depth: int) -> Node | None:
        text, start = self.text, self.at
        if text.startswith("(*", start):
            return self._verb(scope.flags, depth)
        if not text.startswith("(?", start):
            self.at += 1
            if "n" in scope.flags:
                return self._plain(scope.flags, depth)
            return self._capture("(", scope.flags, depth)
        for opening in _LOOKS:
            if text.startswith(opening, start):
                self.at += len(opening)
                return LookAround(opening, self._closed(scope.flags, depth))
        if text.startswith(("(?{", "(??{", "(?[", "(?*"), start):
            raise PatternError(f"{text[start : start + 3]}...) is not supported")
        if text.startswith(("(?>", "(?|"), start):
            self.at += 3
            opening = text[start : self.at]
            return Group(opening, self._closed(scope.flags, depth, reset=opening == "(?|"))
        if text.startswith("(?(", start):
            return self._condition(scope.flags, depth)
        return self._named_group(scope, depth) or self._call(scope, depth)

    def _named_group(self, scope: _Scope, depth: int) -> Node | None:
        """`(?<name>...)` and what speaks of a group by its name; None if that is not here."""
        for opening, closing in (("(?<", ">"), ("(?P<", ">"), ("(?'", "'")):
            if self.text.startswith(opening, self.at):
                name = self._name(self.at + len(opening), closing)
                return self._capture(f"(?<{name}>", scope.flags, depth, name)
        for opening in ("(?P=", "(?&", "(?P>"):
            if self.text.startswith(opening, self.at):
                name = self._name(self.at + len(opening), ")")
                self.references += 1
                if opening == "(?P=":
                    return Back(f"\\k<{name}>", name, "i" in scope.flags)
                return Other(f"(?&{name})", takes=True)
        return None

    def _call(self, scope: _Scope, depth: int) -> Node | None:
        """Recursion, or else flags."""
        mark, behind = self.text[self.at + 2 : self.at + 3], self.text[self.at + 3 : self.at + 4]
        if mark and (mark in "0123456789R+" or (mark == "-" and behind.isdigit())):
            return self._recursion()
        return self._flags(scope, depth)

    def _closed(self, flags: frozenset[str], depth: int, *, reset: bool = False) -> Node:
        """What stands up to the closing bracket, which is taken."""
        body = self._alternatives(flags, depth + 1, reset=reset)
        if self.at >= len(self.text):
            raise PatternError("'(' without ')'")
        self.at += 1
        return body

    def _plain(self, flags: frozenset[str], depth: int) -> Node:
        """Brackets that only hold together, behind their opening. Rules are full of the same ones,
        where tags were replaced: each is read once."""
        start = self.at
        key = (self.text[start : start + _KEY], flags)
        for text, known in _known.get(key, ()):
            if self.text.startswith(text, start):
                self.at = start + len(text)
                return known
        before = self.groups, self.references
        brackets = Brackets(self._closed(flags, depth), alone=False)
        if (self.groups, self.references) == before:
            brackets.alone = True
            if len(_known) >= _KNOWN_MOST:
                _known.clear()
            _known.setdefault(key, []).append((self.text[start : self.at], brackets))
        return brackets

    def _capture(self, opening: str, flags: frozenset[str], depth: int, name: str = "") -> Node:
        self.groups += 1
        number = self.groups
        if name:
            self.names.setdefault(name, number)
        return Group(opening, self._closed(flags, depth), number)

    def _name(self, start: int, closing: str) -> str:
        end = self.text.find(closing, start)
        name = self.text[start:end] if end > 0 else ""
        if not _is_name(name):
            raise PatternError(f"group at {start}: expected a name of letters, digits and _")
        self.at = end + 1
        return name

    def _recursion(self) -> Node:
        end = self.text.find(")", self.at)
        what = self.text[self.at + 2 : end] if end > 0 else ""
        number = what.lstrip("+-")
        if what != "R" and not (number.isascii() and number.isdigit()):
            raise PatternError(f"recursion at {self.at}: expected the number of a group")
        self.at = end + 1
        self.references += 1
        self.bound = self.bound or what in ("R", "0")
        return Other(f"(?{what})", takes=True)

    def _flags(self, scope: _Scope, depth: int) -> Node | None:
        """`(?i)`, `(?^i-m:...)`."""
        start = self.at
        self.at += 2
        on, off = set(scope.flags), False
        if self.text.startswith("^", self.at):
            self.at += 1
            on = set()
        while True:
            letter = self.text[self.at : self.at + 1]
            self.at += 1
            if letter == "-":
                off = True
            elif letter in _FLAGS and letter:
                (on.discard if off else on.add)(letter)
                if letter == "x":
                    again = self.text.startswith("x", self.at)
                    self.at += again
                    (on.add if again and not off else on.discard)("xx")
            elif letter == ")":
                scope.flags = frozenset(on)
                return None
            elif letter == ":":
                return self._plain(frozenset(on), depth)
            elif letter not in _CHARSETS or not letter:
                raise PatternError(f"group at {start}: (?{letter} is not supported")

    def _condition(self, flags: frozenset[str], depth: int) -> Node:
        self.references += 1
        start = self.at + 2
        test: str | LookAround
        self.at = start
        for opening in _LOOKS:
            if self.text.startswith(opening, start):
                self.at = start + len(opening)
                test = LookAround(opening, self._closed(flags, depth))
                break
        else:
            end = self.text.find(")", start)
            test = self.text[start : end + 1] if end > 0 else ""
            what = test[1:-1]
            for opening, closing in (("<", ">"), ("'", "'")):
                if what.startswith(opening) and what.endswith(closing):
                    what = what[1:-1]
            what = what.removeprefix("R&")
            if not (what.isascii() and what.isdigit()) and not _is_name(what):
                raise PatternError(f"condition at {start} is not supported")
            self.at = end + 1
        body = self._closed(flags, depth)
        branches = body.branches if isinstance(body, Either) else (body,)
        if len(branches) > 2:
            raise PatternError(f"condition at {start} has more than two branches")
        return Condition(test, branches)

    def _verb(self, flags: frozenset[str], depth: int) -> Node:
        """`(*FAIL)`, `(*pla:...)`."""
        start = self.at
        end = start + 2
        while end < len(self.text) and (self.text[end].isalpha() or self.text[end] == "_"):
            end += 1
        word = self.text[start + 2 : end]
        if word in _WORDS and self.text.startswith(":", end):
            self.at = end + 1
            opening = _WORDS[word]
            body = self._closed(flags, depth)
            return Group(opening, body) if opening == "(?>" else LookAround(opening, body)
        closing = self.text.find(")", end)
        if word not in _VERBS or closing < 0 or self.text[end] not in ":)":
            raise PatternError(f"(*{word} is not supported")
        self.at = closing + 1
        self.references += 1
        if word in ("FAIL", "F"):
            return Other("(*FAIL)")
        self.bound = True
        self.stops = self.stops or word == "ACCEPT"
        return Other(self.text[start : self.at])


def _octet(octet: int, flags: frozenset[str]) -> Octets:
    return _octets(1 << octet, flags)


def _octets(mask: int, flags: frozenset[str]) -> Octets:
    return Octets(folded(mask) if "i" in flags and mask & CASED else mask)


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier()
