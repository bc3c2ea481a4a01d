"""The symbols that are not those of a list, and names of those that are."""

from __future__ import annotations

from collections.abc import Mapping

UNANSWERED = "DNSLISTS_UNANSWERED"
LIMIT = "DNSLISTS_LIMIT"

DESCRIPTIONS: Mapping[str, str] = {
    UNANSWERED: "DNS lists did not answer: what they would have said does not count.",
    LIMIT: "The message names more domains and addresses than DNS lists are asked about.",
}


def received_name(symbol: str) -> str:
    """The symbol for an address in an earlier Received field, of a list's symbol for clients."""
    return "RECEIVED_" + symbol.removeprefix("RCVD_IN_").removeprefix("RBL_")


def received_description(description: str) -> str:
    """What that symbol means, of what the list's symbol means."""
    return f"Of an earlier host on the way: {description}"
