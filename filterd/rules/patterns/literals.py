"""Literals of which one must be in a text that a pattern matches: the test without Hyperscan.

In lower case (ASCII), to be looked for in a text in lower case.
"""

from __future__ import annotations

from filterd.rules.patterns.limits import LITERALS
from filterd.rules.patterns.octets import UPPER, members
from filterd.rules.patterns.syntax import (
    Brackets,
    Condition,
    Edge,
    Either,
    Group,
    LookAround,
    Node,
    Octets,
    Repeat,
    Sequence,
)

_LENGTH = 24
"""Octets of a literal; longer ones are found no faster."""

_Texts = frozenset[bytes]


def needed(root: Node) -> _Texts | None:
    """The literals; None where there are none to ask for."""
    exact, need = _known(root)
    return _better(exact, need)


def _better(one: _Texts | None, other: _Texts | None) -> _Texts | None:
    """The set that fewer texts will pass: with the longer shortest literal, or the smaller one."""
    candidates = [texts for texts in (one, other) if texts and b"" not in texts]
    if not candidates:
        return None
    return max(candidates, key=lambda texts: (min(map(len, texts)), -len(texts)))


def _known(node: Node) -> tuple[_Texts | None, _Texts | None]:
    """All texts that the node matches, where they are few; and literals of which one is needed."""
    match node:
        case Octets(mask):
            lower = mask & ~UPPER | (mask & UPPER) << 32
            if lower.bit_count() > 4:
                return None, None
            return frozenset(bytes((octet,)) for octet in members(lower)), None
        case Edge() | LookAround():
            return frozenset((b"",)), None
        case Brackets(body, _, memo):
            if _known not in memo:
                memo[_known] = _known(body)
            found: tuple[_Texts | None, _Texts | None] = memo[_known]
            return found
        case Group(body=body):
            return _known(body)
        case Sequence(items):
            return _sequence(items)
        case Either(branches):
            return _either(branches)
        case Condition(_, branches):
            return _either(branches) if len(branches) > 1 else (None, None)
        case Repeat(body, least, most):
            exact, need = _known(body)
            if least == 0:
                optional = most == 1 and exact is not None and len(exact) < 3
                return (exact | {b""} if optional and exact is not None else None), None
            return (exact if least == most == 1 else None), _better(exact, need)
    return None, None


def _sequence(items: tuple[Node, ...]) -> tuple[_Texts | None, _Texts | None]:
    whole = True
    running: _Texts = frozenset((b"",))
    need: _Texts | None = None
    for item in items:
        exact, needs = _known(item)
        need = _better(need, needs)
        if exact is not None and len(running) * len(exact) <= LITERALS:
            running = frozenset((left + right)[:_LENGTH] for left in running for right in exact)
            continue
        whole = False
        need = _better(need, running)
        running = exact if exact is not None else frozenset((b"",))
    return (running if whole else None), _better(need, running)


def _either(branches: tuple[Node, ...]) -> tuple[_Texts | None, _Texts | None]:
    exact: _Texts | None = frozenset()
    need: _Texts | None = frozenset()
    for branch in branches:
        texts, needs = _known(branch)
        exact = exact | texts if exact is not None and texts is not None else None
        best = _better(texts, needs)
        need = need | best if need is not None and best is not None else None
    if exact is not None and len(exact) > LITERALS:
        exact = None
    if need is not None and len(need) > 4 * LITERALS:
        need = None
    return exact, need
