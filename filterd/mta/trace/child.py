"""The process that traces what a stranger gave: request on standard input, answer on standard
output, both JSON.

A configuration is a program, and an mc file is one for m4. What this process must not do, the
kernel refuses it: from the beginning no file can be opened but sendmail's m4 files and what m4
itself is made of, where there is an mc file, and nothing but m4 can be run (Landlock). When m4 has
ended nothing at all can be opened any more, no file and no socket (RLIMIT_NOFILE). Where there is
no Landlock, mc files are refused: m4 includes every file that it may read.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from filterd.mta.bt.machine import named_host
from filterd.mta.cf.host import Host
from filterd.mta.cf.parser import parse
from filterd.mta.mc.build import AnyUsers, Build, McError, build_text
from filterd.mta.mc.macros import MacroFiles, NoMacrosError
from filterd.mta.sendmail.macros import VERSION
from filterd.mta.trace.configuration import RuleFile
from filterd.mta.trace.given import GivenFiles
from filterd.mta.trace.lookups import Row
from filterd.mta.trace.request import ANSWER_LIMIT, CPU_LIMIT, TraceRequest
from filterd.mta.trace.rows import UnknownMailerError, answer_text, in_order, traced
from filterd.system.confinement import confine_files, die_with_parent, no_new_files

MEMORY_LIMIT = 256 << 20
"""Octets of memory, above what the process uses at its start."""

STEP_LIMIT = 3000
"""Rules and calls that are told of all addresses together; with a stock file an address has 50."""

MESSAGE_LIMIT = 100
"""Messages of each kind."""

LOADER_CACHE = Path("/etc/ld.so.cache")

START_LIMIT = 10.0
"""Seconds for m4 to say what it is made of; it takes some milliseconds."""

_ANSWERS = ("mailer", "host", "user", "state", "rewritten", "error")


class TraceRefusedError(Exception):
    """The request cannot be carried out; the text is for who asked."""


def main(arguments: list[str]) -> int:
    """`python -m filterd.mta.trace.child [MACROS]`."""
    die_with_parent()
    request = TraceRequest.from_json(sys.stdin.buffer.read())
    _limit()
    try:
        answer = answered(request, Path(arguments[0]) if arguments else None)
    except (TraceRefusedError, UnknownMailerError, NoMacrosError, McError) as error:
        answer = {"refused": str(error)}
    except MemoryError:
        answer = {"refused": f"it would take more than {MEMORY_LIMIT >> 20} MiB of memory"}
    sys.stdout.write(json.dumps(answer))
    return 0


def _limit() -> None:
    """Soft limits: m4 has its own, which are higher."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    for limit, most in (
        (resource.RLIMIT_CPU, CPU_LIMIT),
        (resource.RLIMIT_AS, pages * resource.getpagesize() + MEMORY_LIMIT),
        (resource.RLIMIT_FSIZE, ANSWER_LIMIT),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)  # noqa: PLW2901
        resource.setrlimit(limit, (most, hard))


def answered(request: TraceRequest, macros: Path | None) -> Row:
    """The answer; from here on this process cannot open anything."""
    name = f"sendmail.{'mc' if request.is_mc else 'cf'}"
    made = _built(request, Path(name), macros)
    no_new_files()
    text = request.text if made is None else made.text
    given = GivenFiles(
        {one: data.encode("utf-8", "surrogateescape") for one, data in request.files.items()}
    )
    cf = parse(text, name, given.class_file, host=_host(request.host), users=AnyUsers())
    file = RuleFile(cf, name, made, given)
    addresses: list[Row] = []
    if text:
        room = STEP_LIMIT
        for address in request.addresses:
            row = traced(file, address, request.question, room)
            steps = list(in_order(row))
            room = max(room - sum(one["kind"] in ("rule", "ruleset") for one in steps), 0)
            addresses.append(
                {
                    "address": address,
                    "answer": answer_text(row),
                    **{key: row[key] for key in _ANSWERS if key in row},
                    "steps": steps,
                    "left_out": row.get("left_out", 0),
                }
            )
    return {
        "is_mc": request.is_mc,
        "messages": [] if made is None else _messages(made),
        "problems": cf.problems[:MESSAGE_LIMIT] if text else [],
        "not_read": [*_unread(made), *given.missing],
        "not_looked_up": [{"map": one, "why": why} for one, why in given.unasked.items()],
        "addresses": addresses,
    }


def _built(request: TraceRequest, path: Path, macros: Path | None) -> Build | None:
    """What m4 makes of an mc file, None for a sendmail.cf. Raises TraceRefusedError, McError,
    NoMacrosError."""
    if not request.is_mc:
        confine_files()
        return None
    files = MacroFiles.find(macros)
    if not confine_files([files.folder, LOADER_CACHE], _m4_files()):
        raise TraceRefusedError(
            "this kernel has no Landlock (Linux 5.13), and without it m4 would read every file "
            "that filterd may read; expected a sendmail.cf, which `filterd mta build` makes"
        )
    return build_text(request.text, path, files)


def _m4_files() -> set[Path]:
    """m4, its loader and its libraries: what is mapped into it, as it says itself (proc(5)). Whole
    folders of libraries would have more in them than that."""
    program = shutil.which("m4")
    if program is None:
        return set()
    said = subprocess.run(
        [program],
        input=b"undivert(`/proc/self/maps')",
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        timeout=START_LIMIT,
    ).stdout
    mapped = [line.split(maxsplit=5)[5:] for line in said.decode("utf-8", "replace").splitlines()]
    return {Path(program), *(Path(one[0]) for one in mapped if one and one[0].startswith("/"))}


def _host(name: str) -> Host:
    return named_host(name or "localhost", VERSION, "t", "nobody")


def _messages(made: Build) -> list[Row]:
    return [
        {"line": one.line, "severity": one.severity, "text": one.text(made.source)}
        for one in made.messages[:MESSAGE_LIMIT]
    ]


def _unread(made: Build | None) -> list[str]:
    """The files that an mc file includes from elsewhere."""
    if made is None:
        return []
    named = (Path("/" + one.path.lstrip("/")) for one in made.includes)
    return [str(one) for one in dict.fromkeys(named) if not one.is_relative_to(made.files.folder)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
