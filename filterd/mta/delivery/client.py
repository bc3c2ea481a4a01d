"""Stored mail sent by SMTP: byte for byte, over several connections.

What a stored message is on the wire: line ends CRLF, dots at the beginning of a line doubled, the
last line ended. A lone CR or LF inside a message cannot be sent (RFC 5321 §2.3.8) and becomes CRLF,
which the result says; a file with plain LF line ends throughout is just a stored message.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from filterd.smtp.client import ServerReply, SmtpClient, SmtpError, stuffed

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BARE_CR = re.compile(rb"\r(?!\n)")

REPLY_TIMEOUT = 600.0
"""Seconds for one reply, as long as a server may take for its word on a whole message (RFC 5321
§4.5.3.2.6)."""


EHLO, HELO, LHLO = "EHLO", "HELO", "LHLO"
"""How a server is greeted: as one with extensions, as one that may have none, and by LMTP (RFC 2033
§4.1)."""

UNKNOWN_COMMAND = frozenset({500, 501, 502, 503, 504})
"""Replies to EHLO of a server that knows HELO only."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one message.

    code, reply: the last reply, 0 and why where there was no reply. stage: the command that it
    answers (`connect`, `mail`, `rcpt`, `data`, `message`). refused: recipients that were refused,
    each with its reply. normalised: lone CRs or LFs were made CRLF. seconds: from MAIL to the last
    reply.
    """

    name: str
    code: int
    reply: str
    stage: str
    size: int
    seconds: float
    refused: tuple[tuple[str, str], ...] = ()
    normalised: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the server has accepted the whole message."""
        return self.stage == "message" and 200 <= self.code < 300


def wire_form(data: bytes) -> tuple[bytes, bool]:
    """The message with CRLF line ends, and whether lone CRs or LFs were converted."""
    normalised = bool(_BARE_CR.search(data))
    if not normalised and b"\r\n" in data:
        normalised = data.count(b"\n") != data.count(b"\r\n")
    wire = _LINE_END.sub(b"\r\n", data)
    return (wire if not wire or wire.endswith(b"\r\n") else wire + b"\r\n"), normalised


def transact(
    client: SmtpClient, name: str, data: bytes, sender: str, recipients: Sequence[str]
) -> SendResult:
    """One mail transaction; one that was refused is reset. Raises SmtpError."""
    wire, normalised = wire_form(data)
    started = time.monotonic()
    refused: list[tuple[str, str]] = []

    def result(stage: str, reply: ServerReply) -> SendResult:
        seconds = round(time.monotonic() - started, 6)
        return SendResult(
            name, reply.code, reply.text, stage, len(wire), seconds, tuple(refused), normalised
        )

    reply = client.command(f"MAIL FROM:<{sender}>")
    if reply.code != 250:
        return result("mail", reply)
    for recipient in recipients:
        reply = client.command(f"RCPT TO:<{recipient}>")
        if reply.code not in (250, 251):
            refused.append((recipient, reply.text))
    if len(refused) == len(recipients):
        client.command("RSET")
        return result("rcpt", reply)
    reply = client.command("DATA")
    if reply.code != 354:
        client.command("RSET")
        return result("data", reply)
    client.send(stuffed(wire))
    return result("message", client.reply())


def connected(
    host: str,
    port: int,
    helo: str,
    timeout: float,
    sources: Sequence[tuple[str, int]] = (),
    *,
    naming: Callable[[str], str] | None = None,
    hello: str = EHLO,
    peer: socket.socket | None = None,
) -> SmtpClient:
    """A connection that is ready for a transaction, after so many seconds. Raises SmtpError.

    host: may be the path of a unix socket. sources: see `SmtpClient`. naming: our name by the
    address of this end, "" for helo. hello: how the server is greeted, EHLO, HELO or LHLO. peer: an
    open connection. A server that does not know EHLO is greeted with HELO (RFC 5321 §3.2), one that
    says ESMTP always with EHLO.
    """
    where = host if host.startswith("/") or peer is not None else f"{host} port {port}"
    deadline = time.monotonic() + timeout
    try:
        client = SmtpClient(
            host,
            port,
            helo=helo,
            connect_timeout=timeout,
            reply_timeout=REPLY_TIMEOUT,
            sources=sources,
            lmtp=hello == LHLO,
            peer=peer,
        )
        reply, expected = client.greeting, 220
        if reply.code == expected:
            if naming is not None and (name := naming(client.own_address)):
                client.call_us(name)
            with client.within(deadline - time.monotonic()):
                reply, expected = _greeted(client, hello), 250
    except SmtpError as error:
        raise SmtpError(f"{where}: {error}") from None
    if reply.code != expected:
        client.close()
        raise SmtpError(reply.text)
    return client


def _greeted(client: SmtpClient, hello: str) -> ServerReply:
    if hello != HELO or "ESMTP" in client.greeting.words.upper():
        reply = client.ehlo()
        if reply.code not in UNKNOWN_COMMAND or hello == LHLO:
            return reply
    return client.helo()


async def send_all(
    messages: Iterable[tuple[str, bytes]],
    on_result: Callable[[SendResult], None],
    *,
    host: str,
    port: int,
    sender: str,
    recipients: Sequence[str],
    helo: str = "client.example",
    connections: int = 1,
    timeout: float = 600.0,
) -> None:
    """Send messages (name, data), shared out over several connections.

    on_result is called once for each, in the order in which they end. A message that the server
    broke off is reported with code 0, and the next message gets a new connection. timeout: seconds
    for one message.
    """
    source = iter(messages)
    with ThreadPoolExecutor(connections, "smtp") as pool:
        await asyncio.gather(
            *(
                _Sender(pool, host, port, helo, timeout).work(source, on_result, sender, recipients)
                for _ in range(connections)
            )
        )


class _Sender:
    """One of the connections; what blocks is done in the pool."""

    def __init__(
        self, pool: ThreadPoolExecutor, host: str, port: int, helo: str, timeout: float
    ) -> None:
        self._pool = pool
        self._address = host, port
        self._helo = helo
        self._timeout = timeout
        self._client: SmtpClient | None = None
        self._is_over = False

    async def work(
        self,
        source: Iterator[tuple[str, bytes]],
        on_result: Callable[[SendResult], None],
        sender: str,
        recipients: Sequence[str],
    ) -> None:
        """Send what the source has, until it is empty."""
        loop = asyncio.get_running_loop()
        try:
            for name, data in source:
                on_result(
                    await loop.run_in_executor(
                        self._pool, self._send, name, data, sender, recipients
                    )
                )
            if self._client is not None:
                await loop.run_in_executor(self._pool, self._client.quit)
        finally:
            # After giving up, do not wait for a server that is silent.
            self._is_over = True
            if self._client is not None:
                self._client.close()

    def _send(self, name: str, data: bytes, sender: str, recipients: Sequence[str]) -> SendResult:
        """In a thread of the pool: one message, over a new connection if there is none."""
        stage = "connect"
        try:
            if self._client is None:
                self._client = connected(*self._address, self._helo, self._timeout)
            if self._is_over:
                raise SmtpError("given up")
            stage = "message"
            with self._client.within(self._timeout):
                result = transact(self._client, name, data, sender, recipients)
        except SmtpError as error:
            result = SendResult(name, 0, str(error), stage, len(data), 0.0)
        if result.code in (0, 421) and self._client is not None:
            self._client.close()
            self._client = None
        return result
