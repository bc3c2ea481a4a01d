"""Filters and symbols may have any name: nothing is decided by how it is spelled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from filterd.chain import replies
from filterd.chain.chain import Chain
from filterd.chain.links import Link, LinkSettings
from filterd.chain.pipeline import Pipeline, PipelineResult
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.report import ScanReport
from filterd.chain.verdict import (
    NO_OPINION,
    Action,
    AddField,
    FailureKind,
    Reason,
    Symbol,
    Verdict,
)
from filterd.daemon.stats import Stats
from filterd.message import Envelope, Message, Recipient
from filterd.quarantine import NewEntry
from filterd.quarantine.entry import Entry, describe, for_admins_only

MAIL = Message(b"Subject: hi\r\n\r\nhello\r\n", Envelope("a@x", (Recipient("joe@b"),)), "id7")

SYMBOLS = [
    "DMARC_FAILED",
    "X_FAILED",
    "WORKER_FAILED",
    "CLAMAV_FAILED",
    "DNS_TIMEOUT",
    "BANNED_PART",
    "BANNED_COUNTRY",
    "CLAM_VIRUS",
    "RELEASED",
    "GTUBE",
    "timeout: x",
    "",
]
"""What a plugin may call what it finds: as filterd's own, or as what these mean."""

FILTERS = ["clamav", "clamav2", "parts", "bayes", "x_failed", "released", "worker", ""]


class Plugin:
    """A filter of somebody else's."""

    def __init__(self, name: str, examine: Callable[[Message], Verdict]) -> None:
        self.name = name
        self.examine = examine


def finds(verdict: Verdict, name: str = "plugin") -> Link:
    return Link(Plugin(name, lambda _message: verdict))


def breaks(name: str, **settings: str) -> Link:
    def examine(_message: Message) -> Verdict:
        raise ValueError("timeout: no")

    return Link(Plugin(name, examine), LinkSettings(**settings))  # type: ignore[arg-type]


def processed(*links: Link) -> PipelineResult:
    return Pipeline(Chain(links), Policy(PolicySettings())).process(MAIL)


def kept(report: ScanReport) -> Entry:
    """How the quarantine has it, read from its file."""
    new = NewEntry(report, MAIL.data, MAIL.envelope, ("joe@b",), datetime.now(UTC))
    return Entry.decode(describe(new).encode())


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_plugins_symbol_is_its_own(symbol: str) -> None:
    report = processed(finds(Verdict(Action.QUARANTINE, (Symbol(symbol, 1.0),)))).report
    assert (report.action, report.reason) == (Action.QUARANTINE, Reason.POLICY)
    assert (report.failures, report.virus, report.banned, report.released) == ((), "", False, "")
    assert for_admins_only(kept(report)) == ""


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_plugin_that_asks_to_wait_has_not_failed(symbol: str) -> None:
    decision = processed(finds(Verdict(Action.TEMPFAIL, (Symbol(symbol),)))).decision
    assert decision.reply is not None
    assert decision.reply.text.startswith(replies.DELAY.text)


@pytest.mark.parametrize("name", FILTERS)
def test_who_scans_for_viruses_says_so(name: str) -> None:
    def fields(verdict: Verdict) -> dict[str, str]:
        edits = processed(finds(verdict, name)).decision.edits
        return {edit.name: edit.value for edit in edits if isinstance(edit, AddField)}

    assert "X-Virus-Scanned" not in fields(NO_OPINION)
    scanned = fields(Verdict(scanner="Scan 1"))
    assert scanned["X-Virus-Scanned"] == "Scan 1 at localhost"
    assert scanned["X-Virus-Status"] == "Clean"


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_that_breaks_is_a_failure_whatever_its_name(name: str) -> None:
    report = processed(breaks(name, on_error="quarantine")).report
    assert (report.action, report.reason) == (Action.QUARANTINE, Reason.FAILED)
    (failure,) = kept(report).failures
    assert (failure.filter, failure.kind) == (name, FailureKind.ERROR)
    assert for_admins_only(kept(report)) == "it could not be scanned completely"


def test_a_failure_that_decides_nothing_is_not_the_reason() -> None:
    held = finds(Verdict(Action.QUARANTINE, (Symbol("LISTED"),)))
    report = processed(breaks("bayes", on_error="continue"), held).report
    assert report.reason == Reason.POLICY
    assert [failure.filter for failure in report.failures] == ["bayes"]


def test_what_an_errors_text_says_is_not_its_kind() -> None:
    counts = Stats(["bayes"])
    counts.count(processed(breaks("bayes", on_error="continue")).report)
    assert counts.filters["bayes"].errors == {"error": 1}


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_dry_run_bans_nothing(symbol: str) -> None:
    verdict = Verdict(Action.QUARANTINE, (Symbol(symbol, 9.0),), banned=True, scanner="S")
    plugin = Plugin("plugin", lambda _message: verdict)
    report = processed(Link(plugin, LinkSettings(dry_run=True))).report
    assert (report.action, report.banned, report.scanner) == (Action.ACCEPT, False, "")
