"""One message over one connection, by SMTP or by LMTP.

LMTP (RFC 2033) answers after the message once for each recipient that it accepted: each of them
may be served, refused, or put off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from filterd.mta.delivery.refusals import refusal
from filterd.mta.delivery.router import DeliveryError
from filterd.smtp.client import ServerReply, SmtpClient, SmtpError, stuffed

CONNECT_TIMEOUT = 60.0
"""Seconds for a connection and its greeting, RFC 5321 §4.5.3.2.1 allows 300."""

SEND_TIMEOUT = 600.0
"""Seconds for one message, the wait after the final dot (RFC 5321 §4.5.3.2.6) included."""

Result = str | DeliveryError
"""What became of one recipient: the place it went to, for the log, or why it did not."""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """An envelope and its message as they go over the wire. sender: "" for the null reverse-path.

    message: LF line ends. path: what stands in front of the sender, for mailers with the flag `p`.
    body: what the body is, `8BITMIME`, where the server wants to know. dsn: parameters of RFC 3461
    for a server that knows them, of the sender and of each recipient. for_seven: makes the message
    for a server without 8BITMIME, None if that one gets it as it is.
    """

    sender: str
    recipients: tuple[str, ...]
    message: bytes
    path: str = ""
    body: str = ""
    dsn: tuple[str, tuple[str, ...]] = ("", ())
    for_seven: Callable[[], bytes] | None = None


def conversation(
    connect: Callable[[], SmtpClient],
    host: str,
    mail: OutgoingMail,
    wired: Callable[[bytes], bytes],
    *,
    lmtp: bool = False,
) -> list[Result]:
    """One message over a connection of its own. What became of each recipient, in order.

    connect: makes the connection, or raises SmtpError. host: its name, for the log. wired: the
    message with CRLF line ends, and its lines as long as they may be. Raises DeliveryError if all
    recipients share a failure.
    """
    try:
        client = connect()
    except SmtpError as error:
        raise DeliveryError(str(error), temporary=True, code="4.4.1") from None
    try:
        with client.within(SEND_TIMEOUT):
            seven = None if client.offers("8BITMIME") else mail.for_seven
            wire = wired(mail.message if seven is None else seven())
            return _transaction(client, host, mail, wire, lmtp=lmtp)
    except SmtpError as error:
        raise DeliveryError(f"{host}: {error}", temporary=True, code="4.4.2") from None
    finally:
        client.quit()


def _transaction(
    client: SmtpClient, host: str, mail: OutgoingMail, wire: bytes, *, lmtp: bool
) -> list[Result]:
    """Raises SmtpError where the connection failed before the server could take the message for
    anybody."""
    sender = f"{mail.path}{mail.sender}" if mail.sender else ""
    reply = client.command(f"MAIL FROM:<{sender}>{_parameters(client, mail, wire)}")
    if not _is_good(reply):
        raise refusal(client, host, reply, "MAIL")
    notices = mail.dsn[1] if client.offers("DSN") and mail.dsn[1] else ("",) * len(mail.recipients)
    replies = [
        client.command(f"RCPT TO:<{one}>{notice}")
        for one, notice in zip(mail.recipients, notices, strict=True)
    ]
    results: list[Result] = [
        host if one.code in (250, 251) else refusal(client, host, one, "RCPT") for one in replies
    ]
    if not any(isinstance(one, str) for one in results):
        client.command("RSET")
        return results
    last = client.command("DATA")
    if last.code != 354:
        client.command("RSET")
        final: Result = refusal(client, host, last, "DATA")
    else:
        client.send(stuffed(wire))
        if lmtp:
            return [_final(client, host) if isinstance(one, str) else one for one in results]
        final = _result(client, host, client.reply())
    return [final if isinstance(one, str) else one for one in results]


def _final(client: SmtpClient, host: str) -> Result:
    """The reply for the next recipient. What was said of those before it stays if the connection
    breaks."""
    try:
        return _result(client, host, client.reply())
    except SmtpError as error:
        return DeliveryError(f"{host}: {error}", temporary=True, code="4.4.2")


def _parameters(client: SmtpClient, mail: OutgoingMail, wire: bytes) -> str:
    """What MAIL says of the message, where the server knows such words."""
    size = f" SIZE={len(wire)}" if client.offers("SIZE") else ""
    body = f" BODY={mail.body}" if mail.body and client.offers("8BITMIME") else ""
    return size + body + (mail.dsn[0] if client.offers("DSN") else "")


def _is_good(reply: ServerReply) -> bool:
    return 200 <= reply.code < 300


def _result(client: SmtpClient, host: str, reply: ServerReply) -> Result:
    """What the reply to a whole message says."""
    if _is_good(reply):
        return f"{host} ({reply.text})"
    return refusal(client, host, reply, "")
