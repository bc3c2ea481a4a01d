"""Log lines about what the filters refused, in the words of each MTA's own log.

Sources: sendmail 8.17 `srvrsmtp.c` (MILTER_REPLY, milter_cmd_fail); Postfix 3.7 `smtpd.c`
(log_whatsup); both observed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filterd.mta.milters.answers import Answer, Kind
from filterd.mta.smtp.replies import Reply

TEXT_LIMIT = 300
"""Characters of a reply in the log."""


@dataclass(frozen=True, slots=True)
class Place:
    """What was refused. verb: `MAIL`, `RCPT`, ... argument: the path or name that came with it."""

    verb: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """Who was refused, for Postfix's line."""

    name: str
    address: str
    helo: str = ""
    protocol: str = "SMTP"
    sender: str | None = None


_SENDMAIL = {
    "MAIL": "from={}",
    "RCPT": "to={}",
    "EHLO": "helo={}",
    "CONNECT": "connect: {}",
    "DATA": "cmd=data",
    "END-OF-MESSAGE": "data",
    "UNKNOWN": "unknown",
}


def shown(reply: Reply) -> str:
    """A reply on one line, every octet printable."""
    text = "\\r\\n".join(line.decode("ascii", "replace") for line in reply.lines)
    return re.sub(r"[^ -~]", "?", text)[:TEXT_LIMIT]


def sendmail_line(place: Place, answer: Answer, reply: Reply) -> str:
    """`Milter: to=<joe@mx.example.test>, reject=550 5.7.1 Command rejected`."""
    what = _SENDMAIL[place.verb].format(re.sub(r"[^ -~]", "?", place.argument))
    if answer.kind is Kind.DISCARD:
        return f"Milter: {what}, discard"
    if answer.kind is Kind.CLOSE and place.verb in ("MAIL", "RCPT"):
        return f"Milter: {what}, reject=421, errormode=4"
    return f"Milter: {what}, reject={shown(reply)}"


def postfix_line(place: Place, client: Client, answer: Answer, reply: Reply) -> str:
    """`milter-reject: MAIL from localhost[127.0.0.1]: 550 5.7.1 no; from=<a@x> proto=ESMTP ...`."""
    kind = "discard" if answer.kind is Kind.DISCARD else "reject"
    fields = [] if client.sender is None else [f"from=<{client.sender}>"]
    if place.verb == "RCPT":
        fields.append(f"to={place.argument}")
    fields.append(f"proto={client.protocol}")
    if client.helo:
        fields.append(f"helo=<{client.helo}>")
    said = "" if answer.kind is Kind.DISCARD else f" {shown(reply)};"
    line = f"milter-{kind}: {place.verb} from {client.name}[{client.address}]:{said}"
    return re.sub(r"[^ -~]", "?", f"{line} {' '.join(fields)}")
