"""What newer releases of the originals do otherwise than those that ours copies.

Ours does as sendmail 8.17 and Postfix 3.7 (Debian 12). Where it is played beside a newer one, the
differences listed here are wanted, and each must be there; any other is a fault.
"""

from __future__ import annotations

import re

_CLOSED_AFTER_MESSAGE = (
    r"reply to message: \['451 (4\..*)'\], not \['421 \1'\]",
    r"reply to MAIL FROM:<alice@x\.test>: \['451 .*'\], not \['<closed>'\]",
    r"9 replies, not 7",
    r"f2 packet 12: \[\"A ''\"\], not \[\]",
)
"""A filter that fails behind the message ends the session: 421 in place of 451, nothing follows."""

NEWER: dict[str, dict[tuple[int, ...], dict[str, tuple[str, ...]]]] = {
    "postfix": {
        # 3.8 and 3.9 were not looked at.
        (3, 10): {
            # HELP is a command of its own and goes to no filter; an unknown command goes to the
            # filters with its arguments.
            "no recipients, no such commands": (
                r"reply to HELP: \['500 5\.5\.2 Error: command not recognized'\], "
                r"not \['214 2\.0\.0 Commands: AUTH .* XFORWARD'\]",
                r"f1 packet 7: \[\"U 'HELP.*, not \[\"U 'EXPN joe.*",
            ),
            # A filter that fails at EHLO is answered for at once, no longer at the next command.
            "dead filter and VRFY": (
                r"reply to EHLO client\.test: \['250-.*, "
                r"not \['421 4\.7\.1 Service unavailable - try again later'\]",
                r"reply to VRFY joe: \['451 .*, not \['<closed>'\]",
                r"4 replies, not 3",
            ),
            "a field between parts of a body": _CLOSED_AFTER_MESSAGE,
            "a word that it works between parts of a body": _CLOSED_AFTER_MESSAGE,
            "lost after fields, tempfail": _CLOSED_AFTER_MESSAGE,
            "lost in a new body, tempfail": _CLOSED_AFTER_MESSAGE,
            "lost in a packet of a new body, tempfail": _CLOSED_AFTER_MESSAGE,
            "lost after a recipient, tempfail": _CLOSED_AFTER_MESSAGE,
        },
    },
}
"""Patterns of the differences (tests.transcripts.live), by MTA, first release seen, and trial."""


def number(version: str) -> tuple[int, ...]:
    """3.10.13 as numbers."""
    return tuple(map(int, re.findall(r"\d+", version)))


def unexplained(mta: str, version: str, trial: str, found: list[str]) -> list[str]:
    """Differences that are not wanted with that release, and wanted ones that are not there."""
    wanted = [
        pattern
        for since, trials in NEWER.get(mta, {}).items()
        if number(version) >= since
        for pattern in trials.get(trial, ())
    ]
    return [one for one in found if not any(re.fullmatch(p, one, re.S) for p in wanted)] + [
        f"no longer different: {p}"
        for p in wanted
        if not any(re.fullmatch(p, f, re.S) for f in found)
    ]
