"""`filterd mta trace`: which rules of a sendmail.cf make what of an address."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Literal

from filterd.cli.common import Exit, emit, fail
from filterd.mta.trace.configuration import RuleFile
from filterd.mta.trace.lookups import Row, lookup_text
from filterd.mta.trace.question import TraceQuestion
from filterd.mta.trace.rows import UnknownMailerError, answer_text, place, traced

STYLES = {"ruleset": "1", "rule": "36", "result": "32", "lookup": "35", "message": "31"}
"""Colours of a terminal, ANSI numbers."""


def trace(file: RuleFile, addresses: list[str], question: TraceQuestion, *, as_json: bool) -> int:
    """Print a trace for each address. Returns the exit status: 67 if one goes nowhere."""
    failed = False
    for text in addresses:
        try:
            row = traced(file, text, question)
        except UnknownMailerError as error:
            fail(f"--mailer {error}", Exit.USAGE)
        failed |= "error" in row
        emit(row) if as_json else sys.stdout.write("".join(_text(row, _painter())))
    return 67 if failed else 0


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
    yield f"  => {paint('result', answer_text(row))}\n"


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


def question(
    *, sender: bool, kind: Literal["envelope", "header"], mailer: str | None
) -> TraceQuestion:
    return TraceQuestion(sender, kind == "header", mailer or "")
