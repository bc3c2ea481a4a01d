"""The symbols of the filter, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

UNKNOWN = "RCPT_UNKNOWN"
"""Of a recipient that nobody knows."""

ATTACK = "RCPT_HARVEST"
"""Of a client that has named too many such."""

DESCRIPTIONS: Mapping[str, str] = {
    UNKNOWN: "The recipient does not exist.",
    ATTACK: "The client named too many recipients that do not exist: it may be guessing addresses.",
}
