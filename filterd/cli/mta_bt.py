"""`filterd mta bt`: sendmail's address test mode for a sendmail.cf."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from filterd.cli.exits import Exit
from filterd.mta.bt.around import Around
from filterd.mta.bt.debug import DebugLevels
from filterd.mta.bt.machine import HelpTopics, NamesByMaps, host, user_name
from filterd.mta.bt.session import PROMPT, TestMode
from filterd.mta.cf.config import CfError
from filterd.mta.cf.marks import octets
from filterd.mta.maps.opening import MapSite, open_maps
from filterd.mta.sendmail.cf_files import MachineUsers, parse_cf, read_text
from filterd.mta.sendmail.macros import VERSION

LINE_LIMIT = 2047
"""Octets of a line that is typed; sendmail takes the rest for another line."""

DEFAULT_CF = "/etc/mail/sendmail.cf"

USAGE = """\
Usage: filterd mta bt [-C FILE] [-dFLAGS] [-M{NAME}VALUE] [-oXVALUE] [-O NAME=VALUE]

sendmail's address test mode: rules, addresses, maps and macros of a sendmail.cf by hand.
Type `?` for help. Options are sendmail's:

  -C FILE         the configuration, /etc/mail/sendmail.cf if not given
  -d21.12,60.5    debug output: rules (21), lookups (60)
  -M{NAME}VALUE   define a macro, -MxVALUE for one of one letter
  -O NAME=VALUE   set an option; -oXVALUE by its letter
"""


def bt(arguments: list[str]) -> int:
    """Run test mode on standard input and output. Returns the exit status."""
    given = _given(arguments)
    if given is None:
        sys.stderr.write(USAGE)
        return Exit.USAGE
    path, levels, preset = given
    out = sys.stdout.buffer
    try:
        text = read_text(Path(path))
    except CfError as error:
        sys.stderr.write(f"{error}\n")
        return error.status
    users = MachineUsers(asks_resolver=True)
    cf = parse_cf(
        text,
        path,
        host=host(VERSION, "t"),
        users=users,
        preset=preset,
        allows_programs=True,
    )
    maps = open_maps(cf, cf.program.definitions, MapSite(allows_programs=True))
    around = Around(maps, NamesByMaps(maps), HelpTopics(cf), VERSION, user_name(), os.getuid() == 0)
    mode = TestMode(
        cf, around, levels, lambda text: _write(out, text.encode("utf-8", "surrogateescape"))
    )
    maps.alias_rules = lambda: mode.resolver
    mode.start()
    lines = iter(()) if cf.has_ended else _lines(sys.stdin.buffer, out)
    for line in lines:
        mode.line(line)
        if mode.ended:
            break
    out.flush()
    return mode.exit_status


def _given(arguments: list[str]) -> tuple[str, DebugLevels, list[str]] | None:
    """The file, debug levels and lines of configuration; None for a mistake."""
    path, levels, preset = DEFAULT_CF, DebugLevels(), []
    rest = list(arguments)
    while rest:
        one = rest.pop(0)
        letter, value = one[:2], one[2:]
        if letter in ("-C", "-M", "-o", "-O") and not value:
            if not rest:
                return None
            value = rest.pop(0)
        if letter == "-C":
            path = value
        elif letter == "-d":
            levels.set(value)
        elif letter == "-M":
            preset.append(f"D{octets(value)}")
        elif letter == "-o":
            preset.append(f"O{octets(value)}")
        elif letter == "-O":
            preset.append(f"O {octets(value)}")
        elif letter != "-v":
            return None
    return path, levels, preset


def _write(out: BinaryIO, data: bytes) -> None:
    out.write(data)


def _lines(stdin: BinaryIO, out: BinaryIO) -> Iterator[str]:
    """The lines typed, with a prompt before each."""
    while True:
        out.write(PROMPT.encode())
        out.flush()
        line = stdin.readline(LINE_LIMIT)
        if not line:
            return
        yield line.rstrip(b"\n").decode("ascii", "surrogateescape")
