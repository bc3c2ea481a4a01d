"""What filters are asked while one SMTP session goes on, and what the client is told at once.

Findings are kept with the session: those about the client count for each of its messages, those of
MAIL and DATA for one, those of RCPT for one recipient. A refusal is answered at its stage, unless
the MTA could not use it there: it was agreed that nothing is answered, or there is no client that
could be told. Then it becomes part of the verdict on the message.

The daemon, `scan`, `replay` and the test kit all go through the stages of a session with this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from filterd.chain import marks, replies
from filterd.chain.findings import (
    NOTHING_FOUND,
    Findings,
    of_failure,
    of_message,
    of_verdict,
    own_symbols,
)
from filterd.chain.headers import final_reply
from filterd.chain.links import LinkSettings
from filterd.chain.policy import Policy
from filterd.chain.report import Arrival, ScanReport, values
from filterd.chain.stage_chain import StageAnswer
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import Action, Outcome, Reason, Reply, Symbol, total
from filterd.message import Client, Envelope, Recipient
from filterd.message.ids import new_id
from filterd.message.matching import Network, is_in_networks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EarlySettings:
    """What counts when a stage is gone through. links: settings of the filters, by name.
    release_clients: networks that released mail may come from."""

    policy: Policy
    links: Mapping[str, LinkSettings]
    release_clients: Sequence[Network] = ()


Ask = Callable[[Session, Recipient | None], Sequence[StageAnswer]]
"""Asks the filters of a stage."""


class StageFindings:
    """What the stages found in one SMTP session. id: the session's name."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.transaction = ""
        self._connect = self._helo = NOTHING_FOUND
        self._spent: dict[str, float] = {}
        self.begin("")

    def begin(self, transaction: str) -> None:
        """MAIL: a transaction begins, with what is known of the client."""
        self.transaction = transaction
        self._sender = self._data = NOTHING_FOUND
        self._recipients: dict[str, Findings] = {}

    def so_far(self, recipient: str = "") -> tuple[Symbol, ...]:
        """The symbols found about the session, the transaction and this recipient."""
        own = self._recipients.get(recipient)
        return self._shared.verdict.symbols + (() if own is None else own_symbols(own))

    @property
    def _shared(self) -> Findings:
        return self._connect | self._helo | self._sender | self._data

    @property
    def of_client(self) -> Findings:
        """What was found about the client alone."""
        return self._connect | self._helo

    def add(self, stage: Stage, found: Findings, recipient: str = "") -> None:
        """Keep what a stage found. recipient: at RCPT, whose it is."""
        spent = self._spent
        for name, one in found.milliseconds.items():
            spent[name] = spent.get(name, 0.0) + one
        found = NOTHING_FOUND if found.is_empty else replace(found, milliseconds={})
        match stage:
            case Stage.CONNECT:
                self._connect = found
            case Stage.HELO:
                # A client may repeat it, and then is another.
                self._helo = found
            case Stage.SENDER:
                self._sender = found
            case Stage.DATA:
                self._data = found
            case Stage.RECIPIENT:
                # A client may name it twice; the last opinion counts.
                self._recipients.pop(recipient, None)
                if found is not NOTHING_FOUND:
                    self._recipients[recipient] = found

    def spent(self) -> dict[str, float]:
        """Milliseconds by filter since the last report, which is made now."""
        spent, self._spent = self._spent, {}
        return {name: round(one, 3) for name, one in spent.items()}

    def of_message(self, recipients: Sequence[str]) -> Findings:
        """All that counts for the message, which has come now."""
        found = of_message(self._shared, self._recipients, recipients)
        spent = self.spent()
        return replace(found, milliseconds=spent) if spent else found


class EarlySession:
    """The stages of one SMTP session. settings: as they are when it is called. ask: asks filters.
    refused: takes the report on each refusal."""

    def __init__(
        self,
        settings: Callable[[], EarlySettings],
        ask: Ask,
        refused: Callable[[ScanReport, Envelope], object],
    ) -> None:
        self._settings = settings
        self._ask = ask
        self._note = refused
        self.findings = StageFindings(new_id())
        self._waits = False

    @property
    def id(self) -> str:
        """The name of the session."""
        return self.findings.id

    def begin(self, envelope: Envelope) -> str:
        """MAIL: a transaction begins; the id that its message will have."""
        transaction = new_id()
        self.findings.begin(transaction)
        # Whose refusals have to wait for the message: it may be one that a person released, which
        # passes; and nobody is there who could be told anything but what becomes of the message.
        self._waits = _is_submitted(envelope.client) or (
            self._may_release(envelope) and marks.is_marked(envelope.sender_parameters)
        )
        return transaction

    def _may_release(self, envelope: Envelope) -> bool:
        return is_in_networks(envelope.client.address, self._settings().release_clients)

    def ask(
        self,
        stage: Stage,
        envelope: Envelope,
        recipient: Recipient | None = None,
        *,
        may_answer: bool = True,
    ) -> ScanReport | None:
        """Ask the filters that want to be asked; the report on the refusal that the client is told
        at once, if there is one.

        may_answer: it was agreed that the MTA waits for an answer.
        """
        address = "" if recipient is None else recipient.address
        waits = self._waits
        if stage in (Stage.CONNECT, Stage.HELO):
            # MAIL tells whether it is a released message that comes.
            waits = _is_submitted(envelope.client) or self._may_release(envelope)
        answers_now = may_answer and not waits
        if stage is Stage.SENDER and answers_now:
            held = self.findings.of_client
            if held.refusal is not Action.ACCEPT:
                return self._refused(stage, envelope, recipient, held, "")
        symbols = self.findings.so_far(address)
        session = Session(self.id, stage, envelope, self.findings.transaction, symbols)
        answers = [(one.name, self._of(one, envelope)) for one in self._ask(session, recipient)]
        found = NOTHING_FOUND
        for _name, one in answers:
            found |= one
        if answers_now and found.refusal is not Action.ACCEPT:
            return self._refused(stage, envelope, recipient, found, _refuser(answers, found))
        if recipient is not None:
            found = NOTHING_FOUND
            for name, one in answers:
                found |= one.for_one(address, name)
        if answers:
            self.findings.add(stage, found, address)
        return None

    def _of(self, answer: StageAnswer, envelope: Envelope) -> Findings:
        found = of_verdict(answer.name, answer.verdict, answer.milliseconds)
        failure = answer.failure
        if failure is None:
            return found
        log.warning(
            "filter=%s failed kind=%s session=%s detail=%s",
            answer.name,
            failure.kind,
            self.id,
            failure.detail,
        )
        link = self._settings().links.get(answer.name, LinkSettings())
        return found | of_failure(failure, link, envelope)

    def _refused(
        self,
        stage: Stage,
        envelope: Envelope,
        recipient: Recipient | None,
        found: Findings,
        name: str,
    ) -> ScanReport:
        """The report on a refusal, with the reply as the client gets it. name: of the filter."""
        id, address = new_id(), "" if recipient is None else recipient.address
        # What was found about the client is `found` itself where MAIL is refused for that.
        known = self.findings.so_far(address) if name else ()
        symbols = known + found.verdict.symbols
        recipients = envelope.recipients if recipient is None else (recipient,)
        arrival = Arrival.at(id, replace(envelope, recipients=recipients), 0, "", self.id)
        self.findings.add(Stage.RECIPIENT, Findings(milliseconds=found.milliseconds))
        action = found.refusal
        report = ScanReport(
            **values(arrival),
            action=action,
            reply=final_reply(self._reply(envelope, recipient, found), id),
            reason=Reason.POLICY if action is found.verdict.action else Reason.FAILED,
            outcomes=(Outcome(address, action, name),),
            score=total(symbols),
            symbols=symbols,
            because=found.verdict.because if action is found.verdict.action else "",
            milliseconds=self.findings.spent(),
            failures=found.failures,
            stage=stage,
        )
        self._note(report, envelope)
        return report

    def _reply(self, envelope: Envelope, recipient: Recipient | None, found: Findings) -> Reply:
        policy, action = self._settings().policy, found.refusal
        if action is Action.REJECT:
            default = found.verdict.reply or replies.POLICY
        elif action is found.verdict.action:
            default = found.verdict.reply or replies.DELAY
        else:
            default = replies.TROUBLE
        if recipient is None:
            return policy.reply(default)
        return policy.thresholds(recipient, envelope).reply(default)


def _refuser(answers: Sequence[tuple[str, Findings]], found: Findings) -> str:
    """The filter whose opinion, or failure, the refusal is."""
    return next((name for name, one in answers if one.refusal is found.refusal), "")


def _is_submitted(client: Client) -> bool:
    """True for mail of this host's `sendmail` command, which no SMTP client waits for. sendmail
    names no address then; Postfix (`non_smtpd_milters`) makes up a client of this host without a
    port, and takes a refusal before the end for a mistake of the filter (cleanup(8))."""
    return not client.address or (client.is_local and not client.port)
