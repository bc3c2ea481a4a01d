"""A regular expression as a tree. Octets everywhere; `i`, `s`, `m`, `x` and `n` are worked in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class PatternError(ValueError):
    """A pattern that cannot be used, with the reason."""


class Edge(StrEnum):
    """Places, which take no octet. The value is how Perl writes it, apart from the first two."""

    LINE_START = "(?m)^"
    LINE_END = "(?m)$"
    START = "\\A"
    END_OR_NEWLINE = "\\Z"
    END = "\\z"
    SEARCH_START = "\\G"
    WORD_EDGE = "\\b"
    NO_WORD_EDGE = "\\B"
    KEEP = "\\K"


@dataclass(frozen=True, slots=True)
class Octets:
    """One octet of a set (see `octets`). whole: the letters in it stand for both cases."""

    mask: int


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Alternatives, tried in their order."""

    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A group that is more than brackets. opening: what it begins with, for PCRE2: `(`,
    `(?<name>`, `(?>`, `(?|`. number: of a capturing group, otherwise 0."""

    opening: str
    body: Node
    number: int = 0


@dataclass(eq=False, slots=True)
class Brackets:
    """`(?:...)`. The same one stands wherever the same text stands: what was found out about it is
    in `memo`. alone: nothing within is a capturing group, or speaks of one."""

    body: Node
    alone: bool
    memo: dict[object, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LookAround:
    """A look around: `(?=`, `(?!`, `(?<=`, `(?<!`."""

    opening: str
    body: Node


@dataclass(frozen=True, slots=True)
class Repeat:
    """most: None without an end. manner: `` (greedy), `?` (lazy), `+` (keeps what it has)."""

    body: Node
    least: int
    most: int | None
    manner: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`(?(condition)yes|no)`. test: the condition with its brackets, for PCRE2; or a look."""

    test: str | LookAround
    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Back:
    """What a group took, again. text: for PCRE2. group: number or name. either_case: under /i."""

    text: str
    group: int | str
    either_case: bool


@dataclass(frozen=True, slots=True)
class Other:
    """A construct that PCRE2 writes as Perl does. takes: whether it can take octets."""

    text: str
    takes: bool = False


Node = (
    Octets
    | Edge
    | Sequence
    | Either
    | Group
    | Brackets
    | LookAround
    | Repeat
    | Condition
    | Back
    | Other
)


@dataclass(frozen=True, slots=True)
class Tree:
    """root; groups: how many capturing groups; names: their numbers by name (the first of each).
    divisible: nothing speaks of the whole pattern or of the search (`(?R)`, `(*SKIP)`, `\\G`), so
    it may stand in another pattern. stops: a match may end before all of the pattern was seen,
    `(*ACCEPT)`."""

    root: Node
    groups: int
    names: dict[str, int]
    divisible: bool = True
    stops: bool = False
