"""The filter: messages are counted at DATA, recipients at RCPT, octets after the message."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import ClassVar

from filterd.chain import replies
from filterd.chain.report import ScanReport
from filterd.chain.services import Services
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Action, Reason, Reply, Symbol, Verdict
from filterd.filters.rates.counting import Charge, Exceeded
from filterd.filters.rates.counting import RateCounts as Counts
from filterd.filters.rates.parties import Parties, envelope_of
from filterd.filters.rates.settings import DEFER, HOLD, OF_RECIPIENTS, RateLimit, RatesSettings
from filterd.filters.rates.symbols import ACCOUNT_HELD, EXCEEDED
from filterd.message import Envelope, Message, Recipient
from filterd.state.once import Counting

log = logging.getLogger(__name__)

_ROUNDING = 1e-6
"""Of a minute, by which arithmetic may miss a whole one."""

_REFUSED = (Reason.SPAM, Reason.VIRUS, Reason.BANNED)
"""Why a message was kept that counts as refused."""


class Rates:
    """Defers or holds mail above a rate. clock: seconds since 1970."""

    name: ClassVar[str] = "rates"

    def __init__(
        self,
        settings: RatesSettings,
        services: Services,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._services = services
        self._clock = clock
        self._parties = Parties(settings)

    @cached_property
    def counts(self) -> Counts:
        """Those of the site. Raises StateError."""
        return Counts(self._services.state)

    @property
    def stages(self) -> frozenset[Stage]:
        """RCPT and DATA, as the limits need them."""
        wanted = set()
        if any(_at_rcpt(limit) for limit in self.settings.limits):
            wanted.add(Stage.RECIPIENT)
        if self.settings.refused or any(_at_data(limit) for limit in self.settings.limits):
            wanted.add(Stage.DATA)
        return frozenset(wanted)

    def recipient(self, session: Session, recipient: Recipient) -> Verdict:
        """Count a recipient. Raises StateError."""
        return self._charged(session.envelope, _at_rcpt, [recipient], counting=session.counting)

    def data(self, session: Session) -> Verdict:
        """Count a message, and hold it if its sender's mail is held. Raises StateError."""
        envelope = session.envelope
        if self._parties.are_excepted(envelope):
            return NO_OPINION
        held = self._held(envelope)
        # Also of mail that is held: a stolen account must not fill the quarantine.
        charged = self._charged(envelope, _at_data, counting=session.counting)
        return charged if held is NO_OPINION or charged.action is Action.TEMPFAIL else held

    def examine(self, message: Message) -> Verdict:
        """Count a message's octets. Raises StateError."""
        envelope = message.envelope
        counting = Counting.of_scan(message.attempt, self.name)
        size = len(message.data)
        return self._charged(envelope, _of_bytes, envelope.recipients, size, counting)

    def reported(self, _session: Session, report: ScanReport) -> None:
        """Take note of what became of a message."""
        envelope = envelope_of(report)
        if not self.settings.refused or self._parties.are_excepted(envelope):
            return
        names = {symbol.name for symbol in report.symbols}
        if report.action is Action.TEMPFAIL or names & {EXCEEDED, ACCOUNT_HELD}:
            return  # not refused, or by this filter
        if report.stage == Stage.RECIPIENT:
            return  # a recipient, of whom a list of many may have some that are out of date
        refused = report.labelled or report.action is Action.REJECT or report.reason in _REFUSED
        for share in self.settings.refused:
            party = self._parties.name(share.by, envelope)
            if party:
                held = self.counts.judge(share, party, refused, self._clock())
                if held is not None:
                    log.warning("mail of %s %s is held: %s", held.by, held.party, held.why)

    def _held(self, envelope: Envelope) -> Verdict:
        wanted = [
            (share.by, self._parties.name(share.by, envelope)) for share in self.settings.refused
        ]
        found = self.counts.held(wanted, self._clock())
        if not found:
            return NO_OPINION
        symbols = tuple(
            Symbol(ACCOUNT_HELD, 0.0, f"{one.by} {one.party}: {one.why}") for one in found
        )
        return Verdict(Action.QUARANTINE, symbols)

    def _charged(
        self,
        envelope: Envelope,
        wanted: Callable[[RateLimit], bool],
        recipients: Iterable[Recipient] = (),
        amount: float = 1.0,
        counting: Counting | None = None,
    ) -> Verdict:
        """Count for all limits of that kind, for the envelope's parties and for each recipient."""
        limits = [limit for limit in self.settings.limits if wanted(limit)]
        if not limits or self._parties.are_excepted(envelope):
            return NO_OPINION
        limits = [limit for limit in limits if _is_meant(limit, envelope)]
        charges = [
            Charge(limit, party, amount)
            for limit in limits
            for party in self._names(limit, envelope, recipients)
        ]
        now = self._clock()
        # What is deferred comes again, and is not counted; what is held was taken, and is.
        for action in (DEFER, HOLD):
            some = [one for one in charges if one.limit.action == action]
            once = counting.next() if counting is not None else None
            exceeded = self.counts.charge(some, now, once)
            if exceeded:
                return _verdict(exceeded)
        return NO_OPINION

    def _names(
        self, limit: RateLimit, envelope: Envelope, recipients: Iterable[Recipient]
    ) -> list[str]:
        if limit.by in OF_RECIPIENTS:
            every = [self._parties.name(limit.by, envelope, one.address) for one in recipients]
        else:
            every = [self._parties.name(limit.by, envelope)]
        return [name for name in every if name]


def _at_rcpt(limit: RateLimit) -> bool:
    """A message for a recipient is counted when the recipient is named."""
    is_for_recipient = limit.by in OF_RECIPIENTS and limit.count == "messages"
    return limit.count == "recipients" or is_for_recipient


def _at_data(limit: RateLimit) -> bool:
    return limit.count == "messages" and not _at_rcpt(limit)


def _of_bytes(limit: RateLimit) -> bool:
    return limit.count == "bytes"


def _is_meant(limit: RateLimit, envelope: Envelope) -> bool:
    return limit.authenticated == "any" or (
        (limit.authenticated == "yes") == bool(envelope.authenticated)
    )


def _verdict(exceeded: list[Exceeded]) -> Verdict:
    symbols = tuple(Symbol(EXCEEDED, 0.0, str(one)) for one in exceeded)
    if all(one.limit.action == HOLD for one in exceeded):
        return Verdict(Action.QUARANTINE, symbols)
    minutes = math.ceil(max(one.seconds for one in exceeded) / 60 - _ROUNDING)
    default = replies.RATE
    text = f"Too much mail for now, please try again in {minutes} minute{'s'[: minutes > 1]}"
    return Verdict(
        Action.TEMPFAIL, symbols, reply=Reply(default.code, default.xcode, text, default.kind)
    )
