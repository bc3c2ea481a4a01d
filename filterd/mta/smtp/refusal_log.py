"""What the log says of a command that the filters refused.

`sendmail.refusal_log` and `postfix.refusal_log` write the lines of the two MTAs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from filterd.mta.milters.answers import MilterAnswer
from filterd.mta.smtp.replies import SmtpReply

TEXT_LIMIT = 300
"""Characters of a reply in a log line."""


@dataclass(frozen=True, slots=True)
class RefusedCommand:
    """What was refused. verb: `MAIL`, `RCPT`, ... argument: the path or name after it."""

    verb: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class RefusedClient:
    """Whose command was refused. sender: None before MAIL."""

    name: str
    address: str
    helo: str = ""
    protocol: str = "SMTP"
    sender: str | None = None


def shown(reply: SmtpReply) -> str:
    """A reply on one line, every octet printable."""
    text = "\\r\\n".join(line.decode("ascii", "replace") for line in reply.lines)
    return re.sub(r"[^ -~]", "?", text)[:TEXT_LIMIT]


RefusalLine = Callable[[RefusedCommand, RefusedClient, MilterAnswer, SmtpReply], str]
"""Writes the line of the log about one refusal."""
