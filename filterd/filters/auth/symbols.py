"""The symbols of the results, with their points. Names are SpamAssassin's where it has them.

A pass says who sent a message, not that the message is good: anybody can prove a domain of his own.
So passes have hardly any points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

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


class _AuthSymbol(NamedTuple):
    """points: the default. description: what it means."""

    points: float
    description: str


_SYMBOLS: Mapping[str, _AuthSymbol] = {
    "SPF_PASS": _AuthSymbol(0.0, "SPF: the sender's domain allows this client to send its mail."),
    "SPF_FAIL": _AuthSymbol(
        1.0, "SPF: the sender's domain says that this client may not send its mail."
    ),
    "SPF_SOFTFAIL": _AuthSymbol(
        0.5, "SPF: the sender's domain says that this client should not send its mail."
    ),
    "SPF_NEUTRAL": _AuthSymbol(
        0.0, "SPF: the sender's domain does not say whether this client may send its mail."
    ),
    "SPF_NONE": _AuthSymbol(0.0, "SPF: the sender's domain has no SPF record."),
    "SPF_PERMERROR": _AuthSymbol(0.0, "SPF: the SPF record of the sender's domain has a mistake."),
    "SPF_TEMPERROR": _AuthSymbol(0.0, "SPF: the DNS did not answer about the sender's domain."),
    "SPF_HELO_PASS": _AuthSymbol(0.0, "SPF: the client may call itself by the name in HELO."),
    "SPF_HELO_FAIL": _AuthSymbol(1.0, "SPF: the client may not call itself by the name in HELO."),
    "SPF_HELO_SOFTFAIL": _AuthSymbol(
        0.5, "SPF: the client should not call itself by the name in HELO."
    ),
    "SPF_HELO_NEUTRAL": _AuthSymbol(0.0, "SPF: the name in HELO does not say who may use it."),
    "SPF_HELO_NONE": _AuthSymbol(0.0, "SPF: the name in HELO has no SPF record."),
    "SPF_HELO_PERMERROR": _AuthSymbol(
        0.0, "SPF: the SPF record of the name in HELO has a mistake."
    ),
    "SPF_HELO_TEMPERROR": _AuthSymbol(0.0, "SPF: the DNS did not answer about the name in HELO."),
    "DKIM_VALID": _AuthSymbol(-0.1, "DKIM: at least one signature is valid."),
    "DKIM_VALID_AU": _AuthSymbol(-0.1, "DKIM: a signature of the domain in From is valid."),
    "DKIM_INVALID": _AuthSymbol(0.1, "DKIM: there are signatures, and none is valid."),
    "DKIM_TEMPERROR": _AuthSymbol(
        0.0, "DKIM: the DNS did not answer about the key of a signature."
    ),
    "DMARC_PASS": _AuthSymbol(-0.1, "DMARC: the message proves to come from the domain in From."),
    "DMARC_REJECT": _AuthSymbol(
        4.0, "DMARC: nothing proves the domain in From, which asks to refuse such mail."
    ),
    "DMARC_QUAR": _AuthSymbol(
        3.0, "DMARC: nothing proves the domain in From, which asks to hold such mail."
    ),
    "DMARC_NONE": _AuthSymbol(
        0.0, "DMARC: nothing proves the domain in From, which asks for no action."
    ),
    "DMARC_MISSING": _AuthSymbol(0.0, "DMARC: the domain in From has no DMARC record."),
    "DMARC_PERMERROR": _AuthSymbol(
        0.0, "DMARC: the DMARC record of the domain in From has a mistake."
    ),
    "DMARC_TEMPERROR": _AuthSymbol(0.0, "DMARC: the DNS did not answer about the domain in From."),
    "FROM_EXCESSIVE": _AuthSymbol(
        3.0, "DMARC: From has several authors or no usable address: nothing can be proven."
    ),
    "DMARC_OVERRIDE": _AuthSymbol(
        0.0, "DMARC: the failure does not count: something else speaks for the message."
    ),
    "ARC_VALID": _AuthSymbol(
        0.0, "ARC: each host on the way sealed what it found, and all seals are valid."
    ),
    "ARC_INVALID": _AuthSymbol(0.0, "ARC: the seals of the hosts on the way are not valid."),
    "DKIM2_VALID": _AuthSymbol(0.0, "DKIM2: the signatures of all hosts on the way are valid."),
    "DKIM2_INVALID": _AuthSymbol(0.0, "DKIM2: a signature is not valid."),
}

POINTS: Mapping[str, float] = {name: one.points for name, one in _SYMBOLS.items()}
"""All symbols of the filter."""

DESCRIPTIONS: Mapping[str, str] = {name: one.description for name, one in _SYMBOLS.items()}
"""What they mean."""

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
