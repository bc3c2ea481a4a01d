"""A trace as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from filterd.mta.cf.addresses import ResolvedAddress
from filterd.mta.cf.marks import octets, readable
from filterd.mta.cf.observer import Lookup, RuleMessage
from filterd.mta.cf.trace import MAX_STEPS, RuleStep, Tracer, TraceRun
from filterd.mta.trace.configuration import RuleFile, parsed, triple
from filterd.mta.trace.lines import with_line
from filterd.mta.trace.lookups import Row
from filterd.mta.trace.question import TraceQuestion


class UnknownMailerError(Exception):
    """There is no such mailer; the text names those that there are."""


def traced(file: RuleFile, text: str, question: TraceQuestion, limit: int = MAX_STEPS) -> Row:
    """What an address becomes, and each rule that matched: `runs`, the rulesets that sendmail runs.

    limit: rules that are remembered; how many more matched is in `left_out`. An address that goes
    nowhere has an `error`. Raises UnknownMailerError.
    """
    tracer = Tracer(file.cf.program.names, limit)
    resolver = file.resolver(tracer)
    row: Row = {"address": text}
    if question.mailer:
        mailer = file.cf.program.mailers.find(question.mailer)
        if mailer is None:
            known = ", ".join(one.name for one in file.cf.program.mailers.numbered())
            raise UnknownMailerError(f"{question.mailer}: not in {file.name}; it has {known}")
        result, status = resolver.rewrite_for(octets(text), mailer, question.kind)
        row |= {"mailer": mailer.name, "rewritten": readable(result), "status": status}
    else:
        row |= _answer(parsed(resolver, text, question.kind))
    row["runs"] = [run_row(run, file) for run in tracer.runs]
    row["messages"] = [str(one) for one in tracer.messages]
    if tracer.left_out:
        row["left_out"] = tracer.left_out
    return row


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


def step_row(step: RuleStep, file: RuleFile) -> Row:
    """A rule that matched, where it stands, and what became of it."""
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
    row["lookups"] = [_lookup_row(one, file) for one in step.lookups]
    row["calls"] = [run_row(run, file) for run in step.calls]
    row["result"] = step.result
    if step.messages:
        row["messages"] = [_said(one) for one in step.messages]
    return row


def _said(message: RuleMessage) -> str:
    return readable(str(message))


def _lookup_row(lookup: Lookup, file: RuleFile) -> Row:
    value = lookup.answer.value
    row: Row = {
        "map": lookup.map,
        "key": readable(lookup.key),
        "arguments": list(map(readable, lookup.arguments)),
        "value": None if value is None else readable(value),
        "status": lookup.answer.status,
        "entry": with_line(lookup.answer.entry, lookup.key),
    }
    if file.given is not None and (why := file.given.unasked.get(lookup.map.lower())):
        row["not_looked_up"] = why
    return row


# In words


def answer_text(row: Row) -> str:
    """What became of an address, as a sentence."""
    if "error" in row:
        return str(row["error"])
    if "rewritten" in row:
        later = " (to be tried again later)" if row["status"] else ""
        return f"for mailer {row['mailer']}: {row['rewritten']}{later}"
    host = f", host {row['host']}" if row["host"] else ""
    later = " (to be tried again later)" if row["state"] == "queue" else ""
    return f"mailer {row['mailer']}{host}, user {row['user']}{later}"


def place(step: Row) -> str:
    """Where a rule stands: the line of the sendmail.cf, or where m4 took it from."""
    if "origin" not in step:
        return f"{Path(step['file']).name}:{step['line']}"
    origin = step["origin"]
    text = f"{'/'.join(Path(origin['file']).parts[-2:])}:{origin['line']}"
    mc = f", {Path(step['file']).name}:{step['mc_line']}" if "mc_line" in step else ""
    return f"{text} (line {step['line']} of the cf{mc})"


# In order, without nesting


def in_order(row: Row) -> Iterator[Row]:
    """What happened to an address, from the first to the last, each with its `depth` and `kind`:

    `ruleset`: one is entered with the workspace `given`. `rule`: one matched, with its place, what
    was before (`given`) and what its wildcards took; its lookups. `result`: the workspace after
    it. `return`: the ruleset ends. `message`: sendmail says something.
    """
    for run in row["runs"]:
        yield from _run_events(run, 0)
    for message in row["messages"]:
        yield {"kind": "message", "depth": 0, "text": message}


def _run_events(run: Row, depth: int) -> Iterator[Row]:
    here = {"depth": depth, "ruleset": run["ruleset"]}
    yield {"kind": "ruleset", **here, "number": run["number"], "given": run["given"]}
    given = run["given"]
    for step in run["steps"]:
        rule = {name: step[name] for name in ("line", "left", "right", "taken", "lookups")}
        yield {"kind": "rule", **here, "place": place(step), "given": given, **rule}
        for call in step["calls"]:
            yield from _run_events(call, depth + 1)
        for message in step.get("messages", ()):
            yield {"kind": "message", **here, "text": message}
        given = step["result"]
        yield {"kind": "result", **here, "result": given}
    for message in run.get("messages", ()):
        yield {"kind": "message", **here, "text": message}
    yield {"kind": "return", **here, "result": run["result"], "failed": run["failed"]}
