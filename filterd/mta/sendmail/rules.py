"""What sendmail 8.17 accepts, and when it slows a client down. Source: `srvrsmtp.c`; observed."""

from __future__ import annotations

import re

from filterd.mta.smtp.rules import SessionRules
from filterd.mta.smtp.sasl import MECHANISMS

NAME_LIMIT = 256
"""Characters of a name at HELO, MAXNAME."""


def valid_name(name: str) -> bool:
    """Whether HELO accepts a name."""
    return len(name) <= NAME_LIMIT and re.fullmatch(r"[A-Za-z0-9\[\]._#:-]+", name) is not None


NOOP_LIMIT = 20
"""MAXNOOPCOMMANDS, where the file does not say MaxNOOPCommands."""

RULES = SessionRules(
    # MAXHELOCOMMANDS, MAXNOOPCOMMANDS, MAXVRFYCOMMANDS; AUTH: one more than there are mechanisms;
    # refused recipients: BadRcptThrottle as `sendmail.mc` advises it.
    slow_after={
        "HELO": 3,
        "NOOP": NOOP_LIMIT,
        "VRFY": 6,
        "ETRN": 8,
        "AUTH": len(MECHANISMS) + 1,
        "refused RCPT": 20,
    },
    constant_delay=frozenset({"refused RCPT"}),
    close_after={"AUTH": 2 * (len(MECHANISMS) + 1)},
    valid_name=valid_name,
    refuses_proxies=True,
    shortest_by=0,
)
