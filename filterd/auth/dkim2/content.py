"""The content of a message as each host on the way had it, compared with its hashes.

Sections are those of the draft. The newest instance is the message as it came; each older one is
made of the next by its recipe.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import CanonicalHeader, Canonicalization
from filterd.auth.dkim2.fields import INSTANCE, MessageInstance
from filterd.auth.dkim2.limits import HEADER_FIELDS_LIMIT, RECREATED_SIZE_LIMIT
from filterd.auth.dkim2.recipe import Budget, body_before, fields_before
from filterd.auth.dkim2.unsigned import is_hashed
from filterd.message import Message
from filterd.message.authentication import AuthResult

SHARED_HASH = "sha256"
"""The hash of bodies that DKIM and ARC take, too."""


def check_content(
    message: Message, instances: Sequence[MessageInstance], body: CanonicalBody
) -> None:
    """Whether the message is what its newest instance says, and was what the older ones say.

    body: that of the message. Raises DkimError: FAIL where a hash differs, PERMERROR where an older
    form cannot be made.
    """
    fields = _fields_of(CanonicalHeader.of(message))
    text = _Text(message, body)
    budget = Budget()
    for instance in reversed(instances):
        who = f"{INSTANCE} m={instance.number}"
        if not instance.hashes:
            raise DkimError(f"{who} has no hash that is known", AuthResult.FAIL)
        for algorithm, of_header, of_body in instance.hashes:
            if not hmac.compare_digest(header_digest(fields, algorithm), of_header):
                raise DkimError(f"{who} header hash {algorithm} mismatch", AuthResult.FAIL)
            if not hmac.compare_digest(text.digest(algorithm), of_body):
                raise DkimError(f"{who} body hash {algorithm} mismatch", AuthResult.FAIL)
        recipe = instance.recipe
        if instance.number == 1 or recipe is None:
            # What was changed before the first signature is nobody's.
            continue
        try:
            if recipe.lost:
                raise DkimError("the body as it was before cannot be recreated")
            fields = fields_before(recipe, fields)
            if recipe.body is not None:
                text = text.before(body_before(recipe.body, text.octets, budget))
        except DkimError as error:
            raise DkimError(f"{who}: {error.reason}") from None


def header_digest(fields: Mapping[str, Sequence[bytes]], algorithm: str) -> bytes:
    """The hash of a header (6.2). fields: as `fields_before` has them."""
    hasher = hashlib.new(algorithm)
    for name in sorted(filter(is_hashed, fields)):
        for canonical in fields[name]:
            hasher.update(canonical)
            hasher.update(b"\r\n")
    return hasher.digest()


def _fields_of(header: CanonicalHeader) -> dict[str, Sequence[bytes]]:
    if len(header) > HEADER_FIELDS_LIMIT:
        raise DkimError(f"more than {HEADER_FIELDS_LIMIT} header fields")
    found: dict[str, list[bytes]] = {}
    for index in range(len(header) - 1, -1, -1):
        name = header.name(index).lower()
        if is_hashed(name):
            canonical = header.canonical(index, Canonicalization.RELAXED)
            found.setdefault(name, []).append(canonical)
    return dict(found)


class _Text:
    """The body of one instance."""

    def __init__(self, message: Message | None, body: CanonicalBody, made: bytes = b"") -> None:
        self._message = message
        self._made = made
        self._hashed = {SHARED_HASH: body}

    def before(self, made: bytes) -> _Text:
        """That of an older instance."""
        return _Text(None, CanonicalBody(made), made)

    @property
    def octets(self) -> bytes:
        """Raises DkimError where it is too large to be changed back."""
        message = self._message
        if message is None:
            return self._made
        if len(message.data) - message.body_start > RECREATED_SIZE_LIMIT:
            raise DkimError(f"more than {RECREATED_SIZE_LIMIT} octets of bodies to recreate")
        return bytes(message.data[message.body_start :])

    def digest(self, algorithm: str) -> bytes:
        """Its hash (6.1)."""
        body = self._hashed.get(algorithm)
        if body is None:
            message = self._message
            if message is None:
                body = CanonicalBody(self._made, algorithm=algorithm)
            else:
                body = CanonicalBody(message.data, message.body_start, algorithm=algorithm)
            self._hashed[algorithm] = body
        return body.hashed(Canonicalization.SIMPLE).digest
