"""The texts of sendmail 8.17's replies. Sources: `srvrsmtp.c`, `err.c` (fmtmsg); observed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from filterd.mta.sendmail.macros import VERSION
from filterd.mta.smtp.replies import Replies, SmtpReply, filter_lines

_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?= )")
_NAMING = (b"450", b"550", b"553")
"""Codes after which sendmail names the address, `fmtmsg` in `err.c`."""


PLAIN_HELP: Mapping[str, Sequence[str]] = {
    "smtp": ("HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY EXPN HELP",)
}
"""HELP without a sendmail.cf, and so without a help file."""


def seven_bits(text: str) -> str:
    """Text as sendmail's replies have it: the highest bit of every octet is lost."""
    return text if text.isascii() else "".join(chr(ord(one) & 0x7F) for one in text)


class SendmailReplies(Replies):
    """sendmail 8.17.

    greeting_text: `O SmtpGreetingMessage`, expanded but for the date. topics: what HELP knows,
    lines by topic; None without a help file.
    """

    def __init__(
        self,
        host: str,
        greeting_text: str = "",
        topics: Mapping[str, Sequence[str]] | None = PLAIN_HELP,
    ) -> None:
        super().__init__(host)
        self._topics = topics
        self._greeting = greeting_text or f"{host} Sendmail {VERSION}/filterd; $b"

    def help(self, topic: str) -> SmtpReply:
        if self._topics is None:
            return SmtpReply.of(f"502 5.3.0 Sendmail {VERSION} -- HELP not implemented")
        found = self._topics.get(topic or "smtp")
        if found is None:
            return SmtpReply.of(f'504 5.3.0 HELP topic "{topic}" unknown')
        lines = (*found, "End of HELP info")
        return SmtpReply(tuple(f"214 2.0.0 {line}".encode("ascii", "replace") for line in lines))

    def too_long(self, client: str) -> SmtpReply:
        return SmtpReply.of(f"421 4.7.0 {self.host} Command too long, possible attack {client}")

    def too_many_bad(self) -> SmtpReply:
        return SmtpReply.of(f"421 4.7.0 {self.host} Too many bad commands; closing connection")

    def greeting(self, date: str) -> SmtpReply:
        # sendmail puts ESMTP after the first word of the message.
        first, _, rest = self._greeting.replace("$b", date).partition(" ")
        return SmtpReply.of(f"220 {first} ESMTP {rest}")

    def not_accepting(self) -> SmtpReply:
        return SmtpReply.of(f"554 {self.host} ESMTP not accepting messages")

    def closing(self) -> SmtpReply:
        return SmtpReply.of(f"421 4.7.0 {self.host} closing connection")

    def closing_command(self) -> SmtpReply:
        return SmtpReply.of("421 4.3.0 closing connection")

    def closing_connect(self) -> SmtpReply:
        return self.closing()

    def bye(self) -> SmtpReply:
        return SmtpReply.of(f"221 2.0.0 {self.host} closing connection")

    def hello(self, client: str, extensions: Sequence[str], *, is_name: bool = True) -> SmtpReply:
        words = "pleased to meet you" if is_name else "accepting invalid domain name"
        first = f"250 {self.host} Hello {client}, {words}"
        return SmtpReply(tuple(f.encode() for f in (first, *(f"250 {e}" for e in extensions))))

    def ok(self) -> SmtpReply:
        return SmtpReply.of("250 2.0.0 OK")

    def not_implemented(self, line: bytes) -> SmtpReply:
        shown = bytes(octet & 0x7F for octet in line[:200])
        return SmtpReply((b'502 5.5.1 Command not implemented: "' + shown + b'"',))

    def cannot_verify(self) -> SmtpReply:
        text = "Cannot VRFY user; try RCPT to attempt delivery (or try finger)"
        return SmtpReply.of(f"252 2.5.2 {text}")

    def no_verbosity(self) -> SmtpReply:
        return SmtpReply.of("502 5.7.0 Verbose unavailable")

    def too_large(self, limit: int, *, announced: bool) -> SmtpReply:
        what = "size exceeds fixed maximum message" if announced else "exceeds maximum fixed"
        return SmtpReply.of(f"552 5.2.3 Message {what} size ({limit})")

    def reset(self) -> SmtpReply:
        return SmtpReply.of("250 2.0.0 Reset state")

    def sender_ok(self, path: str) -> SmtpReply:
        return SmtpReply.of(f"250 2.1.0 {seven_bits(path)}... Sender ok")

    def recipient_ok(self, path: str, *, waits: bool = False) -> SmtpReply:
        return SmtpReply.of(
            f"250 2.1.5 {seven_bits(path)}... Recipient ok{' (will queue)' if waits else ''}"
        )

    def accepted(self, queue_id: str) -> SmtpReply:
        return SmtpReply.of(f"250 2.0.0 {queue_id} Message accepted for delivery")

    def nested_mail(self) -> SmtpReply:
        return SmtpReply.of("503 5.5.0 Sender already specified")

    def rcpt_without_mail(self) -> SmtpReply:
        return SmtpReply.of("503 5.0.0 Need MAIL before RCPT")

    def data_without_mail(self) -> SmtpReply:
        return SmtpReply.of("503 5.0.0 Need MAIL command")

    def data_without_rcpt(self, refused: bool) -> SmtpReply:  # noqa: ARG002
        return SmtpReply.of("503 5.0.0 Need RCPT (recipient)")

    def unknown(self, line: bytes) -> SmtpReply:
        shown = bytes(octet & 0x7F for octet in line[:200])
        return SmtpReply((b'500 5.5.1 Command unrecognized: "' + shown + b'"',))

    def bad_argument(self, verb: str, argument: str) -> SmtpReply:
        return (
            SmtpReply.of(f'501 5.5.2 Syntax error in parameters scanning "{argument}"')
            if (verb in ("MAIL", "RCPT"))
            else SmtpReply.of(f"501 5.0.0 {verb} requires domain address")
        )

    def bad_address(self, path: str, code: str, text: str) -> SmtpReply:
        return SmtpReply.of(f"553 {code} {path}... {text}")

    def tempfail(self) -> SmtpReply:
        return SmtpReply.of("451 4.3.2 Please try again later")

    def refused_session(self) -> SmtpReply:
        return SmtpReply.of("550 5.0.0 Command rejected")

    def rejected(self, path: str | None, *, after_data: bool) -> SmtpReply:
        if path is not None:
            return SmtpReply.of(f"550 5.7.1 {path}... Command rejected")
        return SmtpReply.of(f"{554 if after_data else 550} 5.7.1 Command rejected")

    def filter_text(self, text: bytes, path: str | None) -> SmtpReply:
        """usrerr(): add an enhanced code if there is none, and after it, for some codes, the path.

        Octets above 0x7f lose their high bit; the octet after the code's three digits counts as a
        blank.
        """
        plain = bytes(octet & 0x7F for octet in text)
        first, *rest = filter_lines(plain[:3] + b" " + plain[4:])
        code, words = first[:3], first[4:]
        match = _ENHANCED.match(words)
        enhanced = match[0] if match else code[:1] + b".0.0"
        words = words[match.end() :].removeprefix(b" ") if match else words
        if path is not None and code in _NAMING:
            words = path.encode("ascii", "surrogateescape") + b"... " + words
        return SmtpReply((code + b" " + enhanced + b" " + words, *rest))
