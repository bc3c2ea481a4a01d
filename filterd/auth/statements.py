"""Results of checks as Authentication-Results state them, and the other way round.

Properties: RFC 8601 §2.7, RFC 6008, RFC 8616 §6 (A-labels), RFC 8617 §10.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from filterd.auth.results import VALUE_LIMIT, AuthenticationResults, MethodResult
from filterd.message.address import canonical_domain
from filterd.message.authentication import (
    ArcCheck,
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
    SpfIdentity,
)

SIGNATURES_LIMIT = 20
"""Signatures that are stated."""

DOMAIN_LIMIT = 253
"""Characters of a domain that is believed, RFC 1035 §2.3.4."""

_OTHER_WORDS = {
    "hardfail": AuthResult.FAIL,
    "error": AuthResult.PERMERROR,
    "permfail": AuthResult.FAIL,
    "tempfail": AuthResult.TEMPERROR,
    "unknown": AuthResult.PERMERROR,
    "bestguesspass": AuthResult.NONE,
    "skipped": AuthResult.NONE,
}
"""Words of older writers (RFC 8601 §2.4 says to leave such out; RFC 4408 and RFC 7001 had them)."""


def results_of(authentication: Authentication, authserv_id: str) -> AuthenticationResults:
    """What a host of that name found out, to be written."""
    return AuthenticationResults(authserv_id, tuple(_stated(authentication)))


def _stated(found: Authentication) -> Iterator[MethodResult]:
    if found.spf is not None:
        yield _of_spf(found.spf, "smtp.mailfrom")
    if found.helo is not None and found.helo.result is not AuthResult.NONE:
        yield _of_spf(found.helo, "smtp.helo")
    for one in found.dkim[:SIGNATURES_LIMIT]:
        properties = (
            ("header.d", one.domain),
            ("header.s", one.selector),
            ("header.a", one.algorithm),
            ("header.b", one.signature),
        )
        yield MethodResult("dkim", one.result, one.reason, _given(properties))
    if found.dmarc is not None and not found.dkim:
        yield MethodResult("dkim", AuthResult.NONE)
    if found.dmarc is not None:
        yield _of_dmarc(found.dmarc, found.override)
    if found.arc is not None and found.arc.result is not AuthResult.NONE:
        yield _of_arc(found.arc)


def _of_spf(one: SpfCheck, name: str) -> MethodResult:
    return MethodResult("spf", one.result, one.reason, _given([(name, one.domain)]))


def _of_dmarc(one: DmarcCheck, override: str) -> MethodResult:
    """RFC 9989 §5.4 asks to say where the domain's policy was not followed."""
    reason = override.replace("_", " ") if override else one.reason
    # The property is not registered; OpenDMARC and others write it in a comment.
    policy = [("policy.dmarc", one.policy or "")] if one.result is AuthResult.FAIL else []
    return MethodResult("dmarc", one.result, reason, _given([("header.from", one.domain), *policy]))


def _of_arc(one: ArcCheck) -> MethodResult:
    """RFC 8617 has no temporary errors (§5.2.1)."""
    oldest = [] if one.oldest_pass is None else [("header.oldest-pass", str(one.oldest_pass))]
    return MethodResult("arc", one.validation_status, one.reason, tuple(oldest))


def _given(properties: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in properties if value)


def authentication_of(fields: Iterable[AuthenticationResults]) -> Authentication:
    """What these fields say, the first of a method and identity counts. Never raises.

    What they do not say, alignment with the author domain above all, is left open: a `pass` of
    DMARC counts as aligned.
    """
    spf: SpfCheck | None = None
    helo: SpfCheck | None = None
    dkim: list[DkimCheck] = []
    dmarc: DmarcCheck | None = None
    arc: ArcCheck | None = None
    for field in fields:
        for one in field.results:
            result = _word(one.result)
            if result is None:
                continue
            if one.method == "spf":
                found = _spf(one, result)
                if found.identity is SpfIdentity.HELO:
                    helo = helo or found
                else:
                    spf = spf or found
            elif one.method == "dkim" and len(dkim) < SIGNATURES_LIMIT:
                if result is not AuthResult.NONE:
                    dkim.append(_dkim(one, result))
            elif one.method == "dmarc":
                dmarc = dmarc or _dmarc(one, result)
            elif one.method == "arc":
                arc = arc or ArcCheck(result, reason=_bounded(one.reason))
    return Authentication(spf, helo, tuple(dkim), dmarc, arc)


def _word(text: str) -> AuthResult | None:
    try:
        return AuthResult(text)
    except ValueError:
        return _OTHER_WORDS.get(text)


def _spf(one: MethodResult, result: AuthResult) -> SpfCheck:
    helo = not one.get("smtp.mailfrom") and one.get("smtp.helo")
    identity = SpfIdentity.HELO if helo else SpfIdentity.MAIL_FROM
    domain = helo or one.get("smtp.mailfrom") or one.get("smtp.mail")
    return SpfCheck(result, _domain(domain), identity, reason=_bounded(one.reason))


def _dkim(one: MethodResult, result: AuthResult) -> DkimCheck:
    return DkimCheck(
        result,
        _domain(one.get("header.d") or one.get("header.i")),
        _domain(one.get("header.s")),
        _bounded(one.get("header.i")),
        _bounded(one.get("header.a")),
        signature=_bounded(one.get("header.b")),
        reason=_bounded(one.reason),
    )


def _dmarc(one: MethodResult, result: AuthResult) -> DmarcCheck:
    domain = _domain(one.get("header.from"))
    words = set(DmarcPolicy)
    policy = one.get("policy.dmarc").lower()
    return DmarcCheck(
        result,
        domain,
        policy=DmarcPolicy(policy) if policy in words else None,
        # Which of the two it was the field does not say.
        dkim_aligned=result is AuthResult.PASS and bool(domain),
        reason=_bounded(one.reason),
    )


def _bounded(text: str) -> str:
    return text[:VALUE_LIMIT]


def _domain(text: str) -> str:
    """The domain of an address or a domain, in A-labels."""
    domain = canonical_domain(text.rpartition("@")[2])
    # A part of a longer one would be another domain.
    return domain if len(domain) <= DOMAIN_LIMIT else ""
