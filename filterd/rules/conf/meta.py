"""What `meta` rules say: an expression over other rules' hits.

Source: Mail::SpamAssassin::Conf(3), `meta`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from filterd.rules.conf.expression import Lookup, Node, Parser, name_node, tokens_of
from filterd.rules.conf.lines import LineError, quoted

_FOREIGN = re.compile(r"::|->|[$@%;{}]")
_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]{0,127}\Z")
_MATCHING = re.compile(
    r"(?<!_)\brules_matching\(\s{0,8}([_a-zA-Z*?][_a-zA-Z0-9*?]{0,127})\s{0,8}\)", re.ASCII
)
_POWER = re.compile(r"\*\s{0,8}\*")


class Meta:
    """An expression, ready to be asked.

    names: the rules that it names. needed: those of them without which its value is 0.
    is_declaration: `()`, a rule that never hits by itself.
    """

    def __init__(self, node: Node, names: frozenset[str], tokens: Sequence[str]) -> None:
        self._node = node
        self.names = names
        self.needed = names & _needed(tokens)
        self.is_declaration = tokens == ["(", ")"]

    def value(self, lookup: Lookup) -> float:
        """The value when rules have those that `lookup` gives: 0 for what did not hit, else how
        often it did. A division by zero gives 0."""
        try:
            return self._node(lookup)
        except (ZeroDivisionError, OverflowError):
            return 0.0


def compile_meta(text: str, *, use_network: bool = False) -> Meta:
    """An expression, ready to be asked; `rules_matching(...)` in it counts as 0 (`expanded`).

    use_network: what `local_tests_only` in it is the opposite of.
    Raises LineError for what SpamAssassin refuses, too: also when it divides by zero when no rule
    hits.
    """
    if _FOREIGN.search(text) or _POWER.search(text):
        raise LineError(f"only rules, numbers and operators may stand there: {quoted(text)}")
    tokens = tokens_of(_MATCHING.sub(" 0 ", text) if "rules_matching" in text else text)
    names: set[str] = set()

    def operand(_: Parser, token: str) -> Node:
        if not _NAME.match(token):
            raise LineError(f"{quoted(token)!r} cannot be the name of a rule")
        if token == "local_tests_only":
            return lambda _: 0 if use_network else 1
        names.add(token)
        return name_node(token)

    node = Parser(tokens, operand).whole()
    if "/" in tokens:
        try:
            node(lambda _: 0)
        except ZeroDivisionError:
            raise LineError("a division by zero is possible") from None
        except OverflowError:
            pass
    return Meta(node, frozenset(names), tokens)


def _needed(tokens: Sequence[str]) -> set[str]:
    """What stands between `&&` by itself, if nothing binds less tightly."""
    depth = 0
    parts: list[list[str]] = [[]]
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if depth == 0 and token in ("||", "?", ":"):
            return set()
        if depth == 0 and token == "&&":
            parts.append([])
        else:
            parts[-1].append(token)
    return {part[0] for part in parts if len(part) == 1}


def globs_of(text: str) -> tuple[str, ...]:
    """The arguments of all `rules_matching(...)` in an expression."""
    return tuple(_MATCHING.findall(text))


def expanded(text: str, matching: Callable[[str], Iterable[str]]) -> str:
    """The expression with each `rules_matching(glob)` replaced by the sum of what `matching`
    gives for it."""
    return _MATCHING.sub(lambda found: f" ({'+'.join(matching(found[1])) or '0'}) ", text)


def glob_matches(glob: str, name: str) -> bool:
    """Whether `name` is like `glob`, in which `?` is one character and `*` any number."""
    at, star, mark, place = 0, -1, 0, 0
    while place < len(name):
        if at < len(glob) and (glob[at] == "?" or glob[at] == name[place]):
            at, place = at + 1, place + 1
        elif at < len(glob) and glob[at] == "*":
            star, mark, at = at, place, at + 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return not glob[at:].strip("*")
