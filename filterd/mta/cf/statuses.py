"""Exit statuses for the `$@` part of `$#error`. Source: sendmail 8.17 `parseaddr.c`, `err.c`."""

from __future__ import annotations

import re

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_NOHOST, EX_UNAVAILABLE = 64, 65, 67, 68, 69
EX_SOFTWARE, EX_OSERR, EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL, EX_CONFIG = 70, 71, 74, 75, 76, 78

NAMED = {
    "usage": EX_USAGE,
    "nouser": EX_NOUSER,
    "nohost": EX_NOHOST,
    "unavailable": EX_UNAVAILABLE,
    "software": EX_SOFTWARE,
    "tempfail": EX_TEMPFAIL,
    "protocol": EX_PROTOCOL,
    "config": EX_CONFIG,
}

_BY_ENHANCED = {
    (1, 0): EX_DATAERR,
    (1, 1): EX_NOUSER,
    (1, 6): EX_NOUSER,
    (1, 2): EX_NOHOST,
    (1, 8): EX_NOHOST,
    (1, 3): EX_USAGE,
    (1, 7): EX_USAGE,
    (1, 5): EX_CONFIG,
    (2, 3): EX_DATAERR,
    (4, 0): EX_IOERR,
    (4, 2): EX_IOERR,
    (4, 1): EX_TEMPFAIL,
    (4, 3): EX_TEMPFAIL,
    (4, 5): EX_TEMPFAIL,
    (4, 4): EX_PROTOCOL,
    (4, 6): EX_CONFIG,
}

_BY_SUBJECT = {3: EX_OSERR, 5: EX_PROTOCOL, 7: EX_DATAERR}


def status_of(host: str | None) -> int:
    """The exit status for `$@ 5.1.1`, `$@ 67` or `$@ nouser`; None for no `$@`."""
    if host is None:
        return EX_UNAVAILABLE
    if "." in host:
        return _of_enhanced(host)
    number = re.match(r"\d{1,4}", host)
    return int(number[0]) if number else NAMED.get(host.lower(), EX_UNAVAILABLE)


def _of_enhanced(code: str) -> int:
    """The exit status for an enhanced status code (RFC 3463)."""
    if code[:1] in ("2", "4"):
        return 0 if code[0] == "2" else EX_TEMPFAIL
    if code[:1] != "5":
        return EX_CONFIG
    parts = [int(part) if part.isdecimal() else 0 for part in code[1:].lstrip(".").split(".")]
    subject, detail = [*parts, 0, 0][:2]
    if subject in _BY_SUBJECT:
        return _BY_SUBJECT[subject]
    return _BY_ENHANCED.get((subject, detail), EX_UNAVAILABLE)
