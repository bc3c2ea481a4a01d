"""What the filters of an MTA answer together to one SMTP command, and the protocol to ask them.

`sendmail.filters` and `postfix.filters` implement it as the two MTAs do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from filterd.mta.mail.draft import Draft
from filterd.mta.mail.peer import Peer


class AnswerKind(Enum):
    """How a command is to be answered."""

    CONTINUE = "continue"
    REJECT = "reject"
    TEMPFAIL = "tempfail"
    DISCARD = "discard"
    REPLY = "reply"
    """With the filter's own text."""

    CLOSE = "close"
    """With a 421, and hang up."""

    HOLD = "hold"
    """Take the message and keep it (Postfix's default action `quarantine`)."""

    MISCONFIGURED = "misconfigured"
    """Postfix's 451 4.3.5: the filter sent a reply that is not allowed."""


@dataclass(frozen=True, slots=True)
class MilterAnswer:
    """One answer. text: for REPLY, the reply as the filter gave it (`550 5.7.1 no`), lines in it
    separated by CRLF."""

    kind: AnswerKind = AnswerKind.CONTINUE
    text: bytes = b""

    @property
    def goes_on(self) -> bool:
        """Whether the MTA goes on as if no filter had been asked."""
        return self.kind is AnswerKind.CONTINUE


CONTINUE = MilterAnswer()

Values = Mapping[str, str]
"""Macros by name as on the wire: one letter bare (`i`), longer ones in braces. An undefined macro
is absent; a defined and empty one is `""`."""


class Filters(Protocol):
    """The filters of one SMTP session, asked in order.

    sticky: the session remembers a refusal at connect or HELO (sendmail); else the filters repeat
    it at each command (Postfix).
    """

    sticky: bool
    queue_id: str
    """Of the next message, for the log."""

    async def open(self) -> MilterAnswer:
        """Connect and negotiate, before the greeting."""

    async def connect(self, peer: Peer, values: Values) -> MilterAnswer: ...

    async def helo(self, name: bytes, values: Values) -> MilterAnswer: ...

    async def mail(self, arguments: tuple[bytes, ...], values: Values) -> MilterAnswer: ...

    async def rcpt(
        self, arguments: tuple[bytes, ...], values: Values, *, refused: bool
    ) -> MilterAnswer:
        """refused: the MTA itself has refused this recipient; only filters that negotiated RCPT_REJ
        get it."""

    async def data(self, values: Values) -> MilterAnswer: ...

    async def unknown(self, line: bytes) -> MilterAnswer: ...

    async def other(self) -> MilterAnswer:
        """VRFY or ETRN: the answer of filters that refuse every command."""

    async def message(self, draft: Draft, values: Values) -> MilterAnswer:
        """Send the message to the filters and apply their edits to the draft."""

    async def abort(self) -> None:
        """The transaction ended without a message: RSET, EHLO."""

    async def finish(self) -> None:
        """The message was answered."""

    async def quit(self) -> None:
        """The session ended."""
