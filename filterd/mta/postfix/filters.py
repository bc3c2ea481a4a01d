"""The filters of one SMTP session as Postfix 3.7 asks them.

Unlike sendmail it connects to each filter in turn when the client connects, sends ABORT at each
reset, more often than needed, and sends a message that is on hold to no further filter.
Source: `src/milter/milter.c`, `src/smtpd/smtpd.c`, and observation.
"""

from __future__ import annotations

from collections.abc import Iterable

from filterd.milter import commands
from filterd.milter.constants import Command, Steps
from filterd.milter.packets import Packet
from filterd.mta.mail.draft import Draft
from filterd.mta.mail.peer import Peer
from filterd.mta.milters.answers import CONTINUE, AnswerKind, MilterAnswer, Values
from filterd.mta.milters.base import FilterContext, MacroList, connect_packet
from filterd.mta.milters.connection import FilterFailureError
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.postfix.filter import PostfixFilter, PostfixState


class PostfixFilters:
    """See the module. Not to be used by two tasks at a time."""

    sticky = False

    def __init__(self, filters: Iterable[InputMailFilter], macro_list: MacroList) -> None:
        self._context = FilterContext(macro_list)
        self._filters = [PostfixFilter(one, self._context) for one in filters]
        self._greeted = False
        self._in_mail = False

    @property
    def queue_id(self) -> str:
        return self._context.queue_id

    @queue_id.setter
    def queue_id(self, id: str) -> None:
        self._context.queue_id = id

    async def open(self) -> MilterAnswer:
        return CONTINUE

    async def connect(self, peer: Peer, values: Values) -> MilterAnswer:
        for one in self._filters:
            await one.negotiate()
            answer = await one.ask(connect_packet(peer), "connect", values)
            if not answer.goes_on:
                # Postfix does not connect to the others.
                return answer
        return CONTINUE

    async def helo(self, name: bytes, values: Values) -> MilterAnswer:
        answer = await self._round(commands.Helo(name).encode(), "helo", values)
        if self._greeted:
            await self._abort()
        # A client that got 421 has not been greeted.
        closing = answer.kind is AnswerKind.CLOSE or answer.text.startswith(b"421")
        self._greeted = self._greeted or not closing
        await self._reset_mail()
        return answer

    async def mail(self, arguments: tuple[bytes, ...], values: Values) -> MilterAnswer:
        answer = await self._round(commands.Mail(arguments).encode(), "envfrom", values)
        self._in_mail = True
        if answer.kind not in (AnswerKind.CONTINUE, AnswerKind.DISCARD, AnswerKind.HOLD):
            await self._reset_mail()
        return answer

    async def rcpt(
        self, arguments: tuple[bytes, ...], values: Values, *, refused: bool
    ) -> MilterAnswer:
        packet = commands.Rcpt(arguments).encode()
        return await self._round(packet, "envrcpt", values, refused=refused)

    async def data(self, values: Values) -> MilterAnswer:
        return await self._round(commands.Bare(Command.DATA).encode(), "data", values)

    async def unknown(self, line: bytes) -> MilterAnswer:
        """Postfix sends the verb only."""
        verb = line.split(None, 1)[0] if line.split() else b""
        return await self._round(commands.Unknown(verb).encode(), "unknown", {})

    async def other(self) -> MilterAnswer:
        """milter_other_event: for commands that filters do not get."""
        return next(
            (one.default_reply for one in self._filters if not one.default_reply.goes_on), CONTINUE
        )

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
            await one.quit()

    # One command

    async def _round(
        self, packet: Packet, stage: str, values: Values, *, refused: bool = False
    ) -> MilterAnswer:
        """Ask in order until one answers other than "continue"."""
        for one in self._filters:
            if refused and not one.agreed.steps & Steps.RCPT_REJ:
                continue
            answer = await one.ask(packet, stage, values)
            if not answer.goes_on:
                return answer
        return CONTINUE

    # The message

    async def message(self, draft: Draft, values: Values) -> MilterAnswer:
        self.queue_id = draft.queue_id
        for one in self._filters:
            answer = one.default_reply
            asked = one.state is PostfixState.LISTENING
            if asked:
                try:
                    answer = await one.show(draft, {**values, **draft.macros})
                except FilterFailureError as failure:
                    answer = one.fail(str(failure))
            if answer.kind is AnswerKind.HOLD:
                draft.quarantine = draft.quarantine or f"milter {one.settings.name} failed"
            if (
                asked
                and draft.quarantine is not None
                and answer.kind in (AnswerKind.CONTINUE, AnswerKind.HOLD)
            ):
                # A message that is on hold now is sent to no further filter.
                return MilterAnswer(AnswerKind.HOLD)
            if answer.kind not in (AnswerKind.CONTINUE, AnswerKind.HOLD):
                return answer
        if any(one.holds for one in self._filters):
            draft.quarantine = draft.quarantine or "a milter wants the message held"
        return CONTINUE if draft.quarantine is None else MilterAnswer(AnswerKind.HOLD)

    # Resets

    async def _reset_mail(self) -> None:
        if self._in_mail:
            await self._abort()
        self._in_mail = False

    async def _abort(self) -> None:
        for one in self._filters:
            await one.abort()
