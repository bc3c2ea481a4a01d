"""One client: reads and writes its connection, and settles the events of its session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl

from filterd.message.envelope import ip
from filterd.mta.mail.peer import Peer
from filterd.mta.milters.answers import CONTINUE, AnswerKind, MilterAnswer
from filterd.mta.milters.macros import ClientConnection
from filterd.mta.milters.timer import Timer
from filterd.mta.settings import Listener
from filterd.mta.smtp import commands, events
from filterd.mta.smtp.checks import SessionChecks
from filterd.mta.smtp.replies import SmtpReply
from filterd.mta.smtp.sasl import MECHANISMS
from filterd.mta.smtp.session import BaseSession, SessionLimits, SessionOptions
from filterd.mta.state import MtaState, load_average
from filterd.mta.transactions import Transactions

log = logging.getLogger("filterd.mta")

NAME_TIMEOUT = 5.0
"""Seconds for the resolver to name a client."""

OWN_ADDRESSES = frozenset(("127.0.0.1", "::1"))
"""Addresses that are localhost, whatever the resolver says."""

TLS_TIMEOUT = 60.0
"""Seconds for a TLS handshake."""

READ_SIZE = 1 << 16
"""Octets read at a time."""


class SessionHandler:
    """Runs one session. Raises ConnectionError if the client disconnects.

    rates: new connections of this client, and of all, in the last minute.
    """

    def __init__(
        self,
        server: MtaState,
        listener: Listener,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        rates: tuple[int, int] = (1, 1),
    ) -> None:
        self._server = server
        self._rates = rates
        self._listener = listener
        self._reader = reader
        self._writer = writer
        # A read that times out fails, and so would all later ones.
        self._idle = Timer(lambda: reader.set_exception(TimeoutError("idle")))

    async def run(self) -> None:
        """Serve the client until it quits, is silent too long, or is gone."""
        settings = self._server.settings
        personality = self._server.personality
        peer = await find_peer(self._writer)
        local = self._writer.get_extra_info("sockname")[:2]
        sessions = self._server.clients[peer.address]
        self._macros = personality.macros(
            ClientConnection(
                self._listener.name,
                peer,
                local,
                sessions,
                *self._rates,
                modifiers=self._listener.modifiers,
            )
        )
        filters = personality.filters(self._listener.filters)
        self._session = commands.SmtpSession(
            personality.replies,
            personality.rules,
            peer.shown,
            SessionOptions(
                limits=SessionLimits(settings.max_message_size, settings.max_recipients),
                extensions=self._extensions,
                sticky=filters.sticky,
                may_log_in=self._server.passwords is not None,
                forbidden=settings.forbidden | self._listener.forbidden,
            ),
        )
        checks = personality.checks(self._macros)
        transactions = Transactions(
            self._server, self._session, peer, self._macros, filters, checks
        )
        try:
            while not self._session.closing:
                event = self._session.next_event()
                if event is None:
                    await self._send()
                    if not self._session.closing and not await self._read():
                        break
                    continue
                outcome, queue_id = await self._handle(event, transactions)
                if isinstance(event, events.Connected):
                    outcome = await self._connected(outcome, checks)
                recipient = transactions.recipient
                self._session.settle(outcome, queue_id=queue_id, recipient=recipient)
                if isinstance(event, events.StartTls) and self._session.secure:
                    await self._start_tls(checks)
            await self._send()
        finally:
            self._idle.stop()
            await filters.quit()

    async def _handle(
        self, event: events.Event, transactions: Transactions
    ) -> tuple[MilterAnswer | SmtpReply, str]:
        """Handle STARTTLS and AUTH here, everything else in `transactions`."""
        match event:
            case events.StartTls() if "notls" in self._session.options.forbidden:
                return SmtpReply.of("503 5.5.0 TLS not available"), ""
            case events.StartTls() if self._server.tls is None:
                return SmtpReply.of("454 4.3.3 TLS not available after start"), ""
            case events.Credentials():
                return await self._log_in(event), ""
        return await transactions.handle(event)

    async def _connected(
        self, outcome: MilterAnswer | SmtpReply, checks: SessionChecks
    ) -> MilterAnswer | SmtpReply:
        """What comes between the checks of a client and its greeting. Raises ConnectionError."""
        if not self._listener.speaks_tls:
            pauses = outcome == CONTINUE
            return await self._pause(await checks.greet_pause()) if pauses else outcome
        if self._server.tls is None:
            log.error("daemon %s: smtps: TLS not available, exiting", self._listener.name)
            raise ConnectionAbortedError("no certificate")
        self._session.secure = True
        await self._shake_hands(checks)
        return outcome

    async def _pause(self, seconds: float) -> MilterAnswer:
        """Wait before the greeting; a client that does not is refused. Raises ConnectionError."""
        if not seconds or self._session.is_useless:
            return CONTINUE
        try:
            async with asyncio.timeout(seconds):
                data = await self._reader.read(READ_SIZE)
        except TimeoutError:
            return CONTINUE
        if not data:
            raise ConnectionAbortedError("the client is gone")
        log.info("rejecting commands from %s due to pre-greeting traffic", self._session.client)
        self._session.receive_data(data)
        return MilterAnswer(AnswerKind.REJECT)

    async def _send(self) -> None:
        delay_load = self._server.personality.connections.delay_load
        if delay_load and load_average() >= delay_load:
            self._session.delay = max(self._session.delay, 1.0)
        if self._session.delay:
            await asyncio.sleep(self._session.delay)
            self._session.delay = 0.0
        data = self._session.data_to_send()
        if data:
            self._writer.write(data)
            if self._writer.transport.get_write_buffer_size():
                await self._drain()

    async def _drain(self) -> None:
        """Wait for a client that reads slowly. Raises ConnectionError if it does not read."""
        try:
            async with asyncio.timeout(self._server.settings.idle_timeout):
                await self._writer.drain()
        except TimeoutError:
            self._writer.transport.abort()
            raise ConnectionAbortedError("the client does not read") from None

    async def _read(self) -> bool:
        """Wait for data of the client. False: it has disconnected."""
        self._idle.start(self._server.settings.idle_timeout)
        try:
            data = await self._reader.read(READ_SIZE)
        except TimeoutError:
            self._session.close(SmtpReply.of("421 4.4.1 timeout waiting for input"))
            return True
        finally:
            self._idle.pause()
        self._session.receive_data(data)
        return bool(data)

    def _extensions(self, session: BaseSession) -> list[str]:
        """What EHLO announces."""
        if session.is_useless:
            return ["ENHANCEDSTATUSCODES"]
        personality, forbidden = self._server.personality, session.options.forbidden
        may_encrypt = self._server.tls is not None and not session.secure
        shown = {
            "STARTTLS": "STARTTLS" if may_encrypt and "notls" not in forbidden else "",
            "AUTH": f"AUTH {' '.join(MECHANISMS)}" if self._session.may_log_in else "",
        }
        return [line for one in personality.announced(forbidden) if (line := shown.get(one, one))]

    async def _start_tls(self, checks: SessionChecks) -> None:
        """STARTTLS. Raises ConnectionError if it fails.

        Also for a client that sent anything after STARTTLS, which would be read as if it had come
        over TLS. Nothing may be awaited between the 220 and the handshake, whose first octets may
        arrive at once.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await self._reader.read(READ_SIZE)
                raise ConnectionAbortedError("data sent before the TLS handshake")
        await self._send()
        await self._shake_hands(checks)

    async def _shake_hands(self, checks: SessionChecks) -> None:
        """The TLS handshake, and what the checks say of it. Raises ConnectionError."""
        assert self._server.tls is not None
        try:
            await self._writer.start_tls(self._server.tls, ssl_handshake_timeout=TLS_TIMEOUT)
        except (ssl.SSLError, TimeoutError) as error:
            raise ConnectionAbortedError(f"TLS: {error}") from None
        cipher = self._writer.get_extra_info("cipher")
        self._macros.session.update(
            {
                "{tls_version}": cipher[1],
                "{cipher}": cipher[0],
                "{cipher_bits}": str(cipher[2]),
                "{verify}": "NO",
            }
        )
        verdict = await checks.secured(self._macros.session["{verify}"])
        if verdict.reply is not None:
            self._session.refuse(verdict.reply)

    async def _log_in(self, claim: events.Credentials) -> MilterAnswer | SmtpReply:
        """Check a password, in a thread: it takes long on purpose."""
        assert self._server.passwords is not None
        try:
            valid = await asyncio.to_thread(
                self._server.passwords.check, claim.user, claim.password
            )
        except OSError as error:
            log.error("passwords: %s", error)
            return SmtpReply.of("454 4.3.0 Temporary authentication failure")
        if not valid:
            log.warning("AUTH failure: user=%s, relay=%s", claim.user, self._session.client)
            return SmtpReply.of("535 5.7.0 authentication failed")
        self._macros.session.update(
            {"{auth_type}": claim.mechanism, "{auth_authen}": claim.user, "{auth_ssf}": "0"}
        )
        return CONTINUE


async def find_peer(writer: asyncio.StreamWriter) -> Peer:
    """Who the client is. Its name is from the resolver, `[address]` if that has none, or one that
    does not have this address."""
    address, port = writer.get_extra_info("peername")[:2]
    # In the milter protocol, too, an IPv4-mapped client is an IPv4 one.
    parsed = ip(address)
    assert parsed is not None, address
    shown = f"[{parsed}]"
    if str(parsed) in OWN_ADDRESSES:
        return Peer("localhost", str(parsed), port, str(parsed.version))
    name, trouble = await name_of(address, port)
    if trouble:
        pointer = name if trouble == "FORGED" else ""
        return Peer(shown, str(parsed), port, str(parsed.version), pointer, trouble)
    return Peer(name or shown, str(parsed), port, str(parsed.version))


async def name_of(address: str, port: int) -> tuple[str, str]:
    """The name of an address, "" for none; and FORGED if the name has not this address, or TEMP if
    nobody could say now."""
    loop = asyncio.get_running_loop()
    name = ""
    try:
        async with asyncio.timeout(NAME_TIMEOUT):
            name, _ = await loop.getnameinfo((address, port), socket.NI_NAMEREQD)
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except TimeoutError:
        return "", "TEMP"
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            return "", "TEMP"
        return name, "FORGED" if name else ""
    except OSError:
        return "", ""
    addresses = {ip(str(one[4][0])) for one in found}
    return name, "" if ip(address) in addresses else "FORGED"
