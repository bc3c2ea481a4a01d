"""The symbols of the filter, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

DELAYED = "GREYLIST"
"""Of mail that is to be sent again; rspamd's name."""

CAME_AGAIN = "GREYLIST_PASSED"
"""Of mail that was sent again and passes."""

DESCRIPTIONS: Mapping[str, str] = {
    DELAYED: "Greylisting: the sender is new here, so the client was asked to try again later.",
    CAME_AGAIN: "Greylisting: the client tried again after the delay, so the mail passes.",
}
