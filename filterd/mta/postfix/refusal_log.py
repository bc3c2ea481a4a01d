"""How Postfix 3.7 logs a refusal. Source: `smtpd.c` (log_whatsup); observed."""

from __future__ import annotations

import re

from filterd.mta.milters.answers import AnswerKind, MilterAnswer
from filterd.mta.smtp.refusal_log import RefusedClient, RefusedCommand, shown
from filterd.mta.smtp.replies import SmtpReply


def refusal_line(
    command: RefusedCommand, client: RefusedClient, answer: MilterAnswer, reply: SmtpReply
) -> str:
    """`milter-reject: MAIL from localhost[127.0.0.1]: 550 5.7.1 no; from=<a@x> proto=ESMTP ...`."""
    kind = "discard" if answer.kind is AnswerKind.DISCARD else "reject"
    fields = [] if client.sender is None else [f"from=<{client.sender}>"]
    if command.verb == "RCPT":
        fields.append(f"to={command.argument}")
    fields.append(f"proto={client.protocol}")
    if client.helo:
        fields.append(f"helo=<{client.helo}>")
    text = "" if answer.kind is AnswerKind.DISCARD else f" {shown(reply)};"
    line = f"milter-{kind}: {command.verb} from {client.name}[{client.address}]:{text}"
    return re.sub(r"[^ -~]", "?", f"{line} {' '.join(fields)}")
