"""One filter in one SMTP session, as Postfix 3.7 speaks to it.

Every answer is a reply text. After a failure, or an answer at connect or HELO, it is the filter's
default reply for the rest of the session. An impossible reply counts at once. PROGRESS is allowed
at any stage, and there is no timeout for the whole end of message. cleanup(8) sends header and
body, so what a filter answers there does not become its default reply; only a failure does. Source:
`src/milter/milter8.c`, and observation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import Enum

from filterd.milter import commands, replies
from filterd.milter.constants import Command, MacroStage, ReplyCode
from filterd.milter.negotiation import Negotiation, NegotiationError, agree_postfix
from filterd.milter.packets import Packet
from filterd.mta.mail.draft import Draft
from filterd.mta.milters import edits
from filterd.mta.milters.answers import CONTINUE, AnswerKind, MilterAnswer, Values
from filterd.mta.milters.base import BaseFilter, FilterContext, body_packets, known_macros
from filterd.mta.milters.connection import FilterConnection, FilterFailureError
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.postfix.envelope_edits import PostfixEnvelope

log = logging.getLogger("filterd.mta")

REJECTED = MilterAnswer(AnswerKind.REPLY, b"550 5.7.1 Command rejected")
TEMPFAILED = MilterAnswer(AnswerKind.REPLY, b"451 4.7.1 Service unavailable - try again later")
MISCONFIGURED = MilterAnswer(
    AnswerKind.REPLY, b"451 4.3.5 Server configuration problem - try again later"
)

HALF_A_BODY = MilterAnswer(AnswerKind.REPLY, b"421 4.7.0 Service unavailable")

DEFAULT_ACTIONS = {
    "accept": CONTINUE,
    "reject": MilterAnswer(AnswerKind.REPLY, b"550 5.5.0 Service unavailable"),
    "tempfail": TEMPFAILED,
    "quarantine": MilterAnswer(AnswerKind.HOLD),
    # Known from Postfix 3.8 on; 3.7 warns of an unrecognized default action.
    "shutdown": MISCONFIGURED,
}
"""`milter_default_action`: the default reply of a filter that failed."""

_LETS_THROUGH = (AnswerKind.CONTINUE, AnswerKind.HOLD)

_ENVELOPE = PostfixEnvelope()

_SINCE = {Command.UNKNOWN: 3, Command.DATA: 4}
"""The first version of the protocol that has a command."""

_EARLY = (Command.CONNECT, Command.HELO)
_SHORT = (Command.CONNECT, Command.HELO, Command.MAIL, Command.RCPT, Command.DATA, Command.UNKNOWN)
"""Commands under milter_command_timeout; the others are content."""


_LISTS = {
    **{stage.name.lower(): stage for stage in MacroStage},
    "header": MacroStage.EOH,
    "body": MacroStage.EOM,
}
"""The stage whose list a filter may have set, by configured list."""


class PostfixState(Enum):
    """MILTER8_STAT_* of Postfix."""

    CLOSED = "closed"
    LISTENING = "listening"
    ACCEPTED_MESSAGE = "accepted the message"
    ERROR = "error"


class PostfixFilter(BaseFilter):
    """One filter. default_reply: its answer to every command (def_reply)."""

    def __init__(self, settings: InputMailFilter, context: FilterContext) -> None:
        super().__init__(settings, context)
        self.state = PostfixState.CLOSED
        self.default_reply = CONTINUE
        self.holds = False
        """It quarantined a message before its header was sent: every message of the session is
        held, and it is asked about header and body only."""

        self._skipping: Command | None = None
        """Commands of this kind are not sent until one of another kind was (SKIP)."""

    async def negotiate(self) -> None:
        """Connect and negotiate; if that fails the default action is the default reply."""
        settings = self.settings
        try:
            self.connection = await FilterConnection.open(
                settings.address, settings.connect_timeout, patient=False
            )
            offer = Negotiation.offer()
            await self.connection.send([offer.encode()], settings.command_timeout)
            answer = Negotiation.parse(await self.connection.receive(settings.command_timeout))
            self.agree(agree_postfix(offer, answer))
            self.state = PostfixState.LISTENING
        except (FilterFailureError, NegotiationError) as error:
            self.fail(str(error))

    def _timeout(self, command: Command) -> float:
        short = command in _SHORT
        return self.settings.command_timeout if short else self.settings.content_timeout

    async def send(self, packets: list[Packet], command: Command) -> None:
        assert self.connection is not None
        await self.connection.send(packets, self._timeout(command))

    async def receive(self, command: Command) -> Packet:
        assert self.connection is not None
        return await self.connection.receive(self._timeout(command))

    async def abort(self) -> None:
        """The message is over: send ABORT; a filter that accepted it is asked again."""
        if self.state is PostfixState.ACCEPTED_MESSAGE:
            self.state = PostfixState.LISTENING
        if self.state is PostfixState.LISTENING:
            try:
                await self.send([commands.Bare(Command.ABORT).encode()], Command.MAIL)
            except FilterFailureError as failure:
                self.fail(str(failure))

    async def quit(self) -> None:
        if self.connection is not None:
            await self.connection.quit()
            self.connection = None

    async def ask(self, packet: Packet, stage: str, values: Values) -> MilterAnswer:
        """milter8_event: send macros and command, read replies."""
        if self.state is not PostfixState.LISTENING:
            return self.default_reply
        command = Command(packet.command)
        if self.holds and command in _SHORT:
            return MilterAnswer(AnswerKind.HOLD)
        if self._skipping is command:
            return self.default_reply
        self._skipping = None
        wanted = command not in self.unsent
        spoken = self.agreed.version >= _SINCE.get(command, 0)
        packets = [packet] if wanted else []
        if wanted or (command in _SHORT and spoken):
            packets = [*self._macros(command, stage, values), *packets]
        try:
            if packets:
                await self.send(packets, command)
            if not wanted or command in self.unanswered:
                return self.default_reply
            return await self._replies(command)
        except FilterFailureError as failure:
            return self.fail(str(failure))

    def _macros(self, command: Command, stage: str, values: Values) -> list[Packet]:
        """A packet for each stage that has a list, even an empty one.

        A filter's own list for end of header is used for each field as well, the one for end of
        message for the body.
        """
        names = self._context.macro_list(stage)
        if stage in _LISTS:
            # An empty list of its own counts as no list.
            names = self.agreed.macros.get(_LISTS[stage]) or names
        if names is None:
            return []
        return [known_macros(command, names, values)]

    async def _replies(self, command: Command) -> MilterAnswer:
        """Read until a final reply. A quarantine counts together with the reply after it."""
        held = False
        while True:
            reply = replies.parse(await self.receive(command))
            match reply:
                case replies.PlainReply(data=data) if data:
                    raise FilterFailureError(f"reply with data to {command.name}: {reply!r:.60}")
                case replies.PlainReply(ReplyCode.PROGRESS):
                    continue
                case replies.Quarantine():
                    held = True
                    continue
                case replies.PlainReply(ReplyCode.CONTINUE):
                    self.holds |= held and command in _SHORT
                    return MilterAnswer(AnswerKind.HOLD) if held else self.default_reply
                case replies.PlainReply(ReplyCode.SKIP):
                    self._skipping = command
                    return self.default_reply
            answer = self._verdict(command, reply)
            if answer is None:
                raise FilterFailureError(f"unexpected reply to {command.name}: {reply!r:.60}")
            return answer

    def _verdict(self, command: Command, reply: replies.FilterReply) -> MilterAnswer | None:
        """The answer of a final reply; None for a reply that is not allowed here."""
        early = command in _EARLY
        match reply:
            case replies.PlainReply(ReplyCode.ACCEPT):
                if early:
                    self._leave()
                else:
                    self.state = PostfixState.ACCEPTED_MESSAGE
                return self.default_reply
            case replies.PlainReply(ReplyCode.DISCARD):
                # Not allowed that early: Postfix only logs a warning.
                return self.default_reply if early else MilterAnswer(AnswerKind.DISCARD)
            case replies.PlainReply(ReplyCode.REJECT):
                return self._decide(REJECTED, early)
            case replies.PlainReply(ReplyCode.TEMPFAIL):
                return self._decide(TEMPFAILED, early)
            case replies.PlainReply(ReplyCode.SHUTDOWN):
                if command not in _SHORT:
                    # Observed: the client gets 250 and the message is dropped.
                    return MilterAnswer(AnswerKind.DISCARD)
                return self._decide(MilterAnswer(AnswerKind.CLOSE), True)
            case replies.ReplyText(data):
                text = replies.postfix_text(data)
                if text is None:
                    return self._misconfigured(command)
                return self._decide(MilterAnswer(AnswerKind.REPLY, text), early)
        return None

    def _misconfigured(self, command: Command) -> MilterAnswer:
        """A malformed reply text. A default action that lets mail through is kept."""
        answer = self.fail("malformed reply text")
        if answer.kind in _LETS_THROUGH:
            return answer
        if command in _SHORT:
            self.default_reply = MISCONFIGURED
        return MISCONFIGURED

    def _decide(self, answer: MilterAnswer, for_good: bool) -> MilterAnswer:
        if for_good:
            self.default_reply = answer
            self._leave()
        return answer

    def _leave(self) -> None:
        """Close without QUIT; from now on the default reply is its answer."""
        self.drop()
        self.state = PostfixState.ERROR

    def fail(self, why: str) -> MilterAnswer:
        """milter8_comm_error: close; the default action becomes the default reply."""
        log.warning("%s: milter=%s: %s", self._context.queue_id, self.settings.name, why)
        self._leave()
        if self.default_reply == CONTINUE:
            self.default_reply = DEFAULT_ACTIONS[self.settings.default_action]
        return self.default_reply

    # The message

    async def show(self, draft: Draft, values: Values) -> MilterAnswer:
        for packet, stage in self._parts(draft):
            answer = await self.ask(packet, stage, values)
            if not answer.goes_on or self.state is not PostfixState.LISTENING:
                return answer
        macros = self._macros(Command.BODYEOB, "eom", values)
        end = commands.Bare(Command.BODYEOB).encode()
        await self.send([*macros, end], Command.BODYEOB)
        return await self._end_of_message(draft)

    def _parts(self, draft: Draft) -> Iterable[tuple[Packet, str]]:
        for name, value in draft.header.for_filter(verbatim=self.verbatim):
            # Postfix has C strings: a NUL ends them.
            yield commands.Header(name, value.partition(b"\0")[0]).encode(), "header"
        yield commands.Bare(Command.EOH).encode(), "eoh"
        for chunk in body_packets(draft):
            yield chunk, "body"

    async def _edit(self, *, half: bool) -> replies.FilterReply | MilterAnswer:
        """The next reply, or what it means that the filter is lost. half: in the middle of a new
        body: the message is not let through. 3.7 would deliver what came of it, or the old one;
        releases from August 2026 on refuse it as we do."""
        try:
            reply = replies.parse(await self.receive(Command.BODYEOB))
        except FilterFailureError as failure:
            answer = self.fail(str(failure))
            return HALF_A_BODY if half and answer.kind in _LETS_THROUGH else answer
        if isinstance(reply, replies.PlainReply) and reply.data:
            raise FilterFailureError(f"reply with data: {reply!r:.60}")
        return reply

    async def _end_of_message(self, draft: Draft) -> MilterAnswer:
        """Read edits until the final reply. The first other reply after a body ends the body."""
        chunks: list[bytes] = []
        body_over = False
        try:
            while True:
                reply = await self._edit(half=bool(chunks) and not body_over)
                body_over |= bool(chunks) and not isinstance(reply, replies.ReplaceBody)
                match reply:
                    case MilterAnswer():
                        return reply
                    case replies.ChangeHeader(name=b""):
                        return self._misconfigured(Command.BODYEOB)
                    case replies.ReplaceBody() if body_over:
                        # body_edit_lockout: all chunks of a body must follow each other.
                        return self._misconfigured(Command.BODYEOB)
                    case replies.ReplaceBody(chunk):
                        chunks.append(chunk)
                        continue
                    case replies.PlainReply(ReplyCode.PROGRESS):
                        continue
                    case replies.PlainReply(ReplyCode.CONTINUE | ReplyCode.SKIP):
                        return self.default_reply
                    case replies.Malformed() | replies.UnknownReply():
                        raise FilterFailureError(f"bad reply to BODYEOB: {reply!r:.60}")
                    case replies.PlainReply() | replies.ReplyText():
                        answer = self._verdict(Command.BODYEOB, reply)
                        if answer is None:
                            raise FilterFailureError(f"unexpected reply to BODYEOB: {reply!r:.60}")
                        return answer
                done = edits.apply(reply, draft, verbatim=self.verbatim, envelope=_ENVELOPE)
                log.info("%s: milter=%s: %s", self._context.queue_id, self.settings.name, done)
        finally:
            if chunks:
                # cleanup(8) writes lines and so ends the last one.
                whole = b"".join(chunks)
                draft.replace_body([whole if whole[-1:] in (b"", b"\n") else whole + b"\r\n"])
