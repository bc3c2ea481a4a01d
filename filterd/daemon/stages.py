"""The stages of one SMTP session as the daemon goes through them: a stage process is asked, and
refusals are logged, counted and recorded."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from filterd.chain.early import EarlySession
from filterd.chain.report import ScanReport
from filterd.chain.stage_chain import StageAnswer
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Failure, FailureKind
from filterd.daemon.service import Service
from filterd.message import Envelope, Recipient
from filterd.workers.stage_pool import PoolClosedError, Told

log = logging.getLogger(__name__)

POOLS_LIMIT = 3
"""Times that a question is put again because the fork server was exchanged meanwhile."""


class SessionStages(EarlySession):
    """The stages of one SMTP session."""

    def __init__(self, service: Service) -> None:
        super().__init__(lambda: service.early, self._answers, self._noted)
        self._service = service
        self._told = Told()

    def _answers(self, session: Session, recipient: Recipient | None) -> Sequence[StageAnswer]:
        """Ask a stage process."""
        names: tuple[str, ...] = ()
        self._told.counts = None
        for _attempt in range(POOLS_LIMIT):
            pool = self._service.pool.stages
            names = pool.asked.get(session.stage, ()) if pool is not None else ()
            # While settings are exchanged, a filter may be new, or there no longer.
            links = self._service.early.links
            asked = {name: links[name] for name in names if name in links}
            if pool is None or not asked:
                return ()
            try:
                with self._service.asking():
                    return pool.ask(session, asked, recipient, self._told)
            except PoolClosedError:
                continue
        failure = "the fork server was being replaced"
        return [
            StageAnswer(name, NO_OPINION, 0.0, Failure(name, FailureKind.UNAVAILABLE, failure))
            for name in names
        ]

    def _noted(self, report: ScanReport, envelope: Envelope) -> None:
        self._service.report(report)
        self._service.note(report, b"", b"")
        self.tell(report, envelope)

    def tell(self, report: ScanReport, envelope: Envelope) -> None:
        """Tell filters that want to know what became of a message or a refusal. Raises nothing."""
        pool = self._service.pool.stages
        if pool is None or not pool.wants_reports:
            return
        stage, transaction = report.stage or Stage.DATA, self.findings.transaction
        try:
            pool.tell(Session(self.id, stage, envelope, transaction, report.symbols), report)
        except Exception:
            # The client has its answer already, and must not get another one for this.
            log.exception("id=%s filters are not told", report.id)

    def close(self) -> None:
        """The session is over."""
        pool = self._service.pool.stages
        if pool is not None:
            pool.forget(self.id, self._told)
