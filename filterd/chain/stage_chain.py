"""The filters of one stage of an SMTP session, asked one after the other.

The process that serves the stages, `scan` and the test kit use this, so that what is shown offline
is what happens to mail. Time limits are kept by who waits for the answers: the methods run in
threads, where no alarm arrives.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from filterd.chain.checks import check_reply, field_name, field_value
from filterd.chain.links import DETAIL_LIMIT, Link, observed
from filterd.chain.stages import Session, Stage, stages_of
from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    AddField,
    Failure,
    FailureKind,
    Symbol,
    Verdict,
)
from filterd.message import Recipient

if TYPE_CHECKING:
    from filterd.chain.report import ScanReport

log = logging.getLogger(__name__)

SYMBOLS_LIMIT = 200
"""Symbols that one filter may find at one stage."""

EDITS_LIMIT = 50
"""Header fields that one filter may want at one stage."""

Memory = Callable[[str], dict[str, Any]]
"""The memory of the filter of that name, for one SMTP session."""


@dataclass(frozen=True, slots=True)
class StageAnswer:
    """What one filter says at a stage. verdict: NO_OPINION where there is a failure."""

    name: str
    verdict: Verdict
    milliseconds: float
    failure: Failure | None = None

    @property
    def refuses(self) -> bool:
        """True if the client is refused, so that no other filter needs to be asked."""
        return self.verdict.action in (Action.REJECT, Action.TEMPFAIL)


class StageChain:
    """The filters of a chain that want to be asked at stages. Raises ValueError for one that wants
    what it cannot."""

    def __init__(self, links: Sequence[Link]) -> None:
        wanted = {link.name: stages_of(link.filter) for link in links}
        self._links = {link.name: link for link in links if wanted[link.name]}
        self.asked: Mapping[Stage, tuple[str, ...]] = {
            stage: names
            for stage in Stage
            if (names := tuple(link.name for link in links if stage in wanted[link.name]))
        }
        """The names of the filters that are asked at each stage, in order."""
        self._told = tuple(link for link in links if hasattr(link.filter, "reported"))

    @property
    def wants_reports(self) -> bool:
        """True if a filter wants to know what becomes of mail."""
        return bool(self._told)

    def ask(
        self,
        session: Session,
        memory: Memory,
        names: Collection[str],
        timeout: float,
        recipient: Recipient | None = None,
    ) -> Iterator[StageAnswer]:
        """Ask those filters; one that refuses is the last. Raises nothing that a filter causes.

        timeout: seconds for all of them.
        """
        end = time.monotonic() + timeout
        symbols = session.symbols
        for name in names:
            link = self._links[name]
            told = Session(
                session.id,
                session.stage,
                session.envelope,
                session.transaction,
                symbols,
                memory(name),
                min(end, time.monotonic() + link.settings.timeout),
                session.counting,
            )
            session.counting.begin(name)
            answer = _asked(link, told, recipient)
            symbols += answer.verdict.symbols
            yield answer
            if answer.refuses:
                return

    def tell(self, session: Session, memory: Memory, report: ScanReport) -> None:
        """Let the filters that want that take note of a report. Raises nothing that they cause."""
        for link in self._told:
            try:
                filter: Any = link.filter
                filter.reported(replace(session, memory=memory(link.name)), report)
            except Exception as error:  # noqa: BLE001  (it is told, not asked)
                log.warning("filter=%s id=%s cannot note: %s", link.name, report.id, error)


def _asked(link: Link, session: Session, recipient: Recipient | None) -> StageAnswer:
    name, started = link.name, time.monotonic()
    failure, verdict = None, NO_OPINION
    try:
        method = getattr(link.filter, session.stage.value)
        found = method(session) if recipient is None else method(session, recipient)
        verdict = _usable(found)
    except MemoryError:
        failure = Failure(name, FailureKind.MEMORY, "out of memory")
    except OSError as error:
        failure = Failure(name, FailureKind.UNAVAILABLE, str(error)[:DETAIL_LIMIT])
    except Exception as error:  # whatever a filter does wrong, its policy answers
        log.debug("filter=%s session=%s", name, session.id, exc_info=True)
        why = f"{type(error).__name__}: {error}"[:DETAIL_LIMIT]
        failure = Failure(name, FailureKind.ERROR, why)
    if link.settings.dry_run:
        verdict = observed(verdict)
    spent = round((time.monotonic() - started) * 1000, 3)
    return StageAnswer(name, verdict, spent, failure)


def _usable(found: object) -> Verdict:
    """The verdict with its details worked out. Raises TypeError, ValueError for what no filter can
    say before there is a message."""
    if not isinstance(found, Verdict):
        raise TypeError(f"returned {type(found).__name__}, expected a Verdict")
    if found is NO_OPINION:
        return NO_OPINION
    for edit in found.edits:
        if not isinstance(edit, AddField):
            raise ValueError("wants to change a message before there is one; expected AddField")
        field_name(edit.name)
        field_value(edit.value)
    if len(found.symbols) > SYMBOLS_LIMIT or len(found.edits) > EDITS_LIMIT:
        raise ValueError(
            f"{len(found.symbols)} symbols and {len(found.edits)} header fields; expected at most "
            f"{SYMBOLS_LIMIT} and {EDITS_LIMIT}"
        )
    if found.reply is not None and found.action in (Action.TEMPFAIL, Action.REJECT):
        check_reply(found.reply, found.action)
    symbols = tuple([Symbol(s.name, s.score, s.detail[:DETAIL_LIMIT]) for s in found.symbols])
    usable = Verdict(found.action, symbols, found.edits, reply=found.reply)
    if replace(found, symbols=symbols) != usable:
        raise ValueError(
            "says something about a message before there is one; expected no more than action, "
            "reply, symbols and edits"
        )
    return usable
