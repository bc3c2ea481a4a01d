"""Signed links: each names one message, one recipient and a moment after which it is worth nothing.

Anybody who has the link may do with that message what its recipient may, and nothing else: that is
what the recipient's own mailbox is trusted with. A mailbox's link opens all that is held for it.
The signature is an HMAC with a key derived from the key of releases, another one for each kind, so
that nothing else that is signed can be taken for a link.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True, slots=True)
class MailboxLink:
    """A link to all that is held for one mailbox. until: seconds since 1970."""

    address: str
    until: float


class LinkError(ValueError):
    """A link that is not ours, was changed, or has expired; in words for the person who followed
    it."""


class Signer:
    """Makes and checks links. folder: of the quarantine, where the key is. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        key = load_key(folder)
        self._key = hmac.new(key, b"filterd digest link 1", "sha256").digest()
        self._mailbox_key = hmac.new(key, b"filterd mailbox link 1", "sha256").digest()

    def token(self, link: ReleaseLink) -> str:
        """The part of the address that says all of it."""
        return _signed(self._key, [link.id, link.recipient, int(link.until)])

    def mailbox_token(self, link: MailboxLink) -> str:
        """The same of a mailbox."""
        return _signed(self._mailbox_key, [link.address, int(link.until)])

    def link(self, token: str, now: float) -> ReleaseLink:
        """What a token is for. Raises LinkError."""
        id, recipient, until = _checked(self._key, token, now)
        return ReleaseLink(id, recipient, until)

    def mailbox(self, token: str, now: float) -> MailboxLink:
        """The same of a mailbox's token. Raises LinkError."""
        address, until = _checked(self._mailbox_key, token, now)
        return MailboxLink(address, until)


NOT_VALID = "This link is not valid. Was it copied whole?"
EXPIRED = "This link has expired. A newer digest has newer links."


def _signed(key: bytes, values: list[str | int]) -> str:
    body = json.dumps(values).encode("ascii")
    return _text(hmac.new(key, body, "sha256").digest() + body)


def _checked(key: bytes, token: str, now: float) -> list[Any]:
    """What was signed, whose last value is the moment at which it ends. Raises LinkError."""
    wrong = LinkError(NOT_VALID)
    if len(token) > LINK_LIMIT:
        raise wrong
    try:
        octets = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    signature, body = octets[:_SIGNATURE_OCTETS], octets[_SIGNATURE_OCTETS:]
    if not hmac.compare_digest(signature, hmac.new(key, body, "sha256").digest()):
        raise wrong
    # Only we can have written it.
    values: list[Any] = json_value(body)
    if now >= values[-1]:
        raise LinkError(EXPIRED)
    return values


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
