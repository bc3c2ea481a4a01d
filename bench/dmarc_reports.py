"""python -m bench.dmarc_reports [--messages N] [--feedback FOLDER]: what the reports of a day cost,
and how reports of another project read here.

The day: N messages (1,000,000) of 500 domains with `rua=` and 500 without, nine in ten from five
hosts of the domain, the others from 20,000 addresses of forgers, in a history of its own in a
temporary folder (about 1 KiB a message). Printed: seconds to fill it, to make all reports, and the
process's peak memory before and after.

FOLDER: `resources/dmarc-feedback` of stalwartlabs/mail-auth, reports (.xml, .eml) with what they
mean (.json). Each is read here and compared with its JSON: metadata, policy, and every record with
its results and reasons. Nothing of it is copied.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filterd.chain.verdict import Action, Symbol
from filterd.config.assembly import open_history
from filterd.config.load import Settings, load
from filterd.dmarc.feedback import AggregateReport, ReportRecord
from filterd.dmarc.files import reports_in
from filterd.dmarc.run import day_of, make_reports
from filterd.history import Record
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
)

DAY = 1_790_000_000 // 86400 * 86400
DOMAINS = 1000
ADDRESSES = 20_000
BATCH = 10_000


def message(number: int, chosen: random.Random) -> Record:
    """One message of the day."""
    domain = f"d{int(chosen.paretovariate(0.7)) % DOMAINS}.example"
    wants = int(domain[1:].partition(".")[0]) % 2 == 0
    passes = chosen.random() < 0.9
    record = "v=DMARC1; p=reject" + (f"; rua=mailto:dmarc@{domain}" if wants else "")
    return Record(
        id=f"{number:020x}",
        received=DAY + 86400 * chosen.random(),
        action=Action.ACCEPT if passes else Action.QUARANTINE,
        client_name=f"mx{number % 7}.{domain}",
        client_address=_source(domain, chosen, passes=passes),
        helo=f"mx.{domain}",
        sender=f"u{number % 1000}@{domain}",
        recipients=(f"joe{number % 500}@mx.example",),
        subject=f"Message number {number}",
        score=0.0,
        symbols=tuple(Symbol(f"SYMBOL_{n}", 0.5, "") for n in range(8)),
        milliseconds={"auth": 1.5, "bayes": 0.5, "clamav": 2.5},
        authentication=Authentication(
            spf=SpfCheck(AuthResult.PASS if passes else AuthResult.FAIL, domain, lookups=3),
            helo=SpfCheck(AuthResult.NONE, f"mx.{domain}"),
            dkim=(DkimCheck(AuthResult.PASS, domain, "s1", "", "rsa-sha256", 2048, "abcdef"),)
            if passes
            else (),
            dmarc=DmarcCheck(
                AuthResult.PASS if passes else AuthResult.FAIL,
                domain,
                domain,
                domain,
                DmarcPolicy.REJECT,
                False,
                passes,
                passes,
                record,
            ),
        ),
    )


def _source(domain: str, chosen: random.Random, *, passes: bool) -> str:
    """One of five hosts of the domain, or of a forger."""
    if passes:
        number = zlib.crc32(domain.encode())
        return f"10.{number % 200}.{number // 200 % 250}.{1 + chosen.randrange(5)}"
    number = chosen.randrange(ADDRESSES)
    return f"172.16.{number // 250}.{number % 250}"


def peak() -> float:
    """MiB of memory at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def day(messages: int) -> None:
    """Fill a history and make its reports."""
    chosen = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="filterd-bench-") as folder:
        settings = _settings(Path(folder))
        history = open_history(settings)
        begun = time.perf_counter()
        for start in range(0, messages, BATCH):
            many = range(start, min(start + BATCH, messages))
            history.add(message(number, chosen) for number in many)
        history.close()
        filled, before = time.perf_counter(), peak()
        made = make_reports(settings, day_of("2026-09-21", DAY + 10 * 86400.0))
        done = time.perf_counter()
        print(
            f"{messages:,} messages: filled in {filled - begun:.0f} s; {len(made)} reports of "
            f"{sum(one.report.messages for one in made):,} messages, "
            f"{sum(len(one.report.records) for one in made):,} records, "
            f"{sum(one.path.stat().st_size for one in made) / 1e6:.1f} MB packed, "
            f"in {done - filled:.1f} s; peak memory {before:.0f} MiB before, {peak():.0f} after"
        )


def _settings(folder: Path) -> Settings:
    path = folder / "filterd.toml"
    (folder / "q").mkdir()
    path.write_text(
        f'[chain]\nfilters = []\n[quarantine]\nfolder = "{folder}/q"\n'
        '[dmarc]\norg_name = "Bench"\nemail = "reports@bench.example"\n'
    )
    return load(path)


def compare(folder: Path) -> None:
    """Read another project's reports and compare them with what it says they mean."""
    same = wrong = 0
    for expected in sorted(folder.glob("*.json")):
        source = next(expected.parent.glob(f"{expected.stem}.[ex]m[l]"))
        (found,) = reports_in(source.read_bytes(), source.name)
        meant = _lowered(json.loads(expected.read_text()))
        differences = (
            [found.trouble] if found.report is None else list(_differences(found.report, meant))
        )
        wrong += bool(differences)
        same += not differences
        for one in differences:
            print(f"{source.name}: {one}")
    print(f"{same} reports read as they are meant, {wrong} do not")


def _lowered(value: Any) -> Any:
    """The JSON with the words of the XML: `Unspecified` and null are nothing."""
    match value:
        case dict():
            return {name: _lowered(one) for name, one in value.items()}
        case list():
            return [_lowered(one) for one in value]
        case None | "Unspecified":
            return ""
        case _:
            return value


_WORDS = {"relaxed": "r", "strict": "s"}


def _word(value: Any) -> str:
    text = str(value).lower().replace("mailfrom", "mfrom")
    return _WORDS.get(text, text)


def _differences(found: AggregateReport, meant: dict[str, Any]) -> Iterator[str]:
    metadata, policy = meant["report_metadata"], meant["policy_published"]
    pairs = [
        ("org_name", found.organization, metadata["org_name"]),
        ("email", found.email, metadata["email"]),
        ("extra_contact_info", found.contact, metadata["extra_contact_info"]),
        ("report_id", found.id, metadata["report_id"]),
        ("begin", found.begin, metadata["date_range"]["begin"]),
        ("end", found.end, metadata["date_range"]["end"]),
        ("domain", found.policy.domain, policy["domain"]),
        ("p", found.policy.p, _word(policy["p"])),
        ("sp", found.policy.sp, _word(policy["sp"])),
        ("np", found.policy.np, _word(policy.get("np", ""))),
        ("adkim", found.policy.adkim, _word(policy["adkim"])),
        ("aspf", found.policy.aspf, _word(policy["aspf"])),
        ("fo", found.policy.fo, policy["fo"]),
        ("testing", found.policy.testing == "y", policy["testing"]),
        ("discovery", found.policy.discovery, _word(policy.get("discovery_method", ""))),
        ("records", len(found.records), len(meant["record"])),
    ]
    for record, other in zip(found.records, meant["record"], strict=False):
        pairs += _record_pairs(record, other)
    yield from (
        f"{name}: {ours!r}, meant {theirs!r}" for name, ours, theirs in pairs if ours != theirs
    )


def _record_pairs(record: ReportRecord, meant: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    row, found = meant["row"], meant["auth_results"]
    evaluated, identifiers = row["policy_evaluated"], meant["identifiers"]
    return [
        ("source_ip", str(record.source), row["source_ip"]),
        ("count", record.count, row["count"]),
        ("disposition", record.disposition, _word(evaluated["disposition"])),
        ("dkim", record.dkim_passes, evaluated["dkim"] == "Pass"),
        ("spf", record.spf_passes, evaluated["spf"] == "Pass"),
        ("header_from", record.header_from, identifiers["header_from"]),
        ("envelope_from", record.envelope_from, identifiers["envelope_from"]),
        ("envelope_to", record.envelope_to, identifiers["envelope_to"]),
        (
            "comments",
            [one.comment for one in record.reasons],
            [r["comment"] for r in evaluated["reason"]],
        ),
        (
            "dkim results",
            [(one.domain, one.selector, one.result, one.human) for one in record.dkim],
            [
                (d["domain"], d["selector"], _word(d["result"]), d["human_result"])
                for d in found["dkim"]
            ],
        ),
        (
            "spf results",
            [(one.domain, one.scope, one.result, one.human) for one in record.spf],
            [
                (s["domain"], _word(s["scope"]), _word(s["result"]), s["human_result"])
                for s in found["spf"]
            ],
        ),
    ]


def main() -> None:
    """As the module's docstring says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--feedback", type=Path)
    options = parser.parse_args()
    if options.feedback:
        compare(options.feedback)
    else:
        day(options.messages)


if __name__ == "__main__":
    main()
