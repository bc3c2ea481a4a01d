"""Handing one message to an MTA by SMTP, and its answer for every recipient.

Every octet goes out as it is stored; only dots at line starts are doubled, which the MTA undoes
(RFC 5321 §4.5.2). A dot behind a bare LF is doubled as well: an MTA that takes a bare LF for a line
end must not see the end of the message there. A message without a line end at its end gets one,
for SMTP cannot say it otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from filterd.smtp.client import END_OF_DATA, ServerReply, SmtpClient, SmtpError, stuffed

_QUEUED_AS = re.compile(r"queued as ([0-9A-Za-z._-]+)", re.IGNORECASE)
_ACCEPTED = re.compile(r"(?<![0-9A-Za-z._-])([0-9A-Za-z._-]++) Message accepted", re.IGNORECASE)

NO_ADDRESS = "an address that SMTP cannot transmit"
CONNECT_LIMIT = 30.0
"""Seconds for the connection; an MTA that is up takes one at once."""

ROUNDS = 5
"""Transactions that are begun for one message, each without the recipients that the MTA refused in
the one before; an MTA that means what it says needs two."""

EnvelopeId = Callable[[Sequence[str]], str]
"""Makes the value of ENVID for a message to these recipients; `""` for none."""


def _no_envelope_id(_recipients: Sequence[str]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """What became of one recipient.

    outcome: `sent`, `later` (temporary; try again), `refused` (never), or `unknown`: the whole
    message was sent and the MTA did not say whether it accepted it. reply: the MTA's words, or the
    trouble. reached: False where there was no connection, so that others would have none either.
    """

    outcome: Literal["sent", "later", "refused", "unknown"]
    reply: str
    queue_id: str = ""
    reached: bool = True


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. timeout: seconds for one reply."""

    host: str
    port: int
    timeout: float


class _Ended(Exception):  # noqa: N818  (not an error: the end of one transaction)
    def __init__(self, result: SubmissionResult) -> None:
        self.result = result


def submit(
    server: Server,
    sender: str,
    recipients: Sequence[str],
    data: bytes,
    envelope_id: EnvelopeId = _no_envelope_id,
) -> dict[str, SubmissionResult]:
    """Send a message; return what became of each recipient. Raises nothing that an MTA causes.

    envelope_id: makes the value of ENVID for some recipients, sent where the MTA offers DSN (RFC
    3461). Where the MTA refuses some of them, the transaction begins again with the others.
    """
    if not _is_sendable(sender):
        return dict.fromkeys(recipients, SubmissionResult("refused", NO_ADDRESS))
    results: dict[str, SubmissionResult] = {}
    try:
        client = SmtpClient(
            server.host,
            server.port,
            connect_timeout=min(server.timeout, CONNECT_LIMIT),
            reply_timeout=server.timeout,
        )
    except SmtpError as error:
        return dict.fromkeys(recipients, SubmissionResult("later", str(error), reached=False))
    try:
        try:
            _transact(client, sender, recipients, data, envelope_id, results)
        except _Ended as end:
            results |= {r: end.result for r in recipients if r not in results}
        finally:
            client.quit()
    except SmtpError as error:
        # Whatever is not settled yet was not sent whole: it may be tried again.
        trouble = SubmissionResult("later", str(error))
        results |= {r: trouble for r in recipients if r not in results}
    return results


def _transact(
    client: SmtpClient,
    sender: str,
    recipients: Sequence[str],
    data: bytes,
    envelope_id: EnvelopeId,
    results: dict[str, SubmissionResult],
) -> None:
    """One mail transaction; fills in the results. Raises _Ended where one reply settles the rest,
    SmtpError."""
    _expect(client.greeting, 220)
    _expect(client.ehlo(), 250)
    results |= {
        r: SubmissionResult("refused", NO_ADDRESS) for r in recipients if not _is_sendable(r)
    }
    accepted = [r for r in recipients if r not in results]
    for _round in range(ROUNDS):
        wanted = accepted
        parameters = _parameters(client, data, envelope_id(wanted), [sender, *wanted])
        _expect(client.command(b"MAIL FROM:<" + _octets(sender) + b">" + parameters), 250)
        accepted = _recipients(client, wanted, results)
        if not accepted:
            return
        if accepted == wanted or b" ENVID=" not in parameters:
            _expect(client.command(b"DATA"), 354)
            results |= dict.fromkeys(accepted, _send(client, data))
            return
        # The envelope identifier names the recipients, so it is another one now.
        _expect(client.command(b"RSET"), 250)
    raise _Ended(SubmissionResult("later", "the MTA accepts other recipients each time"))


def _recipients(
    client: SmtpClient, recipients: Sequence[str], results: dict[str, SubmissionResult]
) -> list[str]:
    """Name the recipients; those that the MTA accepts. The others get their result."""
    accepted = []
    for recipient in recipients:
        reply = client.command(b"RCPT TO:<" + _octets(recipient) + b">")
        if reply.code in (250, 251):
            accepted.append(recipient)
        else:
            results[recipient] = _result(reply)
    return accepted


def _send(client: SmtpClient, data: bytes) -> SubmissionResult:
    octets = stuffed(data or b"\r\n")
    try:
        client.send(octets[: -len(END_OF_DATA)])
        # Until the last octet is out, the MTA cannot have taken the message.
        client.send(END_OF_DATA)
    except SmtpError as error:
        return SubmissionResult("later", str(error))
    try:
        return _result(client.reply())
    except SmtpError as error:
        return SubmissionResult("unknown", f"no answer after the final dot ({error})")


def _parameters(
    client: SmtpClient, data: bytes, envelope_id: str, addresses: Sequence[str]
) -> bytes:
    words = b""
    if not data.isascii() and client.offers("8BITMIME"):
        words += b" BODY=8BITMIME"
    if not all(address.isascii() for address in addresses) and client.offers("SMTPUTF8"):
        words += b" SMTPUTF8"
    if envelope_id and client.offers("DSN"):
        words += b" ENVID=" + envelope_id.encode("ascii")
    return words


def _is_sendable(address: str) -> bool:
    """False for what would break the command's line."""
    return not set(address) & set("\r\n\0<>")


def _octets(address: str) -> bytes:
    return address.encode("utf-8", "surrogateescape")


def _expect(reply: ServerReply, code: int) -> None:
    if reply.code != code:
        raise _Ended(_result(reply))


def _result(reply: ServerReply) -> SubmissionResult:
    words = reply.words
    shown = f"{reply.code} {words}"
    if 200 <= reply.code < 300:
        found = _QUEUED_AS.search(words) or _ACCEPTED.search(words)
        return SubmissionResult("sent", shown, found[1] if found else "")
    return SubmissionResult("refused" if reply.code >= 500 else "later", shown)
