"""How long a message may wait in the queue: until its sender is warned, until it is returned.

`Timeout.queuewarn` and `Timeout.queuereturn` hold for all; those with `.urgent`, `.normal` and
`.non-urgent` for messages of that `Priority`, those with `.dsn` for reports made here. Nobody is
warned of mail whose `Precedence` is below 0 (`Plist=-30`).
Source: sendmail 8.17 `readcf.c` (settimeout), `headers.c` (eatheader), `envelope.c`.
"""

from __future__ import annotations

from collections.abc import Callable

from filterd.mta.cf.config import SendmailCf
from filterd.mta.mail.header import split_message
from filterd.mta.milters.settings import parse_time

HEADER_LIMIT = 1 << 16
"""Octets at the beginning of a message in which the two fields are looked for."""

PRIORITIES = ("normal", "urgent", "non-urgent")

REPORTS = "dsn"


def seconds(cf: SendmailCf, timeout: str, kind: str) -> float:
    """The value of a timeout for a kind of message, 0 where the file says nothing."""
    values = cf.options.get(f"Timeout.{timeout}.{kind}") or cf.options.get(f"Timeout.{timeout}")
    return parse_time(values[-1]) if values else 0.0


def patience(cf: SendmailCf) -> Callable[[bytes], float]:
    """Seconds after which the sender of a message is warned; 0: never."""
    times = {kind: seconds(cf, "queuewarn", kind) for kind in PRIORITIES}
    classes = {name.lower(): value for name, value in cf.precedences.items()}

    def of(message: bytes) -> float:
        if not any(times.values()):
            return 0.0
        fields = _fields(message)
        if classes.get(fields.get("precedence", ""), 0) < 0:
            return 0.0
        return times[_priority(fields)]

    return of


def lifetime(cf: SendmailCf) -> Callable[[bytes], float]:
    """Seconds after which a message is returned; 0 where the file says nothing."""
    times = {kind: seconds(cf, "queuereturn", kind) for kind in PRIORITIES}

    def of(message: bytes) -> float:
        if len(set(times.values())) == 1:
            return times["normal"]
        return times[_priority(_fields(message))]

    return of


def _priority(fields: dict[str, str]) -> str:
    found = fields.get("priority", "")
    return found if found in PRIORITIES else "normal"


def _fields(message: bytes) -> dict[str, str]:
    """The header fields by name, in lower case, the last one of several."""
    return {
        name.decode("ascii").lower(): value.decode("ascii", "replace").strip().lower()
        for name, value in split_message(message[:HEADER_LIMIT])[0]
    }
