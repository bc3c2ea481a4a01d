"""The three fields of an ARC set as values, each without the message around it.

Source: RFC 8617 §4.1, §4.2.1; RFC 6376 §3.5 where they are like a DKIM-Signature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim.header import Canonicalization
from filterd.auth.dkim.limits import DEFAULT, DkimLimits
from filterd.auth.dkim.signature import (
    algorithm_of,
    canonicalizations_of,
    digest_of,
    names_of,
    signature_of,
    signer_of,
    times_of,
)
from filterd.auth.dkim.tags import TagList
from filterd.message.authentication import AuthResult

RESULTS = "ARC-Authentication-Results"
MESSAGE_SIGNATURE = "ARC-Message-Signature"
SEAL = "ARC-Seal"

FIELDS = (RESULTS, MESSAGE_SIGNATURE, SEAL)
"""The fields of a set, in the order in which a seal covers them (RFC 8617 §5.1.1)."""

SETS_LIMIT = 50
"""Sets that a message may have (RFC 8617 §4.2.1, §5.2)."""

SHOWN_RESULTS = 2000
"""Characters that are kept of what a set says of a message."""

_INSTANCE = re.compile(r"[0-9]{1,2}")
# Blanks and comments, which nobody nests here.
_CFWS = rb"(?:[ \t\r\n]++|\((?:[^()\\]++|\\.)*+\))*+"
_RESULTS_INSTANCE = re.compile(
    _CFWS + rb"i" + _CFWS + rb"=" + _CFWS + rb"([0-9]{1,2}+)" + _CFWS + rb";", re.DOTALL
)
_FOLDING = re.compile(r"[ \t\r\n]++")
_NOT_PRINTABLE = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Seal:
    """An ARC-Seal. status: its cv=, the sealer's result of the chain before it (NONE, PASS, FAIL).
    signature: its b=. value: the field's value with an empty b=, as it is signed."""

    algorithm: str
    domain: str
    selector: str
    status: AuthResult
    signature: bytes
    value: bytes

    @classmethod
    def parse(cls, tags: TagList, limits: DkimLimits = DEFAULT) -> Seal:
        """The seal that a list of tags is. Raises DkimError."""
        if "h" in tags:
            raise DkimError("h= is not allowed")
        status = status_of(tags)
        if status is None:
            raise DkimError("cv= is not none, pass or fail")
        algorithm = algorithm_of(tags)
        domain, selector = signer_of(tags)
        tags.number("t")
        return cls(
            algorithm, domain, selector, status, signature_of(tags, limits), tags.without("b")
        )


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """An ARC-Message-Signature; the attributes are those of `filterd.auth.dkim.signature`."""

    algorithm: str
    domain: str
    selector: str
    header: Canonicalization
    body: Canonicalization
    names: tuple[str, ...]
    body_hash: bytes
    signature: bytes
    length: int | None
    value: bytes

    @classmethod
    def parse(cls, tags: TagList, now: float, limits: DkimLimits = DEFAULT) -> MessageSignature:
        """The signature that a list of tags is. Raises DkimError.

        now: seconds since 1970. v= says nothing here, and i= is the instance. Signed ARC-Seals are
        an error; RFC 8617 §4.1.2 does not allow the two other ARC fields either, but many sealers
        sign them, following earlier drafts, and that proves no less.
        """
        names = names_of(tags)
        if SEAL.lower() in names:
            raise DkimError("h= has ARC-Seal")
        algorithm = algorithm_of(tags)
        domain, selector = signer_of(tags)
        header, body = canonicalizations_of(tags)
        times_of(tags, now, limits.clock)
        return cls(
            algorithm,
            domain,
            selector,
            header,
            body,
            names,
            digest_of(tags),
            signature_of(tags, limits),
            tags.number("l"),
            tags.without("b"),
        )


def status_of(tags: TagList) -> AuthResult | None:
    """What cv= says; None for anything but its three words."""
    return _STATUSES.get((tags.text("cv") or "").lower())


_STATUSES = {one.value: one for one in (AuthResult.NONE, AuthResult.PASS, AuthResult.FAIL)}


def instance_of(tags: TagList) -> int:
    """The instance i= of a seal or a message signature. Raises DkimError."""
    return _instance(tags.required("i"))


def instance_of_results(value: bytes) -> int:
    """The instance i= of ARC-Authentication-Results, which is its first tag. Raises DkimError."""
    found = _RESULTS_INSTANCE.match(value)
    if found is None:
        raise DkimError('it does not begin with "i=", a number and ";"')
    return _instance(found[1].decode("ascii"))


def _instance(text: str) -> int:
    if not _INSTANCE.fullmatch(text) or not 1 <= int(text) <= SETS_LIMIT:
        raise DkimError(f"i= is not a number from 1 to {SETS_LIMIT}")
    return int(text)


def results_in(value: bytes) -> str:
    """What ARC-Authentication-Results says after its instance: the value of an
    Authentication-Results field, unfolded, printable ASCII, at most SHOWN_RESULTS characters."""
    found = _RESULTS_INSTANCE.match(value)
    payload = value[found.end() :] if found is not None else value
    text = payload[: 4 * SHOWN_RESULTS].decode("utf-8", "replace")
    return _NOT_PRINTABLE.sub("?", _FOLDING.sub(" ", text).strip())[:SHOWN_RESULTS]
