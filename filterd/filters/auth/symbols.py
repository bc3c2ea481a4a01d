"""The symbols of the results, with their points. Names are SpamAssassin's where it has them.

A pass says who sent a message, not that the message is good: anybody can prove a domain of his own.
So passes have hardly any points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from filterd.chain.verdict import Symbol
from filterd.message.address import Mailbox
from filterd.message.authentication import (
    ArcCheck,
    Authentication,
    AuthResult,
    Dkim2Check,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
)

POINTS: Mapping[str, float] = {
    "SPF_PASS": 0.0,
    "SPF_FAIL": 1.0,
    "SPF_SOFTFAIL": 0.5,
    "SPF_NEUTRAL": 0.0,
    "SPF_NONE": 0.0,
    "SPF_PERMERROR": 0.0,
    "SPF_TEMPERROR": 0.0,
    "SPF_HELO_PASS": 0.0,
    "SPF_HELO_FAIL": 1.0,
    "SPF_HELO_SOFTFAIL": 0.5,
    "SPF_HELO_NEUTRAL": 0.0,
    "SPF_HELO_NONE": 0.0,
    "SPF_HELO_PERMERROR": 0.0,
    "SPF_HELO_TEMPERROR": 0.0,
    "DKIM_VALID": -0.1,
    "DKIM_VALID_AU": -0.1,
    "DKIM_INVALID": 0.1,
    "DKIM_TEMPERROR": 0.0,
    "DMARC_PASS": -0.1,
    "DMARC_REJECT": 4.0,
    "DMARC_QUAR": 3.0,
    "DMARC_NONE": 0.0,
    "DMARC_MISSING": 0.0,
    "DMARC_PERMERROR": 0.0,
    "DMARC_TEMPERROR": 0.0,
    "FROM_EXCESSIVE": 3.0,
    "DMARC_OVERRIDE": 0.0,
    "ARC_VALID": 0.0,
    "ARC_INVALID": 0.0,
    "DKIM2_VALID": 0.0,
    "DKIM2_INVALID": 0.0,
}
"""All symbols of the filter."""

DETAIL_SIGNATURES = 5
"""Signatures that a symbol's detail has."""

_OF_POLICY = {
    DmarcPolicy.REJECT: "DMARC_REJECT",
    DmarcPolicy.QUARANTINE: "DMARC_QUAR",
    DmarcPolicy.NONE: "DMARC_NONE",
}


def findings(found: Authentication) -> Iterator[tuple[str, str]]:
    """The symbols of the results, and their details."""
    if found.spf is not None:
        yield f"SPF_{found.spf.result.name}", _of_spf(found.spf)
    if found.helo is not None:
        yield f"SPF_HELO_{found.helo.result.name}", _of_spf(found.helo)
    yield from _of_signatures(found.dkim, found.dmarc)
    if found.dmarc is not None:
        yield _of_dmarc(found.dmarc)
    if found.arc is not None and found.arc.result is not AuthResult.NONE:
        yield _of_arc(found.arc)
    if found.dkim2 is not None and found.dkim2.result is not AuthResult.NONE:
        yield _of_dkim2(found.dkim2)


def symbols(found: Authentication, points: Mapping[str, float]) -> list[Symbol]:
    """The same with points."""
    return [Symbol(name, points[name], detail) for name, detail in findings(found)]


def _of_spf(one: SpfCheck) -> str:
    about = [one.domain] if one.domain or one.reason else ["no domain"]
    if one.mechanism:
        about.append(f"by {one.mechanism}")
    if one.lookups:
        about.append(f"{one.lookups} look-ups")
    if one.reason:
        about.append(one.reason)
    return ", ".join(filter(None, about))


def _of_signatures(
    signatures: tuple[DkimCheck, ...], dmarc: DmarcCheck | None
) -> Iterator[tuple[str, str]]:
    valid = [one for one in signatures if one.result is AuthResult.PASS]
    if valid:
        yield "DKIM_VALID", _told(valid)
        own = [one for one in valid if dmarc is not None and one.domain == dmarc.domain]
        if own:
            yield "DKIM_VALID_AU", _told(own)
    elif any(one.result is AuthResult.TEMPERROR for one in signatures):
        yield "DKIM_TEMPERROR", _told(signatures)
    elif signatures:
        yield "DKIM_INVALID", _told(signatures)


def _told(signatures: list[DkimCheck] | tuple[DkimCheck, ...]) -> str:
    words = []
    for one in signatures[:DETAIL_SIGNATURES]:
        why = f": {one.reason}" if one.reason else ""
        partly = f", {one.unsigned} octets of the body are not signed" if one.unsigned else ""
        words.append(f"{one.selector or '?'}._domainkey.{one.domain or '?'}{why}{partly}")
    if len(signatures) > DETAIL_SIGNATURES:
        words.append(f"and {len(signatures) - DETAIL_SIGNATURES} more")
    return "; ".join(words)


def _of_dmarc(one: DmarcCheck) -> tuple[str, str]:
    domain = one.domain or "no author domain"
    match one.result:
        case AuthResult.PASS:
            by = [
                name
                for name, is_so in (("SPF", one.spf_aligned), ("DKIM", one.dkim_aligned))
                if is_so
            ]
            return "DMARC_PASS", f"{domain} by {' and '.join(by) or 'DMARC'}"
        case AuthResult.FAIL:
            testing = ", testing" if one.testing else ""
            return _OF_POLICY[
                one.asked
            ], f"{domain}, policy of {one.policy_domain or domain}{testing}"
        case AuthResult.TEMPERROR:
            return "DMARC_TEMPERROR", f"{domain}: {one.reason}"
        case AuthResult.PERMERROR if not one.domain:
            return "FROM_EXCESSIVE", one.reason
        case AuthResult.PERMERROR:
            return "DMARC_PERMERROR", f"{domain}: {one.reason}"
    return "DMARC_MISSING", f"{domain}: {one.reason}" if one.reason else domain


def _of_arc(one: ArcCheck) -> tuple[str, str]:
    sealed = " then ".join(one.domains[:DETAIL_SIGNATURES])
    if one.result is AuthResult.PASS:
        return "ARC_VALID", f"sealed by {sealed}"
    return "ARC_INVALID", f"{one.result}: {one.reason}"


def _of_dkim2(one: Dkim2Check) -> tuple[str, str]:
    if one.result is not AuthResult.PASS:
        return "DKIM2_INVALID", f"{one.result}: {one.reason}"
    signed = " then ".join(one.domains[:DETAIL_SIGNATURES])
    more = len(one.domains) - DETAIL_SIGNATURES
    signed += f" and {more} more" if more > 0 else ""
    changed = ", ".join(dict.fromkeys(one.changed_by[:DETAIL_SIGNATURES]))
    return "DKIM2_VALID", f"signed by {signed}" + (f"; changed by {changed}" if changed else "")


def covers(keys: frozenset[str], domain: str) -> bool:
    """Whether one of these patterns (`filterd.message.address`) stands for the domain."""
    return bool(domain) and not keys.isdisjoint(Mailbox("", domain).covered_by())
