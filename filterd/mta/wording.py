"""What the server says, word by word: sendmail 8.17's replies and Postfix 3.7's.

An SMTP reply is a value. A filter's own text is taken as its MTA takes it, with one difference that
is ours: lines that would end the reply early, and so desynchronise the client, are made
continuation lines.
Sources: sendmail 8.17 `srvrsmtp.c`, `err.c` (fmtmsg); Postfix 3.7 `smtpd.c`; both observed.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from filterd.mta.answers import Answer, Kind
from filterd.mta.settings import SENDMAIL_VERSION

LINE_LIMIT = 2048
"""Octets of one reply line: RFC 5321 wants 512, and sendmail passes 900 of a filter's."""

NAME_LIMIT = 256
"""Characters of a name at HELO, MAXNAME."""

_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?= )")
_NAMING = (b"450", b"550", b"553")
"""Codes behind which sendmail puts the address in question, `fmtmsg` in `err.c`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. lines: each with its code, `250 2.1.0 Ok`."""

    lines: tuple[bytes, ...]

    @classmethod
    def of(cls, text: str) -> Reply:
        """A reply of one line, `250 2.1.0 Ok`; octets kept by surrogate escapes survive."""
        return cls((text.encode("ascii", "surrogateescape"),))

    @property
    def code(self) -> int:
        return int(self.lines[-1][:3])

    def encode(self) -> bytes:
        """The reply on the wire: every line but the last is a continuation line."""
        last = len(self.lines) - 1
        return b"".join(
            line[:3] + (b" " if index == last else b"-") + line[4:LINE_LIMIT] + b"\r\n"
            for index, line in enumerate(self.lines)
        )


def filter_lines(text: bytes) -> tuple[bytes, ...]:
    """A filter's text as reply lines; a line without a code of its own gets the first one's."""
    lines = [line for line in re.split(rb"[\r\n]+", text) if line]
    code = lines[0][:3]
    return tuple(
        line if re.match(rb"[2-5]\d\d(?:[ -]|$)", line) else code + b" " + line for line in lines
    )


class Wording(ABC):
    """The replies of one MTA. host: its own name.

    patience: how many commands of a kind a client may send before it is slowed down.
    mends_bare: a lone LF in a message is a line end and a lone CR a blank, not an error.
    """

    patience: Mapping[str, int] = {}
    mends_bare = False
    unknown_verbs: frozenset[str] = frozenset()
    """Commands of ours that this MTA does not have."""

    def __init__(self, host: str) -> None:
        self.host = host

    def takes_name(self, name: str) -> bool:  # noqa: ARG002
        """Whether HELO takes such a name."""
        return True

    def too_long(self, client: str) -> Reply:  # noqa: ARG002
        """The last word to a client whose command has no end."""
        return Reply.of("500 5.5.2 Error: line too long")

    def too_many_bad(self) -> Reply:
        """The last word to a client that says nothing sensible."""
        return Reply.of(f"421 4.7.0 {self.host} Error: too many errors")

    def help(self, topic: str) -> Reply:  # noqa: ARG002
        """The reply to HELP."""
        return Reply.of("502 5.3.0 HELP not implemented")

    def mended_address(self, path: str) -> str | None:  # noqa: ARG002
        """The address that the MTA makes of a path that is none, None if it refuses it."""
        return None

    # While the session lives

    @abstractmethod
    def greeting(self, date: str) -> Reply: ...
    @abstractmethod
    def not_accepting(self) -> Reply:
        """Instead of the greeting, when the filters refuse the client."""

    @abstractmethod
    def closing(self) -> Reply:
        """421, when a filter wants the session closed."""

    @abstractmethod
    def closing_command(self) -> Reply:
        """421 at MAIL, RCPT and what is no command, which sendmail words otherwise."""

    @abstractmethod
    def closing_connect(self) -> Reply:
        """421 instead of the greeting."""

    @abstractmethod
    def bye(self) -> Reply: ...
    @abstractmethod
    def hello(self, client: str, extensions: Sequence[str]) -> Reply: ...
    @abstractmethod
    def ok(self) -> Reply: ...
    @abstractmethod
    def reset(self) -> Reply: ...

    # Accepted commands

    @abstractmethod
    def sender_ok(self, path: str) -> Reply: ...
    @abstractmethod
    def recipient_ok(self, path: str) -> Reply: ...
    def go_ahead(self) -> Reply:
        return Reply.of("354 End data with <CR><LF>.<CR><LF>")

    @abstractmethod
    def accepted(self, queue_id: str) -> Reply: ...

    # Out of order, or not understood

    @abstractmethod
    def nested_mail(self) -> Reply: ...
    @abstractmethod
    def rcpt_without_mail(self) -> Reply: ...
    @abstractmethod
    def data_without_mail(self) -> Reply: ...
    @abstractmethod
    def data_without_rcpt(self, refused: bool) -> Reply: ...
    @abstractmethod
    def unknown(self, line: bytes) -> Reply: ...
    @abstractmethod
    def bad_argument(self, verb: str, argument: str) -> Reply: ...
    @abstractmethod
    def bad_address(self, path: str, code: str, text: str) -> Reply: ...

    # Filters

    @abstractmethod
    def tempfail(self) -> Reply: ...
    @abstractmethod
    def refused_session(self) -> Reply:
        """To each command of a session that was refused as a whole."""

    @abstractmethod
    def rejected(self, path: str | None, *, after_data: bool) -> Reply:
        """A plain REJECT. path: at MAIL and RCPT the path in question."""

    @abstractmethod
    def filter_text(self, text: bytes, path: str | None) -> Reply:
        """A REPLYCODE with its text."""

    def refusal(
        self, answer: Answer, path: str | None = None, *, after_data: bool = False
    ) -> Reply:
        """The reply to a command that the filters did not let through."""
        match answer.kind:
            case Kind.REPLY:
                return self.filter_text(answer.text, path)
            case Kind.REJECT:
                return self.rejected(path, after_data=after_data)
            case Kind.CLOSE:
                return self.closing_command() if path is not None else self.closing()
            case Kind.MISCONFIGURED:
                return Reply.of("451 4.3.5 Server configuration problem - try again later")
        return self.tempfail()


PLAIN_HELP: Mapping[str, Sequence[str]] = {
    "smtp": ("HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY EXPN HELP",)
}
"""Without a sendmail.cf there is no help file; this is all that HELP knows then."""


class SendmailWording(Wording):
    """sendmail 8.17.

    greeting_text: `O SmtpGreetingMessage`, expanded but for the date. topics: what HELP knows,
    lines by topic; None without a help file.
    """

    # MAXHELOCOMMANDS, MAXNOOPCOMMANDS, MAXVRFYCOMMANDS in `srvrsmtp.c`.
    patience: Mapping[str, int] = {"HELO": 3, "NOOP": 20, "VRFY": 6}

    def __init__(
        self,
        host: str,
        greeting_text: str = "",
        topics: Mapping[str, Sequence[str]] | None = PLAIN_HELP,
    ) -> None:
        super().__init__(host)
        self._topics = topics
        self._greeting = greeting_text or f"{host} Sendmail {SENDMAIL_VERSION}/filterd; $b"

    def help(self, topic: str) -> Reply:
        if self._topics is None:
            return Reply.of(f"502 5.3.0 Sendmail {SENDMAIL_VERSION} -- HELP not implemented")
        found = self._topics.get(topic or "smtp")
        if found is None:
            return Reply.of(f'504 5.3.0 HELP topic "{topic}" unknown')
        lines = (*found, "End of HELP info")
        return Reply(tuple(f"214 2.0.0 {line}".encode("ascii", "replace") for line in lines))

    def takes_name(self, name: str) -> bool:
        return len(name) <= NAME_LIMIT and re.fullmatch(r"[A-Za-z0-9\[\]._#:-]+", name) is not None

    def too_long(self, client: str) -> Reply:
        return Reply.of(f"421 4.7.0 {self.host} Command too long, possible attack {client}")

    def too_many_bad(self) -> Reply:
        return Reply.of(f"421 4.7.0 {self.host} Too many bad commands; closing connection")

    def greeting(self, date: str) -> Reply:
        # sendmail puts ESMTP after the first word of the message.
        first, _, rest = self._greeting.replace("$b", date).partition(" ")
        return Reply.of(f"220 {first} ESMTP {rest}")

    def not_accepting(self) -> Reply:
        return Reply.of(f"554 {self.host} ESMTP not accepting messages")

    def closing(self) -> Reply:
        return Reply.of(f"421 4.7.0 {self.host} closing connection")

    def closing_command(self) -> Reply:
        return Reply.of("421 4.3.0 closing connection")

    def closing_connect(self) -> Reply:
        return self.closing()

    def bye(self) -> Reply:
        return Reply.of(f"221 2.0.0 {self.host} closing connection")

    def hello(self, client: str, extensions: Sequence[str]) -> Reply:
        first = f"250 {self.host} Hello {client}, pleased to meet you"
        return Reply(tuple(f.encode() for f in (first, *(f"250 {e}" for e in extensions))))

    def ok(self) -> Reply:
        return Reply.of("250 2.0.0 OK")

    def reset(self) -> Reply:
        return Reply.of("250 2.0.0 Reset state")

    def sender_ok(self, path: str) -> Reply:
        return Reply.of(f"250 2.1.0 {path}... Sender ok")

    def recipient_ok(self, path: str) -> Reply:
        return Reply.of(f"250 2.1.5 {path}... Recipient ok")

    def accepted(self, queue_id: str) -> Reply:
        return Reply.of(f"250 2.0.0 {queue_id} Message accepted for delivery")

    def nested_mail(self) -> Reply:
        return Reply.of("503 5.5.0 Sender already specified")

    def rcpt_without_mail(self) -> Reply:
        return Reply.of("503 5.0.0 Need MAIL before RCPT")

    def data_without_mail(self) -> Reply:
        return Reply.of("503 5.0.0 Need MAIL command")

    def data_without_rcpt(self, refused: bool) -> Reply:  # noqa: ARG002
        return Reply.of("503 5.0.0 Need RCPT (recipient)")

    def unknown(self, line: bytes) -> Reply:
        shown = bytes(octet & 0x7F for octet in line[:200])
        return Reply((b'500 5.5.1 Command unrecognized: "' + shown + b'"',))

    def bad_argument(self, verb: str, argument: str) -> Reply:
        return (
            Reply.of(f'501 5.5.2 Syntax error in parameters scanning "{argument}"')
            if (verb in ("MAIL", "RCPT"))
            else Reply.of(f"501 5.0.0 {verb} requires domain address")
        )

    def bad_address(self, path: str, code: str, text: str) -> Reply:
        return Reply.of(f"553 {code} {path}... {text}")

    def tempfail(self) -> Reply:
        return Reply.of("451 4.3.2 Please try again later")

    def refused_session(self) -> Reply:
        return Reply.of("550 5.0.0 Command rejected")

    def rejected(self, path: str | None, *, after_data: bool) -> Reply:
        if path is not None:
            return Reply.of(f"550 5.7.1 {path}... Command rejected")
        return Reply.of(f"{554 if after_data else 550} 5.7.1 Command rejected")

    def filter_text(self, text: bytes, path: str | None) -> Reply:
        """usrerr(): an enhanced code is put in where there is none, the path behind it for some.

        Octets above 0x7f lose their high bit; whatever is behind the code's three digits counts
        for a blank.
        """
        plain = bytes(octet & 0x7F for octet in text)
        first, *rest = filter_lines(plain[:3] + b" " + plain[4:])
        code, words = first[:3], first[4:]
        match = _ENHANCED.match(words)
        enhanced = match[0] if match else code[:1] + b".0.0"
        words = words[match.end() :].removeprefix(b" ") if match else words
        if path is not None and code in _NAMING:
            words = path.encode("ascii", "surrogateescape") + b"... " + words
        return Reply((code + b" " + enhanced + b" " + words, *rest))


class PostfixWording(Wording):
    """Postfix 3.7."""

    mends_bare = True
    unknown_verbs = frozenset({"EXPN", "HELP", "VERB", "TURN", "SEND", "SAML", "SOML"})

    def mended_address(self, path: str) -> str | None:
        """Postfix quotes a local part that has an `@` in it."""
        local, at, domain = path.strip("<> ").rpartition("@")
        plain = local and domain and not re.search(r"[\s<>\"]", local + domain)
        return f'"{local}"@{domain}' if at and plain else None

    def greeting(self, date: str) -> Reply:  # noqa: ARG002
        return Reply.of(f"220 {self.host} ESMTP Postfix")

    def not_accepting(self) -> Reply:
        return Reply.of(f"554 {self.host} ESMTP not accepting connections")

    def closing(self) -> Reply:
        return Reply.of("421 4.7.0 Server closing connection")

    def closing_command(self) -> Reply:
        return self.closing()

    def closing_connect(self) -> Reply:
        return Reply.of(f"421 {self.host} Service unavailable - try again later")

    def bye(self) -> Reply:
        return Reply.of("221 2.0.0 Bye")

    def hello(self, client: str, extensions: Sequence[str]) -> Reply:  # noqa: ARG002
        return Reply(
            tuple(f.encode() for f in (f"250 {self.host}", *(f"250 {e}" for e in extensions)))
        )

    def ok(self) -> Reply:
        return Reply.of("250 2.0.0 Ok")

    def reset(self) -> Reply:
        return self.ok()

    def sender_ok(self, path: str) -> Reply:  # noqa: ARG002
        return Reply.of("250 2.1.0 Ok")

    def recipient_ok(self, path: str) -> Reply:  # noqa: ARG002
        return Reply.of("250 2.1.5 Ok")

    def accepted(self, queue_id: str) -> Reply:
        return Reply.of(f"250 2.0.0 Ok: queued as {queue_id}")

    def nested_mail(self) -> Reply:
        return Reply.of("503 5.5.1 Error: nested MAIL command")

    def rcpt_without_mail(self) -> Reply:
        return Reply.of("503 5.5.1 Error: need MAIL command")

    def data_without_mail(self) -> Reply:
        return Reply.of("503 5.5.1 Error: need RCPT command")

    def data_without_rcpt(self, refused: bool) -> Reply:  # noqa: ARG002
        return Reply.of("554 5.5.1 Error: no valid recipients")

    def unknown(self, line: bytes) -> Reply:  # noqa: ARG002
        return Reply.of("500 5.5.2 Error: command not recognized")

    def bad_argument(self, verb: str, argument: str) -> Reply:  # noqa: ARG002
        syntax = {"MAIL": "MAIL FROM:<address>", "RCPT": "RCPT TO:<address>"}
        return Reply.of(f"501 5.5.4 Syntax: {syntax.get(verb, f'{verb} hostname')}")

    def bad_address(self, path: str, code: str, text: str) -> Reply:  # noqa: ARG002
        return Reply.of("501 5.1.3 Bad recipient address syntax")

    def tempfail(self) -> Reply:
        return Reply.of("451 4.7.1 Service unavailable - try again later")

    def refused_session(self) -> Reply:
        return Reply.of("550 5.7.1 Command rejected")

    def rejected(self, path: str | None, *, after_data: bool) -> Reply:  # noqa: ARG002
        return Reply.of("550 5.7.1 Command rejected")

    def filter_text(self, text: bytes, path: str | None) -> Reply:  # noqa: ARG002
        return Reply(filter_lines(text))
