"""Signed links: each names one message, one recipient and a moment after which it is worth nothing.

Anybody who has the link may release that message to that recipient, and nothing else: that is what
the recipient's own mailbox is trusted with. The signature is an HMAC with a key derived from the
key of releases, so that nothing else that is signed can be taken for a link.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from pathlib import Path

from filterd.chain.marks import load_key
from filterd.system.bounded import json_value

LINK_LIMIT = 2000
"""Characters of a link's token; an address has at most 320."""

_SIGNATURE_OCTETS = 32


@dataclass(frozen=True, slots=True)
class ReleaseLink:
    """What a link is for. until: seconds since 1970."""

    id: str
    recipient: str
    until: float


class LinkError(ValueError):
    """A link that is not ours, was changed, or has expired; in words for the person who followed
    it."""


class Signer:
    """Makes and checks links. folder: of the quarantine, where the key is. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._key = hmac.new(load_key(folder), b"filterd digest link 1", "sha256").digest()

    def token(self, link: ReleaseLink) -> str:
        """The part of the address that says all of it."""
        body = json.dumps([link.id, link.recipient, int(link.until)]).encode("ascii")
        return _text(self._signature(body) + body)

    def link(self, token: str, now: float) -> ReleaseLink:
        """What a token is for. Raises LinkError."""
        wrong = LinkError("This link is not valid. Was it copied whole?")
        if len(token) > LINK_LIMIT:
            raise wrong
        try:
            octets = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise wrong from None
        signature, body = octets[:_SIGNATURE_OCTETS], octets[_SIGNATURE_OCTETS:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise wrong
        # Only we can have written it.
        id, recipient, until = json_value(body)
        if now >= until:
            raise LinkError("This link has expired. A newer digest has newer links.")
        return ReleaseLink(id, recipient, until)

    def _signature(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, "sha256").digest()


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
