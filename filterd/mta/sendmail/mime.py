"""What becomes of eight bits on the way to a mailer: EightBitMode, the flags `3 8 9`, C=.

Source: sendmail 8.17 `deliver.c`, `usersmtp.c`, `headers.c` (putheader), `mime.c`; observed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.option_values import mime_lengths
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.mail.address import to_octets
from filterd.mta.mail.header import split_message, take_return_path
from filterd.mta.sendmail.engine import RuleSession
from filterd.mta.sendmail.mime_decoding import with_eight_bits
from filterd.mta.sendmail.mime_lengths import DEFAULT, cut_fields
from filterd.mta.sendmail.mime_parts import PartStyle, has_parts, rewritten_parts
from filterd.mta.sendmail.mime_tokens import content_type

UNKNOWN_CHARSET = "unknown-8bit"


@dataclass(frozen=True, slots=True)
class EightBitRules:
    """Of one configuration. mimefies: text of eight bits without MIME gets it. passes: where it has
    none, it may be passed on as it is. charset: DefaultCharSet. lengths: MaxMimeHeaderLength."""

    mimefies: bool
    passes: bool
    charset: str
    lengths: tuple[int, int]

    @classmethod
    def of(cls, cf: SendmailCf) -> EightBitRules:
        mode = cf.option("EightBitMode").strip()[:1] or "p"
        given = cf.options.get("MaxMimeHeaderLength")
        return cls(
            mode == "m",
            mode == "p",
            cf.option("DefaultCharSet").strip(),
            mime_lengths(given[-1]) if given else DEFAULT,
        )


@dataclass(frozen=True, slots=True)
class MailerText:
    """A message for a mailer. LF line ends. for_seven: the same for a server that takes seven bits
    only, None if it gets the other. needs_eight: such a server cannot have it. is_mime:
    BODY=8BITMIME is said of it."""

    text: bytes
    for_seven: Callable[[], bytes] | None = None
    needs_eight: bool = False
    is_mime: bool = False


def mailer_text(
    session: RuleSession, rules: EightBitRules, message: bytes, mailer: MailerLine, charset: str
) -> MailerText:
    """The message as a mailer takes it. charset: C= of the sender's mailer. Raises DeliveryError if
    a mailer of seven bits (flag `7`) cannot have it."""
    path, rest = take_return_path(message)
    front = b"" if path is None else (path or b"Return-Path:\n")
    charset = charset or rules.charset or UNKNOWN_CHARSET
    style = PartStyle(_classes(session), rules.lengths, session.macro("j"), session.macro("i"))
    fields, body = split_message(rest)
    names = {name.lower() for name, _ in fields}
    has_eight = not rest.isascii()
    is_mime = b"mime-version" in names
    types = (value for name, value in fields if name.lower() == b"content-type")
    is_odd = content_type(next(types, None)).is_odd
    takes_eight = "8" in mailer.flags
    seven = PartStyle(
        style.is_in,
        style.lengths,
        style.host,
        style.id,
        is_seven=True,
        extends="3" in mailer.flags,
        hides_from="E" in mailer.flags,
    )

    def for_seven() -> bytes:
        return front + rewritten_parts(_with_mime(fields, charset), body, seven)

    cannot = is_odd or (rules.passes and not is_mime)
    if "7" in mailer.flags and has_eight and not takes_eight:
        if cannot:
            trouble = "Cannot send 8-bit data to 7-bit destination"
            raise DeliveryError(trouble, temporary=False, code="5.6.3")
        return MailerText(for_seven(), is_mime=rules.mimefies)
    text: bytes | None = None
    if "9" in mailer.flags:
        text = with_eight_bits(rest, style.host, style.id)
    if text is None:
        new = list(fields)
        adds = rules.mimefies and has_eight and not is_odd and not takes_eight and not is_mime
        if adds:
            new = _with_mime(new, charset)
            if b"content-transfer-encoding" not in names:
                new.append((b"Content-Transfer-Encoding", b" 8bit"))
        if any(rules.lengths) and has_parts(new):
            text = rewritten_parts(new, body, style)
        else:
            new = cut_fields(new, rules.lengths, style.is_in)
            text = b"".join(b"%s:%s\n" % one for one in new) + b"\n" + body
    if not has_eight or takes_eight:
        return MailerText(front + text)
    if is_odd:
        return MailerText(front + text, needs_eight=not rules.passes)
    return MailerText(front + text, None if cannot else for_seven, is_mime=rules.mimefies)


def _with_mime(fields: list[tuple[bytes, bytes]], charset: str) -> list[tuple[bytes, bytes]]:
    """The fields, with those that make a message of text one of MIME."""
    names = {name.lower() for name, _ in fields}
    more = []
    if b"mime-version" not in names:
        more.append((b"MIME-Version", b" 1.0"))
    if b"content-type" not in names:
        more.append((b"Content-Type", b" text/plain; charset=" + to_octets(charset)))
    return [*fields, *more]


def _classes(session: RuleSession) -> Callable[[str, str], bool]:
    program = session.engine.program
    codes = {
        name: program.names.code(name)
        for name in (
            "e",
            "n",
            "q",
            "s",
            "checkMIMEFieldHeaders",
            "checkMIMETextHeaders",
            "checkMIMEHeaders",
        )
    }
    return lambda name, word: program.classes.contains(codes[name], word)
