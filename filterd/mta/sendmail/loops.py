"""Mail that goes round in circles: too many Received fields."""

from __future__ import annotations

import re

_RECEIVED = re.compile(rb"(?:\A|\n)received[ \t]*:", re.IGNORECASE)


def hops(message: bytes) -> int:
    """How many Received fields a message has, this MTA's own with them. LF line ends."""
    end = message.find(b"\n\n")
    return len(_RECEIVED.findall(message, 0, end + 1 if end >= 0 else len(message)))
