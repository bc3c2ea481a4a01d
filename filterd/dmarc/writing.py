"""Writing an aggregate report as XML, as RFC 9990 has it (§3.1 and its schema)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from filterd.dmarc.feedback import NAMESPACE, AggregateReport, PolicyPublished, ReportRecord
from filterd.system.display import printable

VERSION = "1.0"
"""Of the format; the RFC wants this, whatever the namespace says."""

_NUMBERS = 1 << 12
"""Records that are joined to one text at a time."""


def write_report(report: AggregateReport) -> Iterator[bytes]:
    """The document, UTF-8, piece by piece; elements in the order of the RFC's tables. Optional ones
    that have no value are left out."""
    lines: list[str] = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<feedback xmlns="{NAMESPACE}">',
        f"  {_element('version', VERSION)}",
        "  <report_metadata>",
        f"    {_element('org_name', report.organization)}",
        f"    {_element('email', report.email)}",
        *_optional("    ", "extra_contact_info", report.contact),
        f"    {_element('report_id', report.id)}",
        "    <date_range>",
        f"      {_element('begin', str(report.begin))}",
        f"      {_element('end', str(report.end))}",
        "    </date_range>",
        *_optional("    ", "error", "; ".join(report.errors)),
        *_optional("    ", "generator", report.generator),
        "  </report_metadata>",
        *_policy(report.policy),
    ]
    for number, record in enumerate(report.records):
        lines += _record(record)
        if number % _NUMBERS == 0:
            yield _octets(lines)
            lines = []
    yield _octets([*lines, "</feedback>"])


def _octets(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _policy(policy: PolicyPublished) -> Iterator[str]:
    yield "  <policy_published>"
    yield f"    {_element('domain', policy.domain)}"
    for name, value in (
        ("discovery_method", policy.discovery),
        ("p", policy.p),
        ("sp", policy.sp),
        ("np", policy.np),
        ("fo", policy.fo),
        ("adkim", policy.adkim),
        ("aspf", policy.aspf),
        ("testing", policy.testing),
    ):
        yield from _optional("    ", name, value)
    yield "  </policy_published>"


def _record(record: ReportRecord) -> Iterator[str]:
    yield "  <record>"
    yield "    <row>"
    yield f"      {_element('source_ip', str(record.source))}"
    yield f"      {_element('count', str(record.count))}"
    yield "      <policy_evaluated>"
    yield f"        {_element('disposition', record.disposition)}"
    yield f"        {_element('dkim', _result(record.dkim_passes))}"
    yield f"        {_element('spf', _result(record.spf_passes))}"
    for reason in record.reasons:
        yield "        <reason>"
        yield f"          {_element('type', reason.type)}"
        yield from _optional("          ", "comment", reason.comment)
        yield "        </reason>"
    yield "      </policy_evaluated>"
    yield "    </row>"
    yield "    <identifiers>"
    yield f"      {_element('header_from', record.header_from)}"
    # Empty for the null reverse-path (RFC 9990 §3.1.1.9).
    yield f"      {_element('envelope_from', record.envelope_from)}"
    yield from _optional("      ", "envelope_to", record.envelope_to)
    yield "    </identifiers>"
    yield "    <auth_results>"
    for signature in record.dkim:
        yield "      <dkim>"
        yield f"        {_element('domain', signature.domain)}"
        yield f"        {_element('selector', signature.selector)}"
        yield f"        {_element('result', signature.result)}"
        yield from _optional("        ", "human_result", signature.human)
        yield "      </dkim>"
    for spf in record.spf[:1]:
        yield "      <spf>"
        yield f"        {_element('domain', spf.domain)}"
        yield from _optional("        ", "scope", spf.scope)
        yield f"        {_element('result', spf.result)}"
        yield from _optional("        ", "human_result", spf.human)
        yield "      </spf>"
    yield "    </auth_results>"
    yield "  </record>"


def _result(passes: bool) -> str:
    return "pass" if passes else "fail"


def _optional(indent: str, name: str, text: str) -> Iterator[str]:
    if text:
        yield indent + _element(name, text)


def _element(name: str, text: str) -> str:
    # Printable text has no character that XML 1.0 excludes.
    return f"<{name}>{escape(printable(text))}</{name}>"
