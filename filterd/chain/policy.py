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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from filterd.chain import replies
from filterd.chain.disinfect import disinfecting
from filterd.chain.outcomes import (
    Thresholds,
    all_with,
    alone_of,
    apart_of,
    outcome_of,
    reason_of,
    reject_reply,
    tempfail_reply,
    with_own,
    worst,
)
from filterd.chain.policy_settings import (
    PolicyRule,
    PolicySettings,
    mistakes_in,
    rule_points,
)
from filterd.chain.verdict import Action, Edit, Outcome, Reason, Reply, Symbol, Verdict
from filterd.message import Envelope, Recipient
from filterd.message.address import patterns
from filterd.message.matching import client_matches, networks, recipient_keys


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one message, ready to be carried out.

    action: the message's own. reply: for TEMPFAIL and REJECT. edits: to the delivered message.
    drop_recipients: removed from the envelope before delivery. store: the message must be on disk
    before the MTA hears of the decision. held_for: recipients whose copy the store holds. reason:
    why it is stored. mta_quarantine: reason for SMFIR_QUARANTINE, where
    the MTA holds the message. labelled: the delivered message carries `X-Spam-Flag: YES`.
    required: the label threshold that was applied, in points. own: where recipients have findings
    of their own, those of the one with the most points, which the message is said to have.
    outcomes: per recipient.
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
    own: tuple[Symbol, ...] = ()
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
        score, apart, alone = verdict.score, apart_of(verdict), alone_of(verdict)
        stripping = disinfecting(verdict)
        outcomes = tuple(
            outcome_of(
                verdict,
                address,
                thresholds,
                score,
                apart.get(address),
                alone.get(address, ()),
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
                first.reply(tempfail_reply(verdict, apart)),
                outcomes=all_with(outcomes, Action.TEMPFAIL),
                reason=Reason.FAILED,
                required=min(t.label for t in chosen.values()),
                own=worst(outcomes),
            )
        if actions == {Action.REJECT}:
            keep = self.settings.keep_rejected
            return Decision(
                Action.REJECT,
                first.reply(reject_reply(verdict, apart)),
                outcomes=outcomes,
                store=keep,
                reason=reason_of(verdict, Reason.SPAM),
                labelled=True,
                required=min(t.label for t in chosen.values()),
                own=worst(outcomes),
            )
        if Action.REJECT in actions:
            # The MTA gives one answer for all; who cannot be refused alone is held instead.
            outcomes = tuple(
                _held_instead(o, chosen[o.recipient]) if o.action is Action.REJECT else o
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
        reason: Reason | Literal[""] = reason_of(verdict, otherwise) if kept else ""
        gets = Action.ACCEPT if stays else Action.QUARANTINE if held else Action.DISCARD
        concerned = [outcome for outcome in outcomes if outcome.action is gets]
        labelling, labelled = self._labelling(verdict, concerned, chosen)
        own = worst(concerned)
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
                own=own,
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
                own=own,
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
            own=own,
            outcomes=outcomes,
        )

    @staticmethod
    def _labelling(
        verdict: Verdict, concerned: Sequence[Outcome], chosen: Mapping[str, Thresholds]
    ) -> tuple[Thresholds, bool]:
        """Whose policy labels the message for these recipients, the lowest, and whether it does."""
        if not any(outcome.symbols for outcome in concerned):
            lowest = min([chosen[o.recipient] for o in concerned], key=lambda one: one.label)
            labels = verdict.labelled or verdict.score >= lowest.label
            return lowest, labels and not verdict.released
        labelling = [
            chosen[o.recipient]
            for o in concerned
            if with_own(verdict.score, o) >= chosen[o.recipient].label
        ]
        among = labelling or [chosen[o.recipient] for o in concerned]
        lowest = min(among, key=lambda thresholds: thresholds.label)
        return lowest, (verdict.labelled or bool(labelling)) and not verdict.released


def _held_instead(outcome: Outcome, thresholds: Thresholds) -> Outcome:
    """The outcome of who is held because not all are refused."""
    limit = None if outcome.limit is None else thresholds.limit(Action.QUARANTINE)
    return replace(outcome, action=Action.QUARANTINE, limit=limit)


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


def _read(texts: Mapping[str, str]) -> dict[str, Reply]:
    """The replies of a table that `mistakes_in` has passed."""
    return {kind: replies.parse(kind, text) for kind, text in texts.items()}
