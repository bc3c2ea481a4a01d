"""The verdict on a message in one sentence, for people: what was done, and for which reason.

The only place where it is made: pages, REST, `explain`, `scan` and `quarantine show` all have it
from here.
"""

from __future__ import annotations

from collections.abc import Sequence

from filterd.chain.headers import points
from filterd.chain.report import ScanReport
from filterd.chain.stages import COMMANDS
from filterd.chain.verdict import Action, Outcome, Reason
from filterd.system.display import count

NAMED = 3
"""Parts, failures or limits that one sentence names."""

TEXT_LIMIT = 300
"""Characters of a text in it that a message or a server chose."""

_DONE = {
    Action.ACCEPT: "Delivered",
    Action.QUARANTINE: "Held",
    Action.DISCARD: "Discarded",
    Action.TEMPFAIL: "Deferred",
    Action.REJECT: "Refused",
}


def sentence(report: ScanReport, outcomes: Sequence[Outcome] | None = None) -> str:
    """What was done with the message and why, without a full stop.

    outcomes: those of the recipients that the reader may know; by default all.
    """
    own = report.outcomes if outcomes is None else outcomes
    if report.stage:
        why = report.because or _failures(report) or (report.reply.text if report.reply else "")
        at = f"{_DONE[report.action]} at {COMMANDS[report.stage]}, before the message came"
        return f"{at}: {_cut(why)}" if why else at
    action = max((one.action for one in own), default=report.action)
    concerned = [one for one in own if one.action is action]
    done = _DONE[action]
    if len(concerned) < len(own):
        done += f" for {len(concerned)} of {count(len(own), 'recipient')}"
    if action is Action.ACCEPT:
        return _delivered(report, done)
    return f"{done}: {_cause(report, concerned)}"


def _delivered(report: ScanReport, done: str) -> str:
    if report.released:
        return f"{done}: a person released it (it was kept as {report.released})"
    if report.removed:
        done += f" without {_parts(report)}"
    if report.virus:
        done += f" without the infected parts: {_virus(report)}"
    given = f"{points(report.score)} points"
    if report.labelled:
        if report.score < report.required:
            return f"{done}, labelled as spam: {given}, a filter asked for the label"
        return f"{done}, labelled as spam: {given}, the limit is {points(report.required)}"
    return f"{done}: {given}, the limit for a label is {points(report.required)}"


def _cause(report: ScanReport, concerned: Sequence[Outcome]) -> str:
    """Why it was not delivered to these recipients."""
    limits = {(one.limit, one.rule) for one in concerned if one.limit is not None}
    if limits and all(one.limit is not None for one in concerned):
        return f"{points(report.score)} points, {_limits(limits)}"
    if report.virus:
        return _virus(report)
    if report.reason is Reason.FAILED and (failed := _failures(report)):
        return failed
    if report.reason is Reason.BANNED and report.removed:
        return f"it contains {_parts(report)}"
    if limits:
        return f"{points(report.score)} points, {_limits(limits)}"
    dmarc = report.authentication.dmarc if report.authentication is not None else None
    if report.reason is Reason.DMARC and dmarc is not None and dmarc.domain:
        domain = _cut(dmarc.domain)
        return (
            f"{domain} asks to keep out mail that does not prove to come from it (DMARC), "
            "and this message does not"
        )
    if report.because:
        return _cut(report.because)
    given = f"{points(report.score)} points"
    rules = {one.rule for one in concerned}
    return f"{given} (rule {_cut(rules.pop())})" if len(rules) == 1 else given


def _virus(report: ScanReport) -> str:
    who = report.scanner.split("/")[0].strip() or "the scanner"
    return f"{_cut(who)} found {_cut(report.virus)}"


def _failures(report: ScanReport) -> str:
    told = [
        f"filter {one.filter} gave no opinion ({_cut(str(one))})"
        if one.filter
        else f"it could not be scanned ({_cut(str(one))})"
        for one in report.failures[:NAMED]
    ]
    return _listed(told, len(report.failures))


def _parts(report: ScanReport) -> str:
    told = [
        f"{_cut(one.filename) or 'a part without a name'} ({_cut(one.reason)})"
        for one in report.removed[:NAMED]
    ]
    return _listed(told, len(report.removed))


def _limits(limits: set[tuple[float, str]]) -> str:
    known = sorted(limits)
    told = [f"{points(limit)} (rule {_cut(rule)})" for limit, rule in known[:NAMED]]
    is_one = "the limit is" if len(known) == 1 else "the limits are"
    return f"{is_one} {_listed(told, len(known))}"


def _listed(told: list[str], number: int) -> str:
    return ", ".join(told) + (f" and {number - len(told)} more" if number > len(told) else "")


def _cut(text: str) -> str:
    words = " ".join(text[: TEXT_LIMIT + 1].split())
    return words if len(words) <= TEXT_LIMIT else f"{words[: TEXT_LIMIT - 1]}…"
