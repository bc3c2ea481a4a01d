"""The options of a sendmail.cf that touch a session: what is accepted, refused, and slowed down.

Source: sendmail 8.17 `readcf.c` (setoption), `srvrsmtp.c`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.marks import octets
from filterd.mta.cf.program import Program
from filterd.mta.cf.tokens import scan
from filterd.mta.milters.settings import parse_time
from filterd.mta.sendmail.checks import MAX_HEADERS_LENGTH, ContentLimits
from filterd.mta.sendmail.rules import NOOP_LIMIT, RULES
from filterd.mta.smtp.rules import ConnectionRules, SessionRules

_NUMBER = re.compile(r"\s*(\d{1,15})")


def is_set(cf: SendmailCf, option: str) -> bool:
    """A truth value: an option without a value is true (atobool)."""
    values = cf.options.get(option)
    return values is not None and values[-1].strip()[:1] in ("", "t", "T", "y", "Y")


def number(cf: SendmailCf, option: str, default: int = 0) -> int:
    """A number as C's atoi reads it."""
    values = cf.options.get(option)
    if values is None:
        return default
    match = _NUMBER.match(values[-1])
    return int(match[1]) if match else 0


def content_limits(cf: SendmailCf) -> ContentLimits:
    return ContentLimits(
        header=number(cf, "MaxHeadersLength", MAX_HEADERS_LENGTH),
        min_free=number(cf, "MinFreeBlocks"),
        refuses_nul=is_set(cf, "RejectNUL"),
        takes_seven_bits=is_set(cf, "SevenBitInput"),
        joins_author_lines=is_set(cf, "SingleLineFromHeader"),
        refuses_eighth_bit=cf.option("EightBitMode").strip()[:1] == "s",
    )


def session_rules(cf: SendmailCf) -> SessionRules:
    """What the server accepts from a client, and when it slows one down or disconnects it."""
    slow = {**RULES.slow_after, "NOOP": number(cf, "MaxNOOPCommands", NOOP_LIMIT)}
    slow["refused RCPT"] = number(cf, "BadRcptThrottle")
    slow = {kind: limit for kind, limit in slow.items() if limit}
    close = dict(RULES.close_after)
    if number(cf, "MaxDaemonChildren"):
        # checksmtpattack: twice as many as are slowed down end the session.
        close |= {kind: 2 * limit for kind, limit in slow.items() if kind != "refused RCPT"}
    return replace(
        RULES,
        slow_after=slow,
        close_after=close,
        accepts_bad_names=is_set(cf, "AllowBogusHELO"),
        shortest_by=shortest_by(cf),
        bad_recipients=number(cf, "BadRcptShutdown"),
        bad_share=number(cf, "BadRcptShutdownGood"),
        soft_bounces=is_set(cf, "SoftBounce"),
        path_end=path_end(cf.program),
    )


def shortest_by(cf: SendmailCf) -> int | None:
    """DeliverByMin: seconds, or None where it is negative and DELIVERBY is not offered."""
    value = cf.option("DeliverByMin").strip()
    return None if value.startswith("-") else int(parse_time(value))


def delivers_at_once(cf: SendmailCf) -> Callable[[], bool]:
    """Whether mail that is accepted now is delivered now, and not by a later run of the queue."""
    waits = cf.option("DeliveryMode").strip()[:1] in ("q", "d")
    limit = number(cf, "QueueLA")
    return lambda: not waits and not (limit and os.getloadavg()[0] >= limit)


def connection_rules(cf: SendmailCf) -> ConnectionRules:
    """Loads count only where the file names them: sendmail's defaults depend on the machine."""
    return ConnectionRules(
        rate_window=parse_time(cf.option("ConnectionRateWindowSize", "60s")) or 60.0,
        throttle=number(cf, "ConnectionRateThrottle"),
        refuse_load=number(cf, "RefuseLA"),
        delay_load=number(cf, "DelayLA"),
    )


def path_end(program: Program) -> Callable[[str], int]:
    """Where a path ends: at the first blank outside of brackets, quotes and comments."""
    table = program.tables.addresses

    def end(text: str) -> int:
        scanned = scan(octets(text), table, _silent, delimiter=" ")
        # A text that is not an address is refused as a whole.
        return len(text) if scanned.tokens is None else scanned.end

    return end


def _silent(text: str) -> None:
    del text
