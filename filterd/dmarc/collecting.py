"""From the records of a day to one report for each policy domain that asks for one.

Records are read one after the other and counted in groups of those that are alike, so that memory
does not grow with the mail of a day but with what is different in it, up to limits: a forger may
send from every address, and sign with a thousand names.
Source: RFC 9990 §3.1.1 (what is in a record), §3.1.3 (which signatures, in which order).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from filterd.auth.dmarc.record import DmarcRecord
from filterd.chain.report import ScanReport
from filterd.chain.verdict import Action
from filterd.dmarc.feedback import (
    DkimResult,
    OverrideReason,
    PolicyPublished,
    ReportRecord,
    SpfResult,
)
from filterd.history.record import TEXT_LIMIT
from filterd.message.address import canonical_domain
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
)
from filterd.message.envelope import ip

DOMAINS_LIMIT = 20_000
"""Policy domains of one day; those that come later are left out."""

GROUPS_LIMIT = 250_000
"""Groups of one day, some 200 MiB; messages that would need a new one are counted, and the report
says so."""

ROOM = 256 << 20
"""Octets that all groups of a day may take, about."""

GROUP_SIZE = 600
"""Octets of a group without its texts, about."""

SIGNATURES_LIMIT = 10
"""Signatures of one message that stand in a report; RFC 9990 §3.1.3 allows 100."""

HUMAN_LIMIT = 200
"""Characters of a reason in words."""

_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
"""A domain that can stand in the name of a file and in a Subject."""

_SEVERITY = {DmarcPolicy.NONE: 0, DmarcPolicy.QUARANTINE: 1, DmarcPolicy.REJECT: 2}
_WORDS = ("none", "quarantine", "reject")
_LET_PASS = frozenset({"mailing_list", "trusted_forwarder"})
_OVERRIDES = frozenset({"local_policy", "mailing_list", "other", "trusted_forwarder"})


class _ReportGroup(NamedTuple):
    """What messages that are counted together have in common."""

    source: str
    header_from: str
    envelope_from: str
    disposition: str
    dkim_passes: bool
    spf_passes: bool
    reasons: tuple[OverrideReason, ...]
    dkim: tuple[DkimResult, ...]
    spf: tuple[SpfResult, ...]


@dataclass(slots=True)
class Collected:
    """What came for one policy domain. organizational: its organizational domain. record: as it was
    published last. left_out: messages for which there was no room."""

    domain: str
    organizational: str
    record: DmarcRecord
    left_out: int = 0
    _groups: dict[_ReportGroup, int] = field(default_factory=dict)

    @property
    def policy(self) -> PolicyPublished:
        """The policy, with the defaults of what it does not say (RFC 9990 §3.1.1.5)."""
        record = self.record
        p = record.policy() or DmarcPolicy.NONE
        sp = record.policy(subdomain=True) or p
        np = record.policy(subdomain=True, exists=False) or sp
        return PolicyPublished(
            self.domain,
            p=p.value,
            sp=sp.value,
            np=np.value,
            adkim=record.adkim.value,
            aspf=record.aspf.value,
            fo=":".join(record.fo),
            testing="y" if record.testing else "n",
            discovery="treewalk",
        )

    def records(self) -> Iterator[ReportRecord]:
        """The records of its report, by source."""
        found = [
            (source, group, many)
            for group, many in self._groups.items()
            if (source := ip(group.source)) is not None
        ]
        for source, group, many in sorted(
            found, key=lambda one: (one[0].version, int(one[0]), one[1])
        ):
            yield ReportRecord(
                source,
                many,
                group.disposition,
                group.dkim_passes,
                group.spf_passes,
                group.header_from,
                group.envelope_from,
                reasons=group.reasons,
                dkim=group.dkim,
                spf=group.spf,
            )


def collect(reports: Iterable[ScanReport]) -> dict[str, Collected]:
    """What these messages, oldest first, make for each policy domain that wants reports.

    Left out are messages that filterd deferred (they come again), those that a person released
    (they came before), refusals before there was a message, and those without a source address.
    """
    found: dict[str, Collected] = {}
    wanting: dict[str, DmarcRecord | None] = {}
    groups, room = 0, ROOM
    for report in reports:
        check = _check(report)
        if check is None:
            continue
        record = _wanted(check.record, wanting)
        if record is None:
            continue
        domain = found.get(check.policy_domain)
        if domain is None:
            if len(found) >= DOMAINS_LIMIT:
                continue
            domain = Collected(check.policy_domain, check.organizational, record)
            found[check.policy_domain] = domain
        domain.record = record
        group = _group(report, check)
        if group is None:
            continue
        many = 1 + report.repeated
        if group in domain._groups:
            domain._groups[group] += many
        elif groups < GROUPS_LIMIT and room > 0:
            groups += 1
            room -= GROUP_SIZE + sum(_size(signature) for signature in group.dkim)
            domain._groups[group] = many
        else:
            domain.left_out += many
    return {name: one for name, one in found.items() if one._groups}


def _size(signature: DkimResult) -> int:
    return 200 + len(signature.domain) + len(signature.selector) + len(signature.human)


def _wanted(text: str, known: dict[str, DmarcRecord | None]) -> DmarcRecord | None:
    """The record if it names somebody who gets reports."""
    if text in known:
        return known[text]
    whole = text
    if len(text) >= TEXT_LIMIT:
        # The history cuts there, perhaps in the middle of an address.
        whole = text[: max(text.rfind(","), text.rfind(";"), 0)]
    record = DmarcRecord.parse(whole)
    if record is not None and not record.rua:
        record = None
    if len(known) >= DOMAINS_LIMIT:
        known.clear()
    known[text] = record
    return record


def _check(report: ScanReport) -> DmarcCheck | None:
    """The result of DMARC, None for a message that belongs into no report."""
    if report.action is Action.TEMPFAIL or report.released or report.stage:
        return None
    found = report.authentication
    check = found.dmarc if found is not None else None
    if check is None or check.result is AuthResult.TEMPERROR:
        return None
    return check if _DOMAIN.fullmatch(check.policy_domain) else None


def _group(report: ScanReport, check: DmarcCheck) -> _ReportGroup | None:
    found = report.authentication
    if found is None:
        return None
    source = ip(found.client or report.client_address.removeprefix("IPv6:"))
    if source is None:
        return None
    disposition, reasons = _applied(report, check, found)
    return _ReportGroup(
        str(source),
        check.domain,
        canonical_domain(report.sender.rpartition("@")[2]),
        disposition,
        check.dkim_aligned,
        check.spf_aligned,
        reasons,
        tuple(_signatures(found.dkim, check)),
        _spf(found.spf),
    )


def _applied(
    report: ScanReport, check: DmarcCheck, found: Authentication
) -> tuple[str, tuple[OverrideReason, ...]]:
    """The disposition, and why it is weaker than the policy (RFC 9990 §3.1.1.8, §3.1.6).

    What other filters did is not told (§8.3): a disposition is never stronger than what the policy
    asks.
    """
    if check.result is AuthResult.PASS:
        enforcing = check.policy in (DmarcPolicy.QUARANTINE, DmarcPolicy.REJECT)
        return ("pass" if enforcing else "none"), ()
    asked = _SEVERITY.get(check.policy or DmarcPolicy.NONE, 0)
    wanted = max(asked - 1, 0) if check.testing else asked
    # What a forwarder or list sends is let pass; where it was held all the same, it was for
    # something else.
    done = 0 if found.override in _LET_PASS else min(_done(report), wanted)
    reasons = []
    if check.testing and asked:
        reasons.append(OverrideReason("policy_test_mode"))
    if done < wanted:
        kind = found.override if found.override in _OVERRIDES else "local_policy"
        reasons.append(OverrideReason(kind))
    return _WORDS[done], tuple(reasons)


def _done(report: ScanReport) -> int:
    match report.action:
        case Action.REJECT | Action.DISCARD:
            return 2
        case Action.QUARANTINE:
            return 1
    return 1 if report.labelled or report.mta_quarantine is not None else 0


def _signatures(checks: Iterable[DkimCheck], check: DmarcCheck) -> Iterator[DkimResult]:
    """The results of the signatures that count most, in that order."""

    def order(one: DkimCheck) -> int:
        if one.result is not AuthResult.PASS:
            return 3
        if one.domain == check.domain:
            return 0
        return 1 if _related(one.domain, check.organizational) else 2

    for one in sorted((one for one in checks if one.domain), key=order)[:SIGNATURES_LIMIT]:
        result = AuthResult.FAIL if one.result is AuthResult.SOFTFAIL else one.result
        yield DkimResult(one.domain, one.selector, result.value, one.reason[:HUMAN_LIMIT])


def _related(domain: str, organizational: str) -> bool:
    return bool(organizational) and (
        domain == organizational or domain.endswith(f".{organizational}")
    )


def _spf(check: SpfCheck | None) -> tuple[SpfResult, ...]:
    if check is None or not check.domain:
        return ()
    return (SpfResult(check.domain, check.result.value, "mfrom", check.reason[:HUMAN_LIMIT]),)
