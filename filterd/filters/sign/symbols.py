"""The symbols of the filter, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

SIGNED, NOT_SIGNED = "DKIM_SIGNED", "DKIM_NOT_SIGNED"
SEALED, NOT_SEALED = "ARC_SEALED", "ARC_NOT_SEALED"

DESCRIPTIONS: Mapping[str, str] = {
    SIGNED: "filterd signed the message with DKIM.",
    NOT_SIGNED: "The message should have been signed with DKIM, and was not.",
    SEALED: "filterd added an ARC set: what it found of the sender, sealed for the next host.",
    NOT_SEALED: "The message should have got an ARC set, and did not.",
}
