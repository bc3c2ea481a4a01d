"""`filterd mta build`: a sendmail.cf of a sendmail.mc, and what is wrong with the mc."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from filterd.cli.common import Exit, emit, fail, reported
from filterd.mta.mc.build import Build, McError, build
from filterd.mta.mc.changes import Change, changes
from filterd.mta.mc.explain import explain as explanations
from filterd.mta.mc.macros import MacroFiles, NoMacrosError
from filterd.system.bounded import read_regular
from filterd.system.durable import write_atomically

CF_LIMIT = 8 << 20
"""Octets of the sendmail.cf that is compared with the new one."""

SHOWN_LINES = 8
"""Lines of the sendmail.cf that are shown for one directive; `--json` has all of them."""

READABLE = 0o644
"""Mode of a new sendmail.cf: every user's sendmail reads it."""


@contextlib.contextmanager
def mc_errors() -> Iterator[None]:
    """End with status 78 where the mc file or the m4 files are at fault."""
    with reported(Exit.CONFIG, McError, NoMacrosError):
        yield


def run(
    mc: Path,
    output: Path | None,
    macros: Path | None,
    *,
    explain: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build, say what is wrong, write. Exit status 78 if sendmail could not start with the result;
    nothing is written then."""
    with mc_errors():
        made = build(mc, MacroFiles.find(macros))
    if as_json:
        _emit(made)
    else:
        for message in made.messages:
            sys.stderr.write(f"{message.text(made.source)}\n")
    if explain:
        _explain(made, as_json=as_json)
    if made.failed:
        if output is not None:
            fail(f"{output}: not written", Exit.CONFIG)
        raise typer.Exit(Exit.CONFIG)
    data = made.text.encode("utf-8", "surrogateescape")
    if output is None:
        if not (explain or as_json or dry_run):
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return
    _tell(made, output, as_json=as_json)
    if not dry_run:
        # A link stays; the file that it leads to is replaced.
        output = output.resolve()
        mode = READABLE
        with contextlib.suppress(OSError):
            mode = output.stat().st_mode & 0o777
        with reported(Exit.CANNOT_CREATE, OSError):
            write_atomically(output, [data], mode)


def _explain(made: Build, *, as_json: bool) -> None:
    for one in explanations(made):
        if as_json:
            emit(dataclasses.asdict(one))
            continue
        sys.stdout.write(f"{made.source}:{one.line}: {one.directive}\n    {one.meaning}\n")
        for sign, lines in (("+", one.made), ("-", one.taken)):
            for line in (lines or ())[:SHOWN_LINES]:
                sys.stdout.write(f"    {sign} {line}\n")
            if lines and len(lines) > SHOWN_LINES:
                sys.stdout.write(f"    {sign} … {len(lines) - SHOWN_LINES} more\n")
        if one.made == one.taken == ():
            sys.stdout.write("    makes no difference to the sendmail.cf\n")


def _tell(made: Build, output: Path, *, as_json: bool) -> None:
    """Print what differs from the file that is there."""
    try:
        old = read_regular(output, CF_LIMIT).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        if not as_json:
            sys.stdout.write(f"{output}: new, {made.text.count(chr(10))} lines\n")
        return
    except OSError as error:
        fail(f"{output}: {error.strerror}", Exit.CANNOT_CREATE)
    found = list(changes(old, made.text))
    if as_json:
        for change in found:
            emit(
                {
                    "kind": change.kind,
                    "name": change.name,
                    "before": change.before,
                    "after": change.after,
                }
            )
        return
    sys.stdout.write(f"{output}: {_summary(found)}\n")
    for change in found:
        sys.stdout.write(f"{change.text()}\n")


def _summary(found: list[Change]) -> str:
    if not found:
        return "no change"
    kinds: dict[str, int] = {}
    for change in found:
        kinds[change.kind] = kinds.get(change.kind, 0) + 1
    return "changed: " + ", ".join(f"{kind} {number}" for kind, number in kinds.items())


def _emit(made: Build) -> None:
    for message in made.messages:
        emit(
            {
                "file": message.file or made.source,
                "line": message.line,
                "severity": message.severity,
                "message": message.what,
                "expected": message.expected,
            }
        )
