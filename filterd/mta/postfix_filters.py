"""The filters of one SMTP session as Postfix 3.7 asks them.

What differs from sendmail: a filter is connected when the client is, one after the other; every
answer is a reply text, and a failure, or an answer at connect or HELO, becomes the filter's
standing reply for the rest of the session; an impossible reply acts at once; PROGRESS is waited
through at any stage and there is no clock over the whole end of message; ABORT is sent at each
reset, more often than needed. Header and body are shown by another process than the rest, so that
what a filter says there does not stand; only its death does. Source: `src/milter/milter8.c`,
`src/smtpd/smtpd.c`, and observation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from filterd.milter import commands, replies
from filterd.milter.constants import CHUNK_SIZE, Command, MacroStage, ReplyCode, Steps
from filterd.milter.legality import NOT_ANSWERED, NOT_SENT
from filterd.milter.negotiation import Negotiation, NegotiationError, agree_postfix
from filterd.milter.packets import Packet
from filterd.mta import edits
from filterd.mta.answers import CONTINUE, Answer, Kind, Values
from filterd.mta.connection import FilterConnection, FilterFailureError
from filterd.mta.draft import Draft
from filterd.mta.envelope_edits import PostfixEnvelope
from filterd.mta.filters import MacroList
from filterd.mta.input_filter import InputMailFilter
from filterd.mta.peer import Peer

log = logging.getLogger("filterd.mta")

REJECTED = Answer(Kind.REPLY, b"550 5.7.1 Command rejected")
TEMPFAILED = Answer(Kind.REPLY, b"451 4.7.1 Service unavailable - try again later")
MISCONFIGURED = Answer(Kind.REPLY, b"451 4.3.5 Server configuration problem - try again later")

DEFAULT_ACTIONS = {
    "accept": CONTINUE,
    "reject": Answer(Kind.REPLY, b"550 5.5.0 Service unavailable"),
    "tempfail": TEMPFAILED,
    "quarantine": Answer(Kind.HOLD),
    # Known from Postfix 3.8 on; 3.7 warns of an unrecognized default action.
    "shutdown": MISCONFIGURED,
}
"""`milter_default_action`: the standing reply of a filter that failed."""

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
"""Whose list a filter's request replaces, by stage."""


class State(Enum):
    """MILTER8_STAT_* of Postfix."""

    CLOSED = "closed"
    LISTENING = "listening"
    ACCEPTED_MESSAGE = "accepted the message"
    ERROR = "error"


@dataclass(slots=True, eq=False)
class AskedFilter:
    """One filter in one session. standing: what it says to everything from now on."""

    settings: InputMailFilter
    connection: FilterConnection | None = None
    agreed: Negotiation = field(default_factory=Negotiation)
    state: State = State.CLOSED
    standing: Answer = CONTINUE
    skipping: Command | None = None
    """Commands of this kind are skipped until another kind comes (SKIP)."""

    @property
    def verbatim(self) -> bool:
        return bool(self.agreed.steps & Steps.HDR_LEADSPC)

    def timeout(self, command: Command) -> float:
        short = command in _SHORT
        return self.settings.command_timeout if short else self.settings.content_timeout

    async def send(self, packets: list[Packet], command: Command) -> None:
        assert self.connection is not None
        await self.connection.send(packets, self.timeout(command))

    async def receive(self, command: Command) -> Packet:
        assert self.connection is not None
        return await self.connection.receive(self.timeout(command))


class PostfixFilters:
    """See the module. Not to be used by two tasks at a time."""

    sticky = False

    def __init__(self, filters: Iterable[InputMailFilter], macro_list: MacroList) -> None:
        self._filters = [AskedFilter(one) for one in filters]
        self._macro_list = macro_list
        self.queue_id = ""
        self._greeted = False
        self._in_mail = False

    async def open(self) -> Answer:
        return CONTINUE

    async def connect(self, peer: Peer, values: Values) -> Answer:
        command = commands.Connect(
            peer.name.encode(), peer.family.encode(), peer.port, peer.address.encode()
        )
        for one in self._filters:
            try:
                await self._negotiate(one)
            except (FilterFailureError, NegotiationError) as error:
                self._fail(one, str(error))
        return await self._round(command.encode(), "connect", values)

    async def _negotiate(self, one: AskedFilter) -> None:
        settings = one.settings
        one.connection = await FilterConnection.open(
            settings.address, settings.connect_timeout, patient=False
        )
        offer = Negotiation.offer()
        await one.connection.send([offer.encode()], settings.command_timeout)
        answer = Negotiation.parse(await one.connection.receive(settings.command_timeout))
        one.agreed = agree_postfix(offer, answer)
        one.state = State.LISTENING

    async def helo(self, name: bytes, values: Values) -> Answer:
        answer = await self._round(commands.Helo(name).encode(), "helo", values)
        if self._greeted:
            await self._abort()
        self._greeted = True
        await self._reset_mail()
        return answer

    async def mail(self, arguments: tuple[bytes, ...], values: Values) -> Answer:
        answer = await self._round(commands.Mail(arguments).encode(), "envfrom", values)
        self._in_mail = True
        if answer.kind not in (Kind.CONTINUE, Kind.DISCARD, Kind.HOLD):
            await self._reset_mail()
        return answer

    async def rcpt(self, arguments: tuple[bytes, ...], values: Values, *, refused: bool) -> Answer:
        packet = commands.Rcpt(arguments).encode()
        return await self._round(packet, "envrcpt", values, refused=refused)

    async def data(self, values: Values) -> Answer:
        return await self._round(commands.Bare(Command.DATA).encode(), "data", values)

    async def unknown(self, line: bytes) -> Answer:
        """Postfix shows the verb only."""
        verb = line.split(None, 1)[0] if line.split() else b""
        return await self._round(commands.Unknown(verb).encode(), "unknown", {})

    async def other(self) -> Answer:
        """milter_other_event: for commands that filters are not asked about."""
        return next((one.standing for one in self._filters if not one.standing.goes_on), CONTINUE)

    async def abort(self) -> None:
        await self._reset_mail()

    async def finish(self) -> None:
        self._in_mail = True
        await self._reset_mail()

    async def quit(self) -> None:
        if self._greeted:
            await self._abort()
        await self._reset_mail()
        for one in self._filters:
            if one.connection is not None:
                await one.connection.quit()
                one.connection = None

    # One command

    async def _round(
        self, packet: Packet, stage: str, values: Values, *, refused: bool = False
    ) -> Answer:
        """Ask in order until one says something else than "go on"."""
        for one in self._filters:
            if refused and not one.agreed.steps & Steps.RCPT_REJ:
                continue
            answer = await self._event(one, packet, stage, values)
            if not answer.goes_on:
                return answer
        return CONTINUE

    async def _event(self, one: AskedFilter, packet: Packet, stage: str, values: Values) -> Answer:
        """milter8_event: macros and command out, replies in."""
        if one.state is not State.LISTENING:
            return one.standing
        command = Command(packet.command)
        if one.skipping is command:
            return one.standing
        one.skipping = None
        wanted = not one.agreed.steps & NOT_SENT[command]
        spoken = one.agreed.version >= _SINCE.get(command, 0)
        packets = [packet] if wanted else []
        if wanted or (command in _SHORT and spoken):
            packets = [*self._macros(one, command, stage, values), *packets]
        try:
            if packets:
                await one.send(packets, command)
            if not wanted or one.agreed.steps & NOT_ANSWERED[command]:
                return one.standing
            return await self._replies(one, command)
        except FilterFailureError as failure:
            return self._fail(one, str(failure))

    def _macros(
        self, one: AskedFilter, command: Command, stage: str, values: Values
    ) -> list[Packet]:
        """A packet for each stage that has a list, be it an empty one.

        A filter's own list for the end of header is used for each field as well, that for the end
        of message for the body.
        """
        names = self._macro_list(stage)
        if stage in _LISTS:
            # An empty list of its own is none.
            names = one.agreed.macros.get(_LISTS[stage]) or names
        if names is None:
            return []
        known = {name: values[name].encode("latin-1", "replace")
                 for name in names if name in values}  # fmt: skip
        return [commands.Macros(command, known).encode()]

    async def _replies(self, one: AskedFilter, command: Command) -> Answer:
        """Read until something final comes."""
        while True:
            reply = replies.parse(await one.receive(command))
            match reply:
                case replies.Plain(data=data) if data:
                    raise FilterFailureError(f"reply with data to {command.name}: {reply!r:.60}")
                case replies.Plain(ReplyCode.PROGRESS) | replies.Quarantine():
                    continue
                case replies.Plain(ReplyCode.CONTINUE):
                    return one.standing
                case replies.Plain(ReplyCode.SKIP):
                    one.skipping = command
                    return one.standing
            answer = self._verdict(one, command, reply)
            if answer is None:
                raise FilterFailureError(f"unexpected reply to {command.name}: {reply!r:.60}")
            return answer

    def _verdict(
        self, one: AskedFilter, command: Command, reply: replies.FilterReply
    ) -> Answer | None:
        """The answer of a reply that decides; None for one that has no business here."""
        early = command in _EARLY
        match reply:
            case replies.Plain(ReplyCode.ACCEPT):
                if early:
                    self._drop(one)
                else:
                    one.state = State.ACCEPTED_MESSAGE
                return one.standing
            case replies.Plain(ReplyCode.DISCARD):
                # Not allowed that early: a warning in the log is all.
                return one.standing if early else Answer(Kind.DISCARD)
            case replies.Plain(ReplyCode.REJECT):
                return self._stand(one, REJECTED, early)
            case replies.Plain(ReplyCode.TEMPFAIL):
                return self._stand(one, TEMPFAILED, early)
            case replies.Plain(ReplyCode.SHUTDOWN):
                if command not in _SHORT:
                    # Observed: the client hears 250 and the message goes nowhere.
                    return Answer(Kind.DISCARD)
                return self._stand(one, Answer(Kind.CLOSE), True)
            case replies.ReplyText(data):
                text = replies.postfix_text(data)
                if text is None:
                    return self._misconfigured(one, command)
                return self._stand(one, Answer(Kind.REPLY, text), early)
        return None

    def _misconfigured(self, one: AskedFilter, command: Command) -> Answer:
        """A reply text that cannot be. A default action that lets mail through stands."""
        answer = self._fail(one, "malformed reply text")
        if answer.kind in (Kind.CONTINUE, Kind.HOLD):
            return answer
        if command in _SHORT:
            one.standing = MISCONFIGURED
        return MISCONFIGURED

    def _stand(self, one: AskedFilter, answer: Answer, for_good: bool) -> Answer:
        if for_good:
            one.standing = answer
            self._drop(one)
        return answer

    def _drop(self, one: AskedFilter) -> None:
        """Close without a goodbye; the filter's standing answer speaks for it."""
        if one.connection is not None:
            one.connection.close()
            one.connection = None
        one.state = State.ERROR

    def _fail(self, one: AskedFilter, why: str) -> Answer:
        """milter8_comm_error: close, and the default action stands."""
        log.warning("%s: milter=%s: %s", self.queue_id, one.settings.name, why)
        self._drop(one)
        if one.standing == CONTINUE:
            one.standing = DEFAULT_ACTIONS[one.settings.default_action]
        return one.standing

    # The message

    async def message(self, draft: Draft, values: Values) -> Answer:
        self.queue_id = draft.queue_id
        for one in self._filters:
            answer = one.standing
            asked = one.state is State.LISTENING
            if asked:
                try:
                    answer = await self._show(one, draft, {**values, **draft.macros})
                except FilterFailureError as failure:
                    answer = self._fail(one, str(failure))
            if answer.kind is Kind.HOLD:
                draft.quarantine = draft.quarantine or f"milter {one.settings.name} failed"
            if asked and draft.quarantine is not None and answer.kind in (Kind.CONTINUE, Kind.HOLD):
                # A message that has just been put on hold is shown to nobody else.
                return Answer(Kind.HOLD)
            if answer.kind not in (Kind.CONTINUE, Kind.HOLD):
                return answer
        return CONTINUE if draft.quarantine is None else Answer(Kind.HOLD)

    async def _show(self, one: AskedFilter, draft: Draft, values: Values) -> Answer:
        for packet, stage in self._parts(one, draft):
            answer = await self._event(one, packet, stage, values)
            if not answer.goes_on or one.state is not State.LISTENING:
                return answer
        macros = self._macros(one, Command.BODYEOB, "eom", values)
        end = commands.Bare(Command.BODYEOB).encode()
        await one.send([*macros, end], Command.BODYEOB)
        return await self._end_of_message(one, draft)

    def _parts(self, one: AskedFilter, draft: Draft) -> Iterable[tuple[Packet, str]]:
        for name, value in draft.header.for_filter(verbatim=one.verbatim):
            # Postfix hands strings on as C has them: a NUL ends one.
            yield commands.Header(name, value.partition(b"\0")[0]).encode(), "header"
        yield commands.Bare(Command.EOH).encode(), "eoh"
        body = memoryview(draft.wire_body())
        for start in range(0, len(body), CHUNK_SIZE):
            yield commands.Body(bytes(body[start : start + CHUNK_SIZE])).encode(), "body"

    async def _end_of_message(self, one: AskedFilter, draft: Draft) -> Answer:
        """Read edits until the final reply. A body ends with the first other edit behind it."""
        chunks: list[bytes] = []
        body_over = False
        try:
            while True:
                reply = replies.parse(await one.receive(Command.BODYEOB))
                match reply:
                    case replies.Plain(data=data) if data:
                        raise FilterFailureError(f"reply with data: {reply!r:.60}")
                    case replies.ChangeHeader(name=b""):
                        return self._misconfigured(one, Command.BODYEOB)
                    case replies.Plain(ReplyCode.PROGRESS):
                        continue
                    case replies.ReplaceBody(chunk):
                        if not body_over:
                            chunks.append(chunk)
                        continue
                    case replies.Plain(ReplyCode.CONTINUE | ReplyCode.SKIP):
                        return one.standing
                    case replies.Malformed() | replies.UnknownReply():
                        raise FilterFailureError(f"bad reply to BODYEOB: {reply!r:.60}")
                body_over = bool(chunks)
                answer = self._verdict(one, Command.BODYEOB, reply)
                if answer is not None:
                    return answer
                if isinstance(reply, replies.Plain | replies.ReplyText):
                    raise FilterFailureError(f"unexpected reply to BODYEOB: {reply!r:.60}")
                done = edits.apply(reply, draft, verbatim=one.verbatim, envelope=_ENVELOPE)
                log.info("%s: milter=%s: %s", self.queue_id, one.settings.name, done)
        finally:
            if chunks:
                # cleanup(8) writes lines: the last one is ended.
                whole = b"".join(chunks)
                draft.replace_body([whole if whole[-1:] in (b"", b"\n") else whole + b"\r\n"])

    # Resets

    async def _reset_mail(self) -> None:
        if self._in_mail:
            await self._abort()
        self._in_mail = False

    async def _abort(self) -> None:
        for one in self._filters:
            if one.state is State.ACCEPTED_MESSAGE:
                one.state = State.LISTENING
            if one.state is State.LISTENING:
                try:
                    await one.send([commands.Bare(Command.ABORT).encode()], Command.MAIL)
                except FilterFailureError as failure:
                    self._fail(one, str(failure))
