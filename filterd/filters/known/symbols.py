"""The symbols of the filter, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

SENDER = "KNOWN_SENDER"
"""Of mail from somebody to whom the recipient has written."""

REPLY = "KNOWN_REPLY"
"""Of a reply to a message that the recipient sent."""

WRITES = "KNOWN_WRITES"
"""Of mail that makes its recipients known when it is accepted; without points."""

DESCRIPTIONS: Mapping[str, str] = {
    SENDER: "The recipient has written to this sender before.",
    REPLY: "It is a reply to a message that the recipient sent.",
    WRITES: "Mail from here: when it is accepted, its recipients are known to the sender.",
}
