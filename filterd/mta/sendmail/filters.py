"""The filters of one SMTP session as sendmail 8.17 asks them.

A command goes to one filter after the other; the first answer other than "continue" ends the round.
The message itself (header to final reply) goes completely to one filter before the next, which then
sees the edits of the first.
Source: `sendmail/milter.c`; the functions of that file are named where ours follow them.
"""

from __future__ import annotations

from collections.abc import Iterable

from filterd.milter import commands
from filterd.milter.constants import Command, Steps
from filterd.milter.negotiation import NegotiationError
from filterd.milter.packets import Packet
from filterd.mta.mail.draft import Draft
from filterd.mta.mail.peer import Peer
from filterd.mta.milters.answers import CONTINUE, AnswerKind, MilterAnswer, Values
from filterd.mta.milters.base import FilterContext, MacroList, connect_packet
from filterd.mta.milters.connection import FilterFailureError
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.sendmail.filter import SendmailFilter, SendmailState


class SendmailFilters:
    """See the module. Not to be used by two tasks at a time."""

    sticky = True

    def __init__(self, filters: Iterable[InputMailFilter], macro_list: MacroList) -> None:
        self._context = FilterContext(macro_list)
        self._filters = [SendmailFilter(one, self._context) for one in filters]

    @property
    def queue_id(self) -> str:
        return self._context.queue_id

    @queue_id.setter
    def queue_id(self, id: str) -> None:
        self._context.queue_id = id

    # The session

    async def open(self) -> MilterAnswer:
        """milter_init: connect to each and negotiate; the first hard failure ends it for all."""
        for one in self._filters:
            try:
                await one.negotiate()
            except (FilterFailureError, NegotiationError) as error:
                one.fail(str(error))
            if one.state is SendmailState.ERROR:
                answer = one.on_failure
                if not answer.goes_on:
                    await self.quit()
                    return answer
        return CONTINUE

    async def connect(self, peer: Peer, values: Values) -> MilterAnswer:
        """milter_connect: any answer other than "continue" quits every filter. A text is dropped;
        of its code only `421` and the first digit count."""
        answer = await self._round(connect_packet(peer), "connect", values)
        if not answer.goes_on:
            await self.quit()
        await self._close_closable()
        if answer.kind is AnswerKind.REPLY:
            if answer.text.startswith(b"421 "):
                return MilterAnswer(AnswerKind.CLOSE)
            return MilterAnswer(
                AnswerKind.TEMPFAIL if answer.text.startswith(b"4") else AnswerKind.REJECT
            )
        return CONTINUE if answer.kind is AnswerKind.DISCARD else answer

    async def helo(self, name: bytes, values: Values) -> MilterAnswer:
        """milter_helo: possible at any time; it ends a message."""
        await self._abort_open()
        self._reopen()
        answer = await self._round(commands.Helo(name).encode(), "helo", values)
        await self._close_closable()
        return CONTINUE if answer.kind is AnswerKind.DISCARD else answer

    async def mail(self, arguments: tuple[bytes, ...], values: Values) -> MilterAnswer:
        """milter_envfrom: a new message, so filters that were done listen again."""
        self._reopen()
        answer = await self._round(commands.Mail(arguments).encode(), "envfrom", values)
        await self._end_if_decided(answer)
        return answer

    async def rcpt(
        self, arguments: tuple[bytes, ...], values: Values, *, refused: bool
    ) -> MilterAnswer:
        """milter_envrcpt. No ABORT is sent: the transaction goes on with the other recipients."""
        packet = commands.Rcpt(arguments).encode()
        return await self._round(packet, "envrcpt", values, refused=refused)

    async def data(self, values: Values) -> MilterAnswer:
        """milter_data_cmd. No ABORT is sent: the client may send DATA again."""
        return await self._round(commands.Bare(Command.DATA).encode(), "data", values)

    async def unknown(self, line: bytes) -> MilterAnswer:
        return await self._round(commands.Unknown(line).encode(), None, {})

    async def other(self) -> MilterAnswer:
        return CONTINUE

    async def abort(self) -> None:
        """milter_abort: only for filters that are in the message."""
        await self._abort_open()

    async def finish(self) -> None:
        await self._abort_open()

    async def quit(self) -> None:
        for one in self._filters:
            await one.quit()

    # One command

    async def _round(
        self, packet: Packet, stage: str | None, values: Values, *, refused: bool = False
    ) -> MilterAnswer:
        """milter_command: ask in order until one answers other than "continue"."""
        for one in self._filters:
            if one.state is SendmailState.ERROR:
                answer = one.on_failure
                if not answer.goes_on:
                    return answer
                continue
            if not one.listens:
                continue
            try:
                if refused and not one.agreed.steps & Steps.RCPT_REJ:
                    await one.tell_macros(packet.command, stage, values)
                    continue
                answer = await one.ask(packet, stage, values)
            except FilterFailureError as failure:
                one.fail(str(failure))
                answer = one.on_failure
            if not answer.goes_on:
                return answer
        return CONTINUE

    # The message

    async def message(self, draft: Draft, values: Values) -> MilterAnswer:
        """milter_data: header to final reply, one filter after the other."""
        self.queue_id = draft.queue_id
        answer = CONTINUE
        for one in self._filters:
            if one.state is not SendmailState.ERROR and not one.listens:
                continue
            if one.state is not SendmailState.ERROR:
                one.state = SendmailState.IN_MESSAGE
                try:
                    answer = await one.show(draft, values)
                except FilterFailureError as failure:
                    one.fail(str(failure))
            if one.state is SendmailState.ERROR:
                answer = one.on_failure
            else:
                one.state = SendmailState.DONE
            if not answer.goes_on:
                break
        await self._end_if_decided(answer)
        return answer

    # States

    async def _end_if_decided(self, answer: MilterAnswer) -> None:
        """MILTER_CHECK_DONE_MSG: the message is decided; send ABORT to the other filters."""
        if answer.kind in (
            AnswerKind.REPLY,
            AnswerKind.REJECT,
            AnswerKind.DISCARD,
            AnswerKind.TEMPFAIL,
        ):
            await self._abort_open()

    def _reopen(self) -> None:
        """Filters that were done with a message listen again."""
        for one in self._filters:
            if one.state is SendmailState.DONE:
                one.state = SendmailState.OPEN

    async def _abort_open(self) -> None:
        """milter_abort: send ABORT to those in the message; next they get HELO or MAIL."""
        for one in self._filters:
            if one.state is SendmailState.IN_MESSAGE:
                try:
                    await one.send(commands.Bare(Command.ABORT).encode())
                except FilterFailureError as failure:
                    one.fail(str(failure))
                    continue
                one.state = SendmailState.DONE

    async def _close_closable(self) -> None:
        for one in self._filters:
            if one.state is SendmailState.CLOSABLE:
                await one.quit()
