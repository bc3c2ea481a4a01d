"""How sendmail 8.17 logs a refusal.

Source: `srvrsmtp.c` (MILTER_REPLY, milter_cmd_fail); observed.
"""

from __future__ import annotations

import re

from filterd.mta.milters.answers import AnswerKind, MilterAnswer
from filterd.mta.smtp.refusal_log import RefusedClient, RefusedCommand, shown
from filterd.mta.smtp.replies import SmtpReply

_FIELDS = {
    "MAIL": "from={}",
    "RCPT": "to={}",
    "EHLO": "helo={}",
    "CONNECT": "connect: {}",
    "DATA": "cmd=data",
    "END-OF-MESSAGE": "data",
    "UNKNOWN": "unknown",
}


def refusal_line(
    command: RefusedCommand, client: RefusedClient, answer: MilterAnswer, reply: SmtpReply
) -> str:
    """`Milter: to=<joe@mx.example.test>, reject=550 5.7.1 Command rejected`."""
    del client
    what = _FIELDS[command.verb].format(re.sub(r"[^ -~]", "?", command.argument))
    if answer.kind is AnswerKind.DISCARD:
        return f"Milter: {what}, discard"
    if answer.kind is AnswerKind.CLOSE and command.verb in ("MAIL", "RCPT"):
        return f"Milter: {what}, reject=421, errormode=4"
    return f"Milter: {what}, reject={shown(reply)}"
