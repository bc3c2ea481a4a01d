"""Ask a `check_*` ruleset, and what its answer means: reply, discard, quarantine, log line.

Everything here blocks: maps may wait for a disk or a name server.
Sources: sendmail 8.17 `parseaddr.c` (rscheck, rscap), `err.c`; observed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from filterd.mta.cf.addresses import CANONIFY, FINAL, SENDER
from filterd.mta.cf.checks import CheckOutcome, CheckResult, HeaderChecker
from filterd.mta.cf.lookup import EX_OK
from filterd.mta.cf.marks import ELSE, MAILER, octets, quoted, readable
from filterd.mta.cf.observer import RuleMessage
from filterd.mta.cf.program import Program
from filterd.mta.cf.tokens import Tokens, scan
from filterd.mta.cf.voice import shortened
from filterd.mta.mail.address import to_text
from filterd.mta.sendmail.engine import RuleSession, RulesQuestion
from filterd.mta.smtp.checks import CONSENT, CheckVerdict
from filterd.mta.smtp.replies import SmtpReply

log = logging.getLogger("filterd.mta")

_NAMING = frozenset(("450", "550", "553"))
"""Codes of replies that begin with the address, fmtmsg."""


@dataclass(frozen=True, slots=True)
class RulesetCheck:
    """One check. second: joined to the first by `$|`. path: the address for the reply.

    comments: whether those in parentheses stay.
    """

    ruleset: str
    first: str
    second: str | None = None
    path: str = ""
    comments: bool = False


@dataclass(frozen=True, slots=True)
class LogContext:
    """What the log says beside the ruleset: the message's id, the client."""

    id: str
    relay: str


def is_known(program: Program, ruleset: str) -> bool:
    return program.rulesets.find(ruleset, _silent) >= 0


def ask(question: RulesQuestion, asked: RulesetCheck, context: LogContext) -> CheckVerdict:
    """What a ruleset says; one that does not exist consents."""
    question.said.clear()
    second = None if asked.second is None else octets(asked.second)
    result = question.checker.check(
        asked.ruleset, octets(asked.first), second, strips_comments=not asked.comments
    )
    return _verdict(question, asked, result, context)


def ask_fields(
    question: RulesQuestion, fields: Sequence[tuple[bytes, bytes]], context: LogContext
) -> Iterator[CheckVerdict]:
    """What the rulesets of header fields say."""
    checks = question.rewriter.program.header_checks
    if not checks:
        return
    checker = HeaderChecker(question.rewriter, question.resolver)
    for name, value in fields:
        check = checks.get(to_text(name).lower()) or checks.get("*")
        if check is None:
            continue
        text = to_text(value)
        question.said.clear()
        checker.check(f"{to_text(name)}:{text}")
        yield _verdict(question, RulesetCheck(check.ruleset, text), checker.outcome, context)


def _verdict(
    question: RulesQuestion, asked: RulesetCheck, result: CheckResult, context: LogContext
) -> CheckVerdict:
    names = question.rewriter.program.names
    reply = refusal(question, asked.path)
    if reply is not None:
        # Also where the ruleset consented: what went wrong on the way refuses as well.
        verdict, said = CheckVerdict(reply), f"reject={reply.lines[0].decode('ascii', 'replace')}"
    elif result.outcome is CheckOutcome.DISCARD:
        verdict, said = CheckVerdict(discard=True), "discard"
    elif result.outcome is CheckOutcome.QUARANTINE:
        reason = printable(readable(names.without_marks(result.reason)))
        verdict, said = CheckVerdict(quarantine=reason), f"quarantine={reason}"
    else:
        return CONSENT
    more = "" if asked.second is None else f", arg2={printable(asked.second)}"
    first = printable(asked.first)
    log.info(
        "%s: ruleset=%s, arg1=%s%s, relay=%s, %s",
        context.id,
        asked.ruleset,
        first,
        more,
        context.relay,
        said,
    )
    return verdict


def refusal(question: RulesQuestion, path: str = "") -> SmtpReply | None:
    """The first error that was said, which is the only one that reaches a client.

    What a map complains of (it has no enhanced code) is not for the client: the lookup fails for
    now, and the rules say what that means. path: the address of the command, "" for none.
    """
    for message in question.said:
        if message.code[:1] in ("4", "5") and message.enhanced:
            return reply_to(question.rewriter.program, message, path)
    return None


def reply_to(program: Program, message: RuleMessage, path: str = "") -> SmtpReply:
    """A message as a reply; for some codes it begins with the address."""
    address = message.address
    if not address and path and message.code in _NAMING:
        address = program.names.stripped(shortened(octets(path)))
    shown = f"{address}... " if address else ""
    enhanced = message.enhanced or f"{message.code[:1]}.0.0"
    return SmtpReply.of(f"{message.code} {enhanced} {shown}{message.text}")


def capabilities(question: RulesQuestion, ruleset: str, first: str, second: str) -> Tokens:
    """What a ruleset says after `$#`, as tokens; none for any other answer."""
    program = question.rewriter.program
    text = quoted(octets(first) + ELSE + octets(second))
    tokens = scan(text, program.tables.internal, _silent).tokens
    number = program.rulesets.find(ruleset, _silent)
    if tokens is None or number < 0 or question.rewriter.run(tokens, number) != EX_OK:
        return []
    return tokens[1:] if tokens and tokens[0][0] == MAILER else []


def rewritten_sender(question: RulesQuestion, path: str) -> str:
    """`$f`: the sender after the rulesets that sendmail itself calls (setsender)."""
    rewriter, tables = question.rewriter, question.rewriter.program.tables
    tokens = scan(octets(path), tables.internal, _silent).tokens
    if tokens is None:
        return ""
    for number in (CANONIFY, SENDER, FINAL):
        rewriter.run(tokens, number)
    return tables.join(tokens)


def compat(rules: RuleSession, sender: str, recipient: str, id: str) -> CheckVerdict:
    """`check_compat`, before a delivery: sender and recipient as the envelope has them, `<joe>`.

    A refusal returns the message (4xx: later), discard drops it for this recipient. id: of the
    message, for the log.
    """
    if not is_known(rules.engine.program, "check_compat"):
        return CONSENT
    asked = RulesetCheck("check_compat", sender, recipient, path=recipient)
    with rules.asking() as question:
        return ask(question, asked, LogContext(id, readable(rules.macro("_"))))


def merged(verdicts: Sequence[CheckVerdict]) -> CheckVerdict:
    """Several verdicts about one message: the last refusal counts, and the last reason."""
    replies = [one.reply for one in verdicts if one.reply is not None]
    reasons = [one.quarantine for one in verdicts if one.quarantine is not None]
    return CheckVerdict(
        replies[-1] if replies else None,
        any(one.discard for one in verdicts),
        reasons[-1] if reasons else None,
    )


def printable(text: str) -> str:
    """Text of a client for the log: it makes no line of its own."""
    return re.sub(r"[^ -~]", "?", text)


def _silent(text: str) -> None:
    del text
