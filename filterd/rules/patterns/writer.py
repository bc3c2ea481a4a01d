"""Trees written for PCRE2: for one text, and for texts joined with NUL, none of which has a NUL.

In joined texts the places that begin and end a text are those beside a NUL, and nothing takes a
NUL: so one search finds what searches in each text would find. Source: pcre2pattern(3), 10.47.
"""

from __future__ import annotations

from functools import lru_cache

from filterd.rules.patterns import octets
from filterd.rules.patterns.octets import ALL, NUL, members, negated, ranges
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
    Repeat,
    Sequence,
)

NEVER = "(?!)"

_NAMED = {
    ALL: "(?s:.)",
    negated(octets.NEWLINE): ".",
    octets.DIGIT: r"\d",
    negated(octets.DIGIT): r"\D",
    octets.WORD: r"\w",
    negated(octets.WORD): r"\W",
    octets.SPACE: r"\s",
    negated(octets.SPACE): r"\S",
}

_EDGES: dict[Edge, str] = {
    Edge.LINE_START: "(?m:^)",
    Edge.LINE_END: "(?m:$)",
    Edge.START: r"\A",
    Edge.END_OR_NEWLINE: r"\Z",
    Edge.END: r"\z",
    Edge.SEARCH_START: r"\G",
    Edge.WORD_EDGE: r"\b",
    Edge.NO_WORD_EDGE: r"\B",
    Edge.KEEP: r"\K",
}
_JOINED_EDGES = _EDGES | {
    Edge.LINE_START: r"(?:(?<![^\x00])|(?<=\n)(?=[^\x00]))",
    Edge.LINE_END: r"(?![^\n\x00])",
    Edge.START: r"(?<![^\x00])",
    Edge.END_OR_NEWLINE: r"(?=\n?(?![^\x00]))",
    Edge.END: r"(?![^\x00])",
}


def inner(node: Node) -> tuple[Node, ...]:
    """The nodes within a node."""
    match node:
        case Sequence(items):
            return items
        case Either(branches):
            return branches
        case Condition(test, branches):
            return (test, *branches) if isinstance(test, LookAround) else branches
        case Group(body=body) | Brackets(body=body) | LookAround(body=body) | Repeat(body=body):
            return (body,)
    return ()


def is_caseless(root: Node) -> bool:
    """Whether all of a pattern means both cases of its letters."""
    return _cases(root) == {True}


def _cases(node: Node) -> set[bool]:
    """Whether letters mean both cases (True), or one (False): what there is of it."""
    if isinstance(node, Octets):
        return {octets.folded(node.mask) == node.mask} if node.mask & octets.CASED else set()
    if isinstance(node, Brackets) and _cases in node.memo:
        found: set[bool] = node.memo[_cases]
        return found
    found = set()
    for one in inner(node):
        found |= _cases(one)
    if isinstance(node, Brackets):
        node.memo[_cases] = found
    return found


OCTETS = tuple(
    chr(value) if chr(value).isascii() and chr(value).isalnum() else f"\\x{value:02x}"
    for value in range(256)
)
"""Each octet, for PCRE2 and for Hyperscan, in and outside of classes."""


@lru_cache(maxsize=16_384)
def octet_set(mask: int, *, caseless: bool) -> str:
    """A set that is not empty, for PCRE2 and for Hyperscan."""
    if mask in _NAMED:
        return _NAMED[mask]
    found = members(mask)
    if len(found) == 1:
        return OCTETS[found[0]]
    if caseless and len(found) == 2 and mask == octets.folded(1 << found[0]) and found[0] < 0x80:
        return OCTETS[found[1]]
    sign, shown = ("^", negated(mask)) if len(found) > 128 else ("", mask)
    runs = (
        OCTETS[first] if first == last else f"{OCTETS[first]}-{OCTETS[last]}"
        for first, last in ranges(shown)
    )
    return f"[{sign}{''.join(runs)}]"


_SHARED_LENGTH = 60


class Writer:
    """joined: for texts joined with NUL. caseless: the pattern will be compiled so. shares: long
    brackets are written once, behind the pattern and its `groups`, and called: PCRE2's compiled
    patterns have at most 64 KiB."""

    def __init__(
        self, *, joined: bool, caseless: bool, groups: int = 0, shares: bool = False
    ) -> None:
        self.joined = joined
        self.caseless = caseless
        self.groups = groups
        self.shares = shares
        self.calls: dict[int, str] = {}
        self.definitions: list[str] = []
        self.edges = _JOINED_EDGES if joined else _EDGES

    def text(self, node: Node) -> str:
        """The node for PCRE2, as it may stand alone."""
        match node:
            case Octets(mask):
                if self.joined:
                    mask &= ~NUL
                return octet_set(mask, caseless=self.caseless) if mask else NEVER
            case Edge():
                return self.edges[node]
            case Sequence(items):
                return "".join(self.branch(item) for item in items)
            case Either(branches):
                return "|".join(self.branch(branch) for branch in branches)
            case Brackets():
                return self._brackets(node)
            case Group(opening, body) | LookAround(opening, body):
                return f"{opening}{self.text(body)})"
            case Repeat(body, least, most, manner):
                return f"{self.atom(body)}{quantifier(least, most)}{manner}"
            case Condition(test, branches):
                head = test if isinstance(test, str) else self.text(test)
                return f"(?{head}{'|'.join(self.branch(branch) for branch in branches)})"
            case Back(text, _, either_case):
                return f"(?{'i' if either_case else '-i'}:{text})"
            case Other(text):
                return text

    def branch(self, node: Node) -> str:
        return f"(?:{self.text(node)})" if isinstance(node, Either) else self.text(node)

    def _brackets(self, node: Brackets) -> str:
        if self.shares:
            return self._shared(node)
        key = (Writer, self.joined, self.caseless)
        text: str | None = node.memo.get(key)
        if text is None:
            text = f"(?:{self.text(node.body)})"
            if node.alone:
                node.memo[key] = text
        return text

    def _shared(self, node: Brackets) -> str:
        call = self.calls.get(id(node))
        if call is None:
            text = self.text(node.body)
            call = f"(?:{text})"
            if node.alone and len(text) > _SHARED_LENGTH:
                self.definitions.append(f"({text})")
                call = f"(?{self.groups + len(self.definitions)})"
            self.calls[id(node)] = call
        return call

    def whole(self, root: Node) -> str:
        """The pattern."""
        text = self.text(root)
        if not self.definitions:
            return text
        return f"(?:{text})(?(DEFINE){''.join(self.definitions)})"

    def atom(self, node: Node) -> str:
        """The node as a quantifier can follow it."""
        if isinstance(node, Octets | Group | Brackets | LookAround | Back):
            return self.text(node)
        return f"(?:{self.text(node)})"


def quantifier(least: int, most: int | None) -> str:
    """`*`, `+`, `?` or `{least,most}`."""
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if short is not None:
        return short
    if most is None:
        return f"{{{least},}}"
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"
