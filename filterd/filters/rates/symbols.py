"""The symbols of the filter, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

EXCEEDED = "RATELIMIT"
"""Of mail above a rate; rspamd's name."""

ACCOUNT_HELD = "ACCOUNT_HELD"
"""Of mail of a party whose mail is held because too much of it was refused."""

DESCRIPTIONS: Mapping[str, str] = {
    EXCEEDED: "More mail than the site's limits allow in that time.",
    ACCOUNT_HELD: "Mail of this account or client is held: too much of it was refused before.",
}
