"""Envelope senders that were made for one message, and what they stand for.

An entry about such an address would fit no other message. Sources: BATV, draft-levine-smtp-batv §4;
SRS, the paper of Meng Weng Wong and libsrs2; VERP, D. J. Bernstein, "Variable Envelope Return
Paths" (1997).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from filterd.filters.identities import without_batv
from filterd.message.address import Mailbox, readable_domain

Scheme = Literal["BATV", "SRS", "VERP"]

# HASH=DAY=DOMAIN=LOCAL behind SRS0, and behind the forwarder's name of SRS1.
_SRS = re.compile(r"srs(?:0|1[=+-][^=]*+=[^=]++=)[=+-][^=]*+=[^=]*+=([^=]++)=(.++)", re.DOTALL)

_VERP = re.compile(r"([^=+]++)(\+?)[^=]*+=[^=]*\.[^=.]++", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a sender stands for. pattern: an address, or of VERP without `+` the domain. is_same:
    the domain that sent the message is that of the pattern."""

    scheme: Scheme
    pattern: str
    is_same: bool = True


def rewritten(sender: str) -> Rewritten | None:
    """What an envelope sender stands for; None for one that stands for itself."""
    mailbox = Mailbox.parse(sender)
    if not mailbox.domain:
        return None
    if (plain := without_batv(mailbox.local)) != mailbox.local:
        return Rewritten("BATV", str(Mailbox(plain, mailbox.domain)))
    if found := _SRS.fullmatch(mailbox.local):
        return Rewritten("SRS", str(Mailbox.parse(f"{found[2]}@{found[1]}")), is_same=False)
    if found := _VERP.fullmatch(mailbox.local):
        if found[2]:
            return Rewritten("VERP", str(Mailbox(found[1], mailbox.domain)))
        return Rewritten("VERP", readable_domain(mailbox.domain))
    return None
