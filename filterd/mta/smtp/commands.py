"""The SMTP session as a state machine. No I/O: octets in, events out, replies back in, octets out.

The caller passes in what the client sent and asks for the next event. Commands that need no
decision are answered here; the others become an event that the caller settles (`session`). Until
then nothing more is read, so that pipelined commands keep their order.
Sources: RFC 5321; order and checks as in sendmail 8.17 `srvrsmtp.c`.
"""

from __future__ import annotations

import base64
import re
from collections import Counter

from filterd.mta.mail.address import PathError, parse_path
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.smtp import sasl
from filterd.mta.smtp.data import BareError
from filterd.mta.smtp.events import (
    Credentials,
    DataCommand,
    HeloCommand,
    MailCommand,
    MessageData,
    Quit,
    RcptCommand,
    Reset,
    RunQueue,
    StartTls,
    TooLarge,
    UnknownCommand,
    Verify,
)
from filterd.mta.smtp.parameters import (
    announced_size,
    bad_recipient_parameter,
    bad_sender_parameter,
)
from filterd.mta.smtp.replies import NOT_ALLOWED, Replies, SmtpReply
from filterd.mta.smtp.rules import SessionRules
from filterd.mta.smtp.session import BaseSession, SessionOptions, SmtpTransaction

COMMAND_LIMIT = 2048
"""Octets of a command line: RFC 5321 §4.5.3.1.4 asks for 512, extensions add to it."""

BAD_COMMAND_LIMIT = 100
"""Refused commands before the session is ended."""

UNKNOWN_LIMIT = 25
"""Unknown commands before the session is ended, MAXBADCOMMANDS."""

NOT_IMPLEMENTED = frozenset({"TURN", "SEND", "SAML", "SOML"})
"""Commands of RFC 821 that sendmail does not implement."""

STILL_SERVED = frozenset({"HELO", "EHLO", "NOOP", "RSET", "QUIT"})
"""Commands that get their normal reply although the session is refused."""

PROXY_VERBS = frozenset({"GET", "POST", "CONNECT", "USER"})
"""First commands of clients that take this for a web or ftp server."""

SHOWN_LIMIT = 203
"""Characters of a command in a reply, MAXSHORTSTR."""

ERROR_DELAY = 1.0
"""Seconds that Postfix waits before each refusal over the soft limit, smtpd_error_sleep_time."""

NAME_LIMIT = 256
"""Characters of what follows HELO, MAXNAME."""

LONGEST_DELAY = 240.0
"""Seconds of the longest wait, MAXTIMEOUT."""

_VERB = re.compile(rb"([A-Za-z]+)[ \t]*(.*)", re.DOTALL)
_PATH = re.compile(r"(<[^<>]*>|\S+)\s*(.*)")


class SmtpSession(BaseSession):
    """One client's session, its commands read and answered."""

    def __init__(
        self,
        replies: Replies,
        rules: SessionRules,
        client: str,
        options: SessionOptions = SessionOptions(),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__(replies, rules, client, options)
        self._auth: sasl.Dialogue | None = None
        self._counts: Counter[str] = Counter()
        self._bad_commands = 0
        self._errors = 0
        self._is_first = True

    # Reading commands

    def _read_command(self) -> bool:
        """Read one line and act on it. False: no whole line was received yet."""
        end = self._input.find(b"\n")
        if end < 0:
            if len(self._input) > COMMAND_LIMIT:
                self.close(self.replies.too_long(self.client))
            return False
        if self.rules.hard_errors and self._errors >= self.rules.hard_errors:
            self.close(self.replies.too_many_bad())
            return True
        line = bytes(self._input[:end]).removesuffix(b"\r")
        del self._input[: end + 1]
        if len(line) > COMMAND_LIMIT:
            self.close(self.replies.too_long(self.client))
        elif self._auth is not None:
            self._auth_step(self._auth, line)
        else:
            self._command(line)
        return True

    def _bad(self, reply: SmtpReply) -> None:
        """Refuse a bad command; a client that sends too many is disconnected."""
        self._bad_commands += 1
        if self._bad_commands > BAD_COMMAND_LIMIT:
            self.close(self.replies.too_many_bad())
        else:
            self.send(reply)

    def _command(self, line: bytes) -> None:
        match = _VERB.match(line.strip())
        verb = match[1].decode("ascii").upper() if match else ""
        argument = match[2].decode("ascii", "surrogateescape") if match else ""
        handler = {
            "HELO": self._helo,
            "EHLO": self._helo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
            "VRFY": self._verify,
            "EXPN": self._verify,
            "HELP": self._help,
            "VERB": self._verb,
            "ETRN": self._etrn,
            "STARTTLS": self._starttls,
            "AUTH": self._start_auth,
        }.get(verb)
        is_first, self._is_first = self._is_first, False
        if is_first and self.rules.refuses_proxies and verb in PROXY_VERBS and argument:
            self.close(self.replies.proxy(self.client))
            return
        if verb in self.rules.unknown_verbs:
            handler, verb = None, ""
        known = handler is not None or verb in NOT_IMPLEMENTED
        if self.refusing is not None and known and verb not in STILL_SERVED:
            # sendmail counts them with unknown commands.
            self._counts["unknown"] += 1
            if not self.rules.hard_errors and self._counts["unknown"] > UNKNOWN_LIMIT:
                self.close(self.replies.too_many_bad())
            else:
                self._bad(self.refusing)
            return
        if handler is None and verb in NOT_IMPLEMENTED:
            self._bad(self.replies.not_implemented(line.strip()))
        elif handler is None:
            self._slow_down("unknown")
            if not self.rules.hard_errors and self._counts["unknown"] > UNKNOWN_LIMIT:
                self.close(self.replies.too_many_bad())
            else:
                self._ask(UnknownCommand(line.strip()))
        else:
            handler(verb, argument.strip())

    def _slow_down(self, verb: str) -> None:
        """sendmail's checksmtpattack(): over the limit each further command waits twice as long."""
        self._counts[verb] += 1
        excess = self._counts[verb] - self.rules.slow_after.get(verb, self._counts[verb] + 1)
        if excess >= 0:
            constant = verb in self.rules.constant_delay
            self.delay = 1.0 if constant else min(2.0**excess, LONGEST_DELAY)

    def _gives_up(self, verb: str) -> bool:
        """Count a command of a kind; True if the limit is reached."""
        self._slow_down(verb)
        return self._counts[verb] >= self.rules.close_after.get(verb, self._counts[verb] + 1)

    def send(self, reply: SmtpReply) -> None:
        """Postfix counts every refusal, and slows down and at last disconnects the client."""
        super().send(softened(reply) if self.rules.soft_bounces else reply)
        if self.rules.hard_errors and reply.code >= 400:
            self._errors += 1
            if self._errors > self.rules.soft_errors:
                self.delay = max(self.delay, ERROR_DELAY)

    def accepted_message(self) -> None:
        """A message was accepted: earlier refusals count no more."""
        self._errors = 0

    def refused_recipient(self) -> None:
        """A recipient was refused."""
        self._slow_down("refused RCPT")

    def _helo(self, verb: str, argument: str) -> None:
        lenient = self.rules.accepts_bad_names
        # What follows the first blank does not matter then.
        name = re.split(r"\s", argument, maxsplit=1)[0] if lenient else argument
        is_name = self.rules.valid_name(name) or not name
        if self._gives_up("HELO"):
            self.close(self.replies.too_many_bad())
        elif not argument and not lenient:
            self._bad(self.replies.bad_argument(verb, ""))
        elif not is_name and (not lenient or len(argument) > NAME_LIMIT):
            self._bad(SmtpReply.of("501 5.0.0 Invalid domain name"))
        else:
            self._ask(HeloCommand(name, verb == "EHLO", is_name))

    def _mail(self, verb: str, argument: str) -> None:
        forbidden = self.options.forbidden
        if self.transaction is not None:
            self._bad(self.replies.nested_mail())
        elif not self.greeted and "needmailhelo" in forbidden:
            self._bad(SmtpReply.of("503 5.0.0 Polite people say HELO first"))
        elif not self.user and "needauth" in forbidden:
            self._bad(SmtpReply.of("530 5.7.0 Authentication required"))
        elif self.tempfailing:
            self.send(self.replies.tempfail())
        elif (path := self._path(verb, "from", argument)) is not None:
            if (refusal := self.bad_sender(path)) is not None and not self.rules.path_end:
                self._bad(refusal)
            else:
                self._counts["refused RCPT"] = 0
                self._ask(MailCommand(path))

    def bad_sender(self, path: EnvelopePath) -> SmtpReply | None:
        """What is wrong with the parameters of MAIL, None for nothing."""
        return self.bad_parameters(path, recipient=False) or self.bad_size(path)

    def bad_size(self, path: EnvelopePath) -> SmtpReply | None:
        """The refusal of a message whose announced size is too large."""
        limit = self.options.limits.max_size
        if announced_size(path) > limit:
            return self.replies.too_large(limit, announced=True)
        return None

    def bad_parameters(self, path: EnvelopePath, *, recipient: bool) -> SmtpReply | None:
        """What is wrong with parameters, whatever the size."""
        dsn = "noreceipts" not in self.options.forbidden
        if recipient:
            return bad_recipient_parameter(path, dsn=dsn)
        return bad_sender_parameter(path, dsn=dsn, shortest_by=self.rules.shortest_by)

    def _rcpt(self, verb: str, argument: str) -> None:
        if self.transaction is None:
            self._bad(self.replies.rcpt_without_mail())
        elif self._too_many_refused(self.transaction):
            self.close(self.replies.too_many_recipients_refused())
        elif len(self.transaction.recipients) >= self.options.limits.max_recipients:
            self.send(SmtpReply.of("452 4.5.3 Too many recipients"))
        elif (path := self._path(verb, "to", argument)) is not None:
            if self.rules.path_end:
                self._ask(RcptCommand(path))
            elif not path.address:
                self._bad(self.replies.bad_address(path.text, "5.0.0", "User address required"))
            elif (bad := self.bad_parameters(path, recipient=True)) is not None:
                self._bad(bad)
            else:
                self._ask(RcptCommand(path))

    def _too_many_refused(self, transaction: SmtpTransaction) -> bool:
        """BadRcptShutdown and BadRcptShutdownGood."""
        bad, good = self.refused_recipients, len(transaction.recipients)
        limit, share = self.rules.bad_recipients, self.rules.bad_share
        return 0 < limit <= bad and (not good or bad * 100 >= share * (bad + good))

    def _path(self, verb: str, word: str, argument: str) -> EnvelopePath | None:
        """The path after `FROM:` or `TO:`; None if the command was refused."""
        head, colon, rest = argument.partition(":")
        rest = rest.strip()
        match = _PATH.fullmatch(rest)
        if head.strip().lower() != word or not colon or match is None:
            scanned = re.match(r"[^\s:]*", argument)
            shown = scanned[0][:SHOWN_LIMIT] if scanned else ""
            self._bad(self.replies.bad_argument(verb, shown))
            return None
        if self.rules.path_end is not None:
            end = self.rules.path_end(rest)
            address = rest[:end].removeprefix("<").removesuffix(">")
            return EnvelopePath(address, rest[:end], tuple(rest[end:].split()))
        text, parameters = match[1], tuple(match[2].split())
        try:
            return EnvelopePath(parse_path(text), text, parameters)
        except PathError as error:
            mended = self.rules.repaired_address(text)
            if mended is not None:
                return EnvelopePath(mended, text, parameters)
            self._bad(self.replies.bad_address(text, error.code, str(error)))
            return None

    def _data(self, verb: str, argument: str) -> None:  # noqa: ARG002
        if self.transaction is None:
            self._bad(self.replies.data_without_mail())
        elif not self.transaction.recipients:
            self._bad(self.replies.data_without_rcpt(self.transaction.refused))
        else:
            self._ask(DataCommand())

    def _rset(self, verb: str, argument: str) -> None:  # noqa: ARG002
        self._ask(Reset())

    def _noop(self, verb: str, argument: str) -> None:  # noqa: ARG002
        if self._gives_up("NOOP"):
            self.close(self.replies.too_many_bad())
        else:
            self.send(self.replies.ok())

    def _quit(self, verb: str, argument: str) -> None:  # noqa: ARG002
        self._ask(Quit())

    def _verify(self, verb: str, argument: str) -> None:
        forbidden = self.options.forbidden
        # sendmail counts those with an argument only.
        if (argument or self.rules.hard_errors) and self._gives_up("VRFY"):
            self.close(self.replies.too_many_bad())
        elif verb == "VRFY" and "novrfy" in forbidden:
            self.send(self.replies.cannot_verify())
        elif verb == "EXPN" and "noexpn" in forbidden:
            self.send(NOT_ALLOWED)
        elif not self.greeted and f"need{verb.lower()}helo" in forbidden:
            self._bad(SmtpReply.of("503 5.0.0 I demand that you introduce yourself first"))
        elif not argument:
            self._bad(SmtpReply.of("501 5.5.2 Argument required"))
        else:
            self._ask(Verify(argument, verb == "EXPN"))

    def _verb(self, verb: str, argument: str) -> None:  # noqa: ARG002
        if not self.options.forbidden.isdisjoint(("noverb", "noexpn")):
            self.send(self.replies.no_verbosity())
        elif self._gives_up("NOOP"):
            self.close(self.replies.too_many_bad())
        else:
            self.send(SmtpReply.of("250 2.0.0 Verbose mode"))

    def _etrn(self, verb: str, argument: str) -> None:  # noqa: ARG002
        if "noetrn" in self.options.forbidden:
            self.send(NOT_ALLOWED)
        elif not argument:
            self._bad(SmtpReply.of("500 5.5.2 Parameter required"))
        elif self._gives_up("ETRN"):
            self.close(self.replies.too_many_bad())
        else:
            self._ask(RunQueue(argument))

    def _help(self, verb: str, argument: str) -> None:  # noqa: ARG002
        self.send(self.replies.help(argument.lower()))

    # TLS and AUTH

    def _starttls(self, verb: str, argument: str) -> None:  # noqa: ARG002
        if self.secure:
            self._bad(SmtpReply.of("503 5.5.0 TLS already active"))
        else:
            self._ask(StartTls())

    @property
    def may_log_in(self) -> bool:
        """Whether AUTH is possible now."""
        allowed = self.options.may_log_in and "noauth" not in self.options.forbidden
        return allowed and self.secure and not self.user

    def _start_auth(self, verb: str, argument: str) -> None:  # noqa: ARG002
        name, _, initial = argument.partition(" ")
        if not name:
            self._bad(SmtpReply.of("501 5.5.2 AUTH mechanism must be specified"))
        elif self.user:
            self._bad(SmtpReply.of("503 5.5.0 Already Authenticated"))
        elif not self.may_log_in or name.upper() not in sasl.MECHANISMS:
            self._bad(SmtpReply.of(f"504 5.3.3 AUTH mechanism {name} not available"))
        elif self.transaction is not None:
            self._bad(SmtpReply.of("503 5.5.0 AUTH not permitted during a mail transaction"))
        elif self._gives_up("AUTH"):
            self.close(self.replies.too_many_bad())
        else:
            self._auth = sasl.Dialogue(name.upper())
            self._auth_step(self._auth, initial.encode("ascii", "replace") if initial else None)

    def _auth_step(self, dialogue: sasl.Dialogue, line: bytes | None) -> None:
        """One step of an AUTH exchange. line: what the client sent, None at the beginning."""
        try:
            if line == b"*":
                raise sasl.SaslError("aborted")
            result = dialogue.step(None if line is None else sasl.decode(line))
        except sasl.SaslError as error:
            self._auth = None
            self._bad(SmtpReply.of(f"501 5.5.2 AUTH {error}"))
            return
        if isinstance(result, bytes):
            self.send(SmtpReply.of(f"334 {base64.b64encode(result).decode()}"))
        else:
            self._auth = None
            self._ask(Credentials(dialogue.mechanism, *result))

    # The message

    def _read_message(self) -> bool:
        """Read data of the message. False: its end was not received yet."""
        assert self._reader is not None
        try:
            data = self._reader.read(self._input)
        except BareError as error:
            self.close(SmtpReply.of(f"421 4.5.0 {error}"))
            return False
        if data is None:
            return False
        oversize, self._reader = self._reader.oversize, None
        self._ask(TooLarge() if oversize else MessageData(data))
        return True


def softened(reply: SmtpReply) -> SmtpReply:
    """A refusal as a temporary one: `550 5.7.1 no` as `450 4.7.1 no`."""
    return SmtpReply(tuple(map(_softened, reply.lines)))


def _softened(line: bytes) -> bytes:
    if not line.startswith(b"5"):
        return line
    return b"4" + line[1:4] + (b"4." + line[6:] if line[4:6] == b"5." else line[4:])
