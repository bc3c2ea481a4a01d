"""The filters of one SMTP session as sendmail 8.17 asks them.

Each filter has a state. A command goes to one filter after the other and the first answer that is
not "go on" ends the round; the message itself (header to final reply) goes to one filter completely
before the next, which then sees the first one's changes. A filter that fails is in the error state
for the rest of the session, and its `F=` speaks for it from then on: an I/O error at once, an
impossible reply one command later, since sendmail looks at the state only before it asks.
Source: `sendmail/milter.c`; the functions of that file are named where ours follow them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from filterd.milter import commands, replies
from filterd.milter.constants import CHUNK_SIZE, Actions, Command, MacroStage, ReplyCode, Steps
from filterd.milter.legality import NOT_ANSWERED, NOT_SENT
from filterd.milter.negotiation import (
    Negotiation,
    NegotiationError,
    agree_sendmail,
)
from filterd.milter.packets import Packet
from filterd.mta import edits
from filterd.mta.answers import CONTINUE, Answer, Kind, Values
from filterd.mta.connection import FilterConnection, FilterFailureError
from filterd.mta.draft import Draft
from filterd.mta.envelope_edits import SendmailEnvelope, shown
from filterd.mta.input_filter import InputMailFilter
from filterd.mta.peer import Peer

log = logging.getLogger("filterd.mta")

MacroList = Callable[[str], tuple[str, ...] | None]
"""The configured macros of a stage (`connect`, `helo`, `envfrom`, ...), None for none."""


class State(Enum):
    """SMFS_* of sendmail."""

    CLOSED = "closed"
    OPEN = "open"
    IN_MESSAGE = "in message"
    SKIPPED = "skipped"
    DONE = "done"
    CLOSABLE = "closable"
    ERROR = "error"


@dataclass(slots=True, eq=False)
class AskedFilter:
    """One filter in one session."""

    settings: InputMailFilter
    connection: FilterConnection | None = None
    agreed: Negotiation = field(default_factory=Negotiation)
    state: State = State.CLOSED

    @property
    def listens(self) -> bool:
        return self.connection is not None and self.state in (State.OPEN, State.IN_MESSAGE)

    @property
    def verbatim(self) -> bool:
        return bool(self.agreed.steps & Steps.HDR_LEADSPC)

    async def send(self, *packets: Packet) -> None:
        assert self.connection is not None
        if packets:
            await self.connection.send(list(packets), self.settings.clocks.write)

    async def receive(self) -> Packet:
        assert self.connection is not None
        return await self.connection.receive(self.settings.clocks.read)

    async def quit(self) -> None:
        """milter_quit_filter: a goodbye, and out of the session."""
        if self.connection is not None:
            await self.connection.quit()
            self.connection = None
        if self.state is not State.ERROR:
            self.state = State.CLOSED


_FAILURE_ANSWERS = {
    "T": Answer(Kind.TEMPFAIL),
    "4": Answer(Kind.CLOSE),
    "R": Answer(Kind.REJECT),
    "": CONTINUE,
}

_ENVELOPE = SendmailEnvelope()

_ACTIONS = {
    Command.CONNECT: "connect", Command.HELO: "helo", Command.MAIL: "mail", Command.RCPT: "rcpt",
    Command.DATA: "data", Command.HEADER: "header", Command.EOH: "eoh", Command.BODY: "body",
    Command.BODYEOB: "eom", Command.UNKNOWN: "unknown",
}  # fmt: skip
"""Commands as sendmail's log calls them."""

_COMMAND_TEXT = b"550 5.7.1 Command rejected"
_MESSAGE_TEXT = b"554 5.7.1 Command rejected"
_DEFAULT_TEXT = {
    Command.CONNECT: b"554 Command rejected",
    Command.HELO: b"550 Command rejected",
    Command.BODY: _MESSAGE_TEXT,
}
"""What stands in for a reply text that sendmail refuses, MILTER_CHECK_REPLYCODE."""

_REFUSALS = {
    ReplyCode.REJECT: Answer(Kind.REJECT),
    ReplyCode.TEMPFAIL: Answer(Kind.TEMPFAIL),
    ReplyCode.DISCARD: Answer(Kind.DISCARD),
}


class SendmailFilters:
    """See the module. Not to be used by two tasks at a time."""

    sticky = True

    def __init__(self, filters: Iterable[InputMailFilter], macro_list: MacroList) -> None:
        self._filters = [AskedFilter(one) for one in filters]
        self._macro_list = macro_list
        self.queue_id = ""

    # The session

    async def open(self) -> Answer:
        """milter_init: connect to each and negotiate; the first hard failure ends it for all."""
        for one in self._filters:
            try:
                await self._negotiate(one)
            except (FilterFailureError, NegotiationError) as error:
                self._fail(one, str(error))
            if one.state is State.ERROR:
                answer = self._on_failure(one)
                if not answer.goes_on:
                    await self.quit()
                    return answer
        return CONTINUE

    async def _negotiate(self, one: AskedFilter) -> None:
        clocks = one.settings.clocks
        one.connection = await FilterConnection.open(one.settings.address, clocks.connect)
        offer = Negotiation.offer()
        await one.send(offer.encode())
        one.agreed = agree_sendmail(offer, Negotiation.parse(await one.receive()))
        one.state = State.OPEN

    async def connect(self, peer: Peer, values: Values) -> Answer:
        """milter_connect: any other answer than "go on" quits every filter; a text is thrown away,
        of its code only `421` and the first digit count."""
        command = commands.Connect(
            peer.name.encode(), peer.family.encode(), peer.port, peer.address.encode()
        )
        answer = await self._round(command.encode(), "connect", values)
        if not answer.goes_on:
            await self.quit()
        await self._close_closable()
        if answer.kind is Kind.REPLY:
            if answer.text.startswith(b"421 "):
                return Answer(Kind.CLOSE)
            return Answer(Kind.TEMPFAIL if answer.text.startswith(b"4") else Kind.REJECT)
        return CONTINUE if answer.kind is Kind.DISCARD else answer

    async def helo(self, name: bytes, values: Values) -> Answer:
        """milter_helo: may come at any point and ends a message."""
        await self._abort_open()
        self._reopen()
        answer = await self._round(commands.Helo(name).encode(), "helo", values)
        await self._close_closable()
        return CONTINUE if answer.kind is Kind.DISCARD else answer

    async def mail(self, arguments: tuple[bytes, ...], values: Values) -> Answer:
        """milter_envfrom: a new message, so filters that were done listen again."""
        self._reopen()
        answer = await self._round(commands.Mail(arguments).encode(), "envfrom", values)
        await self._end_if_decided(answer)
        return answer

    async def rcpt(self, arguments: tuple[bytes, ...], values: Values, *, refused: bool) -> Answer:
        """milter_envrcpt. Nobody is told to abort: the transaction goes on with the others."""
        packet = commands.Rcpt(arguments).encode()
        return await self._round(packet, "envrcpt", values, refused=refused)

    async def data(self, values: Values) -> Answer:
        """milter_data_cmd. Nobody is told to abort: the client may say DATA again."""
        return await self._round(commands.Bare(Command.DATA).encode(), "data", values)

    async def unknown(self, line: bytes) -> Answer:
        return await self._round(commands.Unknown(line).encode(), None, {})

    async def other(self) -> Answer:
        return CONTINUE

    async def abort(self) -> None:
        """milter_abort: only filters that are in the message are told."""
        await self._abort_open()

    async def finish(self) -> None:
        await self._abort_open()

    async def quit(self) -> None:
        for one in self._filters:
            await one.quit()

    # One command

    async def _round(
        self, packet: Packet, stage: str | None, values: Values, *, refused: bool = False
    ) -> Answer:
        """milter_command: ask in order until one does not say "go on"."""
        for one in self._filters:
            if one.state is State.ERROR:
                answer = self._on_failure(one)
                if not answer.goes_on:
                    return answer
                continue
            if not one.listens:
                continue
            try:
                macros = self._macros(one, packet.command, stage, values)
                if refused and not one.agreed.steps & Steps.RCPT_REJ:
                    await one.send(*macros)
                    continue
                answer = await self._ask(one, packet, macros)
            except FilterFailureError as failure:
                self._fail(one, str(failure))
                answer = self._on_failure(one)
            if not answer.goes_on:
                return answer
        return CONTINUE

    def _macros(
        self, one: AskedFilter, command: bytes, stage: str | None, values: Values
    ) -> list[Packet]:
        """milter_send_macros: a stage that has a list gets its packet, even an empty one, and
        whether or not the command itself is wanted. It crosses together with the command."""
        names = self._names(one, stage) if stage is not None else None
        if not names:
            return []
        known = {name: values[name].encode("latin-1", "replace")
                 for name in names if name in values}  # fmt: skip
        return [commands.Macros(Command(command), known).encode()]

    def _names(self, one: AskedFilter, stage: str) -> tuple[str, ...] | None:
        """The filter's own list of a stage, else the configured one.

        At end of message sendmail asks whether the filter set a list for *end of header*, so that
        one that set the other alone gets the configured macros.
        """
        wanted = MacroStage[stage.upper()]
        flag = MacroStage.EOH if wanted is MacroStage.EOM else wanted
        if flag in one.agreed.macros:
            return one.agreed.macros.get(wanted)
        return self._macro_list(stage)

    async def _ask(self, one: AskedFilter, packet: Packet, macros: list[Packet]) -> Answer:
        """milter_send_command: send, read the reply, change state. Raises FilterFailureError."""
        command = Command(packet.command)
        if one.agreed.steps & NOT_SENT[command]:
            await one.send(*macros)
            return CONTINUE
        await one.send(*macros, packet)
        if one.agreed.steps & NOT_ANSWERED[command]:
            return CONTINUE
        default = _DEFAULT_TEXT.get(command, _COMMAND_TEXT)
        match replies.parse(await one.receive()):
            case replies.ReplyText(data):
                answer = Answer(Kind.REPLY, replies.sendmail_text(data) or default)
                self._note(one, command, answer)
                return answer
            case replies.Plain(code) if code in _REFUSALS:
                self._note(one, command, _REFUSALS[code])
                return _REFUSALS[code]
            case replies.Plain(ReplyCode.ACCEPT):
                log.info("%s: milter=%s, action=%s, accepted", self.queue_id,
                         one.settings.name, _ACTIONS[command])  # fmt: skip
                early = command in (Command.CONNECT, Command.HELO)
                one.state = State.CLOSABLE if early else State.DONE
            case replies.Plain(ReplyCode.CONTINUE):
                if command is Command.MAIL:
                    one.state = State.IN_MESSAGE
            case replies.Plain(ReplyCode.SKIP):
                one.state = State.SKIPPED
            case bogus:
                # Counts as "go on" here; the error state answers for the filter from the next
                # command on.
                self._fail(one, f"bogus response to {command.name}: {bogus!r:.60}")
        return CONTINUE

    def _note(self, one: AskedFilter, command: Command, answer: Answer) -> None:
        """What a filter refused, in the words of sendmail's own log."""
        said = answer.kind.value
        if answer.kind is Kind.REPLY:
            said = "reject=" + shown(answer.text.replace(b"\r\n", b"\\r\\n"))
        log.info(
            "%s: milter=%s, action=%s, %s", self.queue_id, one.settings.name, _ACTIONS[command],
            said,
        )  # fmt: skip

    # The message

    async def message(self, draft: Draft, values: Values) -> Answer:
        """milter_data: header to final reply, one filter after the other."""
        self.queue_id = draft.queue_id
        answer = CONTINUE
        for one in self._filters:
            if one.state is not State.ERROR and not one.listens:
                continue
            if one.state is not State.ERROR:
                one.state = State.IN_MESSAGE
                try:
                    answer = await self._show(one, draft, values)
                except FilterFailureError as failure:
                    self._fail(one, str(failure))
            if one.state is State.ERROR:
                answer = self._on_failure(one)
            else:
                one.state = State.DONE
            if not answer.goes_on:
                break
        await self._end_if_decided(answer)
        return answer

    async def _show(self, one: AskedFilter, draft: Draft, values: Values) -> Answer:
        """One filter's turn. An impossible reply leaves it in the error state."""
        known = {**values, **draft.macros}
        for packet, stage in self._parts(one, draft):
            answer = await self._ask(one, packet, self._macros(one, packet.command, stage, known))
            if not answer.goes_on:
                return answer
            if one.state in (State.ERROR, State.DONE):
                return CONTINUE
        end = commands.Bare(Command.BODYEOB).encode()
        await one.send(*self._macros(one, end.command, "eom", known), end)
        return await self._end_of_message(one, draft)

    def _parts(self, one: AskedFilter, draft: Draft) -> Iterable[tuple[Packet, str | None]]:
        """Header, end of header, body; the body only while the filter did not say SKIP."""
        for name, value in draft.header.for_filter(verbatim=one.verbatim):
            yield commands.Header(name, value).encode(), None
        eoh_wanted = not one.agreed.steps & Steps.NOEOH
        if eoh_wanted:
            yield commands.Bare(Command.EOH).encode(), "eoh"
        if one.agreed.steps & Steps.NOBODY:
            return
        body = memoryview(draft.wire_body())
        for start in range(0, len(body), CHUNK_SIZE):
            if one.state is State.SKIPPED:
                return
            yield commands.Body(bytes(body[start : start + CHUNK_SIZE])).encode(), None

    async def _end_of_message(self, one: AskedFilter, draft: Draft) -> Answer:
        """Read replies until the final one.

        The whole clock is looked at before each read only: silence is the read clock's business.
        """
        started = time.monotonic()
        limit = one.settings.clocks.eom
        body = _NewBody(allowed=bool(one.agreed.actions & Actions.CHGBODY))
        try:
            while True:
                if limit and time.monotonic() - started >= limit:
                    raise FilterFailureError(f"no final reply to end of message in {limit:g} s")
                reply = replies.parse(await one.receive())
                if isinstance(reply, replies.ReplaceBody):
                    body.chunks.append(reply.chunk)
                elif (answer := _final(reply)) is not None:
                    if not answer.goes_on:
                        self._note(one, Command.BODYEOB, answer)
                    return Answer(Kind.TEMPFAIL) if answer.goes_on and body.refused else answer
                else:
                    self._edit(one, draft, reply)
        finally:
            # What a filter changed before it failed stays changed.
            body.replace(draft)

    def _edit(self, one: AskedFilter, draft: Draft, reply: replies.FilterReply) -> None:
        """A reply to end of message that is not the final one."""
        match reply:
            case replies.Plain(ReplyCode.PROGRESS):
                return
            case replies.Malformed(code):
                done = f"malformed {code.name} ignored"
            case replies.Plain() | replies.UnknownReply() | replies.ReplyText():
                raise FilterFailureError(f"bogus response to BODYEOB: {reply!r:.60}")
            case _:
                done = edits.apply(reply, draft, verbatim=one.verbatim, envelope=_ENVELOPE)
        log.info("%s: milter=%s: %s", self.queue_id, one.settings.name, done)

    # States

    async def _end_if_decided(self, answer: Answer) -> None:
        """MILTER_CHECK_DONE_MSG: the message is decided, tell the others."""
        if answer.kind in (Kind.REPLY, Kind.REJECT, Kind.DISCARD, Kind.TEMPFAIL):
            await self._abort_open()

    def _reopen(self) -> None:
        """Filters that were done with a message listen again."""
        for one in self._filters:
            if one.state is State.DONE:
                one.state = State.OPEN

    async def _abort_open(self) -> None:
        """milter_abort: tell those in the message; they hear nothing before HELO or MAIL."""
        for one in self._filters:
            if one.state is State.IN_MESSAGE:
                try:
                    await one.send(commands.Bare(Command.ABORT).encode())
                except FilterFailureError as failure:
                    self._fail(one, str(failure))
                    continue
                one.state = State.DONE

    async def _close_closable(self) -> None:
        for one in self._filters:
            if one.state is State.CLOSABLE:
                await one.quit()

    def _fail(self, one: AskedFilter, why: str) -> None:
        """milter_error: close without a goodbye; the state stays for the session."""
        log.error("%s: Milter (%s): to error state: %s", self.queue_id, one.settings.name, why)
        if one.connection is not None:
            one.connection.close()
            one.connection = None
        one.state = State.ERROR

    def _on_failure(self, one: AskedFilter) -> Answer:
        return _FAILURE_ANSWERS[one.settings.on_failure]


@dataclass(slots=True)
class _NewBody:
    """The body that a filter sends in pieces. allowed: it negotiated CHGBODY; without that sendmail
    takes no body and answers the message with 451."""

    allowed: bool
    chunks: list[bytes] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        return bool(self.chunks) and not self.allowed

    def replace(self, draft: Draft) -> None:
        if self.chunks and self.allowed:
            draft.replace_body(self.chunks)


def _final(reply: replies.FilterReply) -> Answer | None:
    """The answer that a final reply to end of message gives, None if it is not final."""
    match reply:
        case replies.Plain(ReplyCode.CONTINUE | ReplyCode.ACCEPT):
            return CONTINUE
        case replies.Plain(code) if code in _REFUSALS:
            return _REFUSALS[code]
        case replies.ReplyText(data):
            return Answer(Kind.REPLY, replies.sendmail_text(data) or _MESSAGE_TEXT)
    return None
