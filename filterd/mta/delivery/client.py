"""An SMTP client that submits stored mail: byte for byte, over several connections.

What a stored message is on the wire: line ends CRLF, dots at the beginning of a line doubled, the
last line ended. A lone CR or LF inside a message cannot be sent (RFC 5321 §2.3.8) and becomes CRLF,
which the result says; a file with plain LF line ends throughout is just a stored message.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BARE_CR = re.compile(rb"\r(?!\n)")

REPLY_LIMIT = 1 << 20
"""Octets of one reply that are read: a server that says more is broken."""


class SendError(Exception):
    """The server cannot be talked to. The text says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message.

    code, reply: the last reply, 0 and why where there was none. stage: the command that it answers
    (`connect`, `mail`, `rcpt`, `data`, `message`). refused: recipients that were refused, each with
    its reply. normalised: lone CRs or LFs were made CRLF. seconds: from MAIL to the last reply.
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
        return self.stage == "message" and 200 <= self.code < 300


def wire_form(data: bytes) -> tuple[bytes, bool]:
    """The message with CRLF line ends, and whether lone CRs or LFs had to be mended for that."""
    mended = bool(_BARE_CR.search(data))
    if not mended and b"\r\n" in data:
        mended = data.count(b"\n") != data.count(b"\r\n")
    wire = _LINE_END.sub(b"\r\n", data)
    return (wire if not wire or wire.endswith(b"\r\n") else wire + b"\r\n"), mended


def stuffed(wire: bytes) -> bytes:
    """The data of DATA: dots doubled (RFC 5321 §4.5.2), end of message behind."""
    doubled = wire.replace(b"\r\n.", b"\r\n..")
    return (b"." + doubled if doubled.startswith(b".") else doubled) + b".\r\n"


class SmtpClient:
    """One connection. Raises SendError where the server is gone or talks nonsense."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int, helo: str, timeout: float) -> SmtpClient:
        """Connect, take the greeting, say EHLO."""
        try:
            async with asyncio.timeout(timeout):
                client = cls(*await asyncio.open_connection(host, port, limit=REPLY_LIMIT))
                code, reply = await client.reply()
                if code == 220:
                    code, reply = await client.command(f"EHLO {helo}")
                if code != 250:
                    client.close()
                    raise SendError(reply)
        except TimeoutError:
            raise SendError(f"{host} port {port}: no answer in {timeout:g} s") from None
        except OSError as error:
            raise SendError(f"{host} port {port}: {error.strerror or error}") from None
        return client

    async def command(self, line: str) -> tuple[int, str]:
        return await self.raw(line.encode("utf-8", "surrogateescape") + b"\r\n")

    async def raw(self, data: bytes) -> tuple[int, str]:
        """Send octets and return the reply: its code and its text, lines joined by ` / `."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise SendError(f"connection lost: {error.strerror or error}") from None
        return await self.reply()

    async def reply(self) -> tuple[int, str]:
        lines: list[str] = []
        while True:
            try:
                line = await self._reader.readline()
            except (OSError, ValueError) as error:
                raise SendError(f"connection lost: {error}") from None
            text = line.decode("ascii", "replace").rstrip("\r\n")
            if not line.endswith(b"\n") or not re.match(r"[2-5]\d\d(?:[ -]|$)", text):
                raise SendError("connection closed by the server" if not line else f"said {text!r}")
            lines.append(text)
            if text[3:4] != "-":
                return int(text[:3]), " / ".join(lines)

    async def send(self, name: str, data: bytes, sender: str, recipients: Sequence[str]) -> Result:
        """One mail transaction; a transaction that was refused is reset."""
        wire, mended = wire_form(data)
        started = time.monotonic()
        refused: list[tuple[str, str]] = []

        def result(stage: str, code: int, reply: str) -> Result:
            seconds = round(time.monotonic() - started, 6)
            return Result(name, code, reply, stage, len(wire), seconds, tuple(refused), mended)

        code, reply = await self.command(f"MAIL FROM:<{sender}>")
        if code != 250:
            return result("mail", code, reply)
        for recipient in recipients:
            code, reply = await self.command(f"RCPT TO:<{recipient}>")
            if code not in (250, 251):
                refused.append((recipient, reply))
        if len(refused) == len(recipients):
            await self.command("RSET")
            return result("rcpt", code, reply)
        code, reply = await self.command("DATA")
        if code != 354:
            await self.command("RSET")
            return result("data", code, reply)
        code, reply = await self.raw(stuffed(wire))
        return result("message", code, reply)

    async def quit(self) -> None:
        with contextlib.suppress(SendError):
            await self.command("QUIT")
        self.close()

    def close(self) -> None:
        self._writer.close()


async def send_all(
    messages: Iterable[tuple[str, bytes]],
    on_result: Callable[[Result], None],
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
    broke off is reported with code 0 and the connection made anew for the next. timeout: seconds
    for one message.
    """
    source = iter(messages)
    await asyncio.gather(
        *(
            _work(source, on_result, host, port, sender, recipients, helo, timeout)
            for _ in range(connections)
        )
    )


async def _work(
    source: Iterator[tuple[str, bytes]],
    on_result: Callable[[Result], None],
    host: str,
    port: int,
    sender: str,
    recipients: Sequence[str],
    helo: str,
    timeout: float,
) -> None:
    client: SmtpClient | None = None
    for name, data in source:
        stage = "connect"
        try:
            if client is None:
                client = await SmtpClient.open(host, port, helo, timeout)
            stage = "message"
            async with asyncio.timeout(timeout):
                result = await client.send(name, data, sender, recipients)
        except (SendError, TimeoutError) as error:
            why = str(error) or f"no answer in {timeout:g} s"
            result = Result(name, 0, why, stage, len(data), 0.0)
        if result.code in (0, 421) and client is not None:
            client.close()
            client = None
        on_result(result)
    if client is not None:
        await client.quit()
