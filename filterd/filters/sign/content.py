"""The body of a message as it leaves, to be hashed."""

from __future__ import annotations

from filterd.auth.dkim.body import CanonicalBody
from filterd.chain.outgoing import Outgoing
from filterd.chain.verdict import Splice


def body_of(outgoing: Outgoing) -> CanonicalBody:
    """The body, which is not copied where nothing of it is changed: it may be a large file."""
    if any(isinstance(edit, Splice) for edit in outgoing.edits):
        return CanonicalBody(outgoing.body)
    return CanonicalBody.of(outgoing.message)
