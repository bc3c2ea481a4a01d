"""Arithmetic and logic of `meta` rules and `if` lines: Perl's operators on numbers and names.

An expression becomes nested functions, so that nothing of a file is ever run as code. Chains of
the same precedence become one node: only parentheses nest. Source: Mail::SpamAssassin::Conf(3),
`meta` and `if`; perlop(1) for precedence and for what operators give.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from filterd.rules.conf.lines import LineError, quoted

NESTED = 100
"""Parentheses, and middle parts of `? :`, inside of each other."""

Lookup = Callable[[str], float]
Node = Callable[[Lookup], float]

_TOKEN = re.compile(r"[-+\d.]+|\w[\w:]*|[()]|\|\||&&|\^|!(?!=)|>=?|<=?|==|!=|[*/]|[?:]", re.ASCII)
_NUMBER = re.compile(r"\A\d++(?:\.\d++)?\Z", re.ASCII)
VERSION_NUMBER = re.compile(r"\A[+-]?\d++(?:\.\d++)?\Z", re.ASCII)
"""Numbers of `if` lines: these may have a sign."""

_SIGNS = {"+-": ("+", "-"), "-+": ("-", "+")}
_MASK = (1 << 64) - 1


def tokens_of(text: str, number: re.Pattern[str] = _NUMBER) -> list[str]:
    """Numbers, names and operators, in order. As with SpamAssassin, what is none of these is
    passed over. Raises LineError for what looks like a number and is none."""
    found: list[str] = []
    for token in _TOKEN.findall(text):
        if token[0] not in "-+.0123456789" or token in ("+", "-") or number.match(token):
            found.append(token)
        elif token in _SIGNS:
            found.extend(_SIGNS[token])
        else:
            raise LineError(f"{quoted(token)!r} is not a number: write blanks around + and -")
    return found


class Parser:
    """One expression.

    tokens: of `tokens_of`. operand: makes the node of what is not an operator; it may take more
    tokens (`take`).
    """

    def __init__(self, tokens: Sequence[str], operand: Callable[[Parser, str], Node]) -> None:
        self._tokens = (*tokens, "")
        self._at = 0
        self._depth = 0
        self._operand = operand

    def whole(self) -> Node:
        """The node of all tokens. Raises LineError."""
        node = self._choice()
        if self.seen:
            raise LineError(f"{quoted(self.seen)!r} does not belong there")
        return node

    @property
    def seen(self) -> str:
        """The next token; "" after the last."""
        return self._tokens[self._at]

    def take(self, *expected: str) -> str:
        """The next token, which must be one of `expected` if any are given. Raises LineError."""
        token = self._tokens[self._at]
        if not token or (expected and token not in expected):
            wanted = " or ".join(expected) or "a name or a number"
            there = f"before {quoted(token)!r}" if token else "at the end"
            raise LineError(f"expected {wanted} {there}")
        self._at += 1
        return token

    def _choice(self) -> Node:
        """`a ? b : c ? d : e`."""
        choices: list[tuple[Node, Node]] = []
        last = self._chain(1)
        while self.seen == "?":
            self._at += 1
            self._deeper()
            chosen = self._choice()
            self._depth -= 1
            self.take(":")
            choices.append((last, chosen))
            last = self._chain(1)
        return _choose(choices, last) if choices else last

    def _chain(self, lowest: int) -> Node:
        """Operands, and operators that bind at least as tightly as `lowest`."""
        tokens = self._tokens
        node = self._unary()
        while (level := _LEVELS.get(tokens[self._at], 0)) >= lowest:
            nodes, signs = [node], []
            while _LEVELS.get(tokens[self._at]) == level:
                signs.append(tokens[self._at])
                self._at += 1
                nodes.append(self._chain(level + 1))
            node = _BUILDERS[level](nodes, signs)
        return node

    def _unary(self) -> Node:
        signs: list[str] = []
        token = self.take()
        while token in ("!", "-", "+"):
            signs.append(token)
            token = self.take()
        if token == "(":
            node = self._in_parentheses()
        elif token[0].isalpha() or token[0] == "_":
            node = self._operand(self, token)
        elif token.lstrip("+-")[:1].isdigit():
            node = _constant(float(token))
        else:
            raise LineError(f"expected a name or a number before {quoted(token)!r}")
        return _signed(signs, node) if signs else node

    def _in_parentheses(self) -> Node:
        if self.seen == ")":
            self._at += 1
            return _constant(0.0)
        self._deeper()
        node = self._choice()
        self._depth -= 1
        self.take(")")
        return node

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > NESTED:
            raise LineError(f"parentheses nest more than {NESTED} deep")


def name_node(name: str) -> Node:
    """The node that asks for a name's value."""
    return lambda lookup: lookup(name)


def _constant(value: float) -> Node:
    return lambda _: value


def _choose(choices: list[tuple[Node, Node]], last: Node) -> Node:
    pairs = tuple(choices)

    def value(lookup: Lookup) -> float:
        for condition, chosen in pairs:
            if condition(lookup):
                return chosen(lookup)
        return last(lookup)

    return value


def _either(nodes: list[Node], _: list[str]) -> Node:
    first, *rest = nodes

    def value(lookup: Lookup) -> float:
        found = first(lookup)
        for node in rest:
            if found:
                return found
            found = node(lookup)
        return found

    return value


def _both(nodes: list[Node], _: list[str]) -> Node:
    first, *rest = nodes

    def value(lookup: Lookup) -> float:
        found = first(lookup)
        for node in rest:
            if not found:
                return found
            found = node(lookup)
        return found

    return value


def _xor(nodes: list[Node], _: list[str]) -> Node:
    first, *rest = nodes

    def value(lookup: Lookup) -> float:
        found = _bits(first(lookup))
        for node in rest:
            found ^= _bits(node(lookup))
        return float(found)

    return value


def _bits(value: float) -> int:
    """A number as Perl's bit operators see it: 64 bits without a sign."""
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return _MASK if value > 0 else 1 << 63
    return min(int(value), _MASK) if value >= 0 else max(int(value), -(1 << 63)) & _MASK


_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}


def _compare(nodes: list[Node], signs: list[str]) -> Node:
    """`a < b`; `a < b < c` is `a < b && b < c`, as in Perl 5.32 and later."""
    first = nodes[0]
    rest = tuple((_HOLDS[sign], node) for sign, node in zip(signs, nodes[1:], strict=True))

    def value(lookup: Lookup) -> float:
        left = first(lookup)
        for holds, node in rest:
            right = node(lookup)
            if not holds(left, right):
                return 0
            left = right
        return 1

    return value


def _sum(nodes: list[Node], signs: list[str]) -> Node:
    first = nodes[0]
    rest = tuple((sign == "+", node) for sign, node in zip(signs, nodes[1:], strict=True))

    def value(lookup: Lookup) -> float:
        total = first(lookup)
        for plus, node in rest:
            total = total + node(lookup) if plus else total - node(lookup)
        return total

    return value


def _product(nodes: list[Node], signs: list[str]) -> Node:
    first = nodes[0]
    rest = tuple((sign == "*", node) for sign, node in zip(signs, nodes[1:], strict=True))

    def value(lookup: Lookup) -> float:
        total = first(lookup)
        for times, node in rest:
            total = total * node(lookup) if times else total / node(lookup)
        return total

    return value


def _signed(signs: list[str], node: Node) -> Node:
    negations = signs.count("!")
    if not negations:
        minus = signs.count("-") % 2 == 1
        return (lambda lookup: -node(lookup)) if minus else node
    # Signs inside of the first `!` do not matter; those outside change the 1 only.
    outside = signs[: signs.index("!")]
    minus = outside.count("-") % 2 == 1
    inverted = negations % 2 == 1

    def value(lookup: Lookup) -> float:
        found = 1 if bool(node(lookup)) is not inverted else 0
        return -found if minus else found

    return value


_LEVELS = {
    **dict.fromkeys(("*", "/"), 7),
    **dict.fromkeys(("+", "-"), 6),
    **dict.fromkeys(("<", ">", "<=", ">="), 5),
    **dict.fromkeys(("==", "!="), 4),
    "^": 3,
    "&&": 2,
    "||": 1,
}
"""Operator → how tightly it binds."""

_BUILDERS: dict[int, Callable[[list[Node], list[str]], Node]] = {
    7: _product,
    6: _sum,
    5: _compare,
    4: _compare,
    3: _xor,
    2: _both,
    1: _either,
}
