"""Aggregate reports as their senders write them, made here: by RFC 9990, and by RFC 7489 as most
senders of today do."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

SCHEMA = Path(__file__).parents[1] / "unit" / "dmarc" / "schema" / "dmarc-2.0.xsd"

DAY = 1_790_000_000 // 86400 * 86400
"""A midnight in UTC: 2026-09-21."""

NEW = """<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0" xmlns:x="https://x.example/ns">
  <version>1.0</version>
  <report_metadata>
    <org_name>{organization}</org_name>
    <email>reports@receiver.example</email>
    <extra_contact_info lang="en">https://receiver.example/dmarc</extra_contact_info>
    <report_id>{id}</report_id>
    <date_range><begin>{begin}</begin><end>{end}</end></date_range>
    <generator>Receiver 1.0</generator>
  </report_metadata>
  <policy_published>
    <domain>example.org</domain>
    <discovery_method>treewalk</discovery_method>
    <p>reject</p><sp>quarantine</sp><np>reject</np>
    <fo>1</fo><adkim>s</adkim><aspf>r</aspf><testing>n</testing>
  </policy_published>
  <extension><x:more><x:even>1</x:even></x:more></extension>
{records}
</feedback>
"""

OLD = """<?xml version="1.0"?>
<feedback>
  <report_metadata>
    <org_name>{organization}</org_name>
    <email>noreply@big.example</email>
    <report_id>{id}</report_id>
    <date_range><begin>{begin}</begin><end>{end}</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct>
  </policy_published>
{records}
</feedback>
"""


def record(
    source: str = "192.0.2.1",
    count: int = 1,
    *,
    dkim: str = "fail",
    spf: str = "fail",
    disposition: str = "none",
    reason: str = "",
    header_from: str = "example.org",
    found: str = "",
) -> str:
    """One record. reason: an override's type. found: what is in auth_results."""
    why = f"<reason><type>{reason}</type><comment>as told</comment></reason>" if reason else ""
    return (
        f"<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>"
        f"<disposition>{disposition}</disposition><dkim>{dkim}</dkim><spf>{spf}</spf>{why}"
        f"</policy_evaluated></row><identifiers><header_from>{header_from}</header_from>"
        f"</identifiers><auth_results>{found}</auth_results></record>"
    )


def dkim(domain: str, result: str = "pass", selector: str = "s1") -> str:
    """The result of one signature."""
    return (
        f"<dkim><domain>{domain}</domain><selector>{selector}</selector>"
        f"<result>{result}</result><human_result>why</human_result></dkim>"
    )


def spf(domain: str, result: str = "pass") -> str:
    """The result of SPF."""
    return f"<spf><domain>{domain}</domain><scope>mfrom</scope><result>{result}</result></spf>"


def feedback(
    *records: str,
    form: str = NEW,
    organization: str = "Receiver",
    id: str = "one",
    begin: int = DAY,
    end: int = DAY + 86399,
) -> bytes:
    """A whole report."""
    return form.format(
        organization=organization,
        id=id,
        begin=begin,
        end=end,
        records="\n".join(records or (record(),)),
    ).encode()


@cache
def schema() -> Any:
    """The RFC's schema, read when it is first asked for."""
    xmlschema = pytest.importorskip("xmlschema", reason="xmlschema is not installed")
    return xmlschema.XMLSchema(SCHEMA)
