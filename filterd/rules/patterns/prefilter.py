"""What Hyperscan is asked: a pattern that matches at least wherever the real one does.

Looks around, atomic groups and what a quantifier keeps are left out, back references and recursion
become any text. The texts are joined with line feeds, so every edge of a text is one of a line.
Source: Hyperscan's developer reference, "Compiling Patterns".
"""

from __future__ import annotations

from collections.abc import Iterable

from filterd.rules.patterns.octets import ALL, span
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
from filterd.rules.patterns.writer import octet_set, quantifier

EXACT_OF_OCTETS = 8
EXACT_OF_GROUPS = 2
"""Repeats that Hyperscan is asked to count; beyond it, any number will do. Its time to compile
grows with them: some of the stock rules would take minutes."""

LENGTH = 16_000
"""Octets of a pattern that Hyperscan takes."""

LONG = 1_000
"""Octets of a pattern that may be too large for it, and is offered shorter as well."""

CHARACTER = 4
"""Octets of a character in UTF-8."""

_FAR = 1_000_000
"""Octets that are as good as all of a text."""

_SHARE = 8
"""Octets for one of many branches of a long pattern, at least."""

ANYTHING = "(?s:.)*"

ASCII = span(0x00, 0x7F)

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


def most_octets(node: Node) -> int | None:
    """The length of the longest text that is looked at from one beginning; None without a limit."""
    match node:
        case Octets():
            return 1
        case Edge():
            return 0
        case Sequence(items):
            return _sum(most_octets(item) for item in items)
        case Either(branches):
            longest = 0
            for branch in branches:
                length = most_octets(branch)
                if length is None:
                    return None
                longest = max(longest, length)
            return longest
        case Brackets(body, _, memo):
            if most_octets not in memo:
                memo[most_octets] = most_octets(body)
            found: int | None = memo[most_octets]
            return found
        case Group(body=body) | LookAround(body=body):
            return most_octets(body)
        case Repeat(body, _, most):
            length = most_octets(body)
            if not length:
                return length
            return None if most is None else _sum((length * most,))
    return None


def _sum(lengths: Iterable[int | None]) -> int | None:
    total = 0
    for length in lengths:
        if length is None or total + length > _FAR:
            return None
        total += length
    return total


def wider(node: Node, *, caseless: bool) -> list[str]:
    """The pattern for Hyperscan, the closest form first. The last is without places, which it
    cannot ask for everywhere; of a long pattern there are forms with a beginning only. An empty set
    of octets becomes any octet."""
    found: list[str] = []
    writer = _Wider(caseless=caseless, edges=True)
    text = writer.text(node)
    if len(text) <= LENGTH:
        found.append(text)
    if len(text) > LONG:
        lengths = (len(text) - 1, len(text) // 2, LONG)
        found += [writer.beginning(node, min(length, LENGTH)) for length in lengths]
    writer = _Wider(caseless=caseless, edges=False)
    text = writer.text(node)
    return [*found, text if len(text) <= LONG else writer.beginning(node, LONG)]


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
                return "|".join(self.branch(one) for one in self._together(branches))
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

    def _together(self, branches: tuple[Node, ...]) -> list[Node]:
        """The branches, those that are characters of UTF-8 in one: rules have lists of hundreds
        that look like a letter. It takes any of their octets, once or more: what tells them apart
        would cost Hyperscan minutes."""
        union, longest = 0, 0
        others: list[Node] = []
        for branch in branches:
            masks = _character(branch)
            if masks is None:
                others.append(branch)
                continue
            longest = max(longest, len(masks))
            for mask in masks:
                union |= mask
        if not longest:
            return others
        if union & ~ASCII:
            # Which octets outside of ASCII, hardly matters for what passes, but much for the time
            # to compile and to search.
            union |= ALL & ~ASCII
        one = Octets(union)
        return [one if longest == 1 else Repeat(one, 1, None, ""), *others]

    def beginning(self, node: Node, length: int) -> str:
        """As `text`, of about that length: what comes behind is left out."""
        text = self.text(node)
        if len(text) <= length:
            return f"(?:{text})" if isinstance(node, Either) else text
        match node:
            case Sequence(items):
                found = ""
                for item in items:
                    rest = self.branch(item)
                    if len(found) + len(rest) > length:
                        return found + self.beginning(item, length - len(found))
                    found += rest
            case Either(branches):
                share = length // len(branches)
                if share < _SHARE:
                    mask = first_octets(node)
                    return octet_set(mask, caseless=self.caseless) if 0 < mask < ALL else ""
                return f"(?:{'|'.join(self.beginning(one, share) for one in branches)})"
            case Brackets(body=body) | Group(body=body):
                return self.beginning(body, length)
            case Repeat(body, least) if least:
                return self.beginning(body, length)
        return ""

    def _repeat(self, node: Repeat) -> str:
        inside = self.text(node.body)
        if not inside:
            return ""
        if not least_octets(node.body):
            return ANYTHING
        is_octet = isinstance(node.body, Octets)
        exact = EXACT_OF_OCTETS if is_octet else EXACT_OF_GROUPS
        least = min(node.least, exact)
        most = node.most if (node.most or 0) <= exact else None
        return f"{inside if is_octet else f'(?:{inside})'}{quantifier(least, most)}"


def _character(node: Node) -> list[int] | None:
    """The octets of a character outside of ASCII, or of any octet: sets, position by position; None
    for everything else."""
    if isinstance(node, Octets):
        return [node.mask] if node.mask else None
    if isinstance(node, Brackets):
        if _character not in node.memo:
            node.memo[_character] = _character(node.body)
        known: list[int] | None = node.memo[_character]
        return known
    if isinstance(node, Either):
        all_masks = [_character(branch) for branch in node.branches]
        lengths = {len(masks) for masks in all_masks if masks is not None}
        if None in all_masks or len(lengths) != 1:
            return None
        found = [0] * lengths.pop()
        for masks in all_masks:
            for at, mask in enumerate(masks or ()):
                found[at] |= mask
        return found
    if not isinstance(node, Sequence) or not node.items:
        return None
    found = []
    for item in node.items:
        masks = _character(item)
        if masks is None:
            return None
        found += masks
    if len(found) > CHARACTER or (len(found) > 1 and found[0] & ASCII):
        return None
    return found


def first_octets(root: Node) -> int:
    """The octets that a match can begin with; all of them where that cannot be said."""
    mask, optional = _first(root)
    return ALL if optional else mask


def _first(node: Node) -> tuple[int, bool]:
    """The octets that may come first, and whether the node may take none."""
    match node:
        case Octets(mask):
            return mask, False
        case Edge() | LookAround():
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


def first_edge(node: Node) -> Edge | None:
    """Where all matches begin, if that is said first of all: `Edge.START` or `Edge.LINE_START`."""
    match node:
        case Edge.START | Edge.LINE_START:
            return node
        case Sequence(items):
            return first_edge(items[0]) if items else None
        case Either(branches):
            edges = {first_edge(branch) for branch in branches}
            if None in edges:
                return None
            return Edge.START if edges == {Edge.START} else Edge.LINE_START
        case Group(body=body) | Brackets(body=body):
            return first_edge(body)
        case Repeat(body, least) if least:
            return first_edge(body)
    return None
