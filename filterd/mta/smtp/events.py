"""What a client does in an SMTP session, as values. `SmtpSession` returns them to be settled."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.mta.mail.draft import EnvelopePath


@dataclass(frozen=True, slots=True)
class Connected:
    """The client has connected; there was no greeting yet."""


@dataclass(frozen=True, slots=True)
class HeloCommand:
    """HELO, or with `extended` EHLO. is_name: the name is one; if not, it is taken and ignored."""

    name: str
    extended: bool
    is_name: bool = True


@dataclass(frozen=True, slots=True)
class MailCommand:
    """MAIL."""

    path: EnvelopePath


@dataclass(frozen=True, slots=True)
class RcptCommand:
    """RCPT."""

    path: EnvelopePath


@dataclass(frozen=True, slots=True)
class DataCommand:
    """DATA, before the 354."""


@dataclass(frozen=True, slots=True)
class MessageData:
    """The whole message, LF line ends, dot-stuffing undone."""

    data: bytes


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A message was over the size limit and was dropped."""


@dataclass(frozen=True, slots=True)
class Reset:
    """RSET: the transaction is aborted."""


@dataclass(frozen=True, slots=True)
class UnknownCommand:
    """A command that the server does not know. line: the whole of it."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Verify:
    """VRFY or EXPN."""

    argument: str
    expand: bool


@dataclass(frozen=True, slots=True)
class RunQueue:
    """ETRN (RFC 1985): run the queue now."""

    node: str


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS (RFC 3207)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """AUTH: user and password, not yet checked."""

    mechanism: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT."""


Event = (
    Connected
    | HeloCommand
    | MailCommand
    | RcptCommand
    | DataCommand
    | MessageData
    | TooLarge
    | Reset
    | UnknownCommand
    | Verify
    | StartTls
    | Credentials
    | RunQueue
    | Quit
)
