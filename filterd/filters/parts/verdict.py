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


# What cannot be stripped is held.
_FORCED = {
    "reject": Action.REJECT,
    "quarantine": Action.QUARANTINE,
    "strip": Action.QUARANTINE,
}


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
    """action: the least for all. apart: more, for some. taken: what is stripped, in order. cause:
    what the action is for, in words."""

    action: Action
    apart: tuple[RecipientAction, ...]
    taken: tuple[PartFinding, ...]
    is_refused: bool
    cause: str = ""


def outcome(
    found: Sequence[PartFinding],
    recipients: Mapping[EffectiveRule, Sequence[str]],
    may_strip: Callable[[Entity], bool],
) -> PartOutcome:
    """What the findings mean for the recipients. may_strip: False for a part that must stay whole,
    whose message is then held."""
    actions: dict[EffectiveRule, Action] = {}
    causes: dict[Action, PartFinding] = {}
    taken: dict[int, PartFinding] = {}
    for rule in recipients:
        actions[rule], cause, strip = _for_one(rule, found, may_strip)
        if cause is not None:
            causes.setdefault(actions[rule], cause)
        else:
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
        _words(causes[least]) if least in causes else "",
    )


def _for_one(
    rule: EffectiveRule, found: Sequence[PartFinding], may_strip: Callable[[Entity], bool]
) -> tuple[Action, PartFinding | None, list[PartFinding]]:
    """The action, what it is for, and what is stripped if there is none."""
    action, cause = Action.ACCEPT, None
    strip = []
    for finding in found:
        if finding.concerned is not None and rule not in finding.concerned:
            continue
        wanted = rule.action(finding.symbol)
        if wanted == "strip" and finding.entity is not None and may_strip(finding.entity):
            strip.append(finding)
            continue
        forced = _FORCED.get(wanted, Action.ACCEPT)
        if forced > action:
            action, cause = forced, finding
    return action, cause, strip


def _words(finding: PartFinding) -> str:
    return ": ".join(dict.fromkeys(filter(None, (finding.detail, finding.reason))))


def details(found: Iterable[PartFinding]) -> dict[str, str]:
    """Symbol → all that was found under it, in one line."""
    texts: dict[str, list[str]] = {}
    for finding in found:
        texts.setdefault(finding.symbol, []).append(finding.detail)
    return {
        symbol: shown("; ".join(dict.fromkeys(lines)), DETAIL_LIMIT)
        for symbol, lines in texts.items()
    }
