"""m4 on an mc file: within limits, without a shell, and every message with its line.

An mc file is a program: m4 runs commands (`syscmd`, `esyscmd`) and writes files (`debugfile`,
`maketemp`) when the text says so, and such a text may come from a stranger. So the text goes in
behind a few definitions that take those macros away. sendmail's own files use them for one thing,
the three lines "built by …" at the top, which are made here. Reading other files (`include`,
`sinclude`) is what an mc file is for and stays.

The same definitions write to standard error which file is included from where, and the place of
each `errprint`: m4 says nothing of either. The marks hold a random word, so that no text of the
file can be taken for one.

The whole text is given to m4 on standard input, once and as it was read. Source: GNU m4 1.4.19
manual; sendmail 8.17 `cf/m4/cfhead.m4`.
"""

from __future__ import annotations

import os
import pwd
import re
import resource
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from filterd.mta.mc.macros import FOLDERS, MacroFiles

CPU_LIMIT = 20
"""Seconds of processor time for m4; the largest example takes 0.1."""

TIME_LIMIT = 60.0
"""Seconds until m4 is stopped: it may read from a pipe in which nothing comes."""

MEMORY_LIMIT = 512 << 20
"""Octets of memory for m4: a macro that calls itself twice would take all there is."""

OUTPUT_LIMIT = 8 << 20
"""Octets that m4 may write to one file; a sendmail.cf has 60,000."""

STDIN = "stdin"
"""m4's name for the text that it is given."""

_PRELUDE = """\
divert(-1)
define(`_WORD_err', defn(`errprint'))
define(`_WORD_include', defn(`include'))
define(`_WORD_sinclude', defn(`sinclude'))
define(`_WORD_text')
define(`_WORD_mark', `_WORD_err(`WORD'$1`:'__file__`:'__line__`:')dnl
_WORD_err(defn(`_WORD_text'))_WORD_err(`
')')
define(`_WORD_mark_with', `define(`_WORD_text', `$2')_WORD_mark(`$1')define(`_WORD_text')')
define(`errprint', `ifelse(`$#', `0', ``errprint'', `_WORD_mark(`!')_WORD_err($@)_WORD_err(`
WORD.
')')')
define(`_WORD_place', `PLACES')
define(`_WORD_longer', `ifelse(index(`$1', `/'), `0', `/', `./')defn(`_WORD_n($1)')')
define(`_WORD_again', `ifdef(`_WORD_n($1)', `define(`_WORD_n($1)', _WORD_longer(`$1'))', dnl
`define(`_WORD_n($1)')')defn(`_WORD_n($1)')`$1'')
define(`_WORD_open', `_WORD_mark_with(`<', `$2')$1(`$2')')
define(`_WORD_file', `_WORD_open(`$1', _WORD_again(_WORD_place(`$2')))')
define(`_WORD_built', `BUILT')
define(`include', `ifelse(`$#', `0', ``include'', `$1', `WORDbuilt', dnl
`defn(`_WORD_built')define(`__HOST__', `HOST')', `_WORD_file(`_WORD_include', `$1')')')
define(`sinclude', `ifelse(`$#', `0', ``sinclude'', `_WORD_file(`_WORD_sinclude', `$1')')')
define(`maketemp', `ifelse(`$#', `0', ``maketemp'', `WORDbuilt')')
define(`_WORD_own', `ifelse(`$1', `rm -f WORDbuilt', `1', eval(index(`$1', `makeinfo.sh') >= 0))')
define(`syscmd', `ifelse(`$#', `0', ``syscmd'', _WORD_own(`$1'), `1', `', dnl
`_WORD_mark_with(`?', `syscmd')')')
define(`esyscmd', `ifelse(`$#', `0', ``esyscmd'', `_WORD_mark_with(`?', `esyscmd')')')
undefine(`builtin', `debugfile', `debugmode', `traceon', `traceoff', `mkstemp', `changeword')
divert(0)dnl
"""


class M4Error(Exception):
    """m4 could not be run, or did not come to its end."""


@dataclass(frozen=True, slots=True)
class Include:
    """A file that m4 opened, as its name appears in sync lines, and the place that asked for it."""

    path: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Said:
    """A message. file, line: where m4 was. own: from m4 itself, not by `errprint`."""

    text: str
    file: str
    line: int
    own: bool = False


@dataclass(slots=True)
class Output:
    """What m4 made of a text. Lines of the text itself are counted from 1 and in `stdin`."""

    text: str = ""
    status: int = 0
    places: list[tuple[str, int]] = field(default_factory=list)
    """File and line that each line of the text comes from, if that was asked for."""
    includes: list[Include] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    refused: list[Said] = field(default_factory=list)
    """Calls of macros that are not carried out (`text` is the name)."""


def run(
    mc: str, files: MacroFiles, folder: Path, *, include_cf: bool = True, sync: bool = False
) -> Output:
    """Run m4 on the text of an mc file. Raises M4Error.

    folder: where the mc file is; relative names of included files start there. include_cf: have
    cf.m4 included first, for an mc file that does not do so itself. sync: find out where each line
    comes from.
    """
    program = shutil.which("m4")
    if program is None:
        raise M4Error("there is no m4 to run; it is in the package m4")
    word = f"f{secrets.token_hex(8)}"
    before = _prelude(word, files, folder)
    if include_cf:
        before += f"include(`{files.folder}/m4/cf.m4')dnl\n"
    arguments = ["m4", *(["-s"] if sync else []), f"-D_CF_DIR_={files.folder}/"]
    arguments += [f"-I{files.folder / 'cf'}", "-"]
    with _in_memory("out") as out, _in_memory("err") as err:
        status = _limited(program, arguments, folder, before + mc, out.fileno(), err.fileno())
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(OUTPUT_LIMIT + 1).decode("utf-8", "surrogateescape"))
    output = Output(texts[0], status)
    shift = before.count("\n")
    _read_messages(output, texts[1], word, shift)
    if status < 0 or len(texts[0]) >= OUTPUT_LIMIT or "memory exhausted" in texts[1]:
        raise M4Error(
            f"m4 did not come to an end within {CPU_LIMIT} s of processor time, "
            f"{MEMORY_LIMIT >> 20} MiB of memory and {OUTPUT_LIMIT >> 20} MiB of output; "
            "a macro that calls itself does that"
        )
    if sync:
        _take_out_places(output, shift)
    return output


def _in_memory(name: str) -> BinaryIO:
    """A file without a name in any folder, so that m4 runs where no file may be made."""
    return os.fdopen(os.memfd_create(name), "w+b")


def _prelude(word: str, files: MacroFiles, folder: Path) -> str:
    host = socket.gethostname()
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    built = (
        f"##### built by {user}@{host} on {time.strftime('%a %b %e %H:%M:%S %Z %Y')}\n"
        f"##### in {folder}\n"
        f"##### using {files.folder}/ as configuration include directory\n"
    )
    place = "`$1'"
    for one in FOLDERS:
        if one != files.folder:
            # A file may name another distribution's folder, as Debian's do.
            begin = f"{one}/"
            place = (
                f"ifelse(index(`$1', `{begin}'), `0', "
                f"``{files.folder}/'substr(`$1', `{len(begin)}')', `{place}')"
            )
    text = _PRELUDE.replace("PLACES", place).replace("BUILT", built).replace("HOST", host)
    return text.replace("WORD", word)


def _limited(
    program: str, arguments: list[str], folder: Path, text: str, out: int, err: int
) -> int:
    """Run m4; its exit status, negative if it was stopped."""
    process = subprocess.Popen(
        arguments,
        executable=program,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=err,
    )
    with process:
        # It has nothing to read before this.
        for limit, most in (
            (resource.RLIMIT_CPU, CPU_LIMIT),
            (resource.RLIMIT_AS, MEMORY_LIMIT),
            (resource.RLIMIT_FSIZE, OUTPUT_LIMIT),
        ):
            resource.prlimit(process.pid, limit, (most, most))
        try:
            process.communicate(text.encode("utf-8", "surrogateescape"), TIME_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            return -1
        except BaseException:
            process.kill()
            raise
    return process.returncode


def _read_messages(output: Output, text: str, word: str, shift: int) -> None:
    """Take standard error apart."""

    def place(file: str, line: str) -> tuple[str, int]:
        return file, int(line) - (shift if file == STDIN else 0)

    mark = re.compile(rf"{word}([<?!]):(.*?):(\d+):(.*)")
    own = re.compile(r"m4:(?:(.*?):(\d+): )?(.*)")
    said: list[str] | None = None
    at = ("", 0)
    for line in text.split("\n"):
        if said is not None:
            if line == f"{word}.":
                output.said.append(Said("\n".join(said).strip(), *at))
                said = None
            else:
                said.append(line)
        elif (match := mark.fullmatch(line)) is not None:
            kind, file, number, rest = match.groups()
            at = place(file, number)
            if kind == "!":
                said = []
            elif kind == "<":
                output.includes.append(Include(rest, *at))
            else:
                output.refused.append(Said(rest, *at))
        elif (match := own.fullmatch(line)) is not None:
            output.said.append(Said(match[3], *place(match[1] or "", match[2] or "0"), own=True))
        elif line and not line.startswith(word):
            output.said.append(Said(line, "", 0, own=True))


def _take_out_places(output: Output, shift: int) -> None:
    """Take the sync lines out of the text, and note for each line left where it comes from.

    m4 writes one in the middle of a line where a diversion begins or ends there.
    """
    file, line = "", 0
    kept: list[str] = []
    begun = ""
    for one in output.text.split("\n"):
        before, _, place = one.rpartition("#line ")
        match = re.fullmatch(r'(\d+)(?: "(.*)")?', place) if "#line " in one else None
        if match is not None:
            begun += before
            line = int(match[1])
            file = file if match[2] is None else match[2]
            continue
        kept.append(begun + one)
        begun = ""
        output.places.append((file, line - (shift if file == STDIN else 0)))
        line += 1
    output.text = "\n".join(kept)
