"""From a verdict to a decision, per recipient. Nothing else decides.

Each recipient's thresholds come from the first matching rule, else from the defaults. The score
and the verdict's forced action give each recipient an action; then one message gets one answer:

* one recipient's `tempfail` is everybody's: the client retries with all of them;
* a `reject` needs all recipients. Where only some reject, those are treated as `quarantine`;
* recipients whose action is `quarantine` or `discard` are removed from the message and their copy
  is stored; when nobody is left, the MTA is told to discard the message;
* the rest is delivered, labelled as soon as one remaining recipient's policy labels it.

Whatever leaves the mail flow is stored before the MTA hears of it: `Decision.store` says so, and
who acts on a decision without having stored the message first breaks the promise of the project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from filterd.chain import replies
from filterd.chain.disinfect import disinfecting
from filterd.chain.policy_settings import (
    PolicyRule,
    PolicySettings,
    VirusWord,
    mistakes_in,
    rule_points,
)
from filterd.chain.verdict import Action, Edit, Outcome, Reason, RecipientAction, Reply, Verdict
from filterd.message import Envelope, Recipient
from filterd.message.address import patterns
from filterd.message.matching import client_matches, networks, recipient_keys

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


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one message, ready to be carried out.

    action: the message's own. reply: for TEMPFAIL and REJECT. edits: to the delivered message.
    drop_recipients: removed from the envelope before delivery. store: the message must be on disk
    before the MTA hears of the decision. held_for: recipients whose copy the store holds. reason:
    why it is stored. mta_quarantine: reason for SMFIR_QUARANTINE, where
    the MTA holds the message. labelled: the delivered message carries `X-Spam-Flag: YES`.
    required: the label threshold that was applied, in points. outcomes: per recipient.
    """

    action: Action
    reply: Reply | None = None
    edits: tuple[Edit, ...] = ()
    drop_recipients: tuple[str, ...] = ()
    store: bool = False
    held_for: tuple[str, ...] = ()
    reason: Reason | Literal[""] = ""
    mta_quarantine: str | None = None
    labelled: bool = False
    required: float = PolicySettings.label
    subject_tag: str = ""
    outcomes: tuple[Outcome, ...] = field(default=())


class Policy:
    """The settings `[policy]`, ready to decide. Raises PolicyError for contradictory ones."""

    def __init__(self, settings: PolicySettings) -> None:
        for error in mistakes_in(settings):
            raise error
        self.settings = settings
        self._rules = tuple(_Rule(rule, settings) for rule in settings.rules)
        self._by_recipient = any(rule.recipients for rule in settings.rules)
        self._default = Thresholds(
            "default",
            settings.label,
            settings.quarantine,
            settings.reject,
            settings.subject_tag,
            Action.REJECT,
            settings.virus,
            _read(settings.replies),
        )

    @property
    def strips_viruses(self) -> bool:
        """True if a virus may mean that parts are taken out."""
        return "strip" in (self.settings.virus, *(rule.virus for rule in self.settings.rules))

    def reply(self, default: Reply) -> Reply:
        """What `[policy]` says in place of a default, for any recipients."""
        return self._default.reply(default)

    def thresholds(self, recipient: Recipient, envelope: Envelope) -> Thresholds:
        """The thresholds for one recipient of a message with that envelope."""
        keys = recipient_keys(recipient, envelope) if self._by_recipient else frozenset()
        for rule in self._rules:
            if rule.matches(keys, envelope):
                return rule.thresholds
        return self._default

    def decide(self, verdict: Verdict, envelope: Envelope) -> Decision:
        """Turn the chain's verdict into the one answer for this message."""
        chosen = {
            recipient.address: self.thresholds(recipient, envelope)
            for recipient in envelope.recipients or (Recipient(""),)
        }
        score, apart, stripping = verdict.score, _apart(verdict), disinfecting(verdict)
        outcomes = tuple(
            _outcome(
                verdict,
                address,
                thresholds,
                score,
                apart.get(address),
                is_strippable=stripping is not None,
            )
            for address, thresholds in chosen.items()
        )
        actions = {outcome.action for outcome in outcomes}
        # One answer for all: what the first recipient's rule says.
        first = next(iter(chosen.values()))
        if Action.TEMPFAIL in actions:
            return Decision(
                Action.TEMPFAIL,
                first.reply(_tempfail_reply(verdict)),
                outcomes=_all(outcomes, Action.TEMPFAIL),
                reason=Reason.FAILED,
                required=min(t.label for t in chosen.values()),
            )
        if actions == {Action.REJECT}:
            keep = self.settings.keep_rejected
            return Decision(
                Action.REJECT,
                first.reply(_reject_reply(verdict)),
                outcomes=outcomes,
                store=keep,
                reason=_reason(verdict, Reason.SPAM),
                labelled=True,
                required=min(t.label for t in chosen.values()),
            )
        if Action.REJECT in actions:
            # The MTA gives one answer for all; who cannot be refused alone is held instead.
            outcomes = tuple(
                Outcome(o.recipient, Action.QUARANTINE, o.rule) if o.action is Action.REJECT else o
                for o in outcomes
            )
        return self._deliver(verdict, outcomes, chosen, stripping or ())

    def _deliver(
        self,
        verdict: Verdict,
        outcomes: tuple[Outcome, ...],
        chosen: dict[str, Thresholds],
        stripping: tuple[Edit, ...],
    ) -> Decision:
        """The answer when at least one recipient is neither refused nor delayed. stripping: the
        edits that take infected parts out."""
        stays = [o.recipient for o in outcomes if o.action is Action.ACCEPT]
        held = [o.recipient for o in outcomes if o.action is Action.QUARANTINE]
        discarded = [o.recipient for o in outcomes if o.action is Action.DISCARD]
        # A person who released it must be able to see what became of it.
        keeps = self.settings.keep_discarded or bool(verdict.released)
        kept = held + (discarded if keeps else [])
        otherwise = Reason.SPAM if held else Reason.DISCARDED
        reason: Reason | Literal[""] = _reason(verdict, otherwise) if kept else ""
        concerned = [chosen[recipient] for recipient in stays or held or discarded]
        labelling = min(concerned, key=lambda thresholds: thresholds.label)
        labelled = verdict.score >= labelling.label and not verdict.released
        tag = labelling.subject_tag if labelled else ""
        if len(held) == len(outcomes) and self.settings.quarantine_in == "mta":
            return Decision(
                Action.QUARANTINE,
                mta_quarantine=reason,
                outcomes=outcomes,
                reason=reason,
                labelled=labelled,
                required=labelling.label,
                subject_tag=tag,
                store=bool(verdict.removed),
                edits=verdict.edits,
            )
        if not stays:
            return Decision(
                Action.QUARANTINE if held else Action.DISCARD,
                outcomes=outcomes,
                store=bool(kept),
                held_for=tuple(r for r in kept if r),
                reason=reason,
                labelled=labelled,
                required=labelling.label,
            )
        removed = bool(verdict.removed or stripping)
        if removed and not reason:
            reason = Reason.VIRUS if verdict.virus else Reason.STRIPPED
        return Decision(
            Action.ACCEPT,
            edits=verdict.edits + stripping,
            drop_recipients=tuple(held + discarded),
            store=bool(kept) or removed,
            held_for=tuple(kept),
            reason=reason,
            labelled=labelled,
            required=labelling.label,
            subject_tag=tag,
            outcomes=outcomes,
        )


class _Rule:
    """One rule with its conditions made ready."""

    def __init__(self, rule: PolicyRule, default: PolicySettings) -> None:
        self._rule = rule
        self.thresholds = Thresholds(
            rule.name,
            *rule_points(rule, default),
            default.subject_tag if rule.subject_tag is None else rule.subject_tag,
            Action.REJECT if rule.at_most is None else Action[rule.at_most.upper()],
            default.virus if rule.virus is None else rule.virus,
            _read({**default.replies, **rule.replies}),
        )
        self._recipients = patterns(rule.recipients)
        self._networks = networks(rule.clients)

    def matches(self, recipient: frozenset[str], envelope: Envelope) -> bool:
        """recipient: keys of all patterns that cover it."""
        rule = self._rule
        if rule.authenticated is not None and rule.authenticated != bool(envelope.authenticated):
            return False
        if rule.clients and not client_matches(envelope.client, rule.clients, self._networks):
            return False
        return not self._recipients or not self._recipients.isdisjoint(recipient)


def _apart(verdict: Verdict) -> dict[str, RecipientAction]:
    """The strongest that is forced for a recipient alone, by address; of equal ones the first."""
    found: dict[str, RecipientAction] = {}
    for apart in verdict.apart:
        known = found.get(apart.recipient)
        if known is None or apart.action > known.action:
            found[apart.recipient] = apart
    return found


def _read(texts: Mapping[str, str]) -> dict[str, Reply]:
    """The replies of a table that `mistakes_in` has passed."""
    return {kind: replies.parse(kind, text) for kind, text in texts.items()}


def _virus_action(verdict: Verdict, wanted: VirusWord, *, is_strippable: bool) -> Action:
    """What a virus means for a recipient. What cannot be taken out cleanly is held."""
    if not verdict.virus:
        return Action.ACCEPT
    if wanted == "strip" and not is_strippable:
        return Action.QUARANTINE
    return _VIRUS_ACTIONS.get(wanted, Action.QUARANTINE)


def _outcome(
    verdict: Verdict,
    address: str,
    thresholds: Thresholds,
    score: float,
    apart: RecipientAction | None,
    *,
    is_strippable: bool,
) -> Outcome:
    """What one recipient gets: the strongest of what is forced for all, what is forced for this
    recipient (apart), what a virus means for it, and what the points cause."""
    of_virus = _virus_action(verdict, thresholds.virus, is_strippable=is_strippable)
    forced = max(verdict.action, of_virus)
    # What a person released is not judged by its points again.
    earned = Action.ACCEPT if verdict.released else thresholds.action(score)
    action, rule = max(forced, earned), thresholds.rule
    if apart is not None and apart.action > action:
        action, rule = apart.action, apart.rule
    return Outcome(address, action, rule)


def _all(outcomes: tuple[Outcome, ...], action: Action) -> tuple[Outcome, ...]:
    return tuple(Outcome(o.recipient, action, o.rule) for o in outcomes)


def _reason(verdict: Verdict, otherwise: Reason) -> Reason:
    """Why the message is kept. otherwise: where nothing but its points says so."""
    if verdict.virus:
        return Reason.VIRUS
    if verdict.action > Action.ACCEPT or verdict.apart:
        if verdict.removed or verdict.banned:
            return Reason.BANNED
        return Reason.FAILED if verdict.failed else Reason.POLICY
    return otherwise


def _reject_reply(verdict: Verdict) -> Reply:
    if verdict.action is Action.REJECT or verdict.apart:
        own = verdict.reply
        if own is not None and not (verdict.virus and own.kind):
            return own
        return replies.VIRUS if verdict.virus else replies.POLICY
    return replies.VIRUS if verdict.virus else replies.SPAM


def _tempfail_reply(verdict: Verdict) -> Reply:
    if verdict.action is Action.TEMPFAIL and verdict.reply is not None:
        return verdict.reply
    return replies.TROUBLE if verdict.failed else replies.DELAY
