"""`filterd mta trace`: which rules of a sendmail.cf make what of an address."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filterd.cli.common import Exit, emit, fail
from filterd.cli.mta_rules import RuleFile, parsed, triple
from filterd.mta.cf.addresses import AddressKind, ResolvedAddress
from filterd.mta.cf.marks import octets, readable
from filterd.mta.cf.observer import Lookup, RuleMessage
from filterd.mta.cf.trace import Step, Tracer, TraceRun

Row = dict[str, Any]

STYLES = {"ruleset": "1", "rule": "36", "result": "32", "lookup": "35", "message": "31"}
"""Colours of a terminal, ANSI numbers."""


@dataclass(frozen=True)
class Question:
    """What is asked. mailer: see an address as this mailer does; without, where it goes."""

    sender: bool = False
    header: bool = False
    mailer: str = ""

    @property
    def kind(self) -> AddressKind:
        return AddressKind(header=self.header, sender=self.sender)


def trace(file: RuleFile, addresses: list[str], question: Question, *, as_json: bool) -> int:
    """Print a trace for each address. Returns the exit status: 67 if one goes nowhere."""
    failed = False
    for text in addresses:
        tracer = Tracer(file.cf.program.names)
        resolver = file.resolver(tracer)
        row: Row = {"address": text}
        if question.mailer:
            mailer = file.cf.program.mailers.find(question.mailer)
            if mailer is None:
                known = ", ".join(one.name for one in file.cf.program.mailers.numbered())
                fail(f"--mailer {question.mailer}: not in {file.name}; it has {known}", Exit.USAGE)
            result, status = resolver.rewrite_for(octets(text), mailer, question.kind)
            row |= {"mailer": mailer.name, "rewritten": readable(result), "status": status}
        else:
            found = parsed(resolver, text, question.kind)
            row |= _answer(found)
            failed |= "error" in row
        row["runs"] = [run_row(run, file) for run in tracer.runs]
        row["messages"] = [str(one) for one in tracer.messages]
        if tracer.left_out:
            row["left_out"] = tracer.left_out
        emit(row) if as_json else sys.stdout.write("".join(_text(row, _painter())))
    return 67 if failed else 0


def _answer(found: ResolvedAddress | None) -> Row:
    said = triple(found)
    if found is None or found.problem is not None:
        return {"error": said}
    return {
        "mailer": found.mailer,
        "host": readable(found.host),
        "user": readable(found.user),
        "state": found.state.value,
    }


def run_row(run: TraceRun, file: RuleFile) -> Row:
    """A ruleset that was run. tried: rules tried; steps: those that matched."""
    row: Row = {
        "ruleset": run.name,
        "number": run.number,
        "given": run.given,
        "tried": run.tried,
        "steps": [step_row(step, file) for step in run.steps],
        "result": run.result,
        "failed": run.failed,
    }
    if run.messages:
        row["messages"] = [_said(one) for one in run.messages]
    return row


def step_row(step: Step, file: RuleFile) -> Row:
    row: Row = {"file": file.name, "line": step.line, "left": step.left, "right": step.right}
    origin = file.mc.origin(step.line) if file.mc is not None else None
    if origin is not None:
        row["origin"] = {"file": origin.file, "line": origin.line}
        if origin.mc:
            row["mc_line"] = origin.mc
    row["taken"] = [
        {"reference": one.reference, "wildcard": one.wildcard, "text": one.text}
        for one in step.taken
    ]
    row["lookups"] = [_lookup_row(one) for one in step.lookups]
    row["calls"] = [run_row(run, file) for run in step.calls]
    row["result"] = step.result
    if step.messages:
        row["messages"] = [_said(one) for one in step.messages]
    return row


def _said(message: RuleMessage) -> str:
    return readable(str(message))


def _lookup_row(lookup: Lookup) -> Row:
    value = lookup.answer.value
    return {
        "map": lookup.map,
        "key": readable(lookup.key),
        "arguments": list(map(readable, lookup.arguments)),
        "value": None if value is None else readable(value),
        "status": lookup.answer.status,
        "entry": lookup.answer.entry,
    }


# Text


class _Paint:
    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, style: str, text: str) -> str:
        return f"\033[{STYLES[style]}m{text}\033[0m" if self._colours else text


def _painter() -> _Paint:
    return _Paint(colours=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


def _text(row: Row, paint: _Paint) -> Iterator[str]:
    yield f"{row['address']}\n"
    for run in row["runs"]:
        yield from _run_lines(run, 1, paint)
    for message in row["messages"]:
        yield f"  {paint('message', message)}\n"
    if "left_out" in row:
        yield f"  ({row['left_out']} more rules matched)\n"
    if "error" in row:
        answer = row["error"]
    elif "rewritten" in row:
        answer = f"for mailer {row['mailer']}: {row['rewritten']}"
        answer += " (to be tried again later)" if row["status"] else ""
    else:
        host = f", host {row['host']}" if row["host"] else ""
        later = " (to be tried again later)" if row["state"] == "queue" else ""
        answer = f"mailer {row['mailer']}{host}, user {row['user']}{later}"
    yield f"  => {paint('result', answer)}\n"


def _run_lines(run: Row, depth: int, paint: _Paint) -> Iterator[str]:
    margin = "  " * depth
    yield f"{margin}{paint('ruleset', run['ruleset'])}: {run['given']}\n"
    for step in run["steps"]:
        yield from _step_lines(step, depth + 1, paint)
    for message in run.get("messages", ()):
        yield f"{margin}  {paint('message', message)}\n"
    if run["failed"]:
        yield f"{margin}{run['ruleset']} ends with an error: {run['result']}\n"
    elif run["steps"]:
        yield f"{margin}{run['ruleset']} returns: {run['result']}\n"


def _step_lines(step: Row, depth: int, paint: _Paint) -> Iterator[str]:
    margin = "  " * depth
    rule = paint("rule", f"R{step['left']}  {step['right']}")
    yield f"{margin}{place(step)}: {rule}\n"
    margin += "  "
    if step["taken"]:
        took = ", ".join(
            f"{one['reference']} ({one['wildcard']}) {one['text'] or 'nothing'}"
            for one in step["taken"]
        )
        yield f"{margin}{took}\n"
    for lookup in step["lookups"]:
        yield f"{margin}{paint('lookup', lookup_text(lookup))}\n"
    for run in step["calls"]:
        yield from _run_lines(run, depth + 1, paint)
    for message in step.get("messages", ()):
        yield f"{margin}{paint('message', message)}\n"
    yield f"{margin}-> {paint('result', step['result'])}\n"


def place(step: Row) -> str:
    """Where a rule stands: the line of the sendmail.cf, or where m4 took it from."""
    if "origin" not in step:
        return f"{Path(step['file']).name}:{step['line']}"
    origin = step["origin"]
    text = f"{'/'.join(Path(origin['file']).parts[-2:])}:{origin['line']}"
    mc = f", {Path(step['file']).name}:{step['mc_line']}" if "mc_line" in step else ""
    return f"{text} (line {step['line']} of the cf{mc})"


def lookup_text(lookup: Row) -> str:
    key = lookup["key"]
    arguments = "".join(f" $@ {one}" for one in lookup["arguments"])
    entry = f" ({lookup['entry']})" if lookup["entry"] else ""
    if lookup["value"] is not None:
        found = f"{lookup['value']!r}{entry}"
    elif lookup["status"] == 75:
        found = "fails for now"
    else:
        found = "not found"
    return f"{lookup['map']}({key}{arguments}) = {found}"


def question(*, sender: bool, kind: Literal["envelope", "header"], mailer: str | None) -> Question:
    return Question(sender, kind == "header", mailer or "")
