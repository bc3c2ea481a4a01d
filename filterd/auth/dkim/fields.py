"""Which header fields are signed unless somebody says otherwise."""

from __future__ import annotations

SIGNED_FIELDS = tuple(
    """
    from sender reply-to subject date message-id to cc mime-version content-type
    content-transfer-encoding content-id content-description resent-date resent-from resent-sender
    resent-to resent-cc resent-message-id in-reply-to references list-id list-help list-unsubscribe
    list-unsubscribe-post list-subscribe list-post list-owner list-archive auto-submitted
    """.split()
)
"""Fields that are signed where they are there (RFC 6376 §5.4.1; RFC 8058 §4 for one-click
unsubscription)."""

OVERSIGNED_FIELDS = ("from", "to", "subject", "date")
"""Fields that are named once more than they are there, so that none can be added."""
