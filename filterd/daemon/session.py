"""The milter side of one SMTP session: what libmilter's callbacks collect, and the answer.

Callbacks run in libmilter's thread of the connection. Those of stages that no filter is asked at,
and those of header and body, only note what they are given, and ask for no reply to be sent where
the MTA can do without (SMFIP_NR_*). An exception in one of them is an event that was not noted; the
message is then refused at its end (`Service.unreadable`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Any

import Milter
import milter

from filterd.chain import replies
from filterd.chain.findings import NOTHING_FOUND
from filterd.chain.report import Arrival, ScanReport, values
from filterd.chain.stages import Stage
from filterd.chain.verdict import Action, Reply
from filterd.daemon.apply import answer_with, carry_out
from filterd.daemon.scanning import refusing, scan
from filterd.daemon.service import Service
from filterd.daemon.stages import SessionStages
from filterd.daemon.transaction import (
    EnvelopeLimitError,
    HeaderLimitError,
    Transaction,
    address,
    text,
)
from filterd.message import Client, Envelope, Recipient
from filterd.message.ids import new_id
from filterd.workers.codec import WorkerAnswer

log = logging.getLogger(__name__)

MACROS = (
    "i",
    "j",
    "_",
    "v",
    "{client_addr}",
    "{client_name}",
    "{client_port}",
    "{client_ptr}",
    "{daemon_name}",
    "{daemon_addr}",
    "{daemon_port}",
    "{if_name}",
    "{if_addr}",
    "{auth_type}",
    "{auth_authen}",
    "{auth_author}",
    "{auth_ssf}",
    "{mail_mailer}",
    "{mail_host}",
    "{mail_addr}",
    "{rcpt_mailer}",
    "{rcpt_host}",
    "{rcpt_addr}",
    "{msg_id}",
    "{tls_version}",
    "{cipher}",
    "{cipher_bits}",
    "{verify}",
    "{cert_subject}",
    "{cert_issuer}",
)
"""The macros that filters get to see, where the MTA sends them."""

UNWANTED_STEPS = Milter.P_NOUNKNOWN | Milter.P_NOEOH
"""Steps that tell nothing the others do not."""

SILENT_STEPS = Milter.P_NR_HDR | Milter.P_NR_BODY
"""Steps after which the MTA need not wait: nothing is decided there."""

STAGE_STEPS = {
    Stage.CONNECT: Milter.P_NR_CONN,
    Stage.HELO: Milter.P_NR_HELO,
    Stage.SENDER: Milter.P_NR_MAIL,
    Stage.RECIPIENT: Milter.P_NR_RCPT,
    Stage.DATA: Milter.P_NODATA,
}
"""What is agreed with the MTA where no filter is asked at a stage: that it does not wait for an
answer, or does not tell."""

UNKNOWN_CLIENT = Client("unknown", "unknown")
"""A client of which the MTA could not say who it is; `unknown` is Postfix's word."""


def wanted_steps(asked: Collection[Stage]) -> int:
    """What the MTA is asked to leave out, so that it tells and waits for no more than is needed.
    asked: stages at which filters are asked."""
    steps = UNWANTED_STEPS | SILENT_STEPS | Milter.P_HDR_LEADSPC
    for stage, step in STAGE_STEPS.items():
        if stage not in asked:
            steps |= step
    return int(steps)


class MilterSession:
    """One connection of the MTA. steps: what was agreed with it."""

    def __init__(self, service: Service, steps: int) -> None:
        self._service = service
        self._steps = steps
        pool = service.pool.stages
        self._stages = SessionStages(service) if pool is not None else None
        self._id = ""
        # Stays like this if CONNECT cannot be read; it must not look like a local client.
        self._client = UNKNOWN_CLIENT
        self._has_connected = False
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

    def _stage(self, stage: Stage, context: Any, recipient: Recipient | None = None) -> int:
        """What a callback of a stage returns, once the filters were asked that want to be."""
        step = STAGE_STEPS[stage]
        silent = self._silence(step)
        if self._stages is None:
            return silent
        may_answer = not self._steps & step
        told = self._stages.ask(stage, self._envelope(context), recipient, may_answer=may_answer)
        if told is None:
            return silent
        refusing = Milter.REJECT if told.action is Action.REJECT else Milter.TEMPFAIL
        try:
            return answer_with(context, told.reply, refusing)
        except milter.error as error:
            log.error("id=%s the reply cannot be set: %s", told.id, error)
            return int(refusing)

    def _envelope(self, context: Any) -> Envelope:
        """What is known now."""
        transaction, macros = self._transaction, _macros(context)
        client = self._client
        if client.address == UNKNOWN_CLIENT.address and "{client_addr}" in macros:
            client = Client(client.name, macros["{client_addr}"], client.port, client.helo)
        return Envelope(
            transaction.sender,
            tuple(transaction.recipients),
            client,
            transaction.sender_parameters,
            macros,
        )

    def connect(self, context: Any, name: str, address: Any) -> int:
        """A client has connected. address: (host, port), or the path of a unix socket
        (xxfi_connect)."""
        host, port = "", 0
        if isinstance(address, tuple):
            host, port = address[0], address[1]
        elif name == UNKNOWN_CLIENT.name:
            # Postfix: the client was gone before anybody could ask for its address.
            host = UNKNOWN_CLIENT.address
        self._client = Client(name, host, port)
        answer = self._stage(Stage.CONNECT, context)
        self._has_connected = True
        return answer

    def helo(self, context: Any, name: str) -> int:
        """HELO or EHLO (xxfi_helo)."""
        client = self._client
        self._client = Client(client.name, client.address, client.port, name)
        return self._stage(Stage.HELO, context)

    def envfrom(self, context: Any, *arguments: bytes) -> int:
        """MAIL: a new message begins. arguments: the reverse-path, then ESMTP parameters."""
        self.abort()
        spool = self._service.settings.daemon.spool
        self._transaction = Transaction(spool, self._blank, *arguments)
        if self._stages is not None:
            self._id = self._stages.begin(self._envelope(context))
            if not self._has_connected:
                # CONNECT was lost on its way here, by a name that is not UTF-8 for example. What
                # filters say of the client is told now.
                self._stages.ask(Stage.CONNECT, self._envelope(context), may_answer=False)
                self._has_connected = True
        return self._stage(Stage.SENDER, context)

    def envrcpt(self, context: Any, *arguments: bytes) -> int:
        """RCPT. context: pymilter's, for `{rcpt_addr}`."""
        if self._refusal is not None:
            return self._silence(Milter.P_NR_RCPT)
        resolved = _macro(context, "{rcpt_addr}") or ""
        if self._stages is not None:
            path, *parameters = arguments
            recipient = Recipient(address(path), tuple(map(text, parameters)), resolved)
            answer = self._stage(Stage.RECIPIENT, context, recipient)
            if answer not in (Milter.CONTINUE, Milter.NOREPLY):
                return answer
        try:
            self._transaction.add_recipient(*arguments, resolved=resolved)
        except EnvelopeLimitError:
            self._refuse(replies.RECIPIENTS)
        return self._silence(Milter.P_NR_RCPT)

    def data(self, context: Any) -> int:
        """DATA: the header follows."""
        if self._refusal is not None:
            return int(Milter.CONTINUE)
        return self._stage(Stage.DATA, context)

    def header(self, name: str, value: bytes) -> int:
        # Called some thirty times a message, so all else waits until the header is complete.
        """One header field (xxfi_header). value: as it came, folded; with its leading
        blanks where that was negotiated."""
        if self._refusal is None:
            try:
                self._transaction.add_field(name, value)
            except HeaderLimitError:
                self._refuse(replies.HEADER)
        return self._header_reply

    def body(self, chunk: bytes) -> int:
        """The next piece of the body (xxfi_body)."""
        transaction = self._transaction
        if self._refusal is None:
            limit = self._service.settings.daemon.max_message_size
            if transaction.size + len(chunk) > limit:
                self._refuse(replies.SIZE)
            else:
                try:
                    transaction.add_body(chunk)
                except OSError as error:
                    log.error("spool: %s", error)
                    self._refuse(replies.TROUBLE)
        return self._silence(Milter.P_NR_BODY)

    def abort(self) -> int:
        """The transaction is over, whatever became of it."""
        self._transaction.close()
        self._transaction = Transaction(self._service.settings.daemon.spool, self._blank)
        self._refusal = None
        self._id = ""
        self._unreadable = self._service.unreadable
        return int(Milter.CONTINUE)

    def close(self) -> None:
        """The MTA has closed the connection."""
        self.abort()
        if self._stages is not None:
            self._stages.close()

    def eom(self, context: Any) -> int:
        """End of message: have it scanned, carry out the answer."""
        try:
            return self._end_of_message(context)
        except Exception:
            log.exception("end of message")
            return int(Milter.TEMPFAIL)

    def _end_of_message(self, context: Any) -> int:
        started = time.monotonic()
        transaction, stages = self._transaction, self._stages
        envelope = self._envelope(context)
        message_id = transaction.field("Message-ID")
        session = "" if stages is None else stages.id
        early = NOTHING_FOUND
        if stages is not None:
            early = stages.findings.of_message([r.address for r in envelope.recipients])
        id = self._id or new_id()
        arrival = Arrival.at(id, envelope, transaction.size, message_id, session)
        if self._unreadable != self._service.unreadable:
            # Which message lost an event cannot be told, so none that was under way is judged.
            self._refuse(replies.TROUBLE)
        note = ""
        self._service.begin()
        try:
            if self._refusal is not None:
                answer = refusing(self._service, self._refusal, arrival)
                note = (
                    f"not scanned: over a limit, or not received completely ({self._refusal.text})"
                )
            else:
                answer, note = scan(self._service, context, arrival, envelope, transaction, early)
            blank = " " if self._steps & Milter.P_HDR_LEADSPC else ""
            result = carry_out(context, answer, transaction, blank)
        except milter.error as error:
            note = f"the MTA did not accept the answer: {error}"
            lost = ScanReport(**values(arrival), action=Action.TEMPFAIL)
            answer, result = WorkerAnswer(lost), int(Milter.TEMPFAIL)
        except Exception:
            log.exception("id=%s", arrival.id)
            note = "internal error"
            answer = refusing(self._service, replies.TROUBLE, arrival)
            result = answer_with(context, answer.report.reply, Milter.TEMPFAIL)
        finally:
            self._service.end()
        total = round((time.monotonic() - started) * 1000, 1)
        report = ScanReport(**{**values(answer.report), "note": note, "total_ms": total})
        self._service.report(report)
        octets = transaction.octets
        self._service.note(report, octets("Subject"), octets("From"))
        if stages is not None:
            stages.tell(report, envelope)
        self.abort()
        return result


def _macros(context: Any) -> dict[str, str]:
    # In one step, which most mail takes several times.
    get = context.getsymval
    try:
        values = [get(name) for name in MACROS]
    except UnicodeDecodeError:
        values = [_macro(context, name) for name in MACROS]
    return {name: value for name, value in zip(MACROS, values, strict=True) if value is not None}


def _macro(context: Any, name: str) -> str | None:
    """The MTA's value of a macro, None where it sends none."""
    try:
        value: str | None = context.getsymval(name)
    except UnicodeDecodeError as error:
        value = error.object.decode("utf-8", "surrogateescape")
    return value
