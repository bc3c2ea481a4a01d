"""The milter side of one SMTP session: what libmilter's callbacks collect, and the answer.

Callbacks run in libmilter's thread of the connection. All but end-of-message only note what they
are given, and ask for no reply to be sent where the MTA can do without (SMFIP_NR_*). An exception
in one of them is an event that was not noted; the message is then refused at its end
(`Service.unreadable`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import Milter
import milter

from filterd.chain import Failure
from filterd.config import Settings
from filterd.daemon.answering import answer_with, carry_out, facts
from filterd.daemon.exchange import Answer, AnswerError, decode_answer, encode_request
from filterd.daemon.failures import FailedMail
from filterd.daemon.pool import Busy, Pool, WorkerLostError
from filterd.daemon.transaction import Transaction
from filterd.ids import new_id
from filterd.message import Client, Envelope, Message
from filterd.verdict import Action, Reply

log = logging.getLogger(__name__)

MACROS = (
    "i", "j", "_", "v", "{client_addr}", "{client_name}", "{client_port}", "{client_ptr}",
    "{daemon_name}", "{daemon_addr}", "{daemon_port}", "{if_name}", "{if_addr}",
    "{auth_type}", "{auth_authen}", "{auth_author}", "{auth_ssf}", "{mail_mailer}", "{mail_host}",
    "{mail_addr}", "{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}", "{msg_id}", "{tls_version}",
    "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}",
)  # fmt: skip
"""The macros that filters get to see, where the MTA sends them."""

UNWANTED_STEPS = Milter.P_NOUNKNOWN | Milter.P_NODATA | Milter.P_NOEOH
"""Steps that tell nothing the others do not."""

SILENT_STEPS = (
    Milter.P_NR_CONN | Milter.P_NR_HELO | Milter.P_NR_MAIL | Milter.P_NR_RCPT | Milter.P_NR_HDR
    | Milter.P_NR_BODY
)  # fmt: skip
"""Steps after which the MTA need not wait: nothing is decided before end-of-message."""

RETRY_LIMIT = 4
"""Workers that one message may cost before it gets no more."""

UNKNOWN_CLIENT = Client("unknown", "unknown")
"""A client of which the MTA could not say who it is; `unknown` is Postfix's word."""

BUSY_REPLY = Reply(451, "4.3.0", "Too busy to check the message, please try again later")
TROUBLE_REPLY = Reply(451, "4.3.0", "Message could not be checked, please try again later")
SIZE_REPLY = Reply(552, "5.3.4", "Message is too large")


@dataclass
class Service:
    """What all sessions share. settings and pool are exchanged as a whole by a reload."""

    settings: Settings
    pool: Pool
    failures: FailedMail
    report: Callable[[Mapping[str, Any]], None]
    note: Callable[[Mapping[str, Any], bytes], None]
    """Takes a message for the history: what was logged, and the Subject."""
    unreadable: int = 0
    """Events so far that were lost on their way into a session, for lack of memory for example."""
    _in_flight: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def begin(self) -> None:
        """One more message is being examined."""
        with self._changed:
            self._in_flight += 1

    def end(self) -> None:
        """A message got its answer."""
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    @property
    def in_flight(self) -> int:
        """Messages that are being examined or wait for a worker."""
        with self._changed:
            return self._in_flight

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no message is being examined; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._in_flight == 0, seconds)


class Session:
    """One connection of the MTA."""

    def __init__(self, service: Service, steps: int) -> None:
        self._service = service
        self._steps = steps
        # Stays like this if CONNECT cannot be read; it must not look like a local client.
        self._client = UNKNOWN_CLIENT
        self._blank = b"" if steps & Milter.P_HDR_LEADSPC else b" "
        self._transaction = Transaction(service.settings.daemon.spool, self._blank)
        self._header_reply = self._silence(Milter.P_NR_HDR)
        self._refusal: Reply | None = None
        self._unreadable = service.unreadable

    def _silence(self, step: int) -> int:
        """What a callback of a step returns: nothing for the MTA where that was agreed."""
        return int(Milter.NOREPLY if self._steps & step else Milter.CONTINUE)

    def _refuse(self, reply: Reply) -> None:
        """Answer the message with this, whatever else comes of it."""
        self._refusal = self._refusal or reply

    def connect(self, name: str, address: Any) -> int:
        host, port = "", 0
        if isinstance(address, tuple):
            host, port = address[0], address[1]
        elif name == UNKNOWN_CLIENT.name:
            # Postfix: the client was gone before anybody could ask for its address.
            host = UNKNOWN_CLIENT.address
        self._client = Client(name, host, port)
        return self._silence(Milter.P_NR_CONN)

    def helo(self, name: str) -> int:
        client = self._client
        self._client = Client(client.name, client.address, client.port, name)
        return self._silence(Milter.P_NR_HELO)

    def envfrom(self, *arguments: bytes) -> int:
        self.abort()
        spool = self._service.settings.daemon.spool
        self._transaction = Transaction(spool, self._blank, *arguments)
        return self._silence(Milter.P_NR_MAIL)

    def envrcpt(self, context: Any, *arguments: bytes) -> int:
        resolved = _macro(context, "{rcpt_addr}") or ""
        self._transaction.add_recipient(*arguments, resolved=resolved)
        return self._silence(Milter.P_NR_RCPT)

    def header(self, name: str, value: bytes) -> int:
        # Called some thirty times a message, so all else waits until the header is complete.
        self._transaction.fields.append((name, value))
        return self._header_reply

    def body(self, chunk: bytes) -> int:
        transaction = self._transaction
        if self._refusal is None:
            limit = self._service.settings.daemon.max_message_size
            if transaction.size + len(chunk) > limit:
                self._refuse(SIZE_REPLY)
            else:
                try:
                    transaction.add_body(chunk)
                except OSError as error:
                    log.error("spool: %s", error)
                    self._refuse(TROUBLE_REPLY)
        return self._silence(Milter.P_NR_BODY)

    def abort(self) -> int:
        """The transaction is over, whatever became of it."""
        self._transaction.close()
        self._transaction = Transaction(self._service.settings.daemon.spool, self._blank)
        self._refusal = None
        self._unreadable = self._service.unreadable
        return int(Milter.CONTINUE)

    def eom(self, context: Any) -> int:
        """End of message: have it examined, carry out the answer."""
        try:
            return self._end_of_message(context)
        except Exception:
            log.exception("end of message")
            return int(Milter.TEMPFAIL)

    def _end_of_message(self, context: Any) -> int:
        started = time.monotonic()
        id = new_id()
        transaction = self._transaction
        macros = _macros(context)
        client = self._client
        if client.address == UNKNOWN_CLIENT.address and "{client_addr}" in macros:
            client = Client(client.name, macros["{client_addr}"], client.port, client.helo)
        envelope = Envelope(
            transaction.sender,
            tuple(transaction.recipients),
            client,
            transaction.sender_parameters,
            macros,
        )
        if self._unreadable != self._service.unreadable:
            # Which message lost an event cannot be told, so none that was under way is judged.
            self._refuse(TROUBLE_REPLY)
        note = ""
        self._service.begin()
        try:
            if self._refusal is not None:
                answer = _refusing(self._refusal, id)
                note = "not examined: over a limit, or not received whole"
            else:
                answer, note = self._examine(context, id, envelope, transaction)
            blank = " " if self._steps & Milter.P_HDR_LEADSPC else ""
            result = carry_out(context, answer, transaction, blank)
        except milter.error as error:
            note = f"the MTA did not take the answer: {error}"
            answer, result = Answer(Action.TEMPFAIL), int(Milter.TEMPFAIL)
        except Exception:
            log.exception("id=%s", id)
            note = "internal error"
            answer = _refusing(TROUBLE_REPLY, id)
            result = answer_with(context, answer.reply, Milter.TEMPFAIL)
        finally:
            self._service.end()
        told = facts(id, envelope, transaction, answer, note, started)
        self._service.report(told)
        self._service.note(told, transaction.octets("Subject"))
        self.abort()
        return result

    def _examine(
        self, context: Any, id: str, envelope: Envelope, transaction: Transaction
    ) -> tuple[Answer, str]:
        """The answer for the message, and a note for the log if the way there was not smooth.

        A filter that takes a worker down is left out when the next worker tries: what its
        `on_error` says is then applied there, and all other filters have their say.
        """
        service = self._service
        settings = service.settings
        deadline = time.monotonic() + settings.chain.timeout + settings.workers.grace
        failed: list[Failure] = []
        pieces, descriptor = transaction.message()

        def message() -> Message:
            return Message(transaction.data(), envelope, id)

        def decode(head: bytes) -> Answer:
            return decode_answer(
                head,
                envelope,
                transaction.header_size,
                transaction.size,
                may_discard=not settings.policy.keep_discarded,
            )

        for _attempt in range(RETRY_LIMIT):
            try:
                answer = service.pool.examine(
                    encode_request(id, envelope, tuple(failed)),
                    pieces,
                    descriptor,
                    decode,
                    deadline=deadline,
                    waiting=context.progress,
                    interval=settings.daemon.progress_interval,
                )
            except Busy:
                return _refusing(BUSY_REPLY, id), "no worker was free"
            except AnswerError as error:
                trouble = f"the worker's answer cannot be used: {error}"
                break
            except WorkerLostError as lost:
                trouble = str(lost)
                log.error("id=%s %s", id, trouble)
                if lost.filter:
                    failed.append(Failure(lost.filter, lost.kind, lost.detail))
                if time.monotonic() >= deadline:
                    break
            else:
                return answer, self._keep_failed(message, answer.trouble, answer.stored)
        return _refusing(TROUBLE_REPLY, id), self._keep_failed(message, trouble)

    def _keep_failed(
        self, message: Callable[[], Message], trouble: str, stored: bool = False
    ) -> str:
        """Have a message kept that did something to filters, if it did; a note for the log."""
        if not trouble or stored:
            return trouble
        try:
            kept = self._service.failures.keep(message(), trouble)
        except OSError as error:
            return f"{trouble}; not kept for analysis: {error}"
        return f"{trouble}; kept as {kept}"


def _macros(context: Any) -> dict[str, str]:
    found = {}
    for name in MACROS:
        value = _macro(context, name)
        if value is not None:
            found[name] = value
    return found


def _macro(context: Any, name: str) -> str | None:
    """The MTA's value of a macro, None where it sends none."""
    try:
        value: str | None = context.getsymval(name)
    except UnicodeDecodeError as error:
        value = error.object.decode("utf-8", "surrogateescape")
    return value


def _refusing(reply: Reply, id: str) -> Answer:
    text = f"{reply.text} (id={id})"
    action = Action.REJECT if reply.code >= 500 else Action.TEMPFAIL
    return Answer(action, Reply(reply.code, reply.xcode, text))
