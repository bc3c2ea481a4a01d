"""The texts of Postfix 3.7's replies. Source: `smtpd.c`; observed."""

from __future__ import annotations

from collections.abc import Sequence

from filterd.mta.smtp.replies import Replies, SmtpReply, filter_lines


class PostfixReplies(Replies):
    """Postfix 3.7."""

    def greeting(self, date: str) -> SmtpReply:  # noqa: ARG002
        return SmtpReply.of(f"220 {self.host} ESMTP Postfix")

    def not_accepting(self) -> SmtpReply:
        return SmtpReply.of(f"554 {self.host} ESMTP not accepting connections")

    def closing(self) -> SmtpReply:
        return SmtpReply.of("421 4.7.0 Server closing connection")

    def closing_command(self) -> SmtpReply:
        return self.closing()

    def closing_connect(self) -> SmtpReply:
        return SmtpReply.of(f"421 {self.host} Service unavailable - try again later")

    def bye(self) -> SmtpReply:
        return SmtpReply.of("221 2.0.0 Bye")

    def hello(
        self,
        client: str,  # noqa: ARG002
        extensions: Sequence[str],
        *,
        is_name: bool = True,  # noqa: ARG002
    ) -> SmtpReply:
        return SmtpReply(
            tuple(f.encode() for f in (f"250 {self.host}", *(f"250 {e}" for e in extensions)))
        )

    def ok(self) -> SmtpReply:
        return SmtpReply.of("250 2.0.0 Ok")

    def reset(self) -> SmtpReply:
        return self.ok()

    def sender_ok(self, path: str) -> SmtpReply:  # noqa: ARG002
        return SmtpReply.of("250 2.1.0 Ok")

    def recipient_ok(self, path: str, *, waits: bool = False) -> SmtpReply:  # noqa: ARG002
        return SmtpReply.of("250 2.1.5 Ok")

    def accepted(self, queue_id: str) -> SmtpReply:
        return SmtpReply.of(f"250 2.0.0 Ok: queued as {queue_id}")

    def nested_mail(self) -> SmtpReply:
        return SmtpReply.of("503 5.5.1 Error: nested MAIL command")

    def rcpt_without_mail(self) -> SmtpReply:
        return SmtpReply.of("503 5.5.1 Error: need MAIL command")

    def data_without_mail(self) -> SmtpReply:
        return SmtpReply.of("503 5.5.1 Error: need RCPT command")

    def data_without_rcpt(self, refused: bool) -> SmtpReply:  # noqa: ARG002
        return SmtpReply.of("554 5.5.1 Error: no valid recipients")

    def unknown(self, line: bytes) -> SmtpReply:  # noqa: ARG002
        return SmtpReply.of("500 5.5.2 Error: command not recognized")

    def bad_argument(self, verb: str, argument: str) -> SmtpReply:  # noqa: ARG002
        syntax = {"MAIL": "MAIL FROM:<address>", "RCPT": "RCPT TO:<address>"}
        return SmtpReply.of(f"501 5.5.4 Syntax: {syntax.get(verb, f'{verb} hostname')}")

    def bad_address(self, path: str, code: str, text: str) -> SmtpReply:  # noqa: ARG002
        return SmtpReply.of("501 5.1.3 Bad recipient address syntax")

    def tempfail(self) -> SmtpReply:
        return SmtpReply.of("451 4.7.1 Service unavailable - try again later")

    def refused_session(self) -> SmtpReply:
        return SmtpReply.of("550 5.7.1 Command rejected")

    def rejected(self, path: str | None, *, after_data: bool) -> SmtpReply:  # noqa: ARG002
        return SmtpReply.of("550 5.7.1 Command rejected")

    def filter_text(self, text: bytes, path: str | None) -> SmtpReply:  # noqa: ARG002
        return SmtpReply(filter_lines(text))
