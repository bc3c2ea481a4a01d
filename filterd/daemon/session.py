"""The milter side of one SMTP session: what libmilter's callbacks collect, and the answer.

Callbacks run in libmilter's thread of the connection. All but end-of-message only note what they
are given, and ask for no reply to be sent where the MTA can do without (SMFIP_NR_*). An exception
that gets out of a callback would be printed and shown to the SMTP client by pymilter, so none does.
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
from filterd.daemon.exchange import Answer, AnswerError, decode_answer, encode_request, spliced
from filterd.daemon.pool import Busy, Pool, WorkerLostError
from filterd.daemon.transaction import Transaction
from filterd.ids import new_id
from filterd.message import Client, Envelope, Message
from filterd.verdict import Action, AddField, ChangeField, Reply, Splice

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

ACTIONS = (
    Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.DELRCPT | Milter.QUARANTINE
)  # fmt: skip
"""What a decision may need of the MTA."""

CHUNK = 65_535
"""Octets of one REPLBODY packet (MILTER_CHUNK_SIZE)."""

RETRY_LIMIT = 4
"""Workers that one message may cost before it gets no more."""

BUSY_REPLY = Reply(451, "4.3.0", "Too busy to check the message, please try again later")
TROUBLE_REPLY = Reply(451, "4.3.0", "Message could not be checked, please try again later")
SIZE_REPLY = Reply(552, "5.3.4", "Message is too large")


@dataclass
class Service:
    """What all sessions share. settings and pool are exchanged as a whole by a reload."""

    settings: Settings
    pool: Pool
    keep_failed: Callable[[Message, str], None]
    report: Callable[[Mapping[str, Any]], None]
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

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no message is being examined; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._in_flight == 0, seconds)


class Session:
    """One connection of the MTA."""

    def __init__(self, service: Service, steps: int) -> None:
        self._service = service
        self._steps = steps
        self._client = Client()
        self._transaction: Transaction | None = None
        self._refusal: Reply | None = None

    def _silence(self, step: int) -> int:
        """What a callback of a step returns: nothing for the MTA where that was agreed."""
        return int(Milter.NOREPLY if self._steps & step else Milter.CONTINUE)

    def connect(self, name: str, address: Any) -> int:
        host, port = "", 0
        if isinstance(address, tuple):
            host, port = address[0], address[1]
        self._client = Client(name, host, port)
        return self._silence(Milter.P_NR_CONN)

    def helo(self, name: str) -> int:
        client = self._client
        self._client = Client(client.name, client.address, client.port, name)
        return self._silence(Milter.P_NR_HELO)

    def envfrom(self, *arguments: bytes) -> int:
        self.abort()
        self._transaction = Transaction(self._service.settings.daemon.spool, *arguments)
        return self._silence(Milter.P_NR_MAIL)

    def envrcpt(self, *arguments: bytes) -> int:
        self._begun().add_recipient(*arguments)
        return self._silence(Milter.P_NR_RCPT)

    def header(self, name: str, value: bytes) -> int:
        if not self._steps & Milter.P_HDR_LEADSPC:
            value = b" " + value
        self._begun().add_field(name, value)
        return self._silence(Milter.P_NR_HDR)

    def body(self, chunk: bytes) -> int:
        transaction = self._begun()
        if self._refusal is None:
            if transaction.size + len(chunk) > self._service.settings.daemon.max_message_size:
                self._refusal = SIZE_REPLY
            else:
                try:
                    transaction.add_body(chunk)
                except OSError as error:
                    log.error("spool: %s", error)
                    self._refusal = TROUBLE_REPLY
        return self._silence(Milter.P_NR_BODY)

    def _begun(self) -> Transaction:
        if self._transaction is None:
            self._transaction = Transaction(self._service.settings.daemon.spool)
        return self._transaction

    def abort(self) -> int:
        if self._transaction is not None:
            self._transaction.close()
        self._transaction = None
        self._refusal = None
        return int(Milter.CONTINUE)

    def eom(self, context: Any) -> int:
        """End of message: have it examined, carry out the answer."""
        started = time.monotonic()
        id = new_id()
        transaction = self._begun()
        envelope = Envelope(
            transaction.sender,
            tuple(transaction.recipients),
            self._client,
            transaction.sender_parameters,
            _macros(context),
        )
        note = ""
        self._service.begin()
        try:
            if self._refusal is not None:
                answer = _refusing(self._refusal, id)
                note = "over a limit of the daemon"
            else:
                answer, note = self._examine(context, id, envelope, transaction)
            blank = " " if self._steps & Milter.P_HDR_LEADSPC else ""
            result = _carry_out(context, answer, transaction, blank)
        except milter.error as error:
            note = f"the MTA did not take the answer: {error}"
            answer, result = Answer(Action.TEMPFAIL), int(Milter.TEMPFAIL)
        except Exception:
            log.exception("id=%s", id)
            note = "internal error"
            answer = _refusing(TROUBLE_REPLY, id)
            result = _answer_with(context, answer.reply, Milter.TEMPFAIL)
        finally:
            self._service.end()
        self._service.report(_facts(id, envelope, transaction, answer, note, started))
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
        for _attempt in range(RETRY_LIMIT):
            try:
                head = service.pool.examine(
                    encode_request(id, envelope, tuple(failed)),
                    pieces,
                    descriptor,
                    deadline=deadline,
                    waiting=context.progress,
                    interval=settings.daemon.progress_interval,
                )
                answer = decode_answer(
                    head,
                    envelope,
                    transaction.header_size,
                    transaction.size,
                    may_discard=not settings.policy.keep_discarded,
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
                note = "; ".join(f"{f.kind} in {f.filter}: {f.detail}" for f in failed)
                if failed and not answer.stored:
                    self._keep_failed(id, envelope, transaction, note)
                return answer, note
        self._keep_failed(id, envelope, transaction, trouble)
        return _refusing(TROUBLE_REPLY, id), trouble

    def _keep_failed(
        self, id: str, envelope: Envelope, transaction: Transaction, trouble: str
    ) -> None:
        """Keep a message that broke a worker, for people who want to know why."""
        try:
            self._service.keep_failed(Message(transaction.data(), envelope, id), trouble)
        except OSError as error:
            log.error("id=%s cannot be kept for analysis: %s", id, error)


def _macros(context: Any) -> dict[str, str]:
    found = {}
    for name in MACROS:
        try:
            value = context.getsymval(name)
        except UnicodeDecodeError as error:
            value = error.object.decode("utf-8", "surrogateescape")
        if value is not None:
            found[name] = value
    return found


def _refusing(reply: Reply, id: str) -> Answer:
    text = f"{reply.text} (id={id})"
    action = Action.REJECT if reply.code >= 500 else Action.TEMPFAIL
    return Answer(action, Reply(reply.code, reply.xcode, text))


def _carry_out(context: Any, answer: Answer, transaction: Transaction, blank: str) -> int:
    """Make the edits and return libmilter's word for the action. Raises milter.error.

    blank: what goes between colon and value, where the MTA leaves that to us (SMFIP_HDR_LEADSPC).
    """
    if answer.action is Action.REJECT:
        return _answer_with(context, answer.reply, Milter.REJECT)
    if answer.action is Action.TEMPFAIL:
        return _answer_with(context, answer.reply, Milter.TEMPFAIL)
    if answer.action is not Action.ACCEPT and answer.mta_quarantine is None:
        return int(Milter.DISCARD)
    for edit in answer.edits:
        if isinstance(edit, ChangeField):
            value = None if edit.value is None else f"{blank}{edit.value}"
            context.chgheader(edit.name, edit.index, value)
    added = [edit for edit in answer.edits if isinstance(edit, AddField)]
    # Each goes to the very top, so the one that is to stand first comes last.
    for edit in reversed(added):
        context.addheader(edit.name, f"{blank}{edit.value}", 0)
    if any(isinstance(edit, Splice) for edit in answer.edits):
        body = spliced(transaction.data(), answer.edits, transaction.header_size)
        for start in range(0, max(len(body), 1), CHUNK):
            context.replacebody(body[start : start + CHUNK])
    for recipient in answer.drop_recipients:
        context.delrcpt(transaction.paths[recipient])
    if answer.mta_quarantine is not None:
        context.quarantine(answer.mta_quarantine)
    return int(Milter.CONTINUE)


def _answer_with(context: Any, reply: Reply | None, result: int) -> int:
    if reply is not None:
        # libmilter hands the text to the MTA's printf, where a percent sign counts double.
        context.setreply(str(reply.code), reply.xcode, reply.text.replace("%", "%%"))
    return int(result)


def _facts(
    id: str, envelope: Envelope, transaction: Transaction, answer: Answer, note: str, started: float
) -> dict[str, Any]:
    """What the log line says about the message."""
    return {
        "id": id,
        "queue_id": envelope.queue_id,
        "message_id": transaction.field(b"Message-ID"),
        "client": f"{envelope.client.name}[{envelope.client.address}]",
        "auth": envelope.authenticated,
        "from": envelope.sender,
        "to": [recipient.address for recipient in envelope.recipients],
        "size": transaction.size,
        "action": answer.action.word,
        "reply": f"{answer.reply.code} {answer.reply.xcode}" if answer.reply else "",
        "stored": answer.stored,
        "dropped": list(answer.drop_recipients),
        **answer.log,
        "note": note,
        "total_ms": round((time.monotonic() - started) * 1000, 1),
    }
