"""What reports about us say, by source: who sends in our name, whether it passes, and what to do.

Reports that come twice count once (RFC 9990 §3.5.4: the same report has the same id).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from filterd.dmarc.feedback import AggregateReport, ReportRecord
from filterd.system.display import count

SOURCES_LIMIT = 20_000
"""Sources that are told apart; whoever forges our domain from more is counted together."""

NAMES_LIMIT = 20
"""Different domains, selectors and reasons that are kept of one source."""

DAY = 86400

T = TypeVar("T")


@dataclass(slots=True)
class ReportSource:
    """Messages with one domain in From, from one address.

    address: None for all those that had no room in the table. policy: what the domain publishes, by
    the newest report. both, dkim_only, spf_only, neither: messages by what is aligned and passes.
    dispositions: what receivers did with those that fail. reasons: why they did not follow the
    policy. signed: `domain result` of signatures, `spf`: the same of MAIL FROM.
    """

    address: IPv4Address | IPv6Address | None
    domain: str
    policy: str = ""
    policy_date: int = 0
    both: int = 0
    dkim_only: int = 0
    spf_only: int = 0
    neither: int = 0
    dispositions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    signed: Counter[tuple[str, str]] = field(default_factory=Counter)
    spf: Counter[tuple[str, str]] = field(default_factory=Counter)
    selectors: Counter[str] = field(default_factory=Counter)
    reporters: Counter[str] = field(default_factory=Counter)

    @property
    def messages(self) -> int:
        """All of them."""
        return self.both + self.dkim_only + self.spf_only + self.neither

    @property
    def passing(self) -> int:
        """Those that pass DMARC."""
        return self.messages - self.neither

    def add(self, record: ReportRecord, report: AggregateReport) -> None:
        """Count the messages of a record."""
        many = record.count
        match record.dkim_passes, record.spf_passes:
            case True, True:
                self.both += many
            case True, False:
                self.dkim_only += many
            case False, True:
                self.spf_only += many
            case _:
                self.neither += many
                _count(self.dispositions, record.disposition or "none", many)
        if report.end >= self.policy_date:
            self.policy_date, self.policy = report.end, _policy_for(self.domain, report)
        for reason in record.reasons:
            _count(self.reasons, reason.type, many)
        for signature in record.dkim:
            _count(self.signed, (signature.domain, signature.result), many)
            if signature.result != "pass" and _aligned(signature.domain, self.domain):
                _count(self.selectors, signature.selector, many)
        for one in record.spf:
            _count(self.spf, (one.domain, one.result), many)
        _count(self.reporters, report.organization, many)


@dataclass(slots=True)
class ReportSummary:
    """All of it. reports: different ones; repeated: those that were there before. days: for which
    there are reports. begin, end: seconds since 1970."""

    sources: list[ReportSource] = field(default_factory=list)
    reports: int = 0
    repeated: int = 0
    begin: int = 0
    end: int = 0
    days: int = 0

    @property
    def messages(self) -> int:
        """All messages of all sources."""
        return sum(source.messages for source in self.sources)

    @property
    def passing(self) -> int:
        """Those that pass DMARC."""
        return sum(source.passing for source in self.sources)

    def per_day(self, source: ReportSource) -> float:
        """Messages a day."""
        return source.messages / max(self.days, 1)

    def domains(self) -> list[str]:
        """The domains in From, the one with the most messages first."""
        counted: Counter[str] = Counter()
        for source in self.sources:
            counted[source.domain] += source.messages
        return [domain for domain, _ in counted.most_common()]


def summarize(reports: Iterable[AggregateReport]) -> ReportSummary:
    """What these reports say together; those that fail come first, then by number of messages."""
    summary, days = ReportSummary(), set[int]()
    seen: set[tuple[str, str, str, int]] = set()
    found: dict[tuple[str, IPv4Address | IPv6Address | None], ReportSource] = {}
    for report in reports:
        key = (report.organization, report.id, report.policy.domain, report.begin)
        if key in seen:
            summary.repeated += 1
            continue
        seen.add(key)
        summary.reports += 1
        summary.begin = min(summary.begin or report.begin, report.begin)
        summary.end = max(summary.end, report.end)
        # The middle: many end at 23:59:59, some at 00:00 of the next day.
        days.add((report.begin + report.end) // 2 // DAY)
        for record in report.records:
            domain = record.header_from or report.policy.domain
            source = found.get((domain, record.source))
            if source is None:
                address = record.source if len(found) < SOURCES_LIMIT else None
                domain = domain if address is not None else report.policy.domain
                source = found.setdefault((domain, address), ReportSource(address, domain))
            source.add(record, report)
    summary.days = len(days)
    summary.sources = sorted(
        found.values(), key=lambda s: (-s.neither, -s.messages, str(s.address))
    )
    return summary


def advice(source: ReportSource, days: int) -> str:
    """What to do about a source, in one sentence for an admin. days: for which there are
    reports."""
    domain = source.domain
    who = str(source.address) if source.address is not None else "One of many other addresses"
    if source.address is None:
        return (
            f"{count(source.messages, 'message')} from many other addresses are not told apart; "
            f"{source.neither:,} of them fail."
        )
    sends = f"{who} sends {_rate(source.messages, days)} as {domain}"
    if source.neither == source.messages:
        return f"{sends} without aligned SPF or DKIM: {_about_failing(source)}"
    if source.neither:
        return (
            f"{sends}, {source.neither:,} of {source.messages:,} without aligned SPF or DKIM: "
            f"{_about_failing(source)}"
        )
    if source.dkim_only == source.messages:
        other = next((d for d, result in source.spf if result == "pass"), "")
        how = (
            f" (MAIL FROM is of {other}, as forwarders and mailing services have it)"
            if other
            else ""
        )
        return f"{sends}, which passes by DKIM alone{how}: nothing needs to be done."
    if source.spf_only == source.messages:
        return (
            f"{sends}, which passes by SPF alone and will fail where it is forwarded: "
            f"sign it with DKIM as {domain}."
        )
    if source.dkim_only or source.spf_only:
        return f"{sends}, and all of it passes, some by one of SPF and DKIM only: nothing urgent."
    return f"{sends} with aligned SPF and DKIM: nothing to do."


def _about_failing(source: ReportSource) -> str:
    domain = source.domain
    if source.reasons["trusted_forwarder"] or source.reasons["mailing_list"]:
        return (
            "receivers know it as a forwarder or mailing list and let it pass; "
            "nothing needs to be done."
        )
    if source.selectors:
        selector = source.selectors.most_common(1)[0][0]
        named = f" (selector {selector})" if selector else ""
        return (
            f"it is signed as {domain}{named} and the signature fails; if the address is yours, "
            "check its key and signer; if not, somebody on the way changes the mail, as mailing "
            "lists do."
        )
    broken = next((d for d, result in source.spf if result == "permerror"), "")
    if broken and _aligned(broken, domain):
        return f"the SPF record of {broken} cannot be used (permerror); correct it."
    service = next((d for d, result in source.signed if result == "pass"), "") or next(
        (d for d, result in source.spf if result == "pass"), ""
    )
    if service:
        return (
            f"it authenticates as {service}; if that sends for you, let it sign with DKIM as "
            f"{domain}; if it forwards mail or is unknown to you, nothing can be done there; "
            f"{_what_the_policy_does(source)}"
        )
    return (
        f"if it is yours, add it to the SPF record of {domain} and sign with DKIM; if not, it is "
        f"forged, and {_what_the_policy_does(source)}"
    )


def _what_the_policy_does(source: ReportSource) -> str:
    match source.policy:
        case "reject" | "quarantine":
            stopped = sum(
                many for word, many in source.dispositions.items() if word not in ("none", "pass")
            )
            return (
                f"by your policy ({source.policy}) receivers stopped or marked {stopped:,} of "
                f"{source.neither:,}."
            )
    return "your policy (none) lets it pass."


def _rate(messages: int, days: int) -> str:
    if days <= 1:
        return count(messages, "message")
    rate = messages / days
    if rate < 1:
        return f"{count(messages, 'message')} in {days} days"
    return f"{count(round(rate), 'message')} a day"


def _policy_for(domain: str, report: AggregateReport) -> str:
    published = report.policy
    return published.p if domain == published.domain else (published.sp or published.p)


def _aligned(one: str, other: str) -> bool:
    """Whether one domain is the other, or above or below it: near enough to speak of it."""
    return bool(one) and (one == other or one.endswith("." + other) or other.endswith("." + one))


def _count(counter: Counter[T], name: T, many: int) -> None:
    if name in counter or len(counter) < NAMES_LIMIT:
        counter[name] += many
