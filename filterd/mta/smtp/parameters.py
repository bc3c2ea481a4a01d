"""Parameters of MAIL and RCPT, checked with sendmail's error messages.

Sources: RFC 1870 (SIZE), RFC 6152 (BODY), RFC 3461 (RET, ENVID, NOTIFY, ORCPT); sendmail 8.17
`srvrsmtp.c` (mail_esmtp_args, rcpt_esmtp_args).
"""

from __future__ import annotations

import re

from filterd.mta.mail.draft import Path
from filterd.mta.smtp.replies import SmtpReply

_MAIL = frozenset({"SIZE", "BODY", "RET", "ENVID", "AUTH", "BY", "SMTPUTF8"})
_RCPT = frozenset({"NOTIFY", "ORCPT"})

KNOWN_MAIL = _MAIL | {"MT-PRIORITY"}
"""Parameters that a filter may give a sender."""

KNOWN_RCPT = _RCPT
"""Parameters that a filter may give a recipient."""


def bad_sender_parameter(path: Path) -> SmtpReply | None:
    """The refusal of bad parameters of MAIL, None if they are valid."""
    if (bad := _unknown(path, _MAIL)) is not None:
        return bad
    for parameter in path.parameters:
        name, _, value = parameter.upper().partition("=")
        if name == "SIZE" and not value.isdecimal():
            return SmtpReply.of("501 5.5.2 SIZE requires a value")
        if name == "RET" and value not in ("FULL", "HDRS"):
            return SmtpReply.of(f'501 5.5.4 Bad argument "{value}" to RET')
        if name == "BODY" and value not in ("7BIT", "8BITMIME"):
            return SmtpReply.of(f"501 5.5.4 Unknown BODY type {value}")
    return None


def bad_recipient_parameter(path: Path) -> SmtpReply | None:
    """The refusal of bad parameters of RCPT, None if they are valid. RFC 3461 §4.1: NEVER must be
    alone."""
    for parameter in path.parameters:
        name, _, value = parameter.upper().partition("=")
        if name == "ORCPT" and ";" not in value:
            return SmtpReply.of("501 5.5.4 Syntax error in ORCPT parameter value")
        words = value.split(",")
        for word in words if name == "NOTIFY" else ():
            alone = word != "NEVER" or len(words) == 1
            if word not in ("NEVER", "SUCCESS", "FAILURE", "DELAY") or not alone:
                return SmtpReply.of(f'501 5.5.4 Bad argument "{word}"  to NOTIFY')
    return _unknown(path, _RCPT)


def known_only(text: str, known: frozenset[str]) -> tuple[str, ...]:
    """The parameters in a text whose names are known."""
    return tuple(word for word in text.split() if word.partition("=")[0].upper() in known)


def announced_size(path: Path) -> int:
    """What SIZE says of the message, in octets; 0 if there is none. The parameters are valid."""
    for parameter in path.parameters:
        name, _, value = parameter.partition("=")
        if name.upper() == "SIZE" and value.isdecimal():
            return int(value[:19])
    return 0


_KEYWORD = re.compile(r"[A-Za-z0-9-]*")


def _unknown(path: Path, known: frozenset[str]) -> SmtpReply | None:
    for parameter in path.parameters:
        match = _KEYWORD.match(parameter)
        name = match[0] if match else ""
        if name.upper() not in known or parameter[len(name) : len(name) + 1] not in ("", "="):
            return SmtpReply.of(f"555 5.5.4 {name} parameter unrecognized")
    return None
