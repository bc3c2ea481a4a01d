"""What one recipient gets, and what the client is told: the parts that a decision is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from filterd.chain import replies
from filterd.chain.policy_settings import VirusWord
from filterd.chain.verdict import (
    SCORE_DECIMALS,
    Action,
    Outcome,
    Reason,
    RecipientAction,
    Reply,
    Symbol,
    Verdict,
    total,
)

_VIRUS_ACTIONS = {"reject": Action.REJECT, "discard": Action.DISCARD, "strip": Action.ACCEPT}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The policy that counts for one recipient. rule: the rule it came from, or `default`."""

    rule: str
    label: float
    quarantine: float
    reject: float
    subject_tag: str
    at_most: Action
    virus: VirusWord
    replies: Mapping[str, Reply]

    def reply(self, default: Reply) -> Reply:
        """What the settings say in place of a default."""
        return self.replies.get(default.kind, default)

    def action(self, score: float) -> Action:
        """The action that the score alone causes."""
        if score >= self.reject:
            wanted = Action.REJECT
        elif score >= self.quarantine:
            wanted = Action.QUARANTINE
        else:
            wanted = Action.ACCEPT
        return min(wanted, self.at_most)

    def limit(self, action: Action) -> float | None:
        """The points from which they cause this action; None for one that no points cause."""
        return {Action.QUARANTINE: self.quarantine, Action.REJECT: self.reject}.get(action)


def apart_of(verdict: Verdict) -> dict[str, RecipientAction]:
    """The strongest that is forced for a recipient alone, by address; of equal ones the first."""
    found: dict[str, RecipientAction] = {}
    for apart in verdict.apart:
        known = found.get(apart.recipient)
        if known is None or apart.action > known.action:
            found[apart.recipient] = apart
    return found


def alone_of(verdict: Verdict) -> dict[str, tuple[Symbol, ...]]:
    """What was found about recipients alone, by address."""
    found: dict[str, tuple[Symbol, ...]] = {}
    for one in verdict.points_apart:
        found[one.recipient] = found.get(one.recipient, ()) + one.symbols
    return found


def worst(outcomes: Sequence[Outcome]) -> tuple[Symbol, ...]:
    """What was found about the one of these recipients alone that has the most points."""
    if not any(outcome.symbols for outcome in outcomes):
        return ()
    return max((outcome.symbols for outcome in outcomes), key=total)


def with_own(score: float, outcome: Outcome) -> float:
    """The points of the mail for one recipient. score: of the message for all."""
    own = outcome.symbols
    return round(score + total(own), SCORE_DECIMALS) if own else score


def _virus_action(verdict: Verdict, wanted: VirusWord, *, is_strippable: bool) -> Action:
    """What a virus means for a recipient. What cannot be taken out cleanly is held."""
    if not verdict.virus:
        return Action.ACCEPT
    if wanted == "strip" and not is_strippable:
        return Action.QUARANTINE
    return _VIRUS_ACTIONS.get(wanted, Action.QUARANTINE)


def outcome_of(
    verdict: Verdict,
    address: str,
    thresholds: Thresholds,
    score: float,
    apart: RecipientAction | None,
    own: tuple[Symbol, ...] = (),
    *,
    is_strippable: bool,
) -> Outcome:
    """What one recipient gets: the strongest of what is forced for all, what is forced for this
    recipient (apart), what a virus means for it, and what the points cause, with its own."""
    if own:
        score = round(score + total(own), SCORE_DECIMALS)
    of_virus = _virus_action(verdict, thresholds.virus, is_strippable=is_strippable)
    forced = max(verdict.action, of_virus)
    # What a person released is not judged by its points again.
    earned = Action.ACCEPT if verdict.released else thresholds.action(score)
    action, rule = max(forced, earned), thresholds.rule
    limit = thresholds.limit(earned) if earned > forced else None
    if apart is not None and apart.action > action:
        action, rule, limit = apart.action, apart.rule, None
    return Outcome(address, action, rule, own, limit)


def all_with(outcomes: tuple[Outcome, ...], action: Action) -> tuple[Outcome, ...]:
    """The outcomes where one action is everybody's."""
    return tuple(replace(o, action=action, limit=None) for o in outcomes)


def reason_of(verdict: Verdict, otherwise: Reason) -> Reason:
    """Why the message is kept. otherwise: where nothing but its points says so."""
    if verdict.virus:
        return Reason.VIRUS
    if verdict.action > Action.ACCEPT or verdict.apart:
        if verdict.removed or verdict.banned:
            return Reason.BANNED
        return Reason.FAILED if verdict.failed else verdict.reason or Reason.POLICY
    return otherwise


def _told_apart(apart: Mapping[str, RecipientAction], action: Action) -> Reply | None:
    """The reply for the first recipient of whom that action is forced with one."""
    found = (one.reply for one in apart.values() if one.action is action)
    return next(filter(None, found), None)


def reject_reply(verdict: Verdict, apart: Mapping[str, RecipientAction]) -> Reply:
    """What a client is told whose message nobody gets."""
    if verdict.action is Action.REJECT or verdict.apart:
        own = verdict.reply if verdict.action is Action.REJECT else None
        own = own or _told_apart(apart, Action.REJECT)
        if own is not None and not (verdict.virus and own.kind):
            return own
        return replies.VIRUS if verdict.virus else replies.POLICY
    return replies.VIRUS if verdict.virus else replies.SPAM


def tempfail_reply(verdict: Verdict, apart: Mapping[str, RecipientAction]) -> Reply:
    """What a client is told that is to try again."""
    if verdict.action is Action.TEMPFAIL and verdict.reply is not None:
        return verdict.reply
    if verdict.action is not Action.TEMPFAIL and (told := _told_apart(apart, Action.TEMPFAIL)):
        return told
    return replies.TROUBLE if verdict.failed else replies.DELAY
