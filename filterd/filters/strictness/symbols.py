"""The symbols of the filter, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

STRICT = "RECIPIENT_STRICT"
LENIENT = "RECIPIENT_LENIENT"

DESCRIPTIONS: Mapping[str, str] = {
    STRICT: "The recipient wants a strict filter: points are added to all mail.",
    LENIENT: "The recipient wants a lenient filter: points are taken from all mail.",
}
