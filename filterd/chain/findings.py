"""What the stages of an SMTP session found about a message before it came.

Findings add up with `|`, as verdicts do: of the filters of a stage, and of the stages of a
transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from filterd.chain.links import LinkSettings, explained, failed_symbol, on_error_action
from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    Failure,
    RecipientAction,
    RecipientSymbols,
    Symbol,
    Verdict,
)
from filterd.message import Envelope


@dataclass(frozen=True, slots=True)
class Findings:
    """verdict: what filters found. missing: what the failures of others mean. failures: filters
    without an opinion. milliseconds: wall-clock time by filter."""

    verdict: Verdict = NO_OPINION
    missing: Verdict = NO_OPINION
    failures: tuple[Failure, ...] = ()
    milliseconds: Mapping[str, float] = field(default_factory=dict)

    def __or__(self, other: Findings) -> Findings:
        if other is NOTHING_FOUND:
            return self
        if self is NOTHING_FOUND:
            return other
        spent = dict(self.milliseconds)
        for name, one in other.milliseconds.items():
            spent[name] = round(spent.get(name, 0.0) + one, 3)
        return Findings(
            self.verdict | other.verdict,
            self.missing | other.missing,
            self.failures + other.failures,
            spent,
        )

    @property
    def refusal(self) -> Action:
        """REJECT or TEMPFAIL where the client is to be refused at once, else ACCEPT. What a filter
        finds counts before what another one's failure means."""
        for action in (self.verdict.action, self.missing.action):
            if action in (Action.REJECT, Action.TEMPFAIL):
                return action
        return Action.ACCEPT

    @property
    def is_empty(self) -> bool:
        """True if nothing was found, and nothing failed, in however long."""
        return self.verdict is self.missing is NO_OPINION and not self.failures

    def for_one(self, recipient: str, rule: str) -> Findings:
        """The same where it counts for one recipient alone. rule: what the log names as the reason
        of a forced action, the filter's name."""
        if self.is_empty:
            return self
        return replace(
            self,
            verdict=_for_one(self.verdict, recipient, rule),
            missing=_for_one(self.missing, recipient, rule),
        )


NOTHING_FOUND = Findings()


def of_verdict(name: str, verdict: Verdict, milliseconds: float) -> Findings:
    """What a filter of that name found."""
    return Findings(explained(verdict, name), milliseconds={name: milliseconds})


def of_failure(failure: Failure, settings: LinkSettings, envelope: Envelope) -> Findings:
    """What it means that a filter has no opinion. settings: the filter's."""
    action = on_error_action(settings, envelope)
    return Findings(
        failed_symbol(failure),
        Verdict(action, failed=action is not Action.ACCEPT),
        (failure,),
    )


def _for_one(verdict: Verdict, recipient: str, rule: str) -> Verdict:
    apart, points = verdict.apart, verdict.points_apart
    if verdict.action is not Action.ACCEPT:
        apart = (*apart, RecipientAction(recipient, verdict.action, rule, verdict.reply))
    if verdict.symbols:
        points = (*points, RecipientSymbols(recipient, verdict.symbols))
    return replace(
        verdict,
        action=Action.ACCEPT,
        reply=None,
        symbols=(),
        apart=apart,
        points_apart=points,
        because="",
    )


def of_message(
    shared: Findings, apart: Mapping[str, Findings], recipients: Collection[str]
) -> Findings:
    """What was found about a message. shared: for all of its recipients. apart: by recipient, where
    there is anything; what is the same for all of them is shared, as is everything of one."""
    every = [apart[recipient] for recipient in dict.fromkeys(recipients) if recipient in apart]
    if not every:
        return shared
    # A message may have a hundred thousand recipients: joined once, not one by one.
    found = Findings(
        _joined(shared.verdict, [one.verdict for one in every]),
        _joined(shared.missing, [one.missing for one in every]),
        (*shared.failures, *[failure for one in every for failure in one.failures]),
        shared.milliseconds,
    )
    symbols = [own_symbols(one) for one in every]
    if len(every) < len(set(recipients)) or any(one != symbols[0] for one in symbols):
        return found
    together = replace(found.verdict, symbols=shared.verdict.symbols + symbols[0], points_apart=())
    return replace(found, verdict=together)


def _joined(shared: Verdict, apart: Sequence[Verdict]) -> Verdict:
    """A verdict and those for recipients alone."""
    return replace(
        shared,
        edits=(*shared.edits, *[edit for one in apart for edit in one.edits]),
        failed=shared.failed or any(one.failed for one in apart),
        apart=(*shared.apart, *[action for one in apart for action in one.apart]),
        points_apart=(*shared.points_apart, *[own for one in apart for own in one.points_apart]),
    )


def own_symbols(findings: Findings) -> tuple[Symbol, ...]:
    """What was found for one recipient alone."""
    return tuple([symbol for own in findings.verdict.points_apart for symbol in own.symbols])
