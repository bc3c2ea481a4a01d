"""The mail of a session: asks the filters, resolves recipients, queues messages."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from filterd.mta.delivery.router import ConfigurationError, DeliveryError
from filterd.mta.mail.address import Route, to_octets
from filterd.mta.mail.composer import Trace
from filterd.mta.mail.draft import Draft, EnvelopePath
from filterd.mta.mail.entry import QueueEntry
from filterd.mta.mail.peer import Peer
from filterd.mta.milters.answers import CONTINUE, AnswerKind, Filters, MilterAnswer
from filterd.mta.milters.macros import MacroTable
from filterd.mta.smtp import events
from filterd.mta.smtp.checks import CheckVerdict, SessionChecks
from filterd.mta.smtp.commands import SmtpSession
from filterd.mta.smtp.parameters import announced_size
from filterd.mta.smtp.refusal_log import RefusedClient, RefusedCommand
from filterd.mta.smtp.replies import SmtpReply
from filterd.mta.state import MtaState

log = logging.getLogger("filterd.mta")

_T = TypeVar("_T")


@dataclass(slots=True)
class _Message:
    """The transaction as the MTA sees it."""

    id: str
    named: int = 0
    """Recipients that the client named, with the refused ones."""

    taken: int = 0
    """Those that were taken, again each time they were named."""

    started: bool = False
    """MAIL was received."""

    discarded: bool = False
    """A check or a filter said discard: accept everything, ask no filter, deliver nothing."""

    quarantine: str | None = None
    """Why a check wants it held."""


class Transactions:
    """The mail of one session."""

    def __init__(
        self,
        server: MtaState,
        session: SmtpSession,
        peer: Peer,
        macros: MacroTable,
        filters: Filters,
        checks: SessionChecks,
    ) -> None:
        self._server = server
        self._session = session
        self._peer = peer
        self._macros = macros
        self._filters = filters
        self._checks = checks
        self._personality = server.personality
        self._active = False
        self._discards = False
        self.recipient: EnvelopePath | None = None
        """The recipient of the message that the last path of RCPT stands for."""

        self._new_message()

    async def handle(self, event: events.Event) -> tuple[MilterAnswer | SmtpReply, str]:
        """The answer to an event, and the queue id where a message was accepted."""
        match event:
            case events.Connected():
                peer = self._peer
                command = RefusedCommand("CONNECT", f"host={peer.name}, addr={peer.address}")
                return self._log_refusal(command, await self._connected()), ""
            case events.HeloCommand(name):
                return self._log_refusal(RefusedCommand("EHLO", name), await self._helo(name)), ""
            case events.MailCommand(path):
                return self._log_refusal(
                    RefusedCommand("MAIL", path.text), await self._mail(path)
                ), ""
            case events.RcptCommand(path):
                return self._log_refusal(
                    RefusedCommand("RCPT", path.text), await self._rcpt(path)
                ), ""
            case events.DataCommand():
                return self._log_refusal(RefusedCommand("DATA"), await self._data()), ""
            case events.MessageData(data):
                return await self._content(data)
            case events.UnknownCommand(line) if self._filters_active:
                answer = await self._filters.unknown(line)
                self._message.discarded |= (
                    self._message.started and answer.kind is AnswerKind.DISCARD
                )
                return self._log_refusal(RefusedCommand("UNKNOWN"), answer), ""
            case events.Reset() | events.TooLarge():
                await self._filters.abort()
                self._new_message()
            case events.Verify() | events.RunQueue() if not (
                answer := await self._filters.other()
            ).goes_on:
                return self._personality.replies.refusal(answer), ""
            case events.Verify() | events.RunQueue() if (
                reply := await self._check_service(event)
            ) is not None:
                return reply, ""
            case events.Verify(argument, expand):
                router, verify = self._server.router, self._personality.verify
                return await self._asked(lambda: verify(router, argument, expand)), ""
            case events.RunQueue(node):
                await self._server.queue.look(all=True)
                return SmtpReply.of(f"250 2.0.0 Queuing for node {node} started"), ""
        return CONTINUE, ""

    def _log_refusal(
        self, command: RefusedCommand, answer: MilterAnswer | SmtpReply
    ) -> MilterAnswer | SmtpReply:
        """Log what the filters refused, and pass the answer on."""
        if isinstance(answer, SmtpReply) or answer.kind in (AnswerKind.CONTINUE, AnswerKind.HOLD):
            return answer
        after_data = command.verb == "END-OF-MESSAGE"
        reply = self._personality.replies.refusal(answer, after_data=after_data)
        transaction = self._session.transaction
        client = RefusedClient(
            self._peer.name,
            self._peer.address,
            self._session.helo,
            self._protocol(),
            transaction.sender.address if transaction else None,
        )
        line = self._personality.refusal_line(command, client, answer, reply)
        log.info("%s: %s", self._message.id, line)
        return answer

    @property
    def _filters_active(self) -> bool:
        return self._active and not self._message.discarded

    async def _check_service(self, event: events.Verify | events.RunQueue) -> SmtpReply | None:
        if isinstance(event, events.RunQueue):
            return await self._checks.etrn(event.node)
        return await self._checks.verify(event.argument, expand=event.expand)

    def _new_message(self) -> None:
        self._message = _Message(self._personality.queue_id(), discarded=self._discards)
        self._macros.begin(self._message.id)
        self._checks.begin()
        self._filters.queue_id = self._message.id
        self._recipients = self._personality.recipients(self._server.router, self._macros)

    async def _asked(self, question: Callable[[], _T], *, blocks: bool | None = None) -> _T:
        """What rules say, from a thread if that may take its time (None: where recipients do)."""
        if blocks is None:
            blocks = self._recipients.blocks
        return await asyncio.to_thread(question) if blocks else question()

    async def _connected(self) -> MilterAnswer | SmtpReply:
        """The checks come before the filters; a client that they refuse reaches no filter."""
        verdict = await self._checks.connected()
        if verdict.reply is not None:
            return self._refuse_client(verdict.reply)
        self._discards = self._message.discarded = verdict.discard
        features = await self._checks.features(self._session.options.forbidden)
        if isinstance(features, SmtpReply):
            return self._refuse_client(features)
        self._session.options = replace(self._session.options, forbidden=features)
        answer = await self._filters.open()
        if answer.goes_on and not self._discards:
            answer = await self._filters.connect(self._peer, self._macros.now)
        # sendmail asks filters that refused the client, or failed, no more.
        self._active = answer.goes_on or not self._filters.sticky
        return answer

    def _refuse_client(self, reply: SmtpReply) -> MilterAnswer | SmtpReply:
        """421 is said at once and ends the session; other texts are the reply to its commands."""
        if reply.code == 421:
            return reply
        self._session.refuse(reply)
        return CONTINUE

    def _judged(self, verdict: CheckVerdict) -> SmtpReply | None:
        """What a check said about this message: it is noted, a refusal returned."""
        self._message.discarded |= verdict.discard
        if verdict.quarantine is not None:
            self._message.quarantine = verdict.quarantine
        return verdict.reply

    async def _helo(self, name: str) -> MilterAnswer:
        if self._session.transaction is not None:
            self._new_message()
        if not self._filters_active:
            return CONTINUE
        answer = await self._filters.helo(to_octets(name), self._macros.now)
        self._active = answer.goes_on or not self._filters.sticky
        return answer

    async def _mail(self, path: EnvelopePath) -> MilterAnswer | SmtpReply:
        if self._message.started:
            self._new_message()
        self._message.started = True
        reply = await self._asked(lambda: self._check_sender(path))
        if reply is not None:
            return reply
        if not self._filters_active:
            return CONTINUE
        answer = await self._filters.mail(_arguments(path), self._macros.now)
        if answer.kind is AnswerKind.DISCARD:
            self._message.discarded = True
        return answer

    def _check_sender(self, path: EnvelopePath) -> SmtpReply | None:
        """What the MTA's own checks have against a sender. Blocking."""
        session, helo = self._session, self._session.helo
        route = self._checks.sender(path)
        if isinstance(route, SmtpReply):
            return route
        local = route is None and self._is_local(path.address)
        self._macros.mail(path, local=local, helo=helo, protocol=self._protocol(), route=route)
        # Without rules they were checked before the address.
        reply = None if route is None else session.bad_parameters(path, recipient=False)
        reply = reply or self._judged(self._checks.mail(path)) or session.bad_size(path)
        return reply or self._checks.room(announced_size(path))

    def _is_local(self, address: str) -> bool:
        try:
            route = self._server.router.resolve(address)
        except DeliveryError:
            return False
        return route.mailer == "local" and "@" not in route.user

    async def _rcpt(self, path: EnvelopePath) -> MilterAnswer | SmtpReply:
        transaction = self._session.transaction
        assert transaction is not None
        good, bad = len(transaction.recipients), self._message.named - len(transaction.recipients)
        self._message.named += 1
        self.recipient = None
        try:
            found = await self._asked(lambda: self._taken(path))
            if isinstance(found, SmtpReply):
                return found
            shown, refusal = found
        except DeliveryError as error:
            shown, refusal = _refusal(path, error)
            if self._checks.decide_relaying:
                # sendmail's filters hear of no recipient that its rules refuse.
                return refusal
        values = self._macros.rcpt(path, shown, good=good, bad=max(bad, 0))
        answer = CONTINUE
        if self._filters_active:
            answer = await self._filters.rcpt(_arguments(path), values, refused=refusal is not None)
        if refusal is not None:
            # sendmail would send the filter's refusal as a second reply; we send one reply.
            return refusal
        if answer.kind is AnswerKind.DISCARD:
            self._message.discarded = True
        taken = answer.kind in (AnswerKind.CONTINUE, AnswerKind.HOLD, AnswerKind.DISCARD)
        if taken:
            self._message.taken += 1
        else:
            self._recipients.refused(path)
        self._macros.rcpt_done(path, shown, taken=taken)
        return answer

    def _taken(self, path: EnvelopePath) -> SmtpReply | tuple[Route, SmtpReply | None]:
        """Take a recipient: see `_add`, or what the checks refuse it with. Blocking. Raises
        DeliveryError."""
        route = self._recipients.parse(path)
        checked = self._check_recipient(path, route)
        return self._add(path, route) if checked is None else checked

    def _check_recipient(self, path: EnvelopePath, route: Route) -> SmtpReply | None:
        """What the MTA's own checks have against a recipient."""
        if not self._checks.decide_relaying:
            if route.host and not self._may_relay():
                raise DeliveryError("Relaying denied", temporary=False, code="5.7.1")
            return None
        if (bad := self._session.bad_parameters(path, recipient=True)) is not None:
            return bad
        return self._judged(self._checks.rcpt(path, route))

    def _add(self, path: EnvelopePath, route: Route) -> tuple[Route, SmtpReply | None]:
        """Take a recipient. The route that filters are shown, and the refusal of an unknown one."""
        try:
            self.recipient = self._recipients.add(path, route)
        except DeliveryError as error:
            # Nobody gets what is discarded, so nobody has to be there.
            if not self._message.discarded:
                return _refusal(path, error)
        return self._personality.filter_route(path.address, route), None

    def _may_relay(self) -> bool:
        """Without rules only clients who have logged in may send mail anywhere."""
        return bool(self._session.user)

    async def _data(self) -> MilterAnswer | SmtpReply:
        transaction = self._session.transaction
        assert transaction is not None
        reply = self._judged(await self._checks.data(len(transaction.recipients)))
        if reply is not None:
            return reply
        if not self._filters_active:
            return CONTINUE
        answer = await self._filters.data(self._macros.now)
        if answer.kind is AnswerKind.DISCARD:
            self._message.discarded = True
        return answer

    # The message

    async def _content(self, data: bytes) -> tuple[MilterAnswer | SmtpReply, str]:
        transaction = self._session.transaction
        assert transaction is not None
        started, id = time.monotonic(), self._message.id
        data = self._checks.received(transaction.sender, data)
        arrival = self._arrival(transaction.recipients)
        draft = self._personality.composer.draft(
            arrival, transaction.sender, transaction.recipients, data
        )
        draft.identity = self._recipients.key
        self._macros.message(len(data), transaction.sender, arrival.only_recipient)
        refusal = self._judged(await self._checks.content(data))
        draft.quarantine = self._message.quarantine
        answer: MilterAnswer | SmtpReply = refusal or CONTINUE
        if self._filters_active and refusal is None:
            answer = self._log_refusal(
                RefusedCommand("END-OF-MESSAGE"),
                await self._filters.message(draft, self._macros.content),
            )
        if refusal is None and (self._message.discarded or _is(answer, AnswerKind.DISCARD)):
            outcome, answer = "discarded", CONTINUE
        elif isinstance(answer, MilterAnswer) and answer.kind in (
            AnswerKind.CONTINUE,
            AnswerKind.HOLD,
        ):
            answer = await self._accept(draft)
            outcome = "accepted" if answer is CONTINUE else "refused"
        else:
            outcome = "refused"
        await self._filters.finish()
        log.info(
            "%s: from=<%s>, size=%d, nrcpts=%d, relay=%s, proto=%s, seconds=%.3f, %s",
            id,
            draft.sender.address,
            len(data),
            len(draft.recipients),
            self._session.client,
            arrival.protocol,
            time.monotonic() - started,
            outcome,
        )
        self._new_message()
        return answer, id

    def _arrival(self, recipients: list[EnvelopePath]) -> Trace:
        known = self._macros.session
        tls = ""
        if self._session.secure:
            tls = (
                f"version={known['{tls_version}']} cipher={known['{cipher}']}"
                f" bits={known['{cipher_bits}']} verify={known['{verify}']}"
            )
        composer = self._personality.composer
        count = self._message.named if composer.counts_refused else self._message.taken
        only = recipients[0] if count == 1 else None
        return Trace(
            self._message.id,
            self._session.helo,
            self._session.client,
            self._protocol(),
            only,
            tls,
            bool(self._session.user),
        )

    async def _accept(self, draft: Draft) -> MilterAnswer | SmtpReply:
        """Queue the message. The reply is a refusal if that fails, or for a mail loop."""
        settings = self._server.settings
        waits = not self._personality.delivers_at_once()
        recipients, named = self._recipients, list(draft.recipients)
        hops, limit = self._personality.composer.hops(draft), self._server.settings.max_hops
        # With rules, the delivery looks at them.
        if hops > limit and not recipients.blocks:
            return SmtpReply.of("554 5.4.6 Too many hops")
        targets = await self._asked(
            lambda: recipients.targets(named), blocks=recipients.asks(named)
        )
        if not targets:
            return CONTINUE
        now, message = time.time(), self._personality.composer.message(draft)
        lifetime = self._personality.waiting.lifetime(message) or settings.expire
        entry = QueueEntry(
            draft.queue_id,
            draft.sender.address,
            targets,
            arrived=now,
            due=now + settings.retry if waits else 0.0,
            expires=now + lifetime,
            held=draft.quarantine,
            sender_parameters=draft.sender.parameters,
            macros=self._macros.persistent(),
        )
        try:
            await self._server.queue.submit(entry, message)
        except OSError as error:
            log.error("%s: queue: %s", draft.queue_id, error)
            return SmtpReply.of("452 4.3.1 Insufficient system storage")
        return CONTINUE

    def _protocol(self) -> str:
        if not self._session.extended:
            return "SMTP"
        return "ESMTP" + "S" * self._session.secure + "A" * bool(self._session.user)


def _refusal(path: EnvelopePath, error: DeliveryError) -> tuple[Route, SmtpReply]:
    """The route of a refused recipient, as filters see it, and the reply."""
    code = 451 if error.temporary else 550
    shown = f"{code} {error.code} {error}"
    text = f"{code} {error.code} {path.text}... {error}"
    if isinstance(error, ConfigurationError):
        shown = text = f"554 {error.code} {error}"
    elif error.reply is not None:
        shown = text = error.reply
    return Route("error", error.code, shown), SmtpReply.of(text)


def _arguments(path: EnvelopePath) -> tuple[bytes, ...]:
    return tuple(to_octets(one) for one in (path.text, *path.parameters))


def _is(answer: MilterAnswer | SmtpReply, kind: AnswerKind) -> bool:
    return isinstance(answer, MilterAnswer) and answer.kind is kind
