"""Checks by rulesets: `check_*` and those of header fields.

A check gets text; anything but `$#error` and `$#discard` is consent. Two texts are joined by the
mark `$|`. Source: sendmail 8.17 `parseaddr.c` (rscheck), `headers.c` (chompheader).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from filterd.mta.cf.addresses import AddressKind, AddressResolver, ResolvedAddress
from filterd.mta.cf.marks import ELSE, HOST, MAILER, USER, quoted
from filterd.mta.cf.rewriting import Rewriter
from filterd.mta.cf.tokens import scan

MAX_FIELD_NAME = 100
"""Octets of a field's name; a longer one ends the header."""

MAX_CURRENT_HEADER = 253
"""Octets of `${currHeader}` without its quotes."""

MAX_REASON = 1024

END_OF_HEADER, RECIPIENT, RESENT, ACHECK = 0x1, 0x2, 0x8, 0x20
FORCE, TRACE, FROM, RECEIPT_TO, ERRORS_TO = 0x40, 0x80, 0x100, 0x400, 0x800
ENCODING, TYPE, BCC, ENCODABLE, BIND_LATE, FROM_USER = (
    0x1000,
    0x2000,
    0x4000,
    0x8000,
    0x20000,
    0x40000,
)

HEADER_FLAGS = {
    "resent-sender": FROM | RESENT,
    "resent-from": FROM | RESENT,
    "resent-reply-to": FROM | RESENT,
    "sender": FROM,
    "from": FROM,
    "reply-to": FROM,
    "errors-to": FROM | ERRORS_TO,
    "full-name": ACHECK,
    "return-receipt-to": RECEIPT_TO,
    "delivery-receipt-to": RECEIPT_TO,
    "disposition-notification-to": FROM,
    "to": RECIPIENT,
    "resent-to": RECIPIENT | RESENT,
    "cc": RECIPIENT,
    "resent-cc": RECIPIENT | RESENT,
    "bcc": RECIPIENT | BCC,
    "resent-bcc": RECIPIENT | BCC | RESENT,
    "apparently-to": RECIPIENT,
    "message-id": 0,
    "resent-message-id": RESENT,
    "message": END_OF_HEADER,
    "text": END_OF_HEADER,
    "date": 0,
    "resent-date": RESENT,
    "received": TRACE | FORCE,
    "x400-received": TRACE | FORCE,
    "via": TRACE | FORCE,
    "mail-from": TRACE | FORCE,
    "comments": FORCE | ENCODABLE,
    "return-path": FORCE | ACHECK | BIND_LATE,
    "content-transfer-encoding": ENCODING,
    "content-type": TYPE,
    "content-length": ACHECK,
    "subject": ENCODABLE,
    "x-authentication-warning": FORCE,
}
"""What sendmail knows of header fields, its H_ flags."""


class CheckOutcome(Enum):
    CONSENT = "consent"
    ERROR = "error"
    DISCARD = "discard"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a ruleset said. error: for ERROR; reason: for QUARANTINE. result: all of its text."""

    outcome: CheckOutcome = CheckOutcome.CONSENT
    error: ResolvedAddress | None = None
    reason: str = ""
    result: str = ""


CONSENT = CheckResult()


class Checker:
    def __init__(self, rewriter: Rewriter, resolver: AddressResolver) -> None:
        self._rewriter, self._resolver = rewriter, resolver
        self._program = rewriter.program

    def check(
        self, name: str, first: str, second: str | None = None, *, strips_comments: bool = True
    ) -> CheckResult:
        """Ask a ruleset; one that does not exist consents. Text is in octet form."""
        program = self._program
        number = program.rulesets.find(name, _silent)
        if number < 0:
            return CONSENT
        text = quoted(first if second is None else first + ELSE + second)
        table = program.tables.internal if strips_comments else program.tables.rules
        tokens = scan(text, table, _silent, ignore=not strips_comments).tokens
        if tokens is None:
            return CONSENT
        self._rewriter.run(tokens, number)
        if len(tokens) < 2 or tokens[0][0] != MAILER:
            return CheckResult(result=program.tables.join(tokens, " "))
        if tokens[1] == "discard":
            return CheckResult(CheckOutcome.DISCARD)
        if tokens[1] != "error":
            return CheckResult(result=program.tables.join(tokens, " "))
        if tokens[2:4] == [HOST, "quarantine"]:
            has_reason = tokens[4:5] == [USER] and len(tokens) > 5
            reason = program.tables.join(tokens[5:], " ", MAX_REASON) if has_reason else name
            self._rewriter.definitions.set("quarantine", reason)
            return CheckResult(CheckOutcome.QUARANTINE, reason=reason)
        return CheckResult(CheckOutcome.ERROR, error=self._resolver.build(tokens, AddressKind()))


class HeaderChecker:
    """Header fields through their rulesets."""

    def __init__(self, rewriter: Rewriter, resolver: AddressResolver) -> None:
        self._rewriter, self._resolver = rewriter, resolver
        self.outcome = CONSENT

    def check(self, line: str) -> int:
        """Check `Name: value` and return sendmail's flags of the field, 0 for a bad line."""
        self.outcome = CONSENT
        found = re.match(r"([!-9;-~]+)\s*:", line)
        if found is None:
            shown = self._rewriter.program.names.complaint(line)
            self._rewriter.complain(
                f'header syntax error, line "{shown}"', code="553", enhanced="5.3.0"
            )
            return 0
        name, value = found[1], line[found.end() :]
        if len(name) > MAX_FIELD_NAME:
            return END_OF_HEADER
        flags = HEADER_FLAGS.get(name.lower(), 0)
        if flags & END_OF_HEADER:
            return flags
        program = self._rewriter.program
        check = program.header_checks.get(name.lower()) or program.header_checks.get("*")
        if check is not None:
            self._set_macros(name, value, flags)
            self.outcome = Checker(self._rewriter, self._resolver).check(
                check.ruleset, value, strips_comments=check.strips_comments
            )
        own = program.header_checks.get(name.lower())
        stripped = 0x10000 if own is not None and own.strips_comments else 0
        return flags | stripped | FROM_USER

    def _set_macros(self, name: str, value: str, flags: int) -> None:
        definitions = self._rewriter.definitions
        shown = re.sub(r"[\t\n\v\f\r]", " ", value).replace('"', '\\"')[:MAX_CURRENT_HEADER]
        definitions.set("currHeader", f'"{shown}"')
        definitions.set("hdr_name", name)
        definitions.set("hdrlen", str(len(value)))
        kind = "h s" if flags & FROM else "h r" if flags & RECIPIENT else "h"
        definitions.set("addr_type", kind)


def _silent(text: str) -> None:
    del text
