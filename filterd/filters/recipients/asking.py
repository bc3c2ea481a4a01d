"""Whom to ask for a recipient: a program, or a server by MAIL and RCPT (call-ahead).

Both answer known or unknown; anything else is a failure, an OSError: a recipient must not be
refused because its server is busy.
Sources: sysexits(3); RFC 5321 §4.1.1.3, RFC 3463 §3.2 (X.1.x is about addresses), RFC 6531 §3.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from filterd.filters.recipients.settings import RecipientServer, ServerAddress
from filterd.message.address import Mailbox
from filterd.scanners.processes import Limits, run
from filterd.smtp.client import ServerReply, SmtpClient, SmtpError

KNOWN_STATUS, UNKNOWN_STATUS = 0, 67
"""Exit statuses of the program: EX_OK, EX_NOUSER."""

UNKNOWN_CODES = (550, 551, 553)
"""SMTP's codes for a mailbox that does not exist, elsewhere or is misspelled."""

OF_THE_SENDER = ("7", "8")
"""Details of X.1.x that are about the sender's address, which some servers judge only at RCPT."""

_SHOWN = 200
"""Characters of an answer that an error quotes."""


class AskingError(OSError):
    """Nobody could say whether a recipient is known; why."""


def ask_program(command: Sequence[str], address: str, seconds: float) -> bool:
    """Whether a program knows the address, which it reads from its standard input. Raises
    AskingError."""
    try:
        line = f"{address}\n".encode("utf-8", "surrogateescape")
        done = run(command, line, Limits(seconds=seconds, cpu=max(int(seconds), 1), disk=1))
    except OSError as error:
        raise AskingError(f"{command[0]}: {error.strerror or error}") from error
    if done.stopped:
        raise AskingError(f"{command[0]} {done.stopped}")
    if done.status in (KNOWN_STATUS, UNKNOWN_STATUS):
        return done.status == KNOWN_STATUS
    said = " ".join(done.output.split())[:_SHOWN]
    raise AskingError(f"{command[0]} ended with status {done.status}: {said}")


def ask_server(settings: RecipientServer, mailbox: Mailbox, helo: str, seconds: float) -> bool:
    """Whether a server knows a mailbox. helo: our name. Raises AskingError."""
    address = ServerAddress.parse(settings.server)
    seconds = min(settings.seconds, seconds)
    if seconds <= 0:
        raise AskingError(f"{address}: no time was left to ask it")
    try:
        client = SmtpClient(
            address.host,
            address.port,
            connect_timeout=seconds,
            reply_timeout=seconds,
            helo=helo,
            lmtp=address.protocol == "lmtp",
        )
        try:
            with client.within(seconds):
                return _asked(client, settings.sender, mailbox)
        finally:
            client.quit()
    except SmtpError as error:
        raise AskingError(f"{address}: {error}") from None


def _asked(client: SmtpClient, sender: str, mailbox: Mailbox) -> bool:
    if client.greeting.code != 220:
        raise SmtpError(client.greeting.text[:_SHOWN])
    _expect(client.ehlo())
    recipient = _written(mailbox)
    parameter = ""
    if not recipient.isascii():
        if not client.offers("SMTPUTF8"):
            return False  # it has no mailbox of such a name
        parameter = " SMTPUTF8"
    _expect(client.command(f"MAIL FROM:<{sender}>{parameter}"))
    reply = client.command(f"RCPT TO:<{recipient}>")
    if reply.code // 100 == 2:
        return True
    if is_unknown(reply):
        return False
    raise SmtpError(f"says neither known nor unknown: {reply.text[:_SHOWN]}")


def _expect(reply: ServerReply) -> None:
    if reply.code != 250:
        raise SmtpError(reply.text[:_SHOWN])


def is_unknown(reply: ServerReply) -> bool:
    """True for a reply to RCPT that says that there is nobody of that name. Others of class 5 are
    about policy, size, the client."""
    if reply.code not in UNKNOWN_CODES:
        return False
    words = reply.words.split(maxsplit=1)
    enhanced = words[0].split(".") if words else []
    has_none = len(enhanced) != 3 or not all(part.isdigit() for part in enhanced)
    return has_none or (enhanced[:2] == ["5", "1"] and enhanced[2] not in OF_THE_SENDER)


def _written(mailbox: Mailbox) -> str:
    """The mailbox as SMTP writes it: the local part quoted where it must be, A-labels."""
    local = str(Mailbox(mailbox.local, ""))
    return f"{local}@{mailbox.domain}"
