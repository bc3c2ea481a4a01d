"""From what was found in a message's parts to one verdict: points, what is taken out, who gets it.

The strictest recipient decides what is stripped, since all get the same body. A recipient whose
copy is held or refused gets no body at all, and so has no say in that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from filterd.chain.verdict import Action, RecipientAction
from filterd.filters.parts.rules import EffectiveRule
from filterd.filters.parts.unpacking.names import shown
from filterd.message import Entity

DETAIL_LIMIT = 500
"""Characters of a symbol's detail: a log line, not the listing of an archive."""


@dataclass(frozen=True, slots=True)
class PartFinding:
    """One thing found.

    entity: the part to take out, None if none can be taken out cleanly. concerned: the rules for
    which it counts, None for all.
    """

    symbol: str
    detail: str
    entity: Entity | None = None
    name: str = ""
    reason: str = ""
    concerned: frozenset[EffectiveRule] | None = None


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """action: the least for all. apart: more, for some. taken: what is stripped, in order."""

    action: Action
    apart: tuple[RecipientAction, ...]
    taken: tuple[PartFinding, ...]
    is_refused: bool


def outcome(
    found: Sequence[PartFinding],
    recipients: Mapping[EffectiveRule, Sequence[str]],
    may_strip: Callable[[Entity], bool],
) -> PartOutcome:
    """What the findings mean for the recipients. may_strip: False for a part that must stay whole,
    whose message is then held."""
    actions: dict[EffectiveRule, Action] = {}
    taken: dict[int, PartFinding] = {}
    for rule in recipients:
        actions[rule], strip = _for_one(rule, found, may_strip)
        if actions[rule] is Action.ACCEPT:
            for finding in strip:
                assert finding.entity is not None
                taken.setdefault(finding.entity.start, finding)
    least = min(actions.values())
    apart = tuple(
        RecipientAction(address, action, f"parts/{rule.name}")
        for rule, action in actions.items()
        if action > least
        for address in recipients[rule]
    )
    return PartOutcome(
        least,
        apart,
        tuple(taken[start] for start in sorted(taken)),
        Action.REJECT in actions.values(),
    )


def _for_one(
    rule: EffectiveRule, found: Sequence[PartFinding], may_strip: Callable[[Entity], bool]
) -> tuple[Action, list[PartFinding]]:
    action = Action.ACCEPT
    strip = []
    for finding in found:
        if finding.concerned is not None and rule not in finding.concerned:
            continue
        wanted = rule.action(finding.symbol)
        if wanted == "reject":
            action = max(action, Action.REJECT)
        elif wanted == "quarantine":
            action = max(action, Action.QUARANTINE)
        elif wanted == "strip":
            if finding.entity is None or not may_strip(finding.entity):
                action = max(action, Action.QUARANTINE)
            else:
                strip.append(finding)
    return action, strip


def details(found: Iterable[PartFinding]) -> dict[str, str]:
    """Symbol → all that was found under it, in one line."""
    texts: dict[str, list[str]] = {}
    for finding in found:
        texts.setdefault(finding.symbol, []).append(finding.detail)
    return {
        symbol: shown("; ".join(dict.fromkeys(lines)), DETAIL_LIMIT)
        for symbol, lines in texts.items()
    }
