"""The filter: at RCPT, or after the message."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

from filterd.auth.spf import check_spf
from filterd.chain import replies
from filterd.chain.report import ScanReport
from filterd.chain.services import Services
from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Action, Reply, Symbol, Verdict
from filterd.filters.greylist.settings import GreylistSettings
from filterd.filters.greylist.strangers import Strangers, stable_sender
from filterd.filters.greylist.symbols import CAME_AGAIN, DELAYED
from filterd.filters.greylist.triplets import Judgement, Standing, Triplets
from filterd.filters.identities import mailbox_of
from filterd.message import Envelope, Message, Recipient
from filterd.message.authentication import AuthResult
from filterd.message.envelope import Client, ip
from filterd.message.matching import is_in_networks
from filterd.resolver.lookups import DnsLookups
from filterd.state.once import Counting

_MEMORY = "greylist.passed"
"""Under which a session remembers its transactions that have just passed, and whose they are."""

_SPF = "greylist.spf"
"""Under which a session remembers who sends, as SPF has it, and in which transaction."""

_SHARE = 0.5
"""Of the time that is left, which SPF may take: the state is asked after it."""


class Greylist:
    """Delays mail of strangers once. clock: seconds since 1970."""

    name: ClassVar[str] = "greylist"

    def __init__(
        self,
        settings: GreylistSettings,
        services: Services,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._services = services
        self._clock = clock
        self._strangers = Strangers(settings)

    def prepare(self) -> None:
        """Load what questions to the DNS need, to share it with processes that are forked later."""
        if self.settings.spf:
            self._services.resolver.prepare()

    @cached_property
    def triplets(self) -> Triplets:
        """Those of the site. Raises StateError."""
        return Triplets(self.settings, self._services.state)

    @property
    def stages(self) -> frozenset[Stage]:
        """RCPT; DATA where nothing is done but that reports are wanted, which come to filters that
        are asked at stages."""
        if self.settings.when == "recipient":
            return frozenset([Stage.RECIPIENT])
        return frozenset([Stage.DATA] if self.settings.auto_allow else [])

    def recipient(self, session: Session, recipient: Recipient) -> Verdict:
        """Delay this recipient, or let it pass. Raises StateError."""
        if self._passes(session.envelope) or session.found(*self.settings.except_symbols):
            return NO_OPINION
        if self._strangers.is_excepted(recipient, session.envelope):
            return NO_OPINION
        client = self._client_at(session)
        since = session.counting.repeated_since
        found = self._judge(client, session.envelope, recipient, since)
        if found.waits:
            return _delay(found)
        if found.standing is Standing.KNOWN:
            return NO_OPINION
        session.memory.setdefault(_MEMORY, {})[session.transaction] = client
        return _came_again(found)

    def data(self, _session: Session) -> Verdict:
        """No opinion; see `stages`."""
        return NO_OPINION

    def examine(self, message: Message) -> Verdict:
        """Delay the message if it is new for one of its recipients, for there is one answer for
        all. Raises StateError."""
        settings, envelope = self.settings, message.envelope
        if settings.when != "message" or self._passes(envelope):
            return NO_OPINION
        if any(symbol.name in settings.except_symbols for symbol in message.symbols):
            return NO_OPINION
        if settings.min_score is not None:
            score = math.fsum(symbol.score for symbol in message.symbols)
            if score < settings.min_score:
                return NO_OPINION
        client = self._strangers.authenticated(message.authentication)
        client = client or self._strangers.identity(envelope.client)
        since = Counting.of_scan(message.attempt, self.name).repeated_since
        found = [
            self._judge(client, envelope, recipient, since)
            for recipient in envelope.recipients
            if not self._strangers.is_excepted(recipient, envelope)
        ]
        waiting = [one for one in found if one.waits]
        if waiting:
            return _delay(max(waiting, key=lambda one: one.seconds))
        passed = [one for one in found if one.standing is Standing.PASSED]
        return _came_again(passed[0]) if passed else NO_OPINION

    def reported(self, session: Session, report: ScanReport) -> None:
        """Take note that a message which had waited was good."""
        passed: dict[str, str] = session.memory.get(_MEMORY, {})
        client = passed.pop(report.id, "")
        came_again = client or any(one.name == CAME_AGAIN for one in report.symbols)
        if came_again and report.action is Action.ACCEPT and not report.labelled:
            own = Client(report.client_name, report.client_address)
            self.triplets.prove(client or self._strangers.identity(own), self._clock())

    def _passes(self, envelope: Envelope) -> bool:
        if is_in_networks(envelope.client.address, self._services.trusted_networks):
            return True  # a relay of the site, which tries again whatever it was that it took
        return self._strangers.are_excepted(envelope)

    def _client_at(self, session: Session) -> str:
        """What of the client counts at RCPT."""
        envelope = session.envelope
        client = self._strangers.identity(envelope.client)
        claimed = self._strangers.claimed(envelope.sender) if self.settings.spf else ""
        if not claimed or client == claimed:
            return client
        transaction, known = session.memory.get(_SPF, ("", ""))
        if transaction != session.transaction or not transaction:
            # Asked once, however many recipients follow.
            known = claimed if self._may_send(session) else client
            session.memory[_SPF] = session.transaction, known
        return str(known)

    def _may_send(self, session: Session) -> bool:
        """Whether SPF lets the client send for the sender. What is not known counts as no."""
        envelope, address = session.envelope, ip(session.client.address)
        if address is None or not self._services.resolver.servers:
            return False
        seconds = session.seconds_left * _SHARE
        lookups = DnsLookups(
            self._services.resolver,
            seconds=min(seconds, self._services.resolver.settings.timeout),
        )
        host = self._services.labels.host(envelope)
        found, _helo = check_spf(lookups, address, "", envelope.sender, host=host)
        return found.result is AuthResult.PASS

    def _judge(
        self, client: str, envelope: Envelope, recipient: Recipient, since: float
    ) -> Judgement:
        return self.triplets.judge(
            client,
            stable_sender(envelope.sender),
            mailbox_of(recipient.address),
            self._clock(),
            since,
        )


def _delay(found: Judgement) -> Verdict:
    minutes = math.ceil(found.seconds / 60)
    detail = f"{found.standing}, {found.why}, {math.ceil(found.seconds)} s to go"
    text = f"Greylisted, please try again in {minutes} minute{'s' if minutes > 1 else ''}"
    default = replies.GREYLIST
    reply = Reply(default.code, default.xcode, text, default.kind)
    return Verdict(Action.TEMPFAIL, (Symbol(DELAYED, 0.0, detail),), reply=reply)


def _came_again(found: Judgement) -> Verdict:
    detail = f"{found.why}, after {round(found.seconds)} s"
    return Verdict(symbols=(Symbol(CAME_AGAIN, 0.0, detail),))
