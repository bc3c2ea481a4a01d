"""What reports say as plain values, for `--json` and the REST interface."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from filterd.dmarc.summary import ReportSource, ReportSummary, advice

if TYPE_CHECKING:
    from filterd.dmarc.received import Received
    from filterd.dmarc.run import Sending


def summary_values(summary: ReportSummary) -> dict[str, Any]:
    """The whole summary; times as ISO 8601 in UTC, None where there is no report."""
    return {
        "reports": summary.reports,
        "repeated": summary.repeated,
        "begin": _moment(summary.begin),
        "end": _moment(summary.end),
        "days": summary.days,
        "messages": summary.messages,
        "passing": summary.passing,
        "sources": [_source(source, summary.days) for source in summary.sources],
    }


def received_values(received: Received) -> dict[str, Any]:
    """The summary of a folder, and what of it is not in there."""
    return {
        **summary_values(received.summary),
        "left_out": received.left_out,
        "not_read": [{"name": one.name, "why": one.trouble} for one in received.troubles],
    }


def sending_values(sending: Sending) -> dict[str, Any]:
    """One report that was made, and what became of it."""
    report = sending.made.report
    return {
        "domain": report.policy.domain,
        "id": report.id,
        "begin": _moment(report.begin),
        "end": _moment(report.end),
        "messages": report.messages,
        "records": len(report.records),
        "file": str(sending.made.path),
        "sent": [asdict(one) for one in sending.sent],
    }


def _source(source: ReportSource, days: int) -> dict[str, Any]:
    return {
        "source": None if source.address is None else str(source.address),
        "domain": source.domain,
        "policy": source.policy,
        "messages": source.messages,
        "spf_and_dkim": source.both,
        "dkim": source.dkim_only,
        "spf": source.spf_only,
        "fail": source.neither,
        "dispositions": dict(source.dispositions),
        "reasons": dict(source.reasons),
        "dkim_results": [
            {"domain": domain, "result": result, "messages": many}
            for (domain, result), many in source.signed.items()
        ],
        "spf_results": [
            {"domain": domain, "result": result, "messages": many}
            for (domain, result), many in source.spf.items()
        ],
        "reporters": dict(source.reporters),
        "advice": advice(source, days),
    }


def _moment(seconds: int) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None
