"""What a server's refusal means: the enhanced status code for reports and the log.

A code in the reply counts only if the server announced such codes (RFC 2034 §3), and is of the
reply's class. Else it follows from the reply and what it answers.
Source: sendmail 8.17 `usersmtp.c` (smtpmailfrom, smtprcptstat, smtptodsn); observed.
"""

from __future__ import annotations

import re

from filterd.mta.delivery.router import DeliveryError
from filterd.smtp.client import ServerReply, SmtpClient

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)")

_CODES = {
    450: "4.2.0",
    451: "4.3.0",
    452: "4.3.1",
    500: "5.5.2",
    501: "5.5.4",
    502: "5.5.1",
    503: "5.5.1",
    504: "5.5.4",
    550: "5.2.0",
    551: "5.1.6",
    552: "5.2.2",
    553: "5.1.3",
}
_BY_COMMAND = {
    "MAIL": {500: "", 501: "5.5.2", 502: "", 503: "", 504: "", 550: "", 551: "", 552: "5.3.4"},
    "RCPT": {550: "5.1.1"},
    "DATA": dict.fromkeys(_CODES, ""),
}
"""Where a command has codes of its own; "" for the class alone, `5.0.0`."""


def refusal(client: SmtpClient, host: str, reply: ServerReply, command: str) -> DeliveryError:
    """The error for a reply. command: what it answers, "" for a whole message."""
    permanent = reply.code >= 500
    found = _ENHANCED.match(reply.words) if client.offers("ENHANCEDSTATUSCODES") else None
    if found is not None and found[0][0] == str(reply.code)[0]:
        code = found[0]
    else:
        code = enhanced_code(reply.code, command)
    error = DeliveryError(f"{host} replied: {reply.text}", temporary=not permanent, code=code)
    error.server, error.said = host, reply.text
    return error


def enhanced_code(code: int, command: str) -> str:
    """The enhanced code for a reply that has none."""
    known = _BY_COMMAND.get(command, {}).get(code, _CODES.get(code, ""))
    return known or ("5.0.0" if code >= 500 else "4.0.0")
