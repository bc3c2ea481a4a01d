"""An aggregate report as a value, whoever made it (RFC 9990 §3.1; RFC 7489 appendix C).

Words are those of the XML. A report that was read may have words that no RFC knows; they are kept,
in lower case and cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
"""Of the XML elements of RFC 9990; reports by RFC 7489 have none, or one of their makers' own."""


@dataclass(frozen=True, slots=True)
class PolicyPublished:
    """The policy that the domain publishes. What a report does not say is "".

    p, sp, np: `none`, `quarantine` or `reject`. adkim, aspf: `r` or `s`. testing: `y` or `n`.
    discovery: `treewalk` (RFC 9989) or `psl` (RFC 7489).
    """

    domain: str
    p: str = ""
    sp: str = ""
    np: str = ""
    adkim: str = ""
    aspf: str = ""
    fo: str = ""
    testing: str = ""
    discovery: str = ""


@dataclass(frozen=True, slots=True)
class OverrideReason:
    """Why the policy was not followed. type: `local_policy`, `mailing_list`, `other`,
    `policy_test_mode` or `trusted_forwarder`."""

    type: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class DkimResult:
    """The result of one signature. domain: its d=."""

    domain: str
    selector: str
    result: str
    human: str = ""


@dataclass(frozen=True, slots=True)
class SpfResult:
    """The result of SPF. scope: `mfrom`; RFC 7489 has `helo` as well."""

    domain: str
    result: str
    scope: str = ""
    human: str = ""


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """Messages that are alike: how many, where they came from, and what was found.

    disposition: `none`, `pass`, `quarantine` or `reject`. dkim_passes, spf_passes: by an aligned
    domain. envelope_from: the domain of MAIL FROM, "" also for the null sender.
    """

    source: IPv4Address | IPv6Address
    count: int
    disposition: str
    dkim_passes: bool
    spf_passes: bool
    header_from: str
    envelope_from: str = ""
    envelope_to: str = ""
    reasons: tuple[OverrideReason, ...] = ()
    dkim: tuple[DkimResult, ...] = ()
    spf: tuple[SpfResult, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether DMARC passes."""
        return self.dkim_passes or self.spf_passes


@dataclass(frozen=True, slots=True)
class AggregateReport:
    """One report. begin, end: of the time it is about, seconds since 1970, UTC. namespace: of its
    root element, "" without one."""

    organization: str
    email: str
    id: str
    begin: int
    end: int
    policy: PolicyPublished
    records: tuple[ReportRecord, ...]
    contact: str = ""
    errors: tuple[str, ...] = ()
    generator: str = ""
    version: str = ""
    namespace: str = ""

    @property
    def messages(self) -> int:
        """How many messages it is about."""
        return sum(record.count for record in self.records)
