"""The checks of an SMTP session by the rulesets of a sendmail.cf: `check_*`, header fields.

They are asked in a thread, before the filters.
Sources: sendmail 8.17 `srvrsmtp.c`, `collect.c`; observed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import TypeVar

from filterd.mta.cf.addresses import AddressKind
from filterd.mta.cf.checks import FROM, HEADER_FLAGS
from filterd.mta.cf.marks import octets, readable
from filterd.mta.cf.observer import RuleMessage
from filterd.mta.mail.address import Route
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.mail.header import split_message
from filterd.mta.milters.macros import MacroTable
from filterd.mta.sendmail import rulesets
from filterd.mta.sendmail.engine import RuleSession, RulesQuestion
from filterd.mta.sendmail.features import features_of
from filterd.mta.sendmail.rulesets import LogContext, RulesetCheck
from filterd.mta.smtp.checks import CONSENT, CheckVerdict, SessionChecks
from filterd.mta.smtp.replies import SmtpReply

log = logging.getLogger("filterd.mta")

LONGEST_PAUSE = 300.0
"""Seconds before the greeting at most, RFC 5321 §4.5.3.2.1."""

MAX_HEADERS_LENGTH = 32768
"""Octets of a header section where the file says nothing, MAXHDRSLEN."""

CONTENT_RULESETS = ("check_eoh", "check_eom")
"""Asked about each message, besides those of its header fields."""

_SEVEN_BITS = bytes(octet & 0x7F for octet in range(256))

NO_SENDERS = frozenset(("prog", "*file*", "*include*"))
"""Mailers that cannot be a sender's."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ContentLimits:
    """What a message may hold, and what becomes of it.

    header: octets of its header section, 0 for no limit. min_free: blocks that must stay free where
    the spool is, besides the message.
    """

    header: int = MAX_HEADERS_LENGTH
    min_free: int = 0
    refuses_nul: bool = False
    refuses_eighth_bit: bool = False
    takes_seven_bits: bool = False
    joins_author_lines: bool = False
    """Lines of From and such become one."""


class RuleChecks(SessionChecks):
    """The checks of one session. rules: its macros. macros: what the filters get."""

    decide_relaying = True

    def __init__(
        self, rules: RuleSession, macros: MacroTable, limits: ContentLimits, spool: Folder
    ) -> None:
        self._rules, self._macros, self._limits, self._spool = rules, macros, limits, spool
        self._program = rules.engine.program
        self._base = rules.definitions.copy()

    # The connection

    async def connected(self) -> CheckVerdict:
        session = self._macros.session
        return await self._check(
            RulesetCheck("check_relay", session["{client_name}"], session["{client_addr}"])
        )

    async def features(self, forbidden: frozenset[str]) -> frozenset[str] | SmtpReply:
        words = await self._capabilities("srv_features", self._macros.session["_"], "")
        if words and words[0].lower() == "temp":
            log.error("srv_features=tempfail, relay=%s", self._macros.session["_"])
            return SmtpReply.of("450 4.3.0 Please try again later.")
        return features_of(words, forbidden)

    async def greet_pause(self) -> float:
        session = self._macros.session
        words = await self._capabilities(
            "greet_pause", session["{client_name}"], session["{client_addr}"]
        )
        word = words[0] if words else ""
        return min(int(word[:9]) / 1000, LONGEST_PAUSE) if word.isdecimal() else 0.0

    async def secured(self, verified: str) -> CheckVerdict:
        return await self._check(RulesetCheck("tls_client", verified, "STARTTLS"))

    # The envelope

    def begin(self) -> None:
        """newenvelope: what rules have set is forgotten, but for the class `persistentMacros`."""
        old, new = self._rules.definitions, self._base.copy()
        code = self._program.names.code("persistentMacros")
        for word in self._program.classes.words(code):
            name = word.strip("{}")
            new.set(name, old.get(name))
        self._rules.definitions = new

    def sender(self, path: EnvelopePath) -> Route | SmtpReply | None:
        return self._ask(lambda question: self._sender(question, path))

    def _sender(self, question: RulesQuestion, path: EnvelopePath) -> Route | SmtpReply:
        kind = AddressKind(sender=True)
        self._rules.set("{addr_type}", kind.macro)
        found = question.resolver.parse(octets(path.text), kind, recipient=False)
        refused = rulesets.refusal(question, path.text)
        if refused is not None:
            return refused
        if found is None or found.mailer in NO_SENDERS:
            message = RuleMessage("553", "5.1.7", "Invalid sender address")
            return rulesets.reply_to(self._program, message, path.text)
        self._macros.define("f", readable(rulesets.rewritten_sender(question, path.text)))
        return Route(found.mailer, readable(found.host), readable(found.user))

    def mail(self, path: EnvelopePath) -> CheckVerdict:
        return self._checked(RulesetCheck("check_mail", path.text, path=path.text), kind="e s")

    def rcpt(self, path: EnvelopePath, route: Route) -> CheckVerdict:
        named = {
            "{rcpt_mailer}": route.mailer,
            "{rcpt_host}": route.host,
            "{rcpt_addr}": route.user,
        }
        asked = RulesetCheck("check_rcpt", path.text, path=path.text)
        return self._checked(asked, kind="e r", **named)

    async def data(self, recipients: int) -> CheckVerdict:
        return await self._check(RulesetCheck("check_data", str(recipients)))

    async def verify(self, argument: str, *, expand: bool) -> SmtpReply | None:
        name = "check_expn" if expand else "check_vrfy"
        return (await self._check(RulesetCheck(name, argument))).reply

    async def etrn(self, node: str) -> SmtpReply | None:
        return (await self._check(RulesetCheck("check_etrn", node))).reply

    def room(self, size: int) -> SmtpReply | None:
        """enoughdiskspace: whether a message of `size` octets leaves enough blocks free."""
        if not self._limits.min_free:
            return None
        try:
            disk = os.statvfs(self._spool)
        except OSError as error:
            log.error("%s: %s", self._spool, error.strerror)
            return None
        if disk.f_bavail >= self._limits.min_free + size // max(disk.f_frsize, 1):
            return None
        log.warning("low on space: %d blocks are free in %s", disk.f_bavail, self._spool)
        return SmtpReply.of("452 4.4.5 Insufficient disk space; try again later")

    # The message

    def received(self, sender: EnvelopePath, data: bytes) -> bytes:
        body = next(
            (one[5:].upper() for one in sender.parameters if one.upper().startswith("BODY=")), ""
        )
        if body == "7BIT" or (self._limits.takes_seven_bits and body != "8BITMIME"):
            data = data.translate(_SEVEN_BITS)
        return with_joined_lines(data) if self._limits.joins_author_lines else data

    async def content(self, data: bytes) -> CheckVerdict:
        limits, limit = self._limits, self._limits.header
        has_rules = self._program.header_checks or any(map(self._is_known, CONTENT_RULESETS))
        if not (has_rules or limits.refuses_nul or limits.refuses_eighth_bit) and (
            not limit or len(data) <= limit
        ):
            # Nothing is asked, and no header section of it can be too large.
            self._rules.set("{msg_size}", str(len(data)))
            return CONSENT
        fields, body = split_message(data, eats_from=True)
        size = header_size(data, body)
        if limit and size > limit:
            return CheckVerdict(SmtpReply.of(f"552 5.6.0 Headers too large ({limit} max)"))

        def asking(question: RulesQuestion) -> CheckVerdict:
            return self._content(question, fields, size, data)

        # Nothing blocks where no ruleset is to be asked.
        verdict = await self._asking(asking) if has_rules else self._ask(asking)
        self._note(verdict)
        return verdict

    def _content(
        self, question: RulesQuestion, fields: Sequence[tuple[bytes, bytes]], size: int, data: bytes
    ) -> CheckVerdict:
        """All are asked, whatever one of them says; of several refusals the last is the reply."""
        context = self._context()
        found = list(rulesets.ask_fields(question, fields, context))
        eoh = RulesetCheck("check_eoh", str(len(fields)), str(size), comments=True)
        found.append(rulesets.ask(question, eoh, context))
        found += self._octets(fields, data)
        self._rules.set("{msg_size}", str(len(data)))
        eom = RulesetCheck("check_eom", str(len(data)), comments=True)
        found.append(rulesets.ask(question, eom, context))
        return rulesets.merged(found)

    def _octets(self, fields: Sequence[tuple[bytes, bytes]], data: bytes) -> list[CheckVerdict]:
        """What the options RejectNUL and EightBitMode say."""
        found = []
        is_mime = any(name.lower() == b"mime-version" for name, _ in fields)
        if self._limits.refuses_eighth_bit and not is_mime and not data.isascii():
            found.append(CheckVerdict(SmtpReply.of("554 5.6.1 Eight bit data not allowed")))
        if self._limits.refuses_nul and b"\0" in data:
            found.append(CheckVerdict(SmtpReply.of("554 5.6.1 NUL byte not allowed")))
        return found

    # Asking

    def _is_known(self, ruleset: str) -> bool:
        return rulesets.is_known(self._program, ruleset)

    async def _check(self, asked: RulesetCheck) -> CheckVerdict:
        """Ask a ruleset in a thread."""
        if not self._is_known(asked.ruleset):
            return CONSENT
        return await asyncio.to_thread(self._checked, asked)

    def _checked(
        self, asked: RulesetCheck, *, kind: str | None = None, **named: str
    ) -> CheckVerdict:
        """What a ruleset says. Blocking."""
        if not self._is_known(asked.ruleset):
            return CONSENT

        def asking(question: RulesQuestion) -> CheckVerdict:
            for name, value in named.items():
                self._rules.set(name, value)
            self._rules.set("{addr_type}", kind)
            try:
                return rulesets.ask(question, asked, self._context())
            finally:
                for name in ("{addr_type}", *named):
                    self._rules.set(name, None)

        verdict = self._ask(asking)
        self._note(verdict)
        return verdict

    async def _capabilities(self, ruleset: str, first: str, second: str) -> list[str]:
        if not self._is_known(ruleset):
            return []
        return await self._asking(
            lambda question: rulesets.capabilities(question, ruleset, first, second)
        )

    async def _asking(self, ask: Callable[[RulesQuestion], _T]) -> _T:
        return await asyncio.to_thread(self._ask, ask)

    def _ask(self, ask: Callable[[RulesQuestion], _T]) -> _T:
        """Ask with the macros as they are now. Blocking."""
        self._rules.update(self._macros.now)
        with self._rules.asking() as question:
            return ask(question)

    def _note(self, verdict: CheckVerdict) -> None:
        if verdict.quarantine is not None:
            self._macros.define("{quarantine}", verdict.quarantine)

    def _context(self) -> LogContext:
        return LogContext(self._macros.now.get("i", "NOQUEUE"), self._macros.session["_"])


def header_size(data: bytes, body: bytes) -> int:
    """Octets of a header section as sendmail counts them: with the line that ends it, without NULs.

    data: the message; body: what follows the header.
    """
    size = len(data) - len(body)
    if body and data[:size] != b"\n" and not data.endswith(b"\n\n", 0, size):
        # The first line that is not a field was read as a part of the header.
        size += body.find(b"\n") + 1 or len(body)
    return size - data.count(b"\0", 0, size)


def with_joined_lines(data: bytes) -> bytes:
    """The message with the lines of each field that names an author joined by blanks."""
    fields, body = split_message(data, eats_from=True)
    head = data[: len(data) - len(body)]
    at = data.find(b"\n") + 1 if data.startswith(b"From ") else 0
    out = [data[:at]]
    for name, _value in fields:
        end = head.find(b"\n", at)
        while end >= 0 and head[end + 1 : end + 2] in (b" ", b"\t"):
            end = head.find(b"\n", end + 1)
        end = len(head) - 1 if end < 0 else end
        text = head[at : end + 1]
        flags = HEADER_FLAGS.get(name.decode("ascii").lower(), 0)
        out.append(text[:-1].replace(b"\n", b" ") + b"\n" if flags & FROM else text)
        at = end + 1
    return b"".join(out) + data[at:]
