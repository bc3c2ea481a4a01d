"""The ordered filters, their budgets, and what a filter's failure means.

Every filter sees every message, in the order of the settings, so that a verdict always names all
that was found. Each has a time limit of its own and all share the message's. A filter that raises,
runs out of time or out of memory costs only its own opinion: its `on_error` says what that means.
So a broad `except` stands around a filter's calls here. Others in the project stand where foreign
code is called (a shadow model, a site's pipeline) and where a process or thread would end (a
callback of libmilter, a worker, the control socket, the counts); all others raise again. A test in
`test_imports` has the list.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, TypeVar

from annotated_doc import Doc
from annotated_types import Gt

from filterd.chain.budget import BudgetExceeded, within
from filterd.chain.checks import check_verdict
from filterd.chain.descriptions import RELEASED
from filterd.chain.findings import NOTHING_FOUND, Findings
from filterd.chain.links import (
    DETAIL_LIMIT,
    Link,
    LinkSettings,
    explained,
    failed_symbol,
    observed,
    on_error_action,
)
from filterd.chain.marks import Mark
from filterd.chain.outgoing import Outgoing
from filterd.chain.stage_chain import StageChain
from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    AddField,
    Edit,
    Failure,
    FailureKind,
    Symbol,
    Verdict,
)
from filterd.message import Message
from filterd.message.matching import networks
from filterd.system.mistakes import mistakes

log = logging.getLogger(__name__)

T = TypeVar("T")

ASKING_LIMIT = 0.5
"""Seconds for a filter's `ask`, which waits for nobody."""

SIGNING_LIMIT = 5.0
"""Seconds for a filter's `sign`: a hash over the message and a signature, with all files read."""


@dataclass(frozen=True)
class ChainSettings:
    """Settings `[chain]`."""

    filters: Annotated[
        tuple[str, ...], Doc("the filters, in the order in which they scan a message")
    ] = ("senders", "gtube", "parts", "clamav", "bayes")
    timeout: Annotated[
        float,
        Gt(0),
        Doc("seconds that all filters together may take for one message; the MTA must wait longer"),
    ] = 60.0
    trusted_networks: Annotated[
        tuple[str, ...],
        Doc(
            'relays whose Received fields are believed, as "192.0.2.0/24" or "local": mail that '
            "they pass on is judged by the client that they name"
        ),
    ] = ()

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.trusted_networks):
                with wrong.at("trusted_networks", index):
                    networks([text])


@dataclass(frozen=True, slots=True)
class Examination:
    """What the chain found.

    verdict: the sum. milliseconds: wall-clock time by filter. failures: filters without an opinion.
    """

    verdict: Verdict = NO_OPINION
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()


Announce = Callable[[str, float], None]
"""Told before each filter runs: its name, and the moment (`time.monotonic`) its time is over; after
the last one with an empty name. Who watches the process from outside can then say which filter a
worker died in."""


Released = Callable[[Message], Mark | None]
"""Finds the mark of a message that a person released from the quarantine."""


def _nothing_released(_message: Message) -> Mark | None:
    return None


def _announce_to_nobody(_name: str, _deadline: float) -> None:
    pass


class Chain:
    """The ordered filters of one process."""

    def __init__(self, links: Sequence[Link], timeout: float = ChainSettings.timeout) -> None:
        self._links = tuple(links)
        self._examiners = tuple(link for link in links if hasattr(link.filter, "examine"))
        self._askers = tuple(link for link in links if hasattr(link.filter, "ask"))
        self._signers = tuple(link for link in links if hasattr(link.filter, "sign"))
        self._timeout = timeout
        self._deadline = 0.0  # of the message that was examined last
        self.stages = StageChain(links)
        """The filters that are asked while the SMTP session goes on."""
        self.announce: Announce = _announce_to_nobody
        self.released: Released = _nothing_released

    @property
    def link_settings(self) -> dict[str, LinkSettings]:
        """What every filter has of settings, by name."""
        return {link.name: link.settings for link in self._links}

    @property
    def names(self) -> tuple[str, ...]:
        """The filters' names, in order."""
        return tuple(link.name for link in self._links)

    def locate_viruses(self) -> None:
        """Have scanners say in which parts a virus is: somebody wants these taken out."""
        for link in self._links:
            if hasattr(link.filter, "locates"):
                link.filter.locates = True

    def prepare(self) -> None:
        """Let each filter load what it needs, once, before the first message.

        Raises whatever a filter raises: a chain that cannot start must not start.
        """
        for link in self._links:
            prepare = getattr(link.filter, "prepare", None)
            if prepare is not None:
                prepare()

    def examine(
        self,
        message: Message,
        failed: Sequence[Failure] = (),
        early: Findings = NOTHING_FOUND,
    ) -> Examination:
        """Run every filter over the message. Raises nothing that a filter or a message causes.

        A message that a person released meets only the filters with `examines_released`, virus
        scanners, and not even those if that person let the virus pass. Nothing that they find stops
        it but a virus: neither points, nor a limit, nor a scanner that is away.

        failed: filters that must not be tried with this message, because they took another process
        down with it, or did worse with the same content before; what their `on_error` says applies.
        early: what was found at the stages of the SMTP session.
        """
        deadline = self._deadline = time.monotonic() + self._timeout
        verdict, missing = early.verdict, early.missing
        failures: list[Failure] = [*early.failures]
        milliseconds: dict[str, float] = {**early.milliseconds}
        given_up = {failure.filter: failure for failure in failed}
        asked = early.milliseconds.keys() - {failure.filter for failure in early.failures}
        mark = self.released(message)
        if mark is not None:
            told = Symbol(RELEASED, 0.0, f"{mark.id}, by a person")
            verdict |= Verdict(symbols=(told,), released=mark.id, outbound=mark.outbound)
        if mark is None and not given_up:
            self._ask_ahead(message, deadline)
        for link in self._examiners:
            if mark is not None and (mark.viruses or not _examines_released(link.filter)):
                continue
            name = link.name
            started = time.monotonic()
            failure: Failure | None = given_up.get(name)
            if failure is None:
                self.announce(name, min(started + link.settings.timeout, deadline))
                message.symbols = verdict.symbols
                message.authentication = verdict.authentication
                message.asked_early = name in asked
                opinion, failure = _opinion(link, message, deadline - started)
                spent = round((time.monotonic() - started) * 1000, 3)
                milliseconds[name] = milliseconds.get(name, 0.0) + spent
            if failure is not None:
                _log(failure, message)
                failures.append(failure)
                opinion = failed_symbol(failure)
                action = on_error_action(link.settings, message.envelope, again=failure.again)
                meant = Verdict(action, failed=action is not Action.ACCEPT)
                if not failure.again:
                    missing |= meant
                else:
                    verdict |= meant
            if opinion is not NO_OPINION:
                verdict |= explained(opinion, name)
        # What goes wrong from here on is not a filter's fault.
        self.announce("", deadline)
        if mark is not None:
            return Examination(_of_released(verdict), milliseconds, tuple(failures))
        if verdict.action is Action.ACCEPT:
            # What another filter takes out of the mail flow nobody needs to send again.
            verdict |= missing
        return Examination(verdict, milliseconds, tuple(failures))

    def sign(
        self,
        message: Message,
        examination: Examination,
        edits: tuple[Edit, ...],
        failed: Sequence[Failure] = (),
    ) -> tuple[Examination, tuple[Edit, ...]]:
        """Let filters add what depends on the whole message as it leaves.

        Returns what is known of it then, and all edits, new fields first. A failure is one of the
        filter, and `on_error` says what it means; a message that a person released goes out without
        the signature. failed: as `examine` has it. Raises nothing that a filter causes.
        """
        verdict, failures = examination.verdict, [*examination.failures]
        milliseconds = {**examination.milliseconds}
        told = {failure.filter for failure in failures}
        given_up = {failure.filter: failure for failure in failed}
        for link in self._signers:
            if link.name in told:
                continue
            started = time.monotonic()
            opinion, failure = NO_OPINION, given_up.get(link.name)
            if failure is None:
                limit = min(link.settings.timeout, SIGNING_LIMIT)
                self.announce(link.name, started + limit)
                sign = link.filter.sign  # type: ignore[union-attr]  # has it, see __init__
                outgoing = Outgoing(message, verdict, edits)
                opinion, failure = _said(link, limit, sign, outgoing, message)
                if failure is not None and failure.kind is FailureKind.TIMEOUT:
                    # No content makes a hash take seconds: the machine had other things to do.
                    failure = replace(failure, starved=True)
            spent = round((time.monotonic() - started) * 1000, 3)
            milliseconds[link.name] = round(milliseconds.get(link.name, 0.0) + spent, 3)
            if failure is not None:
                _log(failure, message)
                failures.append(failure)
                opinion = failed_symbol(failure)
                action = on_error_action(link.settings, message.envelope, again=failure.again)
                if not verdict.released:
                    opinion |= Verdict(action, failed=action is not Action.ACCEPT)
            verdict |= replace(opinion, edits=())
            on_top = tuple(edit for edit in opinion.edits if isinstance(edit, AddField))
            edits = (
                *on_top,
                *edits,
                *(edit for edit in opinion.edits if not isinstance(edit, AddField)),
            )
        # What comes now, as keeping the message, has what is left of its time.
        self.announce("", max(self._deadline, time.monotonic()))
        return Examination(verdict, milliseconds, tuple(failures)), edits

    def _ask_ahead(self, message: Message, deadline: float) -> None:
        """Let filters that wait for a server put their question now, so that the server works
        while other filters do. What goes wrong here goes wrong again in `examine`, and counts."""
        for link in self._askers:
            started = time.monotonic()
            self.announce(link.name, min(started + link.settings.timeout, deadline))
            try:
                ask = link.filter.ask  # type: ignore[union-attr]  # has it, see __init__
                within(min(link.settings.timeout, ASKING_LIMIT), ask, message)
            except (BudgetExceeded, Exception) as error:  # noqa: BLE001
                log.debug("filter=%s id=%s asks later: %s", link.name, message.id, error)


def _examines_released(filter: object) -> bool:
    return bool(getattr(filter, "examines_released", False))


def _opinion(link: Link, message: Message, remaining: float) -> tuple[Verdict, Failure | None]:
    """One filter's opinion, or why there is none."""
    name, settings = link.name, link.settings
    budget = min(settings.timeout, max(remaining, 0.0))
    if budget <= 0:
        why = "no time was left by the filters before it"
        return NO_OPINION, Failure(name, FailureKind.TIMEOUT, why, starved=True)
    examine = link.filter.examine  # type: ignore[union-attr]  # has it, see Chain.__init__
    return _said(link, budget, examine, message, message)


def _log(failure: Failure, message: Message) -> None:
    log.warning(
        "filter=%s failed kind=%s id=%s detail=%s",
        failure.filter,
        failure.kind,
        message.id,
        failure.detail,
    )


def _said(
    link: Link, budget: float, asked: Callable[[T], object], about: T, message: Message
) -> tuple[Verdict, Failure | None]:
    """What a method of a filter says within so many seconds, or why it says nothing. What
    cannot be done, as a header field with a line end, is its failure as well."""
    name, settings = link.name, link.settings
    try:
        opinion: object = within(budget, asked, about)
        if not isinstance(opinion, Verdict):
            raise TypeError(f"returned {type(opinion).__name__}, expected a Verdict")
        check_verdict(opinion, message.body_start, len(message.data))
    except BudgetExceeded:
        return NO_OPINION, Failure(name, FailureKind.TIMEOUT, f"no opinion within {budget:.1f} s")
    except MemoryError:
        return NO_OPINION, Failure(name, FailureKind.MEMORY, "out of memory")
    except OSError as error:
        return NO_OPINION, Failure(name, FailureKind.UNAVAILABLE, str(error)[:DETAIL_LIMIT])
    except Exception as error:  # whatever a filter does wrong, its policy answers
        log.debug("filter=%s", name, exc_info=True)
        why = f"{type(error).__name__}: {error}"[:DETAIL_LIMIT]
        return NO_OPINION, Failure(name, FailureKind.ERROR, why)
    return (observed(opinion) if settings.dry_run else opinion), None


def _of_released(found: Verdict) -> Verdict:
    """What is left of a verdict about a message that a person released."""
    if found.virus:
        return found
    symbols = tuple(Symbol(s.name, 0.0, s.detail) if s.score else s for s in found.symbols)
    return Verdict(
        symbols=symbols, scanner=found.scanner, released=found.released, outbound=found.outbound
    )
