"""SMTP replies as values, and the replies that an MTA must have.

A filter's own text is used as the MTA uses it, with one difference: lines that would end the reply
early, and so desynchronise the client, become continuation lines.
`sendmail.replies` and `postfix.replies` have the texts.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from filterd.mta.milters.answers import AnswerKind, MilterAnswer

_LINE_ENDS = re.compile(r"[\r\n\0]")

LINE_LIMIT = 2048
"""Octets of one reply line: RFC 5321 wants 512, and sendmail passes 900 of a filter's."""


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """One reply. lines: each with its code, `250 2.1.0 Ok`."""

    lines: tuple[bytes, ...]

    @classmethod
    def of(cls, text: str) -> SmtpReply:
        """A reply of one line, `250 2.1.0 Ok`; octets kept by surrogate escapes survive.

        Line ends in it become blanks: a text may come from a table or a name server.
        """
        return cls((_LINE_ENDS.sub(" ", text).encode("ascii", "surrogateescape"),))

    @property
    def code(self) -> int:
        """The reply code, from 200 to 599."""
        return int(self.lines[-1][:3])

    def encode(self) -> bytes:
        """The reply on the wire: every line but the last is a continuation line."""
        last = len(self.lines) - 1
        return b"".join(
            line[:3] + (b" " if index == last else b"-") + line[4:LINE_LIMIT] + b"\r\n"
            for index, line in enumerate(self.lines)
        )


NOT_ALLOWED = SmtpReply.of("502 5.7.0 Sorry, we do not allow this operation")


def filter_lines(text: bytes) -> tuple[bytes, ...]:
    """A filter's text as reply lines; a line without a code of its own gets the first one's."""
    lines = [line for line in re.split(rb"[\r\n]+", text) if line]
    code = lines[0][:3]
    return tuple(
        line if re.match(rb"[2-5]\d\d(?:[ -]|$)", line) else code + b" " + line for line in lines
    )


class Replies(ABC):
    """The replies of one MTA. host: its own name."""

    def __init__(self, host: str) -> None:
        self.host = host

    def too_long(self, client: str) -> SmtpReply:  # noqa: ARG002
        """The last reply to a client that sent a line over the limit."""
        return SmtpReply.of("500 5.5.2 Error: line too long")

    def too_many_bad(self) -> SmtpReply:
        """The last reply to a client that sent too many bad commands."""
        return SmtpReply.of(f"421 4.7.0 {self.host} Error: too many errors")

    def not_implemented(self, line: bytes) -> SmtpReply:
        """The reply to a command of RFC 821 that this MTA does not have."""
        verb = line.split(maxsplit=1)[0].decode("ascii", "replace").upper()
        return SmtpReply.of(f'502 5.5.1 Command not implemented: "{verb}"')

    def proxy(self, client: str) -> SmtpReply:
        """The last reply to a client that speaks HTTP."""
        return SmtpReply.of(f"421 4.7.0 {self.host} Rejecting open proxy {client}")

    def too_many_recipients_refused(self) -> SmtpReply:
        """The last reply to a client that named too many bad recipients."""
        return SmtpReply.of(f"421 4.7.0 {self.host} Too many bad recipients; closing connection")

    def help(self, topic: str) -> SmtpReply:  # noqa: ARG002
        """The reply to HELP."""
        return SmtpReply.of("502 5.3.0 HELP not implemented")

    # While the session lives

    @abstractmethod
    def greeting(self, date: str) -> SmtpReply: ...
    @abstractmethod
    def not_accepting(self) -> SmtpReply:
        """Instead of the greeting, when the filters refuse the client."""

    @abstractmethod
    def closing(self) -> SmtpReply:
        """421, when a filter wants the session closed."""

    @abstractmethod
    def closing_command(self) -> SmtpReply:
        """421 at MAIL, RCPT and unknown commands, which has another text in sendmail."""

    @abstractmethod
    def closing_connect(self) -> SmtpReply:
        """421 instead of the greeting."""

    @abstractmethod
    def bye(self) -> SmtpReply: ...
    @abstractmethod
    def hello(self, client: str, extensions: Sequence[str], *, is_name: bool = True) -> SmtpReply:
        """is_name: the client gave a name that is one."""

    def cannot_verify(self) -> SmtpReply:
        """VRFY where that is not allowed."""
        return SmtpReply.of("252 2.5.2 Cannot VRFY user; try RCPT to attempt delivery")

    def no_verbosity(self) -> SmtpReply:
        """VERB where that is not allowed."""
        return NOT_ALLOWED

    def too_large(self, limit: int, *, announced: bool) -> SmtpReply:  # noqa: ARG002
        """A message of more than `limit` octets. announced: by SIZE; else it came."""
        return SmtpReply.of(f"552 5.3.4 Message size exceeds fixed maximum message size ({limit})")

    @abstractmethod
    def ok(self) -> SmtpReply: ...
    @abstractmethod
    def reset(self) -> SmtpReply: ...

    # Accepted commands

    @abstractmethod
    def sender_ok(self, path: str) -> SmtpReply: ...
    @abstractmethod
    def recipient_ok(self, path: str, *, waits: bool = False) -> SmtpReply:
        """waits: nobody could say yet where it goes."""

    def go_ahead(self) -> SmtpReply:
        """The answer to DATA."""
        return SmtpReply.of("354 End data with <CR><LF>.<CR><LF>")

    @abstractmethod
    def accepted(self, queue_id: str) -> SmtpReply: ...

    # Out of order, or not understood

    @abstractmethod
    def nested_mail(self) -> SmtpReply: ...
    @abstractmethod
    def rcpt_without_mail(self) -> SmtpReply: ...
    @abstractmethod
    def data_without_mail(self) -> SmtpReply: ...
    @abstractmethod
    def data_without_rcpt(self, refused: bool) -> SmtpReply: ...
    @abstractmethod
    def unknown(self, line: bytes) -> SmtpReply: ...
    @abstractmethod
    def bad_argument(self, verb: str, argument: str) -> SmtpReply: ...
    @abstractmethod
    def bad_address(self, path: str, code: str, text: str) -> SmtpReply: ...

    # Filters

    @abstractmethod
    def tempfail(self) -> SmtpReply: ...
    @abstractmethod
    def refused_session(self) -> SmtpReply:
        """The reply to each command of a session that was refused as a whole."""

    @abstractmethod
    def rejected(self, path: str | None, *, after_data: bool) -> SmtpReply:
        """A plain REJECT. path: at MAIL and RCPT the path in question."""

    @abstractmethod
    def filter_text(self, text: bytes, path: str | None) -> SmtpReply:
        """A REPLYCODE with its text."""

    def refusal(
        self, answer: MilterAnswer, path: str | None = None, *, after_data: bool = False
    ) -> SmtpReply:
        """The reply to a command that the filters refused."""
        match answer.kind:
            case AnswerKind.REPLY:
                return self.filter_text(answer.text, path)
            case AnswerKind.REJECT:
                return self.rejected(path, after_data=after_data)
            case AnswerKind.CLOSE:
                return self.closing_command() if path is not None else self.closing()
            case AnswerKind.MISCONFIGURED:
                return SmtpReply.of("451 4.3.5 Server configuration problem - try again later")
        return self.tempfail()
