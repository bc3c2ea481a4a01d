"""Parameters of MAIL and RCPT, checked with sendmail's error messages.

They are read from left to right, and the first mistake is told. A value ends at a second `=`, and
what follows is a parameter of its own.
Sources: RFC 1870 (SIZE), RFC 2852 (BY), RFC 3461 (RET, ENVID, NOTIFY, ORCPT), RFC 4954 (AUTH), RFC
6152 (BODY); sendmail 8.17 `srvrsmtp.c` (mail_esmtp_args, rcpt_esmtp_args); observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from filterd.mta.mail.deliver_by import DeliverBy, DeliverByError
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.smtp.replies import SmtpReply

KNOWN_MAIL = frozenset({"SIZE", "BODY", "RET", "ENVID", "AUTH", "BY", "SMTPUTF8", "MT-PRIORITY"})
"""Parameters that a filter may give a sender."""

KNOWN_RCPT = frozenset({"NOTIFY", "ORCPT"})
"""Parameters that a filter may give a recipient."""

DSN_PARAMETERS = frozenset({"RET", "ENVID", "NOTIFY", "ORCPT"})

LARGEST_SIZE = (1 << 63) - 1
"""The largest number that SIZE may say, LONG_MAX."""

_KEYWORD = re.compile(r"[A-Za-z0-9-]*")
_NUMBER = re.compile(r"\s*([+-]?)(\d*)")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})*")

_Check = Callable[[str], str]
"""What is wrong with a value, as a reply; empty for nothing."""


def bad_sender_parameter(
    path: EnvelopePath, *, dsn: bool = True, shortest_by: int | None = 0
) -> SmtpReply | None:
    """The refusal of bad parameters of MAIL, None if they are valid. dsn: delivery status
    notifications (RFC 3461) may be asked for. shortest_by: seconds that BY with the mode R may say
    at least; None: the server does not know BY."""
    known = {**_MAIL, "BY": _by(shortest_by)} if shortest_by is not None else _MAIL
    return _bad(path, known, dsn)


def bad_recipient_parameter(path: EnvelopePath, *, dsn: bool = True) -> SmtpReply | None:
    """The refusal of bad parameters of RCPT, None if they are valid. dsn: see above."""
    return _bad(path, _RCPT, dsn)


def _bad(path: EnvelopePath, known: dict[str, _Check], dsn: bool) -> SmtpReply | None:
    seen: set[str] = set()
    for given, value in _pairs(path):
        name = given.upper()
        check = known.get(name)
        if check is None or value == _UNREADABLE:
            return SmtpReply.of(f"555 5.5.4 {given} parameter unrecognized")
        if name in DSN_PARAMETERS and not dsn:
            return SmtpReply.of(f"504 5.7.0 Sorry, {name} not supported, we do not allow DSN")
        if value is None:
            shown = f"{name}=" if name in ("AUTH", "BY") else name
            return SmtpReply.of(f"501 5.5.2 {shown} requires a value")
        is_double = name in seen and name in _ONCE
        # What AUTH says a second time is not looked at.
        wrong = "" if is_double and name in ("AUTH", "RET") else check(value)
        if is_double and not wrong:
            wrong = f"501 5.5.0 Duplicate {name} parameter"
        if wrong:
            return SmtpReply.of(wrong)
        seen.add(name)
    return None


def _pairs(path: EnvelopePath) -> Iterator[tuple[str, str | None]]:
    """Names and values; None without a `=`."""
    for parameter in path.parameters:
        rest = parameter
        while True:
            match = _KEYWORD.match(rest)
            name = match[0] if match else ""
            rest = rest[len(name) :]
            if rest and not rest.startswith("="):
                # What cannot be in a name makes it unknown.
                yield name, _UNREADABLE
                break
            if not rest:
                yield name, None
                break
            value, more, rest = rest[1:].partition("=")
            yield name, value
            if not more or not rest:
                break


_UNREADABLE = "\0"
"""Stands for the value of a name with other characters in it."""


def _size(value: str) -> str:
    size = _number(value)
    if size < 0:
        return "552 5.2.3 Message size invalid"
    return "552 5.2.3 Message size exceeds maximum value" if size > LARGEST_SIZE else ""


def _body(value: str) -> str:
    known = value.upper() in ("7BIT", "8BITMIME")
    return "" if known else f"501 5.5.4 Unknown BODY type {value}"


def _ret(value: str) -> str:
    known = value.upper() in ("FULL", "HDRS")
    return "" if known else f'501 5.5.2 Bad argument "{value}" to RET'


def _xtext(name: str) -> _Check:
    def check(value: str) -> str:
        if _XTEXT.fullmatch(value) is not None:
            return ""
        return f"501 5.5.4 Syntax error in {name} parameter value"

    return check


def _by(shortest: int) -> _Check:
    def check(value: str) -> str:
        try:
            by = DeliverBy.parse(value)
        except DeliverByError as error:
            return str(error)
        if by.returns and by.seconds < shortest:
            return f"555 5.5.2 time {by.seconds} less than {shortest}"
        return ""

    return check


def _notify(value: str) -> str:
    """RFC 3461 §4.1: NEVER must be alone."""
    words = value.split(",")
    for word in words:
        alone = word.upper() != "NEVER" or len(words) == 1
        if word.upper() not in ("NEVER", "SUCCESS", "FAILURE", "DELAY") or not alone:
            return f'501 5.5.4 Bad argument "{word}"  to NOTIFY'
    return ""


def _orcpt(value: str) -> str:
    type, semicolon, address = value.partition(";")
    if type and semicolon and _XTEXT.fullmatch(address) is not None:
        return ""
    return "501 5.5.4 Syntax error in ORCPT parameter value"


_MAIL: dict[str, _Check] = {
    "SIZE": _size,
    "BODY": _body,
    "RET": _ret,
    "ENVID": _xtext("ENVID"),
    "AUTH": _xtext("AUTH"),
}
_RCPT: dict[str, _Check] = {"NOTIFY": _notify, "ORCPT": _orcpt}

_ONCE = frozenset({"RET", "ENVID", "AUTH", "ORCPT"})
"""Parameters that may be given once."""


def _number(value: str) -> int:
    """A number as C's strtol reads it, but without an end."""
    match = _NUMBER.match(value)
    if match is None or not match[2]:
        return 0
    size = int(match[2][:20])
    return -size if match[1] == "-" else size


def known_only(text: str, known: frozenset[str]) -> tuple[str, ...]:
    """The parameters in a text whose names are known."""
    return tuple(word for word in text.split() if word.partition("=")[0].upper() in known)


def announced_size(path: EnvelopePath) -> int:
    """What SIZE says of the message, in octets; 0 if there is none. The last one counts. The
    parameters are valid."""
    sizes = [_number(value or "") for name, value in _pairs(path) if name.upper() == "SIZE"]
    return sizes[-1] if sizes else 0
