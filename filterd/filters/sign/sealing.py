"""Mail of others gets an ARC set as it passes: what was found of it, sealed (RFC 8617).

What this host changes in a message breaks its signatures; who gets it from here, by an alias, a
`.forward` or a list, can still see what they were worth, if it trusts this host's seal.
"""

from __future__ import annotations

from collections.abc import Sequence

from filterd.auth.arc.sealing import SealError, combined, seal_arc
from filterd.auth.dkim.header import CanonicalHeader
from filterd.auth.dkim.signing import SigningKey
from filterd.chain.outgoing import Outgoing
from filterd.chain.verdict import AddField, Symbol, Verdict
from filterd.filters.sign.content import body_of
from filterd.filters.sign.symbols import NOT_SEALED, SEALED


def sealed(
    outgoing: Outgoing,
    header: CanonicalHeader,
    keys: Sequence[SigningKey],
    host: str,
    oversigned: Sequence[str],
) -> Verdict:
    """The set to add, or why there is none.

    header: as the next host gets it. keys: one of which seals, RSA before Ed25519, which many do
    not know in ARC. host: whose Authentication-Results are recorded. oversigned: fields that nobody
    may add later.
    """
    found = outgoing.verdict.authentication
    if found is None or found.arc is None:
        return not_sealed("the filter auth did not check its chain")
    key = next((one for one in keys if one.algorithm.startswith("rsa")), keys[0])
    results = combined(header, host)
    try:
        fields = seal_arc(header, body_of(outgoing), found.arc, results, key, oversigned=oversigned)
    except SealError as error:
        return not_sealed(str(error))
    status = found.arc.validation_status
    told = f"cv={status}, with {key.selector} of {key.domain}"
    # libmilter takes a lone LF, and makes the CRLF itself (smfi_addheader).
    edits = (AddField(name, value.decode("ascii").replace("\r\n", "\n")) for name, value in fields)
    return Verdict(symbols=(Symbol(SEALED, 0.0, told),), edits=tuple(edits))


def not_sealed(why: str) -> Verdict:
    """A verdict that says why a message went without a set."""
    return Verdict(symbols=(Symbol(NOT_SEALED, 0.0, why),))
