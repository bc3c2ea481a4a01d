"""A set more for the chain of a message: what was found when it came, signed as it leaves.

Source: RFC 8617 §4.1, §5.1. All that changes the message comes before.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterable

from filterd.auth.arc.chain import ArcChain, chain_of
from filterd.auth.arc.fields import MESSAGE_SIGNATURE, RESULTS, SEAL, SETS_LIMIT
from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.fields import OVERSIGNED_FIELDS, SIGNED_FIELDS
from filterd.auth.dkim.header import CanonicalHeader, Canonicalization, canonical_field
from filterd.auth.dkim.signing import (
    SigningKey,
    base64_folded,
    signed_names,
    written,
)
from filterd.auth.results import (
    RESULTS_LIMIT,
    AuthenticationResults,
    MethodResult,
    ResultsError,
    parse,
)
from filterd.auth.results import written as written_results
from filterd.message.authentication import ArcCheck, AuthResult

RELAXED = Canonicalization.RELAXED

MESSAGE_FIELDS = (*SIGNED_FIELDS, "dkim-signature")
"""Fields that a message signature covers: those of DKIM, and DKIM-Signature itself (RFC 8617
§4.1.2); Authentication-Results and the ARC fields must not be among them."""


class SealError(ValueError):
    """Nothing can be added to the chain; the text says why."""


def seal_arc(
    fields: Iterable[tuple[str, bytes]] | CanonicalHeader,
    body: bytes | CanonicalBody,
    check: ArcCheck,
    results: AuthenticationResults,
    key: SigningKey,
    *,
    oversigned: Iterable[str] = OVERSIGNED_FIELDS,
    now: float | None = None,
) -> tuple[tuple[str, bytes], ...]:
    """The fields to put on top of a message, the first on top: name, and value without the blank
    after the colon and the line end, folded with CRLF and a tab.

    fields: name and raw value (after the colon, without line end) of each, top first, as the
    message leaves. body: as it leaves. check: of the chain as the message came, before anything was
    changed. results: of all checks as it came (`combined`). oversigned: fields that nobody may add
    to what is there. now: seconds since 1970.

    Raises SealError where the chain has ended, is full or could not be checked for want of the DNS:
    then somebody else may still find that it holds.
    """
    header = fields if isinstance(fields, CanonicalHeader) else CanonicalHeader(fields)
    content = body if isinstance(body, CanonicalBody) else CanonicalBody(body)
    chain = chain_of(header)
    _may_be_sealed(chain, check)
    instance = str(chain.highest + 1)
    signer = [
        ("d", key.domain),
        ("s", key.selector),
        ("t", str(int(time.time() if now is None else now))),
    ]
    value = written_results(results).replace("\n", "\r\n").encode("ascii")
    stated = f"i={instance}; ".encode("ascii") + value

    names = signed_names(header, MESSAGE_FIELDS, oversigned)
    tags = [
        ("i", instance),
        ("a", key.algorithm),
        ("c", f"{RELAXED}/{RELAXED}"),
        *signer,
        ("h", ":".join(names)),
        ("bh", base64.b64encode(content.hashed(RELAXED).digest).decode()),
    ]
    unsigned = written(tags, len(MESSAGE_SIGNATURE) + 2)
    own = canonical_field(MESSAGE_SIGNATURE, unsigned, RELAXED)
    signature = unsigned + base64_folded(key.sign(header.digest(names, RELAXED, own)))

    tags = [("i", instance), ("a", key.algorithm), ("cv", check.validation_status), *signer]
    unsigned = written(tags, len(SEAL) + 2)
    hasher = hashlib.sha256()
    for octets in _covered(header, chain, check):
        hasher.update(octets + b"\r\n")
    hasher.update(canonical_field(RESULTS, stated, RELAXED) + b"\r\n")
    hasher.update(canonical_field(MESSAGE_SIGNATURE, signature, RELAXED) + b"\r\n")
    hasher.update(canonical_field(SEAL, unsigned, RELAXED))
    seal = unsigned + base64_folded(key.sign(hasher.digest()))
    return (SEAL, seal), (MESSAGE_SIGNATURE, signature), (RESULTS, stated)


def _may_be_sealed(chain: ArcChain, check: ArcCheck) -> None:
    if check.result is AuthResult.TEMPERROR:
        raise SealError(f"the chain could not be checked: {check.reason}")
    if chain.ended:
        raise SealError(f"the chain has ended: {chain.fault}")
    if chain.highest >= SETS_LIMIT:
        raise SealError(f"the chain is full: more than {SETS_LIMIT} sets are not allowed")
    came = 0 if check.result is AuthResult.NONE else check.instance
    if chain.highest != came or (check.result is AuthResult.PASS and not chain.sets):
        raise SealError("the ARC fields are not those that were checked")


def _covered(header: CanonicalHeader, chain: ArcChain, check: ArcCheck) -> Iterable[bytes]:
    """The fields of the sets before, of which a failed chain has none (RFC 8617 §5.1.2)."""
    if check.result is AuthResult.PASS:
        for one in chain.sets:
            for index in (one.results, one.message_signature, one.seal):
                yield header.canonical(index, RELAXED)


def combined(header: CanonicalHeader, authserv_id: str) -> AuthenticationResults:
    """All that the Authentication-Results of this host say, in order, each once (RFC 8617 §4.1.1).

    header: of the message as it leaves. Fields that cannot be read are left out.
    """
    found: dict[MethodResult, None] = {}
    for index in header.places("Authentication-Results"):
        try:
            results = parse(header.value(index))
        except ResultsError:
            continue
        if results.authserv_id.lower() == authserv_id.lower():
            found.update(dict.fromkeys(results.results))
    return AuthenticationResults(authserv_id, tuple(found)[:RESULTS_LIMIT])
