"""The symbols of the filter, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

ALLOWED = "SENDER_ALLOWED"
BLOCKED = "SENDER_BLOCKED"

UNPROVEN = "SENDER_UNPROVEN"
"""Of a sender whose entry does not count: without points, so that an admin can see why."""

DESCRIPTIONS: Mapping[str, str] = {
    ALLOWED: "The sender is on the list of allowed senders.",
    BLOCKED: "The sender is on the list of blocked senders.",
    UNPROVEN: (
        "An entry for the sender does not count: nothing proves that the mail comes from that "
        "domain."
    ),
}
