"""What Hyperscan is asked: a pattern that matches at least wherever the real one does.

Looks around, atomic groups and what a quantifier keeps are left out, back references and recursion
become any text. The texts are joined with line feeds, so every edge of a text is one of a line.
Source: Hyperscan's developer reference, "Compiling Patterns".
"""

from __future__ import annotations

from filterd.rules.patterns.octets import ALL
from filterd.rules.patterns.syntax import (
    Back,
    Brackets,
    Condition,
    Edge,
    Either,
    Group,
    Look,
    Node,
    Octets,
    Other,
    Repeat,
    Sequence,
)
from filterd.rules.patterns.writer import octet_set, quantifier

REPEAT_MOST = 32_767
"""The highest number in Hyperscan's quantifiers."""

ANYTHING = "(?s:.)*"

_EDGES = {
    Edge.LINE_START: "^",
    Edge.START: "^",
    Edge.LINE_END: "$",
    Edge.END_OR_NEWLINE: "$",
    Edge.END: "$",
    Edge.WORD_EDGE: r"\b",
    Edge.NO_WORD_EDGE: r"\B",
}


def least_octets(node: Node) -> int:
    """The length of the shortest text that `wider` may match, at most 1,000,000."""
    match node:
        case Octets():
            return 1
        case Sequence(items):
            return min(sum(least_octets(item) for item in items), 1_000_000)
        case Either(branches):
            return min(least_octets(branch) for branch in branches)
        case Condition(_, branches):
            return 0 if len(branches) < 2 else min(least_octets(branch) for branch in branches)
        case Brackets(body, _, memo):
            if least_octets not in memo:
                memo[least_octets] = least_octets(body)
            found: int = memo[least_octets]
            return found
        case Group(body=body):
            return least_octets(body)
        case Repeat(body, least):
            return min(least_octets(body) * least, 1_000_000) if least else 0
    return 0


def wider(node: Node, *, caseless: bool, edges: bool = True) -> str:
    """The pattern for Hyperscan. edges: whether places are asked for, which it cannot do
    everywhere. An empty set of octets becomes any octet."""
    return _Wider(caseless=caseless, edges=edges).text(node)


class _Wider:
    def __init__(self, *, caseless: bool, edges: bool) -> None:
        self.caseless = caseless
        self.edges = edges

    def text(self, node: Node) -> str:
        match node:
            case Octets(mask):
                return octet_set(mask, caseless=self.caseless) if mask else "(?s:.)"
            case Sequence(items):
                return "".join(self.branch(item) for item in items)
            case Either(branches):
                return "|".join(self.branch(one) for one in branches)
            case Brackets():
                return self._brackets(node)
            case Group(body=body):
                return f"(?:{self.text(body)})"
            case Repeat():
                return self._repeat(node)
            case Condition(_, branches):
                texts = [self.branch(one) for one in branches] + [""] * (2 - len(branches))
                return f"(?:{'|'.join(texts)})"
            case Edge():
                return _EDGES.get(node, "") if self.edges else ""
        return (
            ANYTHING if isinstance(node, Back) or (isinstance(node, Other) and node.takes) else ""
        )

    def branch(self, node: Node) -> str:
        return f"(?:{self.text(node)})" if isinstance(node, Either) else self.text(node)

    def _brackets(self, node: Brackets) -> str:
        key = (_Wider, self.caseless, self.edges)
        if key not in node.memo:
            node.memo[key] = f"(?:{self.text(node.body)})"
        found: str = node.memo[key]
        return found

    def _repeat(self, node: Repeat) -> str:
        inside = self.text(node.body)
        if not inside:
            return ""
        if not least_octets(node.body):
            return ANYTHING
        least = min(node.least, REPEAT_MOST)
        most = node.most if (node.most or 0) <= REPEAT_MOST else None
        if not isinstance(node.body, Octets):
            inside = f"(?:{inside})"
        return f"{inside}{quantifier(least, most)}"


def first_octets(root: Node) -> int:
    """The octets that a match can begin with; all of them where that cannot be said."""
    mask, optional = _first(root)
    return ALL if optional else mask


def _first(node: Node) -> tuple[int, bool]:
    """The octets that may come first, and whether the node may take none."""
    match node:
        case Octets(mask):
            return mask, False
        case Edge() | Look():
            return 0, True
        case Sequence(items):
            found = 0
            for item in items:
                mask, optional = _first(item)
                found |= mask
                if not optional:
                    return found, False
            return found, True
        case Either(branches):
            firsts = [_first(branch) for branch in branches]
            found = 0
            for mask, _ in firsts:
                found |= mask
            return found, any(optional for _, optional in firsts)
        case Group(body=body) | Brackets(body=body):
            return _first(body)
        case Repeat(body, least):
            mask, optional = _first(body)
            return mask, optional or not least
    return ALL, True
