"""What a mailer gets of a message: sender, arguments, header, as its line in the file says.

Source: sendmail 8.17 `deliver.c` (deliver), `envelope.c` (setsender), `headers.c` (putheader).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from filterd.mta.cf.addresses import CANONIFY, FINAL, SENDER, AddressKind
from filterd.mta.cf.lookup import EX_TEMPFAIL
from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.marks import MACRO, octets
from filterd.mta.cf.tokens import Tokens
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.mail.address import to_octets
from filterd.mta.mail.header import split_message, take_return_path
from filterd.mta.sendmail.engine import RuleSession
from filterd.mta.sendmail.header_addresses import rewritten

USER_WORD = f"{MACRO}u"
"""In the argument of a mailer that is repeated for each recipient."""

LATER = "Transient parse error"


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a message. text: as it was given, `<>` for the null reverse-path.

    name: `$f`. domain: the tokens from `@` on, for addresses without one; empty unless the sender's
    mailer has the flag `C`. is_local: the sender's mailer has the flag `l`. charset: its C=.
    """

    text: str
    name: str
    domain: tuple[str, ...] = ()
    is_local: bool = False
    charset: str = ""


def sender_of(session: RuleSession, address: str) -> Sender:
    """setsender(): what the rules make of a sender. address: "" for the null reverse-path."""
    text = octets(address) or "<>"
    with session.asking() as question:
        kind = AddressKind(sender=True)
        question.resolver.set_kind(kind)
        found = question.resolver.parse(text, kind, recipient=False)
        mailer = session.engine.program.mailers.find(found.mailer) if found else None
        tables = session.engine.program.tables
        tokens = question.rewriter.scanned(text, tables.internal) or []
        for number in (CANONIFY, SENDER, FINAL):
            question.rewriter.run(tokens, number)
    name = tables.join(tokens)
    flags = "" if mailer is None else mailer.flags
    if name.startswith("@") and "d" not in flags:
        # A route gets its brackets back.
        name = f"<{name}>"
    domain: Tokens = []
    if "C" in flags and "@" in tokens:
        domain = tokens[tokens.index("@") :]
    charset = "" if mailer is None else mailer.charset
    return Sender(text, name, tuple(domain), "l" in flags, charset)


def envelope_sender(session: RuleSession, sender: Sender, mailer: MailerLine) -> str:
    """`$g`: the sender as a mailer sees it. Raises DeliveryError."""
    with session.asking() as question:
        path, status = question.resolver.rewrite_for(
            sender.text, mailer, AddressKind(sender=True), plain=True
        )
    if status == EX_TEMPFAIL:
        raise DeliveryError(LATER, temporary=True, code="4.4.3")
    return session.engine.program.names.without_marks(path)


NOBODY = (b"From", b" MAILER-DAEMON")
"""The MTA's own field, where a message from the null reverse-path has none."""


def message_for(
    session: RuleSession, message: bytes, mailer: MailerLine, sender: Sender, path: str
) -> bytes:
    """The message with the addresses of its header as a mailer sees them. Raises DeliveryError.

    path: `$g`.
    """
    given, rest = take_return_path(message)
    fields, body = split_message(rest)
    if sender.text == "<>" and NOBODY in fields:
        fields[fields.index(NOBODY)] = NOBODY[0], to_octets(f" {path}")
    front = b"" if given is None else (given or b"Return-Path:\n")
    program = session.engine.program
    with session.asking() as question:
        later = False

        def rewrite(text: str, is_sender: bool) -> str:
            nonlocal later
            kind = AddressKind(header=True, sender=is_sender)
            address, status = question.resolver.rewrite_for(
                text, mailer, kind, domain=sender.domain
            )
            later |= status == EX_TEMPFAIL
            return program.names.without_marks(address)

        old_style = session.engine.cf.option("OldStyleHeaders").lower()[:1] in ("t", "y")
        new = list(
            rewritten(
                fields,
                program.tables.addresses,
                rewrite,
                old_style=old_style,
                limit=mailer.line_limit,
            )
        )
    if later and is_smtp(mailer):
        raise DeliveryError(LATER, temporary=True, code="4.4.3")
    head = b"".join(name + b":" + value + b"\n" for name, value in new)
    return front + head + b"\n" + body


def is_smtp(mailer: MailerLine) -> bool:
    """A mailer whose arguments name no user speaks SMTP."""
    return not any(USER_WORD in word for word in mailer.words)


def arguments(
    session: RuleSession, mailer: MailerLine, users: Sequence[str], path: str, *, from_user: bool
) -> tuple[str, ...]:
    """A= with its macros expanded; the word with `$u` once for each user.

    path: `$g`. from_user: the sender may be told by `-f` or `-r`.
    """
    names = session.engine.program.names

    def expand(text: str) -> str:
        return names.without_marks(session.expand(text))

    words = [mailer.words[0]]
    if from_user and ("f" in mailer.flags or "r" in mailer.flags):
        words += ["-f" if "f" in mailer.flags else "-r", path]
    rest = list(mailer.words[1:])
    while rest and USER_WORD not in rest[0]:
        words.append(expand(rest.pop(0)))
    if rest:
        word = rest.pop(0)
        for user in users:
            session.definitions.set("u", user)
            words.append(expand(word))
        words += [expand(one) for one in rest]
    return tuple(words)


def folder(session: RuleSession, mailer: MailerLine) -> list[str]:
    """The folders that a program may run in, best first (D=)."""
    names = session.engine.program.names
    text = names.translate(octets(mailer.equates.get("D", "")), _silent, comments=False)
    found = [session.expand(one) for one in text.split(":") if one]
    return [*(one for one in found if one.startswith("/")), "/"]


_HIGH = bytes(code & 0x7F for code in range(256))


def converted(message: bytes, mailer: MailerLine) -> bytes:
    """The message as flags and E= ask for: seven bits (7), a blank line at the end (b)."""
    if "7" in mailer.flags:
        message = message.translate(_HIGH)
    if "b" in mailer.flags and not message.endswith(b"\n\n"):
        message += b"\n"
    return message


def with_line_ends(message: bytes, mailer: MailerLine) -> bytes:
    """The message for a program, with the line ends of E=."""
    end = mailer.end_of_line.encode("ascii", "surrogateescape")
    return message if end == b"\n" else re.sub(rb"\n", lambda _: end, message)


def _silent(text: str) -> None:
    del text
