"""From an mc file to a sendmail.cf, with the origin of each line and all that is wrong."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from filterd.mta.cf.mailers import Users
from filterd.mta.cf.parser import parse
from filterd.mta.mc.macros import MacroFiles
from filterd.mta.mc.messages import McMessage
from filterd.mta.mc.naming import naming
from filterd.mta.mc.order import order
from filterd.mta.mc.run import STDIN, Include, M4Error, Output, Said, run
from filterd.mta.mc.scan import CONDITIONS, CopiedLine, Scan, scan
from filterd.mta.mc.values import FILTERS, values
from filterd.mta.mc.writing import writing
from filterd.system.bounded import read_regular

MC_LIMIT = 1 << 18
"""Octets of an mc file; the largest example has 10,000."""

MESSAGE_LIMIT = 500
"""Messages that are told; nobody reads more."""

_INCLUDED = re.compile(r"\binclude\(([^()\n]*+)\)")

DEFINED_LETTERS = {
    "SMART_HOST": "S",
    "MAIL_HUB": "H",
    "LOCAL_RELAY": "R",
    "LUSER_RELAY": "L",
    "BITNET_RELAY": "B",
    "DECNET_RELAY": "C",
    "FAX_RELAY": "F",
    "UUCP_RELAY": "Y",
    "confDOMAIN_NAME": "j",
    "confMAILER_NAME": "n",
    "confCF_VERSION": "Z",
}
"""Defines that become a macro of the sendmail.cf, and its letter."""


class McError(Exception):
    """An mc file that cannot be read or built at all."""


@dataclass(frozen=True, slots=True)
class LineOrigin:
    """Where a line of a sendmail.cf comes from.

    file, line: the m4 file, or the mc file itself. mc: the line of the mc file that had it made, 0
    if that is not known: what proto.m4 makes of all the settings together belongs to none.
    """

    file: str
    line: int
    mc: int = 0


@dataclass(slots=True)
class Build:
    """What was made of an mc file. text: the sendmail.cf, empty if m4 made none. origins: of each
    of its lines, from the first."""

    source: str
    mc: str
    scan: Scan
    files: MacroFiles
    text: str = ""
    origins: tuple[LineOrigin, ...] = ()
    messages: list[McMessage] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether sendmail could not start with it."""
        return any(message.severity == "error" for message in self.messages)

    def origin(self, number: int) -> LineOrigin | None:
        """The origin of a line of the sendmail.cf, counted from 1."""
        return self.origins[number - 1] if 0 < number <= len(self.origins) else None


def read_mc(path: Path) -> str:
    """The text of an mc file. Raises McError."""
    try:
        data = read_regular(path, MC_LIMIT)
    except OSError as error:
        raise McError(f"{path}: cannot open: {error.strerror}") from None
    if (zero := data.find(0)) >= 0:
        line = data[:zero].count(b"\n") + 1
        raise McError(f"{path}:{line}: has a NUL octet; expected the text of a sendmail.mc")
    return data.decode("utf-8", "surrogateescape")


def make_cf(path: Path, files: MacroFiles) -> str:
    """The sendmail.cf alone, without checks. Raises McError if m4 complains for itself."""
    text = read_mc(path)
    output = _run(path, text, files)
    if output.status:
        said = [f"{_place(path, one)}: {one.text}" for one in output.said if one.own]
        raise McError("\n".join(said) or f"{path}: m4 ended with status {output.status}")
    return output.text


def includes_cf(text: str) -> bool:
    """Whether an mc file includes cf.m4 itself, as Debian's do."""
    read = (line.partition("#")[0] for line in text.split("\n"))
    files = (file for line in read for file in _INCLUDED.findall(line))
    return any(file.strip().strip("`'").endswith("m4/cf.m4") for file in files)


def build(path: Path, files: MacroFiles) -> Build:
    """Build an mc file and look for mistakes. Raises McError."""
    return build_text(read_mc(path), path, files)


def build_text(text: str, path: Path, files: MacroFiles) -> Build:
    """Build the text of an mc file. path: its name in messages; included files are looked for
    where it is. Raises McError."""
    own_include = includes_cf(text)
    found = scan(text, files.directives, comments=own_include)
    made = Build(str(path), text, found, files)
    output = _run(path, text, files)
    placed = _run(path, text, files, sync=True)
    made.includes = placed.includes
    own = [*writing(text, found, files), *naming(text, found, files), *values(found)]

    def make(changed: str) -> str:
        try:
            return _significant(_run(path, changed, files).text)
        except McError:
            return ""

    if not output.status:
        own += order(text, found, files, output.includes, make, _significant(output.text))
        made.text = output.text
        if without_stamp(placed.text) == without_stamp(output.text):
            made.origins = tuple(_origins(made, placed))
        own = list(_refused_by_sendmail(made, own))
    own = list(_from_m4(output, found, own))
    own += [
        McMessage(
            _mc_line(one.file, one.line, output.includes),
            f"{one.text} is not run: an mc file may not start programs here",
            "the text itself, or an include of a file that a program wrote before",
        )
        for one in output.refused
    ]
    if output.status and not any(message.severity == "error" for message in own):
        own.append(McMessage(0, f"m4 ended with status {output.status}", "", "error"))
    ordered = sorted(
        set(own), key=lambda one: (one.line == 0, one.line, one.severity, one.file, one.what)
    )
    made.messages = ordered[:MESSAGE_LIMIT]
    if len(ordered) > MESSAGE_LIMIT:
        more = f"there are {len(ordered) - MESSAGE_LIMIT} more messages"
        failed = any(one.severity == "error" for one in ordered)
        made.messages.append(McMessage(0, more, "", "error" if failed else "warning"))
    return made


def lines_made(path: Path, text: str, files: MacroFiles) -> list[str] | None:
    """The lines of the sendmail.cf that m4 makes of a text, without comments; None if it fails."""
    try:
        output = _run(path, text, files)
    except McError:
        return None
    return None if output.status else _significant(output.text).split("\n")


def without_stamp(text: str) -> str:
    """A sendmail.cf without the comments that say who built it, when and where."""
    return re.sub(r"(?m)^##### (?:built by|in|using) .*\n", "", text, count=3)


def _significant(text: str) -> str:
    """The lines that sendmail reads."""
    return "\n".join(line for line in text.split("\n") if line and not line.startswith("#"))


def _run(path: Path, text: str, files: MacroFiles, *, sync: bool = False) -> Output:
    include_cf = not includes_cf(text)
    try:
        return run(text, files, path.resolve().parent, include_cf=include_cf, sync=sync)
    except M4Error as error:
        raise McError(f"{path}: {error}") from None
    except OSError as error:
        raise McError(f"{path}: m4: {error.strerror}") from None


def _place(path: Path, said: Said) -> str:
    file = str(path) if said.file in (STDIN, "") else said.file
    return f"{file}:{said.line}" if said.line else file


def _mc_line(file: str, line: int, includes: list[Include]) -> int:
    """The line of the mc file that had a file read; 0 if none had."""
    by_path = {one.path: one for one in includes}
    for _ in range(len(includes) + 1):
        if file == STDIN:
            return max(line, 0)
        if file not in by_path:
            return 0
        file, line = by_path[file].file, by_path[file].line
    return 0


# Origins


def _origins(made: Build, placed: Output) -> Iterator[LineOrigin]:
    """The origin of each line.

    m4's sync lines are right about the file, and about the line only roughly: a text in quotes has
    the line on which it ends, and after `dnl` or a diversion m4 is late. So the same line is looked
    for nearby in that file, and lines that single directives have made are given to them.
    """
    claims = _claims(made.scan, made.files)
    written = _written(made.scan, made.files)
    sources: dict[str, _Source] = {STDIN: _Source(made.mc, made.scan.lines)}
    chains: dict[str, int] = {}
    for (file, line), text in zip(placed.places, placed.text.split("\n"), strict=True):
        if text in written:
            yield LineOrigin(made.source, written[text], written[text])
            continue
        if file not in sources:
            content = made.files.text(Path(file)) if file.startswith("/") else ""
            sources[file] = _Source(content)
        exact = sources[file].near(text, line)
        claimed = claims.get(text) or claims.get(_beginning(text), 0)
        if exact is None and file != STDIN and not claimed and text.strip():
            # What the mc file itself says, in a diversion that proto.m4 fetches.
            there = sources[STDIN].only(text)
            if there:
                yield LineOrigin(made.source, there, there)
                continue
        number = line if exact is None else exact
        if file == STDIN:
            yield LineOrigin(made.source, number, claimed or number)
            continue
        if file not in chains:
            chains[file] = _mc_line(file, number, placed.includes)
        yield LineOrigin(re.sub(r"^/+", "/", file), number, claimed or chains[file])


class _Source:
    """The lines of a file, to find one by what it says."""

    def __init__(self, text: str, copied: Iterable[CopiedLine] = ()) -> None:
        self._numbers: dict[str, list[int]] = {}
        for number, line in enumerate(text.split("\n"), 1):
            self._numbers.setdefault(line, []).append(number)
        for one in copied:
            # Without its quotes, as m4 copies it.
            insort(self._numbers.setdefault(one.text, []), one.number)

    def near(self, text: str, line: int) -> int | None:
        """The line of exactly this text that is the nearest, None if there is none."""
        found = self._numbers.get(text)
        if not found or not text:
            return None
        place = bisect_left(found, line)
        return min(found[max(place - 1, 0) : place + 1], key=lambda one: abs(one - line))

    def only(self, text: str) -> int:
        """The one line of this text; 0 if there is none or there are several."""
        found = self._numbers.get(text)
        return found[0] if found and found[0] == found[-1] else 0


def _claims(found: Scan, files: MacroFiles) -> dict[str, int]:
    """Lines, or their beginnings, that single directives make, and the directive's line."""
    lines: dict[str, int] = {}
    for call in found.calls:
        if call.spaced:
            continue
        name = call.argument(1)
        if call.name == "DAEMON_OPTIONS":
            lines[f"O DaemonPortOptions={name}"] = call.line
        elif call.name == "CLIENT_OPTIONS":
            lines[f"O ClientPortOptions={name}"] = call.line
        elif call.name in FILTERS:
            lines[f"X{name}"] = call.line
            if call.name == "INPUT_MAIL_FILTER":
                lines["O InputMailFilters"] = call.line
        elif call.name == "QUEUE_GROUP":
            lines[f"Q{name}"] = call.line
        elif call.name == "MASQUERADE_AS":
            lines["DM"] = call.line
        elif call.name == "define" and name in files.options:
            lines[f"O {files.options[name]}"] = call.line
        elif call.name == "define" and name in DEFINED_LETTERS:
            lines[f"D{DEFINED_LETTERS[name]}"] = call.line
    return lines


def _written(found: Scan, files: MacroFiles) -> dict[str, int]:
    """Lines that a directive writes where it stands, into a diversion: m4 is late with those."""
    return {
        files.class_lines[call.name] + call.argument(1): call.line
        for call in found.calls
        if call.name in files.class_lines and not call.spaced
    }


def _beginning(text: str) -> str:
    """What a line is claimed by: name of an option, a filter or a queue group, a macro's letter."""
    if text.startswith("O "):
        return text.partition("=")[0].rstrip()
    if text[:1] in ("X", "Q"):
        return text.partition(",")[0]
    return text[:2] if text[:1] == "D" else ""


# Complaints of others


def _raised(messages: list[McMessage], lines: frozenset[int]) -> list[McMessage]:
    """The messages, those of these lines as errors: somebody else refuses what they are about."""
    return [replace(one, severity="error") if one.line in lines else one for one in messages]


def _beside(found: Scan, line: int) -> frozenset[int]:
    """The lines of what stands on a line: of a call that goes over several, all of them."""
    lines = {line} if line else set()
    for call in found.calls:
        if call.line <= line <= call.end and call.name not in CONDITIONS:
            lines.update(range(call.line, call.end + 1))
    return frozenset(lines)


def _from_m4(output: Output, found: Scan, own: list[McMessage]) -> list[McMessage]:
    """Our messages and m4's, without what is said twice."""
    told = {message.line for message in own} - {0}
    theirs: list[McMessage] = []
    for one in output.said[:MESSAGE_LIMIT]:
        line = _mc_line(one.file, one.line, output.includes)
        beside = _beside(found, line)
        text = re.sub(r"^\*\*\*\s*", "", " ".join(one.text.split()))
        text = re.sub(r"^(?:ERROR|WARNING|Warning|warning|NOTE):\s*", "", text)
        if not text or text.startswith("FEATURE() should be before"):
            continue  # said with more to it
        if one.own and not re.match(r"(?i)warning", one.text):
            if beside & told:
                own = _raised(own, beside)
            elif "end of file in" not in text or not found.unclosed:
                where = "that file, or sinclude where it may be missing"
                expected = where if "cannot open" in text else ""
                theirs.append(McMessage(line, f"m4: {text}", expected, "error"))
            continue
        if beside & told and (one.own or " requires FEATURE(" in text):
            continue  # what follows from it
        line = line or _line_of_name(text, found)
        # A feature may print one sentence in several pieces.
        if theirs and line and theirs[-1].line == line and not one.text.startswith("*"):
            theirs[-1] = replace(theirs[-1], what=f"{theirs[-1].what} {text}")
        else:
            theirs.append(McMessage(line, f"m4: {text}"))
    return own + theirs


def _line_of_name(text: str, found: Scan) -> int:
    """The line of the directive that a message is about, by the names in it."""
    words = set(re.findall(r"\w+", text))
    for call in found.calls:
        name = call.argument(1)
        if call.name in ("define", "FEATURE", "MAILER") and (name in words or f"_{name}_" in words):
            return call.line
    return 0


def _blank_lines(mc: str) -> Iterator[McMessage]:
    """What leaves a line of blanks in the sendmail.cf."""
    found = [n for n, line in enumerate(mc.split("\n"), 1) if re.search(r"\)[ \t]+dnl\b", line)]
    what = "a blank goes into the sendmail.cf, as a line that sendmail would refuse"
    for line in found or [0]:
        yield McMessage(line, what, "dnl right behind the parenthesis", "error")


class AnyUsers(Users):
    """Everybody is known: the file may be for another machine."""

    def user(self, name: str) -> tuple[int, int] | None:
        del name
        return 0, 0

    def group(self, name: str) -> int | None:
        del name
        return 0


def _refused_by_sendmail(made: Build, own: list[McMessage]) -> list[McMessage]:
    """Our messages, and what our reader of sendmail.cf finds, by line of the mc file."""
    cf = parse(made.text, made.source, lambda _path: b"", users=AnyUsers())
    lines = made.text.split("\n")
    told = {message.line for message in own} - {0}
    theirs: list[McMessage] = []
    for problem in cf.problems[:MESSAGE_LIMIT]:
        match = re.match(r"(.*): line (\d+): (.*)", problem, re.DOTALL)
        if match is None:
            if not any(one.severity == "error" for one in own):
                theirs.append(McMessage(0, f"sendmail would not start: {problem}", "", "error"))
            continue
        number, text = int(match[2]), " ".join(match[3].split())
        if not lines[number - 1].strip():
            theirs += _blank_lines(made.mc)
            continue
        # sendmail counts to the end of a line with its continuations.
        while number > 1 and lines[number - 1][:1] in (" ", "\t"):
            number -= 1
        origin = made.origin(number)
        line = origin.mc if origin else 0
        beside = _beside(made.scan, line)
        if beside & told:
            own = _raised(own, beside)
            continue
        source = " ".join(lines[number - 1].split())
        what = f"sendmail would refuse line {number} of the cf, {source[:60]}: {text}"
        theirs.append(McMessage(line, what, "", "error"))
    if not re.search(r"(?m)^Mlocal,", made.text):
        what = "there is no local mailer: sendmail does not start"
        theirs.append(McMessage(0, what, "MAILER(`local')", "error"))
    elif not re.search(r"(?m)^M(?:relay|esmtp),", made.text):
        what = "there is no mailer for other hosts: mail to them is refused (unknown mailer)"
        theirs.append(McMessage(0, what, "MAILER(`smtp')"))
    return own + theirs
