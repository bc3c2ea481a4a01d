"""One message over one connection, by SMTP or by LMTP.

LMTP (RFC 2033) answers after the message once for each recipient that it accepted: each of them
may be served, refused, or put off.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from filterd.mta.delivery.refusals import refusal
from filterd.mta.delivery.router import DeliveryError, DeliveryPlace
from filterd.mta.mail.deliver_by import DeliverBy
from filterd.smtp.client import ServerReply, SmtpClient, SmtpError, stuffed

CONNECT_TIMEOUT = 60.0
"""Seconds for a connection and its greeting, RFC 5321 §4.5.3.2.1 allows 300."""

SEND_TIMEOUT = 600.0
"""Seconds for one message, the wait after the final dot (RFC 5321 §4.5.3.2.6) included."""

EXTENSIONS = ("DSN", "DELIVERBY")
"""Extensions of the next server that decide what the sender hears from this one."""

Result = DeliveryPlace | DeliveryError
"""What became of one recipient: the place it went to, for the log, or why it did not."""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """An envelope and its message as they go over the wire. sender: "" for the null reverse-path.

    message: LF line ends. path: what stands in front of the sender, for mailers with the flag `p`.
    body: what the body is, `8BITMIME`, where the server wants to know. dsn: parameters of RFC 3461
    for a server that knows them, of the sender and of each recipient. for_seven: makes the message
    for a server without 8BITMIME, None if that one gets it as it is. by: when it must be delivered,
    counted from arrived (seconds since the epoch).
    """

    sender: str
    recipients: tuple[str, ...]
    message: bytes
    path: str = ""
    body: str = ""
    dsn: tuple[str, tuple[str, ...]] = ("", ())
    for_seven: Callable[[], bytes] | None = None
    by: DeliverBy | None = None
    arrived: float = 0.0


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
            _check_time(client, mail)
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
    notices = _notices(client, mail)
    replies = [
        client.command(f"RCPT TO:<{one}>{notice}")
        for one, notice in zip(mail.recipients, notices, strict=True)
    ]
    results: list[Result] = [
        DeliveryPlace(host) if one.code in (250, 251) else refusal(client, host, one, "RCPT")
        for one in replies
    ]
    if not any(isinstance(one, DeliveryPlace) for one in results):
        client.command("RSET")
        return results
    last = client.command("DATA")
    if last.code != 354:
        client.command("RSET")
        final: Result = refusal(client, host, last, "DATA")
    else:
        client.send(stuffed(wire))
        if lmtp:
            return [
                _final(client, host) if isinstance(one, DeliveryPlace) else one for one in results
            ]
        final = _result(client, host, client.reply())
    return [final if isinstance(one, DeliveryPlace) else one for one in results]


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
    dsn = mail.dsn[0] if client.offers("DSN") else ""
    by = ""
    if mail.by is not None and client.offers("DELIVERBY"):
        by = f" {mail.by.parameter(time.time() - mail.arrived)}"
    return size + body + dsn + by


def _check_time(client: SmtpClient, mail: OutgoingMail) -> None:
    """Mail that must come back if it is late goes only to a server that knows of it, and can be in
    time (RFC 2852 §4.1.4.1). Raises DeliveryError."""
    if mail.by is None or not mail.by.returns:
        return
    left = mail.by.left(time.time() - mail.arrived)
    shortest = client.argument("DELIVERBY")
    least = int(shortest) if shortest.isdecimal() and len(shortest) < 12 else 0
    if not client.offers("DELIVERBY"):
        text = "Server does not support Deliver By"
    elif left <= 0 or left < least:
        text = f"Message can't be delivered in time; {left} < {max(least, 1)}"
    else:
        return
    raise DeliveryError(text, temporary=False, code="5.4.7")


def _notices(client: SmtpClient, mail: OutgoingMail) -> tuple[str, ...]:
    """The parameters of each recipient, for a server that knows them."""
    if not client.offers("DSN"):
        return ("",) * len(mail.recipients)
    given = mail.dsn[1] or ("",) * len(mail.recipients)
    if mail.by is None or mail.by.returns or client.offers("DELIVERBY"):
        return given
    # RFC 2852 §4.1.4.2: that mail is late is told by the server that has it.
    return tuple(map(_with_delay, given))


def _with_delay(parameters: str) -> str:
    """The parameters with DELAY in NOTIFY, unless that is NEVER."""
    found = re.search(r"(?i)(?<= NOTIFY=)\S+", parameters)
    if found is None:
        return f" NOTIFY=FAILURE,DELAY{parameters}"
    words = found[0].upper().split(",")
    if "NEVER" in words or "DELAY" in words:
        return parameters
    return f"{parameters[: found.end()]},DELAY{parameters[found.end() :]}"


def _is_good(reply: ServerReply) -> bool:
    return 200 <= reply.code < 300


def _result(client: SmtpClient, host: str, reply: ServerReply) -> Result:
    """What the reply to a whole message says."""
    if _is_good(reply):
        offered = frozenset(filter(client.offers, EXTENSIONS))
        return DeliveryPlace.to(f"{host} ({reply.text})", offered)
    return refusal(client, host, reply, "")
