"""What filters are asked while one SMTP session goes on, and what the client is told at once.

Findings are kept with the session: those about the client count for each of its messages, those of
MAIL and DATA for one, those of RCPT for one recipient. A refusal is answered at its stage, unless
the MTA could not use it there: it was agreed that nothing is answered, or there is no client that
could be told. Then it becomes part of the verdict on the message.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

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
from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    Failure,
    FailureKind,
    Outcome,
    Reason,
    Reply,
    Symbol,
    total,
)
from filterd.daemon.service import Service
from filterd.message import Envelope, Recipient
from filterd.message.ids import new_id
from filterd.message.matching import is_in_networks, networks
from filterd.workers.stage_pool import PoolClosedError, Told

log = logging.getLogger(__name__)

POOLS_LIMIT = 3
"""Times that a question is put again because the fork server was exchanged meanwhile."""


class StageFindings:
    """What the stages found in one SMTP session. policy: words replies."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.transaction = ""
        self._connect = self._helo = NOTHING_FOUND
        self._spent: Counter[str] = Counter()
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
        self._spent.update(found.milliseconds)
        found = replace(found, milliseconds={})
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
                if found != NOTHING_FOUND:
                    former = self._recipients.get(recipient, NOTHING_FOUND)
                    self._recipients[recipient] = former | found

    def spent(self) -> dict[str, float]:
        """Milliseconds by filter since the last report, which is made now."""
        spent, self._spent = self._spent, Counter()
        return {name: round(one, 3) for name, one in spent.items()}

    def of_message(self, recipients: Sequence[str]) -> Findings:
        """All that counts for the message, which has come now."""
        found = of_message(self._shared, self._recipients, recipients)
        spent = self.spent()
        return replace(found, milliseconds=spent) if spent else found


class SessionStages:
    """The stages of one SMTP session, as the daemon goes through them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._told = Told()
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
        self._waits = not envelope.client.address or (
            self._may_release(envelope) and marks.is_marked(envelope.sender_parameters)
        )
        return transaction

    def _may_release(self, envelope: Envelope) -> bool:
        clients = networks(self._service.settings.quarantine.release_clients)
        return is_in_networks(envelope.client.address, clients)

    def ask(
        self,
        stage: Stage,
        envelope: Envelope,
        recipient: Recipient | None = None,
        *,
        may_answer: bool,
    ) -> ScanReport | None:
        """Ask the filters that want to be asked; what the client is told at once, if anything.

        may_answer: it was agreed that the MTA waits for an answer.
        """
        address = "" if recipient is None else recipient.address
        waits = self._waits
        if stage in (Stage.CONNECT, Stage.HELO):
            # MAIL tells whether it is a released message that comes.
            waits = not envelope.client.address or self._may_release(envelope)
        answers_now = may_answer and not waits
        held = self.findings.of_client
        if stage is Stage.SENDER and answers_now and held.refusal is not Action.ACCEPT:
            return self._refused(stage, envelope, recipient, held, "")
        answers = self._answers(stage, envelope, recipient)
        found, name = self._found(answers, envelope)
        if answers_now and found.refusal is not Action.ACCEPT:
            return self._refused(stage, envelope, recipient, found, name)
        if recipient is not None:
            found = self._for_one(answers, envelope, address)
        if answers:
            self.findings.add(stage, found, address)
        return None

    def _answers(
        self, stage: Stage, envelope: Envelope, recipient: Recipient | None
    ) -> list[StageAnswer]:
        settings = self._service.settings
        for _attempt in range(POOLS_LIMIT):
            pool = self._service.pool.stages
            names = pool.asked.get(stage, ()) if pool is not None else ()
            links = {name: settings.filters[name].link for name in names}
            if pool is None or not links:
                return []
            session = Session(
                self.id,
                stage,
                envelope,
                self.findings.transaction,
                self.findings.so_far("" if recipient is None else recipient.address),
            )
            try:
                return pool.ask(session, links, recipient, self._told)
            except PoolClosedError:
                continue
        why = "the filters were being exchanged"
        return [
            StageAnswer(name, NO_OPINION, 0.0, Failure(name, FailureKind.UNAVAILABLE, why))
            for name in links
        ]

    def _link(self, name: str) -> LinkSettings:
        return self._service.settings.filters[name].link

    def _of(self, answer: StageAnswer, envelope: Envelope) -> Findings:
        found = of_verdict(answer.name, answer.verdict, answer.milliseconds)
        if answer.failure is None:
            return found
        log.warning(
            "filter=%s failed kind=%s session=%s detail=%s",
            answer.name,
            answer.failure.kind,
            self.id,
            answer.failure.detail,
        )
        return found | of_failure(answer.failure, self._link(answer.name), envelope)

    def _found(self, answers: Sequence[StageAnswer], envelope: Envelope) -> tuple[Findings, str]:
        """All that was found, and the filter that refuses, if one does."""
        found, name = NOTHING_FOUND, ""
        for answer in answers:
            one = self._of(answer, envelope)
            found |= one
            if one.refusal is not Action.ACCEPT and (answer.refuses or not name):
                name = answer.name
        return found, name

    def _for_one(
        self, answers: Sequence[StageAnswer], envelope: Envelope, recipient: str
    ) -> Findings:
        found = NOTHING_FOUND
        for answer in answers:
            one = of_verdict(answer.name, answer.verdict, answer.milliseconds)
            if answer.failure is not None:
                one |= of_failure(answer.failure, self._link(answer.name), envelope)
            found |= one.for_one(recipient, answer.name)
        return found

    def _refused(
        self,
        stage: Stage,
        envelope: Envelope,
        recipient: Recipient | None,
        found: Findings,
        name: str,
    ) -> ScanReport:
        """The report on a refusal, with the reply as the client gets it."""
        id, address = new_id(), "" if recipient is None else recipient.address
        known = self.findings.so_far(address) if stage is not Stage.SENDER or name else ()
        symbols = known + found.verdict.symbols
        recipients = envelope.recipients if recipient is None else (recipient,)
        arrival = Arrival.at(id, replace(envelope, recipients=recipients), 0, "", self.id)
        self.findings.add(Stage.RECIPIENT, Findings(milliseconds=found.milliseconds))
        action = found.refusal
        failed = action is not found.verdict.action
        report = ScanReport(
            **values(arrival),
            action=action,
            reply=final_reply(self._reply(envelope, recipient, found), id),
            reason=Reason.FAILED if failed else Reason.POLICY,
            outcomes=(Outcome(address, action, name),),
            score=total(symbols),
            symbols=symbols,
            milliseconds=self.findings.spent(),
            failures=found.failures,
            stage=stage,
        )
        self._service.report(report)
        self._service.note(report, b"")
        self.tell(report, envelope)
        return report

    def _reply(self, envelope: Envelope, recipient: Recipient | None, found: Findings) -> Reply:
        policy: Policy = self._service.policy
        action = found.refusal
        if action is Action.REJECT:
            default = found.verdict.reply or replies.POLICY
        elif action is found.verdict.action:
            default = found.verdict.reply or replies.DELAY
        else:
            default = replies.TROUBLE
        if recipient is None:
            return policy.reply(default)
        return policy.thresholds(recipient, envelope).reply(default)

    def tell(self, report: ScanReport, envelope: Envelope) -> None:
        """Tell filters that want to know what became of a message or a refusal."""
        pool = self._service.pool.stages
        if pool is not None and pool.wants_reports:
            stage = report.stage or Stage.DATA
            transaction = self.findings.transaction
            pool.tell(Session(self.id, stage, envelope, transaction, report.symbols), report)

    def close(self) -> None:
        """The session is over."""
        pool = self._service.pool.stages
        if pool is not None:
            pool.forget(self.id, self._told)
