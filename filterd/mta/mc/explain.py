"""Each directive of an mc file in words, with the lines of the sendmail.cf that are there for it.

Which lines those are is found by trial: the sendmail.cf is made once more without the directive,
and what is missing then came of it, what is new then it had taken away.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.mta.mc import knowledge
from filterd.mta.mc.build import Build, lines_made
from filterd.mta.mc.scan import RAW_SECTIONS, Call

TRIALS = 400
"""How many directives are tried, at some 15 ms each; of the others only the meaning is told."""

TRIAL_TIME = 60.0
"""Seconds for all of them together."""

SILENT = frozenset({"VERSIONID", "divert", "changequote", "dnl", "ifelse", "ifdef"})
"""What makes no lines by itself, or cannot be left out alone."""

UNKNOWN = "filterd does not know this one."


@dataclass(frozen=True, slots=True)
class DirectiveExplanation:
    """One directive. made, taken: lines of the sendmail.cf that are there, and that are not, for
    its sake; None if that was not tried."""

    line: int
    directive: str
    meaning: str
    made: tuple[str, ...] | None = None
    taken: tuple[str, ...] | None = None


def explain(build: Build) -> Iterator[DirectiveExplanation]:
    """Yield every directive of the mc file in its order."""
    source = build.mc.split("\n")
    base = lines_made(Path(build.source), build.mc, build.files)
    trials, end = 0, time.monotonic() + TRIAL_TIME
    for call in build.scan.calls:
        if call.spaced or call.name not in (build.files.directives | set(knowledge.DIRECTIVES)):
            continue
        made = taken = None
        alone = not call.nested and call.name not in SILENT and call.name not in RAW_SECTIONS
        if alone and base is not None and trials < TRIALS and time.monotonic() < end:
            trials += 1
            without = _without(source, call)
            other = lines_made(Path(build.source), without, build.files) if without else None
            if other is not None:
                made, taken = _missing(base, other), _missing(other, base)
        elif call.name in RAW_SECTIONS:
            made = tuple(
                one.text
                for one in build.scan.lines
                if one.section == call.name and not one.text.startswith("#")
            )
        yield DirectiveExplanation(call.line, _shown(call), describe(call), made, taken)


def describe(call: Call) -> str:
    """What a directive means, its values put in."""
    arguments = [" ".join(one.text.split()) for one in call.arguments]
    if call.name in ("FEATURE", "MAILER"):
        table = knowledge.FEATURES if call.name == "FEATURE" else knowledge.MAILERS
        text = table.get(arguments[0] if arguments else "", UNKNOWN)
        given = ", ".join(filter(None, arguments[1:]))
        said = _filled(text, arguments[1:])
        return f"{said} Given: {given}" if given and "{1}" not in text else said
    if call.name == "define" and arguments:
        value = ", ".join(arguments[1:]) or "nothing"
        text = knowledge.meaning(arguments[0])
        if text:
            return f"{text} Here: {value}"
        return f"Gives {arguments[0]} the value {value}. {UNKNOWN}"
    return _filled(knowledge.DIRECTIVES.get(call.name, UNKNOWN), arguments)


def _filled(text: str, arguments: list[str]) -> str:
    """The sentence with the arguments in it."""

    def put(match: re.Match[str]) -> str:
        before, number, after = match[1] or "", match[2], match[3]
        value = arguments[int(number) - 1] if int(number) <= len(arguments) else ""
        if not value and before in (" (", ": "):
            return after.removeprefix(")")
        return f"{before}{value or 'nothing'}{after}"

    return re.sub(r"( \(|: )?\{(\d)\}(\)?)", put, text)


def _shown(call: Call) -> str:
    if not call.arguments:
        return call.name
    text = ", ".join(one.raw.strip() for one in call.arguments)
    return f"{call.name}({' '.join(text.split())})"


def _without(source: list[str], call: Call) -> str:
    """The mc file without the lines of a directive, empty if others stand on them."""
    first, last = source[call.line - 1], call.after.strip()
    if not re.match(rf"\s*{call.name}\(", first) or not re.match(r"(?:dnl.*)?$", last):
        return ""
    kept = [*source[: call.line - 1], *["dnl"] * (call.end - call.line + 1), *source[call.end :]]
    return "\n".join(kept)


def _missing(lines: list[str], others: list[str]) -> tuple[str, ...]:
    """The lines that the others do not have, as often as they are missing."""
    counted = Counter(others)
    found = []
    for line in lines:
        if counted[line]:
            counted[line] -= 1
        else:
            found.append(line)
    return tuple(found)
