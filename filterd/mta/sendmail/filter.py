"""One filter in one SMTP session, as sendmail 8.17 speaks to it.

A filter that fails is in the error state for the rest of the session, and its `F=` decides from
then on: after an I/O error at once, after an impossible reply one command later, since sendmail
checks the state only before it asks. Source: `sendmail/milter.c`; the functions of that file are
named where ours follow them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from filterd.milter import commands, replies
from filterd.milter.constants import Actions, Command, MacroStage, ReplyCode, Steps
from filterd.milter.negotiation import Negotiation, agree_sendmail
from filterd.milter.packets import Packet
from filterd.mta.mail.draft import Draft
from filterd.mta.milters import edits
from filterd.mta.milters.answers import CONTINUE, AnswerKind, MilterAnswer, Values
from filterd.mta.milters.base import BaseFilter, body_packets, known_macros
from filterd.mta.milters.connection import FilterConnection, FilterFailureError
from filterd.mta.milters.envelope_edits import shown
from filterd.mta.sendmail.envelope_edits import SendmailEnvelope

log = logging.getLogger("filterd.mta")


class SendmailState(Enum):
    """SMFS_* of sendmail."""

    CLOSED = "closed"
    OPEN = "open"
    IN_MESSAGE = "in message"
    SKIPPED = "skipped"
    DONE = "done"
    CLOSABLE = "closable"
    ERROR = "error"


_FAILURE_ANSWERS = {
    "T": MilterAnswer(AnswerKind.TEMPFAIL),
    "4": MilterAnswer(AnswerKind.CLOSE),
    "R": MilterAnswer(AnswerKind.REJECT),
    "": CONTINUE,
}

_ENVELOPE = SendmailEnvelope()

_ACTIONS = {
    Command.CONNECT: "connect",
    Command.HELO: "helo",
    Command.MAIL: "mail",
    Command.RCPT: "rcpt",
    Command.DATA: "data",
    Command.HEADER: "header",
    Command.EOH: "eoh",
    Command.BODY: "body",
    Command.BODYEOB: "eom",
    Command.UNKNOWN: "unknown",
}
"""Commands by their names in sendmail's log."""

_COMMAND_TEXT = b"550 5.7.1 Command rejected"
_MESSAGE_TEXT = b"554 5.7.1 Command rejected"
_DEFAULT_TEXT = {
    Command.CONNECT: b"554 Command rejected",
    Command.HELO: b"550 Command rejected",
    Command.BODY: _MESSAGE_TEXT,
}
"""Used in the place of a reply text that sendmail refuses, MILTER_CHECK_REPLYCODE."""

_REFUSALS = {
    ReplyCode.REJECT: MilterAnswer(AnswerKind.REJECT),
    ReplyCode.TEMPFAIL: MilterAnswer(AnswerKind.TEMPFAIL),
    ReplyCode.DISCARD: MilterAnswer(AnswerKind.DISCARD),
}


class SendmailFilter(BaseFilter):
    """One filter. Methods that speak to it raise FilterFailureError."""

    state = SendmailState.CLOSED

    @property
    def listens(self) -> bool:
        return self.connection is not None and self.state in (
            SendmailState.OPEN,
            SendmailState.IN_MESSAGE,
        )

    @property
    def on_failure(self) -> MilterAnswer:
        """The answer of its `F=` for a filter in the error state."""
        return _FAILURE_ANSWERS[self.settings.on_failure]

    async def negotiate(self) -> None:
        """Connect and agree. Raises NegotiationError as well."""
        limits = self.settings.time_limits
        self.connection = await FilterConnection.open(self.settings.address, limits.connect)
        offer = Negotiation.offer()
        await self.send(offer.encode())
        self.agree(agree_sendmail(offer, Negotiation.parse(await self.receive())))
        self.state = SendmailState.OPEN

    async def send(self, *packets: Packet) -> None:
        assert self.connection is not None
        if packets:
            await self.connection.send(list(packets), self.settings.time_limits.write)

    async def receive(self) -> Packet:
        assert self.connection is not None
        return await self.connection.receive(self.settings.time_limits.read)

    async def quit(self) -> None:
        """milter_quit_filter: send QUIT; the filter has left the session."""
        if self.connection is not None:
            await self.connection.quit()
            self.connection = None
        if self.state is not SendmailState.ERROR:
            self.state = SendmailState.CLOSED

    def fail(self, why: str) -> None:
        """milter_error: close without QUIT; the state stays for the session."""
        log.error(
            "%s: Milter (%s): to error state: %s", self._context.queue_id, self.settings.name, why
        )
        self.drop()
        self.state = SendmailState.ERROR

    async def tell_macros(self, command: bytes, stage: str | None, values: Values) -> None:
        """Send only the macros of a command that the filter does not get."""
        await self.send(*self._macros(command, stage, values))

    async def ask(self, packet: Packet, stage: str | None, values: Values) -> MilterAnswer:
        """milter_send_command: send, read the reply, change state. Raises FilterFailureError."""
        command = Command(packet.command)
        macros = self._macros(command.value, stage, values)
        if command in self.unsent:
            await self.send(*macros)
            return CONTINUE
        await self.send(*macros, packet)
        if command in self.unanswered:
            return CONTINUE
        default = _DEFAULT_TEXT.get(command, _COMMAND_TEXT)
        match replies.parse(await self.receive()):
            case replies.ReplyText(data):
                answer = MilterAnswer(AnswerKind.REPLY, replies.sendmail_text(data) or default)
                self._note(command, answer)
                return answer
            case replies.PlainReply(code) if code in _REFUSALS:
                self._note(command, _REFUSALS[code])
                return _REFUSALS[code]
            case replies.PlainReply(ReplyCode.ACCEPT):
                log.info(
                    "%s: milter=%s, action=%s, accepted",
                    self._context.queue_id,
                    self.settings.name,
                    _ACTIONS[command],
                )
                early = command in (Command.CONNECT, Command.HELO)
                self.state = SendmailState.CLOSABLE if early else SendmailState.DONE
            case replies.PlainReply(ReplyCode.CONTINUE):
                if command is Command.MAIL:
                    self.state = SendmailState.IN_MESSAGE
            case replies.PlainReply(ReplyCode.SKIP):
                self.state = SendmailState.SKIPPED
            case bogus:
                # Counts as "continue" here; the error state decides from the next command on.
                self.fail(f"bogus response to {command.name}: {bogus!r:.60}")
        return CONTINUE

    def _note(self, command: Command, answer: MilterAnswer) -> None:
        """Log what a filter refused, as sendmail does."""
        action = answer.kind.value
        if answer.kind is AnswerKind.REPLY:
            action = "reject=" + shown(answer.text.replace(b"\r\n", b"\\r\\n"))
        log.info(
            "%s: milter=%s, action=%s, %s",
            self._context.queue_id,
            self.settings.name,
            _ACTIONS[command],
            action,
        )

    def _macros(self, command: bytes, stage: str | None, values: Values) -> list[Packet]:
        """milter_send_macros: a stage that has a list gets its packet, even an empty one, and
        whether or not the filter wants the command. It is sent together with the command."""
        names = self._names(stage) if stage is not None else None
        if not names:
            return []
        return [known_macros(Command(command), names, values)]

    def _names(self, stage: str) -> tuple[str, ...] | None:
        """The filter's own list of a stage, else the configured one.

        At end of message sendmail checks whether the filter set a list for *end of header*; a
        filter that set only the one for end of message gets the configured macros.
        """
        wanted = MacroStage[stage.upper()]
        flag = MacroStage.EOH if wanted is MacroStage.EOM else wanted
        if flag in self.agreed.macros:
            return self.agreed.macros.get(wanted)
        return self._context.macro_list(stage)

    async def show(self, draft: Draft, values: Values) -> MilterAnswer:
        """Send the message to this filter. An impossible reply leaves it in the error state."""
        known = {**values, **draft.macros}
        for packet, stage in self._parts(draft):
            answer = await self.ask(packet, stage, known)
            if not answer.goes_on:
                return answer
            if self.state in (SendmailState.ERROR, SendmailState.DONE):
                return CONTINUE
        end = commands.Bare(Command.BODYEOB).encode()
        # From here: the filter may have the packet before send() returns.
        started = time.monotonic()
        await self.send(*self._macros(end.command, "eom", known), end)
        return await self._end_of_message(draft, started)

    def _parts(self, draft: Draft) -> Iterable[tuple[Packet, str | None]]:
        """Header, end of header, body; the body only until the filter answers SKIP."""
        for name, value in draft.header.for_filter(verbatim=self.verbatim):
            yield commands.Header(name, value).encode(), None
        eoh_wanted = not self.agreed.steps & Steps.NOEOH
        if eoh_wanted:
            yield commands.Bare(Command.EOH).encode(), "eoh"
        if self.agreed.steps & Steps.NOBODY:
            return
        for chunk in body_packets(draft):
            if self.state is SendmailState.SKIPPED:
                return
            yield chunk, None

    async def _end_of_message(self, draft: Draft, started: float) -> MilterAnswer:
        """Read replies until the final one.

        The timeout for the whole is checked before each read only; silence is for the read timeout.
        """
        limit = self.settings.time_limits.eom
        body = _NewBody(allowed=bool(self.agreed.actions & Actions.CHGBODY))
        try:
            while True:
                if limit and time.monotonic() - started >= limit:
                    raise FilterFailureError(f"no final reply to end of message in {limit:g} s")
                reply = replies.parse(await self.receive())
                if isinstance(reply, replies.ReplaceBody):
                    body.chunks.append(reply.chunk)
                elif (answer := _final(reply)) is not None:
                    if not answer.goes_on:
                        self._note(Command.BODYEOB, answer)
                    return (
                        MilterAnswer(AnswerKind.TEMPFAIL)
                        if answer.goes_on and body.refused
                        else answer
                    )
                else:
                    self._edit(draft, reply)
        finally:
            # What a filter changed before it failed stays changed.
            body.replace(draft)

    def _edit(self, draft: Draft, reply: replies.FilterReply) -> None:
        """A reply to end of message that is not the final one."""
        match reply:
            case replies.PlainReply(ReplyCode.PROGRESS):
                return
            case replies.Malformed(code):
                done = f"malformed {code.name} ignored"
            case replies.PlainReply() | replies.UnknownReply() | replies.ReplyText():
                raise FilterFailureError(f"bogus response to BODYEOB: {reply!r:.60}")
            case _:
                done = edits.apply(reply, draft, verbatim=self.verbatim, envelope=_ENVELOPE)
        log.info("%s: milter=%s: %s", self._context.queue_id, self.settings.name, done)


@dataclass(slots=True)
class _NewBody:
    """The body that a filter sends in chunks. allowed: it negotiated CHGBODY; without that sendmail
    takes no body and answers the message with 451."""

    allowed: bool
    chunks: list[bytes] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        return bool(self.chunks) and not self.allowed

    def replace(self, draft: Draft) -> None:
        if self.chunks and self.allowed:
            draft.replace_body(self.chunks)


def _final(reply: replies.FilterReply) -> MilterAnswer | None:
    """The answer of a final reply to end of message, None for a reply that is not final."""
    match reply:
        case replies.PlainReply(ReplyCode.CONTINUE | ReplyCode.ACCEPT):
            return CONTINUE
        case replies.PlainReply(code) if code in _REFUSALS:
            return _REFUSALS[code]
        case replies.ReplyText(data):
            return MilterAnswer(AnswerKind.REPLY, replies.sendmail_text(data) or _MESSAGE_TEXT)
    return None
