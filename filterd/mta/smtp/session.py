"""The state of an SMTP session, and what the answer to each event changes. No I/O.

`commands` reads the client's commands and turns them into events; here they are settled, with an
answer of the filters (`MilterAnswer`) or a reply of the server's own (`Reply`).
Sources: RFC 5321; order and checks as in sendmail 8.17 `srvrsmtp.c`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.milters.answers import CONTINUE, AnswerKind, MilterAnswer
from filterd.mta.smtp.data import DataReader
from filterd.mta.smtp.events import (
    Connected,
    Credentials,
    DataCommand,
    Event,
    HeloCommand,
    MailCommand,
    MessageData,
    Quit,
    RcptCommand,
    Reset,
    StartTls,
    TooLarge,
    UnknownCommand,
)
from filterd.mta.smtp.replies import Replies, SmtpReply
from filterd.mta.smtp.rules import SessionRules


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """max_size: octets of a message. max_recipients: of one."""

    max_size: int = 100 << 20
    max_recipients: int = 1000


@dataclass(slots=True)
class SmtpTransaction:
    """A mail transaction: from MAIL to the reply after the data."""

    sender: EnvelopePath
    recipients: list[EnvelopePath] = field(default_factory=list)
    refused: bool = False
    """A recipient was refused."""

    def add(self, path: EnvelopePath, counts: EnvelopePath) -> None:
        """Add a recipient, unless the one that counts in its place is in the list."""
        if counts is path or not any(counts is one for one in self.recipients):
            self.recipients.append(path)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What differs from server to server.

    extensions: the lines of the answer to EHLO. sticky: a refusal at connect or HELO is remembered
    for the whole session. may_log_in: there are passwords. forbidden: what clients may not do, as
    sendmail's privacy flags say it, and `noauth`, `notls`, `nopipelining`; `needauth`: mail only
    after AUTH.
    """

    limits: SessionLimits = SessionLimits()
    extensions: Callable[[BaseSession], list[str]] = lambda _: []
    sticky: bool = True
    may_log_in: bool = False
    forbidden: frozenset[str] = frozenset()


class BaseSession(ABC):
    """One client's session. client: its name in replies and logs, `localhost [127.0.0.1]`."""

    def __init__(
        self,
        replies: Replies,
        rules: SessionRules,
        client: str,
        options: SessionOptions = SessionOptions(),
    ) -> None:
        self.replies = replies
        self.rules = rules
        self.client = client
        self.options = options
        self.helo = ""
        self.greeted = False
        """HELO or EHLO was accepted."""

        self.extended = False
        self.transaction: SmtpTransaction | None = None
        self.refusing: SmtpReply | None = None
        """The reply to each command once the whole session is refused."""

        self.tempfailing = False
        self.secure = False
        self.user = ""
        self.closing = False
        self.refused = False
        """The client was refused at connect or HELO."""

        self.refused_recipients = 0
        """Of this message."""

        self.delay = 0.0
        """Seconds to wait before the next reply, for clients that send bad commands."""

        self._input = bytearray()
        self._output = bytearray()
        self._waiting: Event | None = Connected()
        self._delivered = False
        self._reader: DataReader | None = None

    # Octets

    def receive_data(self, data: bytes) -> None:
        """Take in received octets."""
        self._input += data

    def data_to_send(self) -> bytes:
        """Octets to send to the client; they are returned once."""
        data, self._output = bytes(self._output), bytearray()
        return data

    def next_event(self) -> Event | None:
        """The next event. None: send the output, receive more data, call again (unless `closing`).

        Each event must be settled before the next one is returned.
        """
        assert not (self._waiting and self._delivered), "the last event is not settled"
        while not self.closing:
            if self._waiting is not None:
                self._delivered = True
                return self._waiting
            if self._reader is not None:
                if not self._read_message():
                    return None
            elif not self._read_command():
                return None
        return None

    def send(self, reply: SmtpReply) -> None:
        """Queue a reply for the client."""
        self._output += reply.encode()

    def close(self, reply: SmtpReply | None = None) -> None:
        """Send a last reply and end the session."""
        if reply is not None:
            self.send(reply)
        self.closing = True

    def refuse(self, reply: SmtpReply) -> None:
        """From now on this is the reply to nearly every command."""
        self.refusing = reply

    @property
    def is_useless(self) -> bool:
        """Whether no mail can come in this session: EHLO announces next to nothing then."""
        return self.refused or self.refusing is not None

    def _ask(self, event: Event) -> None:
        self._waiting, self._delivered = event, False

    # Settling events

    def settle(
        self,
        outcome: MilterAnswer | SmtpReply = CONTINUE,
        *,
        queue_id: str = "",
        recipient: EnvelopePath | None = None,
    ) -> None:
        """Answer the event. queue_id: of an accepted message. recipient: the one of the message
        that an accepted path stands for, None for the path itself."""
        event, self._waiting = self._waiting, None
        if isinstance(outcome, MilterAnswer) and outcome.kind is AnswerKind.CLOSE:
            self._close_on(event)
        elif isinstance(outcome, MilterAnswer) and outcome.text.startswith((b"421 ", b"421-")):
            if isinstance(event, Connected):
                self._close_on(event)
                return
            self.close(self.replies.filter_text(outcome.text, None))
        else:
            self._settle(event, outcome, queue_id, recipient)

    def _close_on(self, event: Event | None) -> None:
        match event:
            case Connected():
                self.close(self.replies.closing_connect())
            case MailCommand() | RcptCommand() | UnknownCommand():
                self.close(self.replies.closing_command())
            case _:
                self.close(self.replies.closing())

    def _settle(
        self,
        event: Event | None,
        outcome: MilterAnswer | SmtpReply,
        queue_id: str,
        recipient: EnvelopePath | None,
    ) -> None:
        match event:
            case Connected():
                self._settle_connected(outcome)
            case HeloCommand():
                self._settle_helo(event, outcome)
            case MailCommand(path):
                if (refusal := self._refusal(outcome, path.text)) is None:
                    self.transaction = SmtpTransaction(path)
                    self.refused_recipients = 0
                self.send(refusal or self.replies.sender_ok(path.text))
            case RcptCommand(path):
                refusal = self._refusal(outcome, path.text)
                self._settle_recipient(path, refusal, recipient or path)
            case DataCommand():
                refusal = self._refusal(outcome)
                if refusal is None:
                    limit = self.options.limits.max_size
                    self._reader = DataReader(limit, repairs_bare=self.rules.repairs_bare)
                self.send(refusal or self.replies.go_ahead())
            case MessageData():
                refusal = self._refusal(outcome, after_data=True)
                self.transaction = None
                self.send(refusal or self.replies.accepted(queue_id))
                if refusal is None:
                    self.accepted_message()
            case UnknownCommand(line):
                self.send(self._refusal(outcome) or self.replies.unknown(line))
            case _:
                self._settle_service(event, outcome)

    def _settle_recipient(
        self, path: EnvelopePath, refusal: SmtpReply | None, counts: EnvelopePath
    ) -> None:
        assert self.transaction is not None
        if refusal is None:
            self.transaction.add(path, counts)
        else:
            self.transaction.refused = True
            self.refused_recipients += 1
            self.refused_recipient()
        self.send(refusal or self.replies.recipient_ok(counts.text, waits=counts.waits))

    def _settle_service(self, event: Event | None, outcome: MilterAnswer | SmtpReply) -> None:
        """Events that filters do not decide; the server's own reply counts."""
        match event:
            case Reset():
                self.transaction = None
                self.send(self.replies.reset())
            case TooLarge():
                self.transaction = None
                limit = self.options.limits.max_size
                self.send(self.replies.too_large(limit, announced=False))
            case Quit():
                self.close(self.replies.bye())
            case Credentials(user=user):
                if isinstance(outcome, SmtpReply):
                    self.send(outcome)
                else:
                    self.user = user
                    self.send(SmtpReply.of("235 2.0.0 OK Authenticated"))
            case StartTls() if not isinstance(outcome, SmtpReply):
                self.send(SmtpReply.of("220 2.0.0 Ready to start TLS"))
                # RFC 3207 §4.2: forget what is known of the client, drop what it sent ahead.
                self._input.clear()
                self.secure, self.helo, self.transaction = True, "", None
                self.greeted = False
            case _:
                assert isinstance(outcome, SmtpReply)
                self.send(outcome)

    def _refusal(
        self,
        outcome: MilterAnswer | SmtpReply,
        path: str | None = None,
        *,
        after_data: bool = False,
    ) -> SmtpReply | None:
        if isinstance(outcome, SmtpReply):
            return outcome
        if outcome.kind in (AnswerKind.CONTINUE, AnswerKind.DISCARD, AnswerKind.HOLD):
            return None
        return self.replies.refusal(outcome, path, after_data=after_data)

    def _settle_connected(self, outcome: MilterAnswer | SmtpReply) -> None:
        if isinstance(outcome, SmtpReply):
            self.close(outcome)
            return
        self._remember(outcome)
        if self.refused:
            self.send(self.replies.not_accepting())
        else:
            self.send(self.replies.greeting(formatdate(localtime=True)))

    def _remember(self, outcome: MilterAnswer) -> None:
        """An answer at connect or HELO counts for the whole session."""
        temporary = outcome.kind is AnswerKind.TEMPFAIL or outcome.text.startswith(b"4")
        # A session where every reply is that text is refused, whatever the text.
        self.refused |= outcome.kind in (AnswerKind.REJECT, AnswerKind.REPLY) and (
            not temporary or (self.options.sticky and outcome.kind is AnswerKind.REPLY)
        )
        if not self.options.sticky:
            return
        if outcome.kind is AnswerKind.REPLY:
            self.refusing = self.replies.filter_text(outcome.text, None)
        elif outcome.kind is AnswerKind.REJECT:
            self.refusing = self.replies.refused_session()
        elif outcome.kind is AnswerKind.TEMPFAIL:
            self.tempfailing = True

    def _settle_helo(self, event: HeloCommand, outcome: MilterAnswer | SmtpReply) -> None:
        if isinstance(outcome, SmtpReply):
            self.send(outcome)
            return
        self._remember(outcome)
        self.extended = event.extended
        if event.is_name:
            self.helo = event.name
        self.greeted = True
        self.transaction = None
        extensions = self.options.extensions(self) if event.extended else []
        self.send(self.replies.hello(self.client, extensions, is_name=event.is_name))

    # Counting

    @abstractmethod
    def accepted_message(self) -> None:
        """A message was accepted."""

    @abstractmethod
    def refused_recipient(self) -> None:
        """A recipient was refused."""

    # Reading

    @abstractmethod
    def _read_message(self) -> bool:
        """Read data of the message. False: its end was not received yet."""

    @abstractmethod
    def _read_command(self) -> bool:
        """Read one line and act on it. False: no whole line was received yet."""
