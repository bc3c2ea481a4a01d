"""One message's whole way through analysis: chain, policy, labels, store.

The workers, `filterd scan` and the tests use this one function, so that what is shown offline is
what happens to mail. The store comes before the answer: if the message cannot be stored, the
answer is a temporary failure and the MTA keeps it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from filterd.chain.budget import BudgetExceeded, within
from filterd.chain.chain import Chain, Examination
from filterd.chain.findings import NOTHING_FOUND, Findings
from filterd.chain.headers import LabelSettings, final_reply, header_edits
from filterd.chain.policy import Decision, Policy
from filterd.chain.replies import TROUBLE
from filterd.chain.report import ScanReport
from filterd.chain.verdict import Action, Failure, Reason
from filterd.message import Message

log = logging.getLogger(__name__)

DECISION_LIMIT = 5.0
"""Seconds for the decision and the labels of one message, which look at its envelope and header
alone, in milliseconds. Behind the chain, so that no filter's time covers them."""

_LATER = Decision(Action.TEMPFAIL, TROUBLE, reason=Reason.FAILED)

Keep = Callable[[Message, ScanReport, tuple[str, ...], datetime], None]
"""Stores a message durably, with its report, the recipients whose copy this is, and when it was
received; returns only when it is on disk and fsynced. Raises OSError (the store's errors are
OSErrors) if it cannot."""

Offer = Callable[[Message, Examination], object]
"""Offers a message to autolearn; raises nothing and waits for nobody."""

Copy = Callable[[Message, ScanReport], object]
"""Makes a copy of a message for review; raises nothing and waits for nobody."""


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """What is to be done with one message, and why."""

    decision: Decision
    examination: Examination
    report: ScanReport

    @property
    def stored(self) -> bool:
        """True if the message is in the quarantine, on disk."""
        return self.report.stored


class Pipeline:
    """Chain, policy, labels and store of one process.

    keep: how a message is stored; None (offline scans) stores nothing. offer: how a message is
    offered to autolearn; None does not. copy: how a copy is made of what is not stored; None makes
    none.
    """

    def __init__(
        self,
        chain: Chain,
        policy: Policy,
        labels: LabelSettings | None = None,
        keep: Keep | None = None,
        offer: Offer | None = None,
        copy: Copy | None = None,
    ) -> None:
        self.chain = chain
        self.policy = policy
        self._labels = labels if labels is not None else LabelSettings()
        self._keep = keep
        self._offer = offer
        self._copy = copy

    def process(
        self,
        message: Message,
        failed: Sequence[Failure] = (),
        early: Findings = NOTHING_FOUND,
    ) -> PipelineResult:
        """Examine the message, decide, and store it where the decision asks for that.

        failed: filters that already failed on this message, in a process that has ended. early:
        what was found at the stages of the SMTP session.
        """
        received = datetime.now(UTC)
        examination = self.chain.examine(message, failed, early)
        keeping = self._keep is not None
        try:
            decision, answer = within(DECISION_LIMIT, self._decided, message, examination, keeping)
            if _leaves(answer):
                before = examination.verdict.action
                examination, edits = self.chain.sign(message, examination, answer.edits, failed)
                answer = replace(answer, edits=edits)
                if examination.verdict.action is not before:
                    # A signature failed: what that means is for the policy to say.
                    decision, answer = within(
                        DECISION_LIMIT, self._decided, message, examination, keeping
                    )
        except BudgetExceeded:
            log.error(
                "id=%s no decision and labels within %.0f s, answering 451",
                message.id,
                DECISION_LIMIT,
            )
            later = replace(_LATER, required=self.policy.settings.label)
            return _result(message, examination, self._worded(message, later))
        stored = False
        if decision.store and self._keep is not None:
            try:
                report = ScanReport.on(message, examination, answer, stored=True)
                self._keep(message, report, decision.held_for, received)
            except OSError as error:
                log.error("id=%s cannot be stored, answering 451: %s", message.id, error)
                outcomes = tuple(replace(o, action=Action.TEMPFAIL) for o in decision.outcomes)
                decision = replace(_LATER, required=decision.required, outcomes=outcomes)
                answer = self._worded(message, decision)
            else:
                stored = True
        if self._offer is not None and decision.action is not Action.TEMPFAIL:
            # A deferred message is offered when the client retries.
            self._offer(message, examination)
        result = _result(message, examination, answer, stored=stored)
        if self._copy is not None and not stored and decision.action is not Action.TEMPFAIL:
            self._copy(message, result.report)
        return result

    def _decided(
        self, message: Message, examination: Examination, keeping: bool
    ) -> tuple[Decision, Decision]:
        """What the policy says, and the same with the reply's words and the labels."""
        decision = self.policy.decide(examination.verdict, message.envelope)
        return decision, self._finish(message, examination, decision, decision.store and keeping)

    def _worded(self, message: Message, decision: Decision) -> Decision:
        if decision.reply is None:
            return decision
        reply = decision.reply
        if decision.reply is TROUBLE:
            # Not of the policy's making, which words its own for the recipients.
            reply = self.policy.reply(TROUBLE)
        return replace(decision, reply=final_reply(reply, message.id))

    def _finish(
        self, message: Message, examination: Examination, decision: Decision, stored: bool
    ) -> Decision:
        decision = self._worded(message, decision)
        if _leaves(decision):
            verdict = examination.verdict
            if decision.own:
                verdict = replace(verdict, symbols=verdict.symbols + decision.own)
            decision = replace(
                decision,
                edits=header_edits(
                    message,
                    verdict,
                    decision,
                    self._labels,
                    stored=stored,
                )
                + decision.edits,
            )
        return decision


def _leaves(decision: Decision) -> bool:
    """True if the message goes on, to its recipients or into the MTA's own quarantine."""
    return decision.action is Action.ACCEPT or decision.mta_quarantine is not None


def _result(
    message: Message, examination: Examination, decision: Decision, *, stored: bool = False
) -> PipelineResult:
    report = ScanReport.on(message, examination, decision, stored=stored)
    return PipelineResult(decision, examination, report)
