"""Header fields that DKIM2 does not sign (the draft, section 4)."""

from __future__ import annotations

UNSIGNED_FIELDS = frozenset(
    """
    apparently-to arc-authentication-results arc-message-signature arc-seal authentication-results
    auto-submitted delivered-to dkim-signature dl-expansion-history original-recipient received
    return-path sio-label-history vbr-info x400-received x400-trace
    """.split()
)
"""Fields that no hash has (4.1)."""

UNSIGNED_BEGINNINGS = ("received-", "x-")

_OWN = frozenset(("dkim2-signature", "message-instance"))


def is_hashed(name: str) -> bool:
    """Whether a field of that name, in lower case, is in the hash of the header (6.2)."""
    unsigned = name in UNSIGNED_FIELDS or name in _OWN
    return not unsigned and not name.startswith(UNSIGNED_BEGINNINGS)
