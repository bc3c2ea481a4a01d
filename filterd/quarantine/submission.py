"""Handing one message to an MTA by SMTP, and its word on every recipient.

Every octet goes out as it is stored; only dots at line starts are doubled, which the MTA undoes
(RFC 5321 §4.5.2). A dot behind a bare LF is doubled as well: an MTA that takes a bare LF for a line
end must not see the end of the message there. A message without a line end at its end gets one,
for SMTP cannot say it otherwise.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

_DOT = re.compile(rb"(^|\n)\.")
_QUEUED_AS = re.compile(r"queued as ([0-9A-Za-z._-]+)", re.IGNORECASE)
_ACCEPTED = re.compile(r"(?<![0-9A-Za-z._-])([0-9A-Za-z._-]++) Message accepted", re.IGNORECASE)

NO_ADDRESS = "an address that SMTP cannot transmit"
CONNECT_LIMIT = 30.0
"""Seconds for the connection; an MTA that is up takes one at once."""

QUIT_LIMIT = 5.0
"""Seconds for the answer to QUIT."""


ROUNDS = 5
"""Transactions that are begun for one message, each without the recipients that the MTA refused in
the one before; an MTA that means what it says needs two."""

EnvelopeId = Callable[[Sequence[str]], str]
"""Makes the value of ENVID for a message to these recipients; `""` for none."""


def _no_envelope_id(_recipients: Sequence[str]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one recipient.

    outcome: `sent`, `later` (temporary; try again), `refused` (never), or `unknown`: the message
    was sent whole and nobody said whether it was taken. reply: the MTA's words, or the trouble.
    """

    outcome: Literal["sent", "later", "refused", "unknown"]
    reply: str
    queue_id: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in. timeout: seconds for one reply."""

    host: str
    port: int
    timeout: float


class _Ended(Exception):  # noqa: N818  (not an error: the end of one transaction)
    def __init__(self, result: Result) -> None:
        self.result = result


def submit(
    server: Server,
    sender: str,
    recipients: Sequence[str],
    data: bytes,
    envelope_id: EnvelopeId = _no_envelope_id,
) -> dict[str, Result]:
    """Send a message; return what became of each recipient. Raises nothing that an MTA causes.

    envelope_id: makes the value of ENVID for some recipients, sent where the MTA offers DSN (RFC
    3461). Where the MTA refuses some of them, the transaction begins anew with the others.
    """
    if not _is_sendable(sender):
        return dict.fromkeys(recipients, Result("refused", NO_ADDRESS))
    results: dict[str, Result] = {}
    try:
        with smtplib.SMTP(timeout=min(server.timeout, CONNECT_LIMIT)) as client:
            try:
                _transact(client, server, sender, recipients, data, envelope_id, results)
            except _Ended as end:
                results |= {r: end.result for r in recipients if r not in results}
            if client.sock is not None:
                # Everything is settled; the answer to QUIT is not worth a long wait.
                client.sock.settimeout(min(server.timeout, QUIT_LIMIT))
    except (OSError, smtplib.SMTPException) as error:
        # Whatever is not settled yet was not sent whole: it may be tried again.
        trouble = Result("later", _words(error))
        results |= {r: trouble for r in recipients if r not in results}
    return results


def _transact(
    client: smtplib.SMTP,
    server: Server,
    sender: str,
    recipients: Sequence[str],
    data: bytes,
    envelope_id: EnvelopeId,
    results: dict[str, Result],
) -> None:
    """One mail transaction; fills in the results. Raises _Ended where one reply settles the rest,
    OSError and SMTPException for trouble with the connection."""
    _expect(client.connect(server.host, server.port), 220)
    assert client.sock is not None
    client.sock.settimeout(server.timeout)
    _expect(client.ehlo(), 250)
    results |= {r: Result("refused", NO_ADDRESS) for r in recipients if not _is_sendable(r)}
    accepted = [r for r in recipients if r not in results]
    for _round in range(ROUNDS):
        wanted = accepted
        parameters = _parameters(client, data, envelope_id(wanted), [sender, *wanted])
        _expect(_say(client, b"MAIL FROM:<" + _octets(sender) + b">" + parameters), 250)
        accepted = _recipients(client, wanted, results)
        if not accepted:
            return
        if accepted == wanted or b" ENVID=" not in parameters:
            _expect(_say(client, b"DATA"), 354)
            results |= dict.fromkeys(accepted, _send(client, data))
            return
        # The envelope identifier names the recipients, so it is another one now.
        _expect(_say(client, b"RSET"), 250)
    raise _Ended(Result("later", "the MTA accepts other recipients each time"))


def _recipients(
    client: smtplib.SMTP, recipients: Sequence[str], results: dict[str, Result]
) -> list[str]:
    """Name the recipients; those that the MTA accepts. The others get their result."""
    accepted = []
    for recipient in recipients:
        code, text = _say(client, b"RCPT TO:<" + _octets(recipient) + b">")
        if code in (250, 251):
            accepted.append(recipient)
        else:
            results[recipient] = _result(code, text)
    return accepted


def _send(client: smtplib.SMTP, data: bytes) -> Result:
    stuffed = _DOT.sub(rb"\1..", data)
    if not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    try:
        client.send(stuffed)
        # Until the last octet is out, the MTA cannot have taken the message.
        client.send(b".\r\n")
    except (OSError, smtplib.SMTPException) as error:
        return Result("later", _words(error))
    try:
        code, text = client.getreply()
    except (OSError, smtplib.SMTPException) as error:
        return Result("unknown", f"no answer after the final dot ({_words(error)})")
    return _result(code, text)


def _parameters(
    client: smtplib.SMTP, data: bytes, envelope_id: str, addresses: Sequence[str]
) -> bytes:
    words = b""
    if not data.isascii() and client.has_extn("8bitmime"):
        words += b" BODY=8BITMIME"
    if not all(address.isascii() for address in addresses) and client.has_extn("smtputf8"):
        words += b" SMTPUTF8"
    if envelope_id and client.has_extn("dsn"):
        words += b" ENVID=" + envelope_id.encode("ascii")
    return words


def _is_sendable(address: str) -> bool:
    """False for what would break the command's line."""
    return not set(address) & set("\r\n\0<>")


def _octets(address: str) -> bytes:
    return address.encode("utf-8", "surrogateescape")


def _say(client: smtplib.SMTP, line: bytes) -> tuple[int, bytes]:
    client.send(line + b"\r\n")
    return client.getreply()


def _expect(reply: tuple[int, bytes], code: int) -> None:
    if reply[0] != code:
        raise _Ended(_result(*reply))


def _result(code: int, text: bytes) -> Result:
    words = " ".join(text.decode("utf-8", "replace").split())
    reply = f"{code} {words}"
    if 200 <= code < 300:
        found = _QUEUED_AS.search(words) or _ACCEPTED.search(words)
        return Result("sent", reply, found[1] if found else "")
    # A code that is none (-1: the MTA spoke no SMTP) is trouble that may pass.
    return Result("refused" if 500 <= code < 600 else "later", reply)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
