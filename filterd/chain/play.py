"""A whole SMTP session in this process, stage by stage, against a pipeline: what `scan`, `replay`
and the test kit do in the daemon's place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from filterd.chain.early import EarlySession, EarlySettings
from filterd.chain.pipeline import Pipeline, PipelineResult
from filterd.chain.report import ScanReport, values
from filterd.chain.stage_chain import StageAnswer
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import Outcome
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.fields import Buffer
from filterd.message.ids import new_id
from filterd.message.matching import Network

STAGE_SECONDS = 4.0
"""Seconds that the filters of a stage are told they have; nobody interrupts them here."""


class PlayedSession:
    """One SMTP session. envelope: what is known so far, with the recipients that were accepted.

    Each step returns the report on the refusal, None where the client goes on.
    """

    def __init__(self, pipeline: Pipeline, release_clients: Sequence[Network] = ()) -> None:
        self._pipeline = pipeline
        chain = pipeline.chain
        early = EarlySettings(pipeline.policy, chain.link_settings, release_clients)
        self.early = EarlySession(lambda: early, self._answers, self._refused)
        self.envelope = Envelope()
        self.refusals: list[ScanReport] = []
        """The refusals of this session so far."""
        self._memories: dict[str, dict[str, Any]] = defaultdict(dict)
        self._id = ""

    def _answers(self, session: Session, recipient: Recipient | None) -> list[StageAnswer]:
        stages = self._pipeline.chain.stages
        names = stages.asked.get(session.stage, ())
        memories = self._memories
        return [*stages.ask(session, memories.__getitem__, names, STAGE_SECONDS, recipient)]

    def _refused(self, report: ScanReport, envelope: Envelope) -> None:
        self.refusals.append(report)
        self._tell(report, envelope)

    def _tell(self, report: ScanReport, envelope: Envelope) -> None:
        stages = self._pipeline.chain.stages
        stage = report.stage or Stage.DATA
        transaction = self.early.findings.transaction
        session = Session(self.early.id, stage, envelope, transaction, report.symbols)
        stages.tell(session, self._memories.__getitem__, report)

    def connect(self, client: Client, macros: Mapping[str, str]) -> ScanReport | None:
        """A client has connected. client: without its HELO name."""
        self.envelope = Envelope(client=replace(client, helo=""), macros=macros)
        return self.early.ask(Stage.CONNECT, self.envelope)

    def helo(self, name: str) -> ScanReport | None:
        """HELO or EHLO."""
        client = replace(self.envelope.client, helo=name)
        self.envelope = replace(self.envelope, client=client)
        return self.early.ask(Stage.HELO, self.envelope)

    def sender(
        self, address: str, parameters: Sequence[str], macros: Mapping[str, str]
    ) -> ScanReport | None:
        """MAIL. macros: those that are new."""
        self.envelope = replace(
            self.envelope,
            sender=address,
            sender_parameters=tuple(parameters),
            recipients=(),
            macros={**self.envelope.macros, **macros},
        )
        self._id = self.early.begin(self.envelope)
        return self.early.ask(Stage.SENDER, self.envelope)

    def recipient(self, recipient: Recipient) -> ScanReport | None:
        """RCPT."""
        refusal = self.early.ask(Stage.RECIPIENT, self.envelope, recipient)
        if refusal is None:
            recipients = (*self.envelope.recipients, recipient)
            self.envelope = replace(self.envelope, recipients=recipients)
        return refusal

    def data(self) -> ScanReport | None:
        """DATA."""
        return self.early.ask(Stage.DATA, self.envelope)

    def until_data(self, envelope: Envelope) -> ScanReport | None:
        """All stages, with this envelope: the refusal after which there is no message, if there is
        one. Recipients may have been refused."""
        client, macros = envelope.client, envelope.macros
        refusal = (
            self.connect(client, macros)
            or (self.helo(client.helo) if client.helo else None)
            or self.sender(envelope.sender, envelope.sender_parameters, {})
        )
        if refusal is not None:
            return refusal
        for recipient in envelope.recipients:
            refusal = self.recipient(recipient)
        if envelope.recipients and not self.envelope.recipients:
            return refusal
        return self.data()

    def result(self, data: Buffer) -> PipelineResult:
        """The message and its end."""
        envelope = self.envelope
        message = Message(data, envelope, self._id or new_id())
        early = self.early.findings.of_message([r.address for r in envelope.recipients])
        result = self._pipeline.process(message, early=early)
        report = ScanReport(**{**values(result.report), "session": self.early.id})
        self._tell(report, envelope)
        return replace(result, report=report)


def play(
    pipeline: Pipeline,
    envelope: Envelope,
    data: Buffer,
    release_clients: Sequence[Network] = (),
) -> ScanReport:
    """What becomes of a message in a session of its own: the report on the message, with what its
    refused recipients get, or where nobody may get it, on the refusal. Raises nothing that a filter
    or the message causes."""
    if not pipeline.chain.stages.asked:
        return pipeline.process(Message(data, envelope, new_id())).report
    session = PlayedSession(pipeline, release_clients)
    refusal = session.until_data(envelope)
    if refusal is not None:
        return refusal
    report = session.result(data).report
    refused: list[Outcome] = [outcome for one in session.refusals for outcome in one.outcomes]
    if not refused:
        return report
    return ScanReport(**{**values(report), "outcomes": (*report.outcomes, *refused)})
