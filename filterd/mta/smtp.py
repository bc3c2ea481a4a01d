"""The SMTP session as a state machine. No I/O: octets in, events out, replies back in, octets out.

The caller feeds what the client sent and asks for the next event. Commands that need nobody's
opinion are answered here; the others become an event that waits until the caller settles it, with
what the filters say (`Answer`) or with a refusal of its own (`Reply`). While an event waits nothing
more is read, so that pipelined commands keep their order.
Sources: RFC 5321; order and checks as in sendmail 8.17 `srvrsmtp.c`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from filterd.mta.address import AddressError, parse_path
from filterd.mta.answers import CONTINUE, Answer, Kind
from filterd.mta.draft import Path
from filterd.mta.wording import Reply, Wording

COMMAND_LIMIT = 2048
"""Octets of a command line: RFC 5321 §4.5.3.1.4 asks for 512, extensions add to it."""

BAD_COMMAND_LIMIT = 100
"""Commands that are refused before the session is ended."""

LONGEST_DELAY = 240.0
"""Seconds that a client is made to wait at most, MAXTIMEOUT."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The client is there; nothing was said yet."""


@dataclass(frozen=True, slots=True)
class Helo:
    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class Mail:
    path: Path


@dataclass(frozen=True, slots=True)
class Rcpt:
    """refusal: the path is none; filters that want refused recipients are told all the same."""

    path: Path


@dataclass(frozen=True, slots=True)
class Data:
    """DATA, before the 354."""


@dataclass(frozen=True, slots=True)
class Content:
    """The whole message, LF line ends, dots unstuffed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reset:
    """The transaction is given up."""


@dataclass(frozen=True, slots=True)
class Unknown:
    line: bytes


@dataclass(frozen=True, slots=True)
class Verify:
    """VRFY or EXPN."""

    argument: str
    expand: bool


@dataclass(frozen=True, slots=True)
class StartTls:
    pass


@dataclass(frozen=True, slots=True)
class Credentials:
    """AUTH: what the client claims to be."""

    mechanism: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Quit:
    pass


Event = (
    Connected | Helo | Mail | Rcpt | Data | Content | Reset | Unknown | Verify | StartTls
    | Credentials | Quit
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """max_size: octets of a message. max_recipients: of one."""

    max_size: int = 100 << 20
    max_recipients: int = 1000


@dataclass(slots=True)
class Transaction:
    """From MAIL to the reply to the final dot."""

    sender: Path
    recipients: list[Path] = field(default_factory=list)
    refused: bool = False
    """A recipient was refused."""


_VERB = re.compile(rb"([A-Za-z]+)[ \t]*(.*)", re.DOTALL)
_BARE = re.compile(rb"\r(?=[^\n])|(?<!\r)\n")
_PATH = re.compile(r"(<[^<>]*>|\S+)\s*(.*)")


class SmtpSession:
    """One client's session. client: how the server calls it, `localhost [127.0.0.1]`."""

    def __init__(
        self,
        wording: Wording,
        client: str,
        *,
        limits: Limits | None = None,
        extensions: Callable[[SmtpSession], list[str]] = lambda _: [],
        sticky: bool = True,
    ) -> None:
        self.wording = wording
        self.client = client
        self.limits = limits or Limits()
        self.helo = ""
        self.extended = False
        self.transaction: Transaction | None = None
        self.refusing: Reply | None = None
        """Set once the whole session is refused: the reply to each command."""

        self.tempfailing = False
        self.secure = False
        self.user = ""
        self.closing = False
        self.refused = False
        """The client was refused at connect or HELO."""

        self.delay = 0.0
        """Seconds to wait before the next reply: clients that try things are slowed down."""

        self._extensions = extensions
        self._sticky = sticky
        self._counts: Counter[str] = Counter()
        self._input = bytearray()
        self._output = bytearray()
        self._waiting: Event | None = Connected()
        self._delivered = False
        self._in_data = False
        self._scanned = 0
        self._oversize = False
        self._bad_commands = 0

    # Octets

    def receive_data(self, data: bytes) -> None:
        self._input += data

    def data_to_send(self) -> bytes:
        """What the client is to get, once."""
        data, self._output = bytes(self._output), bytearray()
        return data

    def next_event(self) -> Event | None:
        """The next event, or None: send, read more, ask again (unless `closing`).

        An event must be settled before the next one is given.
        """
        assert not (self._waiting and self._delivered), "the last event waits to be settled"
        while not self.closing:
            if self._waiting is not None:
                self._delivered = True
                return self._waiting
            if self._in_data:
                if not self._read_content():
                    return None
            elif not self._read_command():
                return None
        return None

    def send(self, reply: Reply) -> None:
        self._output += reply.encode()

    def close(self, reply: Reply | None = None) -> None:
        """Say a last word and end the session."""
        if reply is not None:
            self.send(reply)
        self.closing = True

    def _ask(self, event: Event) -> None:
        self._waiting, self._delivered = event, False

    # Settling events

    def settle(self, outcome: Answer | Reply = CONTINUE, *, queue_id: str = "") -> None:
        """Answer the event that waits. queue_id: of an accepted message."""
        event, self._waiting = self._waiting, None
        if isinstance(outcome, Answer) and outcome.kind is Kind.CLOSE:
            self._close_on(event)
        elif isinstance(outcome, Answer) and outcome.text.startswith((b"421 ", b"421-")):
            if isinstance(event, Connected):
                self._close_on(event)
                return
            self.close(self.wording.filter_text(outcome.text, None))
        else:
            self._settle(event, outcome, queue_id)

    def _close_on(self, event: Event | None) -> None:
        match event:
            case Connected():
                self.close(self.wording.closing_connect())
            case Mail() | Rcpt():
                self.close(self.wording.closing_command())
            case _:
                self.close(self.wording.closing())

    def _settle(self, event: Event | None, outcome: Answer | Reply, queue_id: str) -> None:
        match event:
            case Connected():
                self._settle_connected(outcome)
            case Helo():
                self._settle_helo(event, outcome)
            case Mail(path):
                if (refusal := self._refusal(outcome, path.text)) is None:
                    self.transaction = Transaction(path)
                self.send(refusal or self.wording.sender_ok(path.text))
            case Rcpt(path):
                assert self.transaction is not None
                if (refusal := self._refusal(outcome, path.text)) is None:
                    self.transaction.recipients.append(path)
                self.transaction.refused |= refusal is not None
                self.send(refusal or self.wording.recipient_ok(path.text))
            case Data():
                refusal = self._refusal(outcome)
                self._in_data = refusal is None
                self._scanned = 0
                self.send(refusal or self.wording.go_ahead())
            case Content():
                refusal = self._refusal(outcome, after_data=True)
                self.transaction = None
                self.send(refusal or self.wording.accepted(queue_id))
            case Unknown(line):
                self.send(self._refusal(outcome) or self.wording.unknown(line))
            case _:
                self._settle_service(event, outcome)

    def _settle_service(self, event: Event | None, outcome: Answer | Reply) -> None:
        """Events that filters have no say in; the server's own reply counts."""
        match event:
            case Reset():
                self.transaction = None
                self.send(self.wording.reset())
            case Quit():
                self.close(self.wording.bye())
            case Credentials(user=user):
                if isinstance(outcome, Reply):
                    self.send(outcome)
                else:
                    self.user = user
                    self.send(Reply.of("235 2.0.0 OK Authenticated"))
            case StartTls() if not isinstance(outcome, Reply):
                # RFC 3207 §4.2: what was learnt before is forgotten, what was sent ahead dropped.
                self._input.clear()
                self.secure, self.helo, self.transaction = True, "", None
            case _:
                assert isinstance(outcome, Reply)
                self.send(outcome)

    def _refusal(
        self, outcome: Answer | Reply, path: str | None = None, *, after_data: bool = False
    ) -> Reply | None:
        if isinstance(outcome, Reply):
            return outcome
        if outcome.kind in (Kind.CONTINUE, Kind.DISCARD, Kind.HOLD):
            return None
        return self.wording.refusal(outcome, path, after_data=after_data)

    def _settle_connected(self, outcome: Answer | Reply) -> None:
        if isinstance(outcome, Reply):
            self.close(outcome)
            return
        self._remember(outcome)
        if self.refused:
            self.send(self.wording.not_accepting())
        else:
            self.send(self.wording.greeting(formatdate(localtime=True)))

    def _remember(self, outcome: Answer) -> None:
        """An answer at connect or HELO counts for the whole session."""
        temporary = outcome.kind is Kind.TEMPFAIL or outcome.text.startswith(b"4")
        self.refused |= outcome.kind in (Kind.REJECT, Kind.REPLY) and not temporary
        if not self._sticky:
            return
        if outcome.kind is Kind.REPLY:
            self.refusing = self.wording.filter_text(outcome.text, None)
        elif outcome.kind is Kind.REJECT:
            self.refusing = self.wording.refused_session()
        elif outcome.kind is Kind.TEMPFAIL:
            self.tempfailing = True

    def _settle_helo(self, event: Helo, outcome: Answer | Reply) -> None:
        if isinstance(outcome, Reply):
            self.send(outcome)
            return
        self._remember(outcome)
        self.helo, self.extended = event.name, event.extended
        self.transaction = None
        extensions = self._extensions(self) if event.extended else []
        self.send(self.wording.hello(self.client, extensions))

    # Reading commands

    def _read_command(self) -> bool:
        """Take one line and act on it. False: there is no whole line yet."""
        end = self._input.find(b"\n")
        if end < 0:
            if len(self._input) > COMMAND_LIMIT:
                self.close(Reply.of("421 4.7.0 line too long"))
            return False
        line = bytes(self._input[:end]).removesuffix(b"\r")
        del self._input[: end + 1]
        if len(line) > COMMAND_LIMIT:
            self._bad(Reply.of("500 5.5.6 Command line too long"))
        else:
            self._command(line)
        return True

    def _bad(self, reply: Reply) -> None:
        """Refuse a command that makes no sense; a client that sends many is let go."""
        self._bad_commands += 1
        if self._bad_commands > BAD_COMMAND_LIMIT:
            self.close(Reply.of("421 4.7.0 Too many bad commands; closing connection"))
        else:
            self.send(reply)

    def _command(self, line: bytes) -> None:
        match = _VERB.match(line.strip())
        verb = match[1].decode("ascii").upper() if match else ""
        argument = match[2].decode("ascii", "surrogateescape") if match else ""
        if self.refusing is not None and verb not in ("HELO", "EHLO", "NOOP", "RSET", "QUIT"):
            self._bad(self.refusing)
            return
        handler = {
            "HELO": self._helo, "EHLO": self._helo, "MAIL": self._mail, "RCPT": self._rcpt,
            "DATA": self._data, "RSET": self._rset, "NOOP": self._noop, "QUIT": self._quit,
            "VRFY": self._verify, "EXPN": self._verify, "HELP": self._help, "VERB": self._noop,
            "STARTTLS": self._starttls, "AUTH": self._start_auth,
        }.get(verb)  # fmt: skip
        if handler is None:
            self._bad_commands += 1
            self._ask(Unknown(line.strip()))
        else:
            handler(verb, argument.strip())

    def _slow_down(self, verb: str) -> None:
        """sendmail's checksmtpattack(): from the limit on each further one waits twice as long."""
        self._counts[verb] += 1
        excess = self._counts[verb] - self.wording.patience.get(verb, self._counts[verb] + 1)
        if excess >= 0:
            self.delay = min(2.0**excess, LONGEST_DELAY)

    def _helo(self, verb: str, argument: str) -> None:
        self._slow_down("HELO")
        if argument:
            self._ask(Helo(argument, verb == "EHLO"))
        else:
            self._bad(self.wording.bad_argument(verb, ""))

    def _mail(self, verb: str, argument: str) -> None:
        if self.transaction is not None:
            self._bad(self.wording.nested_mail())
        elif self.tempfailing:
            self.send(self.wording.tempfail())
        elif (path := self._path(verb, "from", argument)) is not None:
            if (refusal := self._check_mail(path)) is not None:
                self._bad(refusal)
            else:
                self._ask(Mail(path))

    def _rcpt(self, verb: str, argument: str) -> None:
        if self.transaction is None:
            self._bad(self.wording.rcpt_without_mail())
        elif len(self.transaction.recipients) >= self.limits.max_recipients:
            self.send(Reply.of("452 4.5.3 Too many recipients"))
        elif (path := self._path(verb, "to", argument)) is not None:
            if not path.address:
                self._bad(self.wording.bad_address(path.text, "5.1.3", "User address required"))
            elif (bad := _unknown_parameter(path, _RCPT_PARAMETERS)) is not None:
                self._bad(bad)
            else:
                self._ask(Rcpt(path))

    def _path(self, verb: str, word: str, argument: str) -> Path | None:
        """The path after `FROM:` or `TO:`; None where the client was told what is wrong."""
        head, colon, rest = argument.partition(":")
        match = _PATH.fullmatch(rest.strip())
        if head.strip().lower() != word or not colon or match is None:
            self._bad(self.wording.bad_argument(verb, word))
            return None
        text, parameters = match[1], tuple(match[2].split())
        try:
            return Path(parse_path(text), text, parameters)
        except AddressError as error:
            self._bad(self.wording.bad_address(text, error.code, str(error)))
            return None

    def _check_mail(self, path: Path) -> Reply | None:
        """What is wrong with the parameters of MAIL, if anything."""
        if (bad := _unknown_parameter(path, _MAIL_PARAMETERS)) is not None:
            return bad
        for parameter in path.parameters:
            name, _, value = parameter.upper().partition("=")
            if name == "SIZE" and not value.isdecimal():
                return Reply.of("501 5.5.2 SIZE requires a value")
            if name == "SIZE" and int(value) > self.limits.max_size:
                return self._too_large()
            if name == "BODY" and value not in ("7BIT", "8BITMIME"):
                return Reply.of(f"501 5.5.4 Unknown BODY type {value}")
        return None

    def _too_large(self) -> Reply:
        return Reply.of(
            f"552 5.3.4 Message size exceeds fixed maximum message size ({self.limits.max_size})"
        )

    def _data(self, verb: str, argument: str) -> None:  # noqa: ARG002
        if self.transaction is None:
            self._bad(self.wording.data_without_mail())
        elif not self.transaction.recipients:
            self._bad(self.wording.data_without_rcpt(self.transaction.refused))
        else:
            self._ask(Data())

    def _rset(self, verb: str, argument: str) -> None:  # noqa: ARG002
        self._ask(Reset())

    def _noop(self, verb: str, argument: str) -> None:  # noqa: ARG002
        self._slow_down("NOOP")
        self.send(self.wording.ok())

    def _quit(self, verb: str, argument: str) -> None:  # noqa: ARG002
        self._ask(Quit())

    def _verify(self, verb: str, argument: str) -> None:
        self._slow_down("VRFY")
        self._ask(Verify(argument, verb == "EXPN"))

    def _help(self, verb: str, argument: str) -> None:  # noqa: ARG002
        self.send(Reply.of("214 2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY EXPN HELP"))

    # TLS and AUTH

    def _starttls(self, verb: str, argument: str) -> None:  # noqa: ARG002
        if self.secure:
            self._bad(Reply.of("503 5.5.0 TLS already active"))
        else:
            self._ask(StartTls())

    def _start_auth(self, verb: str, argument: str) -> None:  # noqa: ARG002
        self._bad(Reply.of("503 5.3.3 AUTH not available"))

    # The message

    def _read_content(self) -> bool:
        """Take octets of the message. False: its end has not come yet.

        A bare CR or LF ends the session at once, as Debian's sendmail has it since CVE-2023-51765:
        servers that take them can be made to see another end of message than their peers.
        """
        data = self._input
        end = 0 if data.startswith(b".\r\n") else data.find(b"\r\n.\r\n", max(self._scanned - 4, 0))
        stop = len(data) if end < 0 else end + 2
        bare = None
        if not self.wording.mends_bare:
            bare = _BARE.search(data, max(self._scanned - 1, 0), stop)
        if bare is not None:
            name = "carriage return (CR)" if bare[0] == b"\r" else "linefeed (LF)"
            self.close(Reply.of(f"421 4.5.0 Bare {name} not allowed"))
            return False
        if end < 0:
            self._scanned = len(data)
            if len(data) > self.limits.max_size:
                # Read on to the end, keep nothing.
                self._oversize = True
                del data[:-5]
                self._scanned = len(data)
            return False
        content = b"" if data.startswith(b".\r\n") else bytes(data[: end + 2])
        del data[: end + (3 if not content else 5)]
        self._in_data, oversize, self._oversize = False, self._oversize, False
        if oversize or len(content) > self.limits.max_size:
            self.transaction = None
            self.send(self._too_large())
            return True
        if content.startswith(b"."):
            content = content[1:]
        content = content.replace(b"\r\n.", b"\r\n").replace(b"\r\n", b"\n")
        if self.wording.mends_bare:
            content = content.replace(b"\r", b" ")
        self._ask(Content(content))
        return True


_MAIL_PARAMETERS = frozenset({"SIZE", "BODY", "RET", "ENVID", "AUTH", "BY", "SMTPUTF8"})
_RCPT_PARAMETERS = frozenset({"NOTIFY", "ORCPT"})


def _unknown_parameter(path: Path, known: frozenset[str]) -> Reply | None:
    for parameter in path.parameters:
        name = parameter.partition("=")[0].upper()
        if name not in known:
            return Reply.of(f"555 5.5.4 {name} parameter unrecognized")
    return None
