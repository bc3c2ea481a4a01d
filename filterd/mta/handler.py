"""One client: events of the session are put to the filters, the addresses and the queue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from dataclasses import dataclass, field

from filterd.mta import events, smtp
from filterd.mta.address import domain_part
from filterd.mta.answers import CONTINUE, Answer, Filters, Kind, Values
from filterd.mta.compose import Arrival, Composer, sender_macros
from filterd.mta.delivery import DeliveryError, Route, Router
from filterd.mta.draft import Draft, Path
from filterd.mta.filters import SendmailFilters
from filterd.mta.input_filter import InputMailFilter
from filterd.mta.peer import connection_macros, find_peer
from filterd.mta.postfix_filters import PostfixFilters
from filterd.mta.queue import Queue
from filterd.mta.queue_id import QueueIds
from filterd.mta.sasl import MECHANISMS, Passwords
from filterd.mta.settings import MtaSettings
from filterd.mta.spool import Entry, Target
from filterd.mta.wording import Reply, Wording

log = logging.getLogger("filterd.mta")

TLS_TIMEOUT = 60.0
"""Seconds for a TLS handshake."""

READ_SIZE = 1 << 16
"""Octets asked of the kernel at a time."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all sessions of one server share."""

    settings: MtaSettings
    wording: Wording
    composer: Composer
    router: Router
    queue: Queue
    ids: QueueIds
    extensions: tuple[str, ...]
    """What EHLO announces, as the wording of the flavour has it."""

    tls: ssl.SSLContext | None = None
    passwords: Passwords | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """One address that is listened on, sendmail's daemon. name: its `{daemon_name}`."""

    name: str
    address: str
    port: int
    filters: tuple[InputMailFilter, ...]


@dataclass(slots=True)
class _Message:
    """The transaction as the MTA sees it."""

    id: str
    macros: dict[str, str] = field(default_factory=dict)
    named: int = 0
    """Recipients that the client named, refused ones counted."""

    swallowed: bool = False
    """A filter said DISCARD: all is accepted, no filter is asked, nothing delivered."""


class SessionHandler:
    """Runs one session to its end. Raises ConnectionError where the client goes away."""

    def __init__(
        self,
        site: Site,
        listener: Listener,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._site = site
        self._listener = listener
        self._reader = reader
        self._writer = writer
        self._asked = False
        self._message = _Message(site.ids.next())
        self._session_macros: dict[str, str] = {}

    async def run(self) -> None:
        settings = self._site.settings
        self._peer = await find_peer(self._writer)
        client = self._peer.shown
        made = PostfixFilters if settings.flavour == "postfix" else SendmailFilters
        self._filters: Filters = made(self._listener.filters, settings.macro_list, self._message.id)
        self._session_macros = connection_macros(
            settings, self._listener.name, self._peer, self._writer.get_extra_info("sockname")[0]
        )
        self._session = smtp.SmtpSession(
            self._site.wording,
            client,
            limits=smtp.Limits(settings.max_message_size, settings.max_recipients),
            extensions=self._extensions,
            sticky=self._filters.sticky,
            may_log_in=self._site.passwords is not None,
            forbidden=settings.forbidden,
        )
        try:
            while not self._session.closing:
                event = self._session.next_event()
                if event is not None:
                    outcome, queue_id = await self._handle(event)
                    self._session.settle(outcome, queue_id=queue_id)
                    if isinstance(event, events.StartTls) and self._session.secure:
                        await self._start_tls()
                    continue
                await self._send()
                if not self._session.closing and not await self._read():
                    break
            await self._send()
        finally:
            await self._filters.quit()

    async def _send(self) -> None:
        if self._session.delay:
            await asyncio.sleep(self._session.delay)
            self._session.delay = 0.0
        data = self._session.data_to_send()
        if data:
            self._writer.write(data)
            await self._writer.drain()

    async def _read(self) -> bool:
        """Wait for the client. False: it is gone."""
        try:
            async with asyncio.timeout(self._site.settings.idle_timeout):
                data = await self._reader.read(READ_SIZE)
        except TimeoutError:
            self._session.close(Reply.of("421 4.4.1 timeout waiting for input"))
            return True
        self._session.receive_data(data)
        return bool(data)

    def _extensions(self, session: smtp.SmtpSession) -> list[str]:
        """What EHLO announces."""
        if session.refused:
            return ["ENHANCEDSTATUSCODES"]
        said = list(self._site.extensions)
        if self._site.tls is not None and not session.secure:
            said.insert(-1, "STARTTLS")
        if session.may_log_in:
            said.insert(-1, f"AUTH {' '.join(MECHANISMS)}")
        return said

    async def _start_tls(self) -> None:
        """The handshake. A client that fails at it is gone: raises ConnectionError.

        So is one that has sent anything behind STARTTLS: it would be read as if TLS had brought it.
        Nothing may be awaited between the 220 and the handshake, whose first octets may be there
        at once.
        """
        assert self._site.tls is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await self._reader.read(READ_SIZE)
                raise ConnectionAbortedError("octets sent ahead of TLS")
        await self._send()
        try:
            await self._writer.start_tls(self._site.tls, ssl_handshake_timeout=TLS_TIMEOUT)
        except (ssl.SSLError, TimeoutError) as error:
            raise ConnectionAbortedError(f"TLS: {error}") from None
        cipher = self._writer.get_extra_info("cipher")
        self._session_macros.update(
            {
                "{tls_version}": cipher[1],
                "{cipher}": cipher[0],
                "{cipher_bits}": str(cipher[2]),
                "{verify}": "NO",
            }
        )

    async def _log_in(self, claim: events.Credentials) -> Answer | Reply:
        """Check a password, in a thread: it is meant to take long."""
        assert self._site.passwords is not None
        try:
            right = await asyncio.to_thread(self._site.passwords.check, claim.user, claim.password)
        except OSError as error:
            log.error("passwords: %s", error)
            return Reply.of("454 4.3.0 Temporary authentication failure")
        if not right:
            log.warning("AUTH failure: user=%s, relay=%s", claim.user, self._session.client)
            return Reply.of("535 5.7.0 authentication failed")
        self._session_macros.update(
            {"{auth_type}": claim.mechanism, "{auth_authen}": claim.user, "{auth_ssf}": "0"}
        )
        return CONTINUE

    # Events

    async def _handle(self, event: events.Event) -> tuple[Answer | Reply, str]:
        match event:
            case events.Connected():
                return await self._connected(), ""
            case events.Helo(name):
                return await self._helo(name), ""
            case events.Mail(path):
                return await self._mail(path), ""
            case events.Rcpt(path):
                return await self._rcpt(path), ""
            case events.Data():
                return await self._data(), ""
            case events.Content(data):
                return await self._content(data)
            case events.Unknown(line) if self._asking:
                return await self._filters.unknown(line), ""
            case events.Reset() | events.TooLarge():
                await self._filters.abort()
                self._new_message()
            case events.Verify(argument, expand):
                return self._verify(argument, expand), ""
            case events.StartTls() if self._site.tls is None:
                return Reply.of("454 4.3.3 TLS not available after start"), ""
            case events.RunQueue(node):
                await self._site.queue.look(all=True)
                return Reply.of(f"250 2.0.0 Queuing for node {node} started"), ""
            case events.Credentials():
                return await self._log_in(event), ""
        return CONTINUE, ""

    @property
    def _asking(self) -> bool:
        return self._asked and not self._message.swallowed

    @property
    def _values(self) -> Values:
        values = {**self._session_macros, **self._message.macros}
        if self._site.settings.flavour == "sendmail":
            values["i"] = self._message.id
        return values

    def _new_message(self) -> None:
        self._message = _Message(self._site.ids.next())

    async def _connected(self) -> Answer:
        answer = await self._filters.open()
        if answer.goes_on:
            answer = await self._filters.connect(self._peer, self._values)
        # sendmail asks filters that refused the client, or failed, nothing more.
        self._asked = answer.goes_on or not self._filters.sticky
        return answer

    async def _helo(self, name: str) -> Answer:
        self._new_message_if_open()
        if not self._asking:
            return CONTINUE
        answer = await self._filters.helo(_octets(name), self._values)
        self._asked = answer.goes_on or not self._filters.sticky
        return answer

    def _new_message_if_open(self) -> None:
        if self._session.transaction is not None:
            self._new_message()

    async def _mail(self, path: Path) -> Answer:
        if self._session.transaction is None and self._message.macros:
            self._new_message()
        local = self._is_local(path.address)
        settings = self._site.settings
        self._message.macros.update(sender_macros(settings.flavour, settings.hostname, path, local))
        if not self._asking:
            return CONTINUE
        answer = await self._filters.mail(_arguments(path), self._values)
        if answer.kind is Kind.DISCARD:
            self._message.swallowed = True
        return answer

    def _is_local(self, address: str) -> bool:
        try:
            return self._site.router.resolve(address).mailer == "local" and "@" not in (
                self._site.router.resolve(address).user
            )
        except DeliveryError:
            return False

    async def _rcpt(self, path: Path) -> Answer | Reply:
        self._message.named += 1
        refusal: Reply | None = None
        try:
            route = self._site.router.resolve(path.address)
            if route.host and not self._may_relay():
                raise DeliveryError("Relaying denied", temporary=False, code="5.7.1")
        except DeliveryError as error:
            code = 451 if error.temporary else 550
            text = f"{code} {error.code} {path.text}... {error}"
            refusal = Reply.of(text)
            route = Route("error", error.code, f"{code} {error.code} {error}")
        host = self._site.settings.hostname
        if self._site.settings.flavour == "postfix" and refusal is None:
            full = path.address if "@" in path.address else f"{path.address}@{host}"
            route = Route("virtual", domain_part(full), full)
        self._message.macros["{nrcpts}"] = str(self._message.named)
        values = {
            **self._values,
            "{rcpt_mailer}": route.mailer,
            "{rcpt_host}": route.host,
            "{rcpt_addr}": route.user,
        }
        answer = CONTINUE
        if self._asking:
            answer = await self._filters.rcpt(_arguments(path), values, refused=refusal is not None)
        if refusal is not None:
            # sendmail would send the filter's refusal as a second reply; one reply is enough.
            return refusal
        if answer.kind is Kind.DISCARD:
            self._message.swallowed = True
        if answer.goes_on:
            # Postfix opens the queue file, and so has a name for it, with the first recipient.
            self._message.macros["i"] = self._message.id
        return answer

    def _may_relay(self) -> bool:
        """Clients on this host, and those who have logged in, may send mail anywhere."""
        return bool(self._session.user) or self._peer.is_local

    async def _data(self) -> Answer:
        if not self._asking:
            return CONTINUE
        answer = await self._filters.data(self._values)
        if answer.kind is Kind.DISCARD:
            self._message.swallowed = True
        return answer

    # The message

    async def _content(self, data: bytes) -> tuple[Answer | Reply, str]:
        transaction = self._session.transaction
        assert transaction is not None
        started, id = time.monotonic(), self._message.id
        only = transaction.recipients[0].address if self._message.named == 1 else ""
        known = self._session_macros
        tls = ""
        if self._session.secure:
            tls = (
                f"version={known['{tls_version}']} cipher={known['{cipher}']}"
                f" bits={known['{cipher_bits}']} verify={known['{verify}']}"
            )
        arrival = Arrival(
            id, self._session.helo, self._session.client, self._protocol(), only,
            tls, bool(self._session.user),
        )  # fmt: skip
        draft = self._site.composer.draft(arrival, transaction.sender, transaction.recipients, data)
        self._message.macros["{msg_size}"] = str(len(data))
        answer: Answer | Reply = CONTINUE
        if self._asking:
            answer = await self._filters.message(draft, self._values)
        if self._message.swallowed or _is(answer, Kind.DISCARD):
            outcome, answer = "discarded", CONTINUE
        elif isinstance(answer, Answer) and answer.kind in (Kind.CONTINUE, Kind.HOLD):
            answer = await self._accept(draft)
            outcome = "accepted" if answer is CONTINUE else "refused"
        else:
            outcome = "refused"
        await self._filters.finish()
        log.info(
            "%s: from=<%s>, size=%d, nrcpts=%d, relay=%s, proto=%s, seconds=%.3f, %s", id,
            draft.sender.address, len(data), len(draft.recipients), self._session.client,
            arrival.protocol, time.monotonic() - started, outcome,
        )  # fmt: skip
        self._new_message()
        return answer, id

    async def _accept(self, draft: Draft) -> Answer | Reply:
        """Queue the message; the reply is a refusal where the disk is in trouble."""
        if self._site.composer.hops(draft) > self._site.settings.max_hops:
            return Reply.of("554 5.4.6 Too many hops")
        named = tuple(Target(one.address, one.parameters) for one in draft.recipients)
        targets = self._site.router.expand(named)
        if not targets:
            return CONTINUE
        now = time.time()
        entry = Entry(
            draft.queue_id, draft.sender.address, targets,
            arrived=now, expires=now + self._site.settings.expire, held=draft.quarantine,
            sender_parameters=draft.sender.parameters,
        )  # fmt: skip
        try:
            await self._site.queue.submit(entry, self._site.composer.message(draft))
        except OSError as error:
            log.error("%s: queue: %s", draft.queue_id, error)
            return Reply.of("452 4.3.1 Insufficient system storage")
        return CONTINUE

    def _protocol(self) -> str:
        if not self._session.extended:
            return "SMTP"
        return "ESMTP" + "S" * self._session.secure + "A" * bool(self._session.user)

    def _verify(self, argument: str, expand: bool) -> Reply:
        address = argument.strip("<> ")
        host = self._site.settings.hostname
        if self._site.settings.flavour == "postfix":
            return Reply.of(f"252 2.0.0 {address}")
        try:
            route = self._site.router.resolve(address)
            # An alias is verified by its own name, in the lower case that it is looked up in.
            plain = route.user if "@" in route.user else route.user.partition("+")[0].lower()
            found = self._site.router.members(address) if expand else [plain]
        except DeliveryError as error:
            named = str(error) if "... " in str(error) else f"{address}... {error}"
            return Reply.of(f"550 {error.code} {named}")
        whole = [one if "@" in one or one[:1] in '/|"' else f"{one}@{host}" for one in found]
        # 252: known to be elsewhere, not looked up there.
        code = 252 if route.host and not expand else 250
        return Reply(tuple(_octets(f"{code} 2.1.5 <{one}>") for one in whole))


def _octets(text: str) -> bytes:
    return text.encode("ascii", "surrogateescape")


def _arguments(path: Path) -> tuple[bytes, ...]:
    return tuple(_octets(one) for one in (path.text, *path.parameters))


def _is(answer: Answer | Reply, kind: Kind) -> bool:
    return isinstance(answer, Answer) and answer.kind is kind
