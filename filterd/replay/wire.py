"""The other side: a running daemon, asked over the milter protocol as sendmail asks it.

For the daemon that is mail: it counts and logs each message, notes it in the history, and stores
what its settings want stored. What the wire does not tell (was it quarantined or discarded? which
symbols?) is read from the history, found by the queue-id that each message is given.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import secrets
import time
from collections.abc import Mapping

from filterd.history import History, HistoryError, HistoryQuery, Record
from filterd.message import Client, Envelope
from filterd.message.envelope import ip
from filterd.mta.mail.draft import Draft, EnvelopePath, RecipientList
from filterd.mta.mail.header import HeaderSection, split_message
from filterd.mta.mail.peer import Peer
from filterd.mta.milters.answers import AnswerKind, MilterAnswer
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.postfix.header import PostfixHeader
from filterd.mta.sendmail.filters import SendmailFilters
from filterd.mta.sendmail.macros import MACRO_LISTS
from filterd.replay.cases import Case
from filterd.replay.judged import TAKEN, Judged
from filterd.system.address import AddressError, ListenAddress

TIMEOUTS = "C:10s;S:60s;R:60s;E:15m"
"""Longer than an MTA's own: this is about the answer, not about the time that it takes."""

HISTORY_SECONDS = 3.0
"""For which the daemon may take to note the last message; it does so every second."""

HISTORY_POLL = 0.25
"""Seconds between two looks."""

PAGE = 1000
"""Records read at a time."""

log = logging.getLogger(__name__)


class WireError(Exception):
    """The daemon cannot be reached, or hangs up again and again; the text says at what address."""


class DaemonClient:
    """A running daemon. history: where it notes messages, None if that is not known.

    Raises WireError if nobody answers at the address.
    """

    def __init__(self, socket: str, history: History | None) -> None:
        try:
            self._address = ListenAddress.parse(socket).text
        except AddressError as error:
            raise WireError(str(error)) from None
        self._settings = InputMailFilter("replay", self._address, "4", TIMEOUTS)
        self._history = history
        self._began = time.time()
        self._name = f"replay-{secrets.token_hex(4)}"
        self._runner = asyncio.Runner()
        # Why a connection was lost is said to the MTA's log only; here the note says that it was.
        logging.getLogger("filterd.mta").addHandler(logging.NullHandler())
        self._count = 0
        self._client: Client | None = None
        try:
            self._filters: SendmailFilters | None = self._runner.run(self._open())
        except WireError:
            self._runner.close()
            raise

    def judge(self, case: Case) -> Judged:
        """What the daemon answers. Raises WireError if it is no longer there."""
        return self._runner.run(self._judge(case))

    def complete(self, judged: list[Judged]) -> list[Judged]:
        """The same with what the history says of them; index n is the n-th message judged."""
        records = self._records(len(judged))
        return [
            _completed(one, records.get(self._queue_id(number)))
            for number, one in enumerate(judged)
        ]

    def close(self) -> None:
        """Say goodbye."""
        if self._filters is not None:
            self._runner.run(self._filters.quit())
        self._runner.close()

    def _queue_id(self, number: int) -> str:
        return f"{self._name}-{number}"

    async def _open(self) -> SendmailFilters:
        """A session of which the daemon does not know the client yet."""
        filters = SendmailFilters([self._settings], MACRO_LISTS.get)
        answer = await filters.open()
        if not answer.goes_on:
            raise WireError(f"{self._address}: no filter answers there")
        return filters

    async def _session(self, client: Client) -> SendmailFilters | MilterAnswer:
        """A session in which this client is connected, or why it is not: mail of one client shares
        it."""
        if self._filters is not None and self._client not in (None, client):
            await self._filters.quit()
            self._filters = None
        if self._filters is None:
            self._filters, self._client = await self._open(), None
        if self._client is None:
            values = _values(Envelope(client=client))
            answer = await self._filters.connect(_peer(client), values)
            if answer.goes_on and client.helo:
                answer = await self._filters.helo(_octets(client.helo), values)
            if not answer.goes_on:
                await self._filters.quit()
                self._filters = None
                return answer
            self._client = client
        return self._filters

    async def _judge(self, case: Case) -> Judged:
        queue_id = self._queue_id(self._count)
        self._count += 1
        filters = await self._session(case.envelope.client)
        if isinstance(filters, MilterAnswer):
            return _refused(filters)
        envelope = case.envelope
        values = {**_values(envelope), "i": queue_id}
        filters.queue_id = queue_id
        sender = EnvelopePath(envelope.sender, f"<{envelope.sender}>", envelope.sender_parameters)
        recipients = [
            EnvelopePath(one.address, f"<{one.address}>", one.parameters)
            for one in envelope.recipients
        ]
        fields, body = split_message(case.data.replace(b"\r\n", b"\n"))
        answer = await filters.mail(_arguments(sender), values)
        accepted = []
        if answer.goes_on:
            # Each is answered for itself; who is refused does not keep the message from the others.
            for recipient in recipients:
                answer = await filters.rcpt(_arguments(recipient), values, refused=False)
                if answer.goes_on:
                    accepted.append(recipient)
                elif answer.kind is AnswerKind.CLOSE:
                    break
        draft = Draft(queue_id, sender, RecipientList(accepted), PostfixHeader(fields), body)
        if accepted and answer.kind is not AnswerKind.CLOSE:
            answer = await filters.data(values)
            if answer.goes_on:
                answer = await filters.message(draft, values)
        if answer.kind is AnswerKind.CLOSE:
            # Whether it is still there, the next message's new session tells.
            self._filters = None
            return Judged("tempfail", note="the daemon hung up")
        await filters.finish()
        return _judged(answer, draft)

    def _records(self, wanted: int) -> dict[str, Record]:
        """What the daemon noted of these messages, by queue-id."""
        found: dict[str, Record] = {}
        deadline = time.monotonic() + HISTORY_SECONDS
        while self._history is not None:
            try:
                # Of a message that some recipients got, the record of the message.
                noted = sorted(self._noted(self._history), key=lambda record: not record.stage)
                found = {record.queue_id: record for record in noted}
            except HistoryError as error:
                log.warning("%s; scores and symbols are as the header fields tell them", error)
                break
            if len(found) >= wanted or time.monotonic() > deadline:
                break
            time.sleep(HISTORY_POLL)
        return found

    def _noted(self, history: History) -> list[Record]:
        rows: list[Record] = []
        after = ""
        while True:
            # One second for a clock that was set meanwhile, or a file system's coarse one.
            query = HistoryQuery(text=self._name, since=self._began - 1, limit=PAGE, after=after)
            page = history.search(query)
            rows += page.rows
            after = page.next
            if not after:
                return rows


def _values(envelope: Envelope) -> Mapping[str, str]:
    """The macros that the message came with, else such as an MTA has."""
    client = envelope.client
    shown = f"{client.name} [{client.address}]" if client.address else client.name
    return {
        "j": "localhost",
        "_": shown,
        "{daemon_name}": "replay",
        "{client_name}": client.name,
        "{client_addr}": client.address,
        **envelope.macros,
    }


def _peer(client: Client) -> Peer:
    found = ip(client.address)
    if found is None:
        return Peer(client.name, client.address, client.port, "U")
    return Peer(client.name, str(found), client.port, str(found.version))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _arguments(path: EnvelopePath) -> tuple[bytes, ...]:
    return tuple(_octets(one) for one in (path.text, *path.parameters))


def _judged(answer: MilterAnswer, draft: Draft) -> Judged:
    """What the wire tells."""
    if not answer.goes_on:
        return _refused(answer)
    action = "accept" if draft.quarantine is None else "quarantine"
    flagged = (draft.header.get(b"X-Spam-Flag") or b"").upper() == b"YES"
    return Judged(action, flagged, _score(draft.header))


def _refused(answer: MilterAnswer) -> Judged:
    """What the wire tells of mail that is not delivered."""
    match answer.kind:
        case AnswerKind.REPLY:
            reply = answer.text.decode("ascii", "replace")
            return Judged("tempfail" if reply.startswith("4") else "reject", reply=reply[:9])
        case AnswerKind.TEMPFAIL:
            return Judged("tempfail", reply="451 4.7.1")
        case AnswerKind.REJECT:
            return Judged("reject", reply="550 5.7.1")
        case AnswerKind.CLOSE:
            return Judged("tempfail", note="the daemon hung up")
    return Judged(TAKEN)


def _score(header: HeaderSection) -> float | None:
    """The points in X-Spam-Score, None if the daemon does not write it."""
    try:
        return float(header.get(b"X-Spam-Score") or b"")
    except ValueError:
        return None


def _completed(judged: Judged, record: Record | None) -> Judged:
    if record is None:
        return judged
    noted = Judged.of(record, seen=bool(record.milliseconds))
    return dataclasses.replace(
        judged,
        action=noted.action,
        score=judged.score if noted.score is None else noted.score,
        symbols=noted.symbols,
        note=judged.note or noted.note,
    )
