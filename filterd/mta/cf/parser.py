"""Parse the text of a sendmail.cf, every kind of line, with sendmail's error messages.

A mistake does not end the parsing: sendmail reports it and reads on, and exits in the end with the
status of the last. Source: sendmail 8.17 `readcf.c`; the texts are observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from filterd.milter.negotiation import macro_names
from filterd.mta.cf.config import MailerLine, MapLine, Rule, SendmailCf
from filterd.mta.cf.lines import logical_lines
from filterd.mta.cf.map_arguments import map_options
from filterd.mta.cf.names import BY_LETTER, MAP_TYPES, OPTIONS
from filterd.mta.milters.settings import EX_CONFIG, EX_SOFTWARE, FilterSyntaxError, InputMailFilter

EX_NOINPUT = 66

MILTER_MACRO_LIMIT = 50
"""Macros in one of the milter's lists, MAXFILTERMACROS."""

MAX_FILTERS = 24
"""Filters in use at a time, MAXFILTERS less the end mark."""

ReadFile = Callable[[Path], bytes]
"""Reads a file that the configuration names (F lines). Raises OSError."""


def parse(text: str, source: str, read_file: ReadFile) -> SendmailCf:
    """Parse the text of a file; mistakes are in `problems`. source: its name in those."""
    parser = _CfParser(source, read_file)
    for number, line in logical_lines(text):
        parser.line(number, line)
    parser.finish()
    return parser.cf


class _CfParser:
    def __init__(self, source: str, read_file: ReadFile) -> None:
        self.cf = SendmailCf(source)
        self._read_file = read_file
        self._line = 0
        self._ruleset: str | None = None

    def line(self, number: int, text: str) -> None:
        self._line = number
        handler = {
            "V": self._version,
            "D": self._macro,
            "C": self._class,
            "F": self._class_file,
            "K": self._map,
            "S": self._start_ruleset,
            "R": self._rule,
            "M": self._mailer,
            "O": self._option,
            "H": self._header,
            "P": self._precedence,
            "X": self._filter,
            "Q": self._queue_group,
            "T": self._trust,
            "E": self._environment,
        }.get(text[:1])
        if handler is None:
            self._bad(f'unknown configuration line "{text}"')
        else:
            handler(text[1:])

    def finish(self) -> None:
        """Check what can be checked only at the end."""
        for name in self.cf.input_filters():
            if name not in self.cf.filters:
                self.cf.problems.append(
                    f"451 4.0.0 InputFilter {name} not defined: No such file or directory"
                )
                self.cf.status = EX_CONFIG
        if len(self.cf.input_filters()) > MAX_FILTERS:
            self._bad(f"Too many filters: {len(self.cf.input_filters())}, max {MAX_FILTERS}")

    def _bad(self, text: str, status: int = EX_SOFTWARE) -> None:
        self.cf.problems.append(f"{self.cf.source}: line {self._line}: {text}")
        self.cf.status = status

    # One line each

    def _version(self, rest: str) -> None:
        level = re.match(r"\d+", rest)
        self.cf.level = int(level[0]) if level else 0

    def _named(self, rest: str) -> tuple[str, str] | None:
        """A name, one character or in braces, and what follows it."""
        match = re.match(r"\{(\w+)\}|(\S)", rest)
        if match is None:
            self._bad("Name required for macro/class")
            return None
        return match[1] or match[2], rest[match.end() :]

    def _macro(self, rest: str) -> None:
        if (named := self._named(rest)) is not None:
            # expand() handles $-escapes; surrounding tabs and blanks are not part of the value.
            self.cf.macros[named[0]] = named[1].strip()

    def _class(self, rest: str) -> None:
        if (named := self._named(rest)) is not None:
            words = self.cf.expand(named[1]).split()
            self.cf.classes.setdefault(named[0], set()).update(words)

    def _class_file(self, rest: str) -> None:
        named = self._named(rest)
        if named is None:
            return
        text = named[1].strip()
        optional = text.startswith("-o")
        name = text.removeprefix("-o").split()[0] if text.removeprefix("-o").split() else ""
        members = self.cf.classes.setdefault(named[0], set())
        if name.startswith("|"):
            self._bad(f"fileclass: programs are not run for class {named[0]}: {name}")
            return
        try:
            data = self._read_file(Path(name.partition("@")[0]))
        except OSError as error:
            if not optional:
                self._bad(f"fileclass: cannot open '{name}': {error.strerror}", EX_NOINPUT)
            return
        for line in data.decode("utf-8", "replace").splitlines():
            members.update(line.partition("#")[0].split())

    def _map(self, rest: str) -> None:
        match = re.match(r"\s*([A-Za-z0-9][\w.]*)\S?\s*", rest, re.ASCII)
        if match is None:
            self._bad("readcf: config K line: no map name")
            return
        name = match[1]
        type = re.match(r"([A-Za-z0-9]+)\S?\s*", rest[match.end() :], re.ASCII)
        if type is None:
            self._bad(f"readcf: config K line, map {name}: no map class")
            return
        if type[1] not in MAP_TYPES:
            self._bad(f"readcf: map {name}: class {type[1]} not available")
            return
        # Case does not count; a name keeps the spelling of its first line.
        known = {one.lower(): one for one in self.cf.maps}
        line = MapLine(known.get(name.lower(), name), type[1], rest[match.end() + type.end() :])
        for problem in map_options(line, known)[1]:
            self._bad(problem)
        self.cf.maps[line.name] = line

    def _start_ruleset(self, rest: str) -> None:
        name = rest.strip()
        if not name:
            self._bad('invalid ruleset name: ""')
            self._ruleset = None
            return
        self._ruleset = name.partition("=")[0].strip()
        self.cf.rulesets.setdefault(self._ruleset, [])

    def _rule(self, rest: str) -> None:
        left, tab, right = rest.partition("\t")
        if not tab:
            self._bad(f'invalid rewrite line "R{rest}" (tab expected)')
            return
        right = right.lstrip("\t").partition("\t")[0]
        if self._ruleset is None:
            self._bad(f'missing valid ruleset for "R{left}\t{right}"')
            return
        wildcards = len(re.findall(r"\$(?:[*+\-@]|[=~](?:\{\w+\}|.))", left))
        for reference in re.findall(r"\$([1-9])", right):
            if int(reference) > wildcards:
                self._bad(f"replacement ${reference} out of bounds")
                return
        self.cf.rulesets[self._ruleset].append(Rule(self._line, left, right))

    def _mailer(self, rest: str) -> None:
        name, _, tail = rest.partition(",")
        equates = _mailer_equates(tail)
        if "A" not in equates:
            self._bad(f"M{name}: A= argument required")
            return
        if "P" not in equates:
            self._bad(f"M{name}: P= argument required")
            return
        size = equates.get("M", "0")
        self.cf.mailers[name] = MailerLine(
            name,
            equates["P"],
            equates["A"],
            equates.get("F", ""),
            int(size) if size.isdecimal() else 0,
            equates,
        )

    def _option(self, rest: str) -> None:
        if not rest.startswith(" "):
            letter, value = rest[:1], rest[1:].strip()
            name = BY_LETTER.get(letter)
            if name is None:
                self._bad(f"readcf: unknown option name {letter}")
                return
        else:
            given, _, value = rest.strip().partition("=")
            given, value = given.strip(), value.strip()
            base, dot, sub = given.partition(".")
            known = {one.lower(): one for one in OPTIONS}
            if base.lower() not in known:
                self._bad(f"readcf: unknown option name {given}")
                return
            name = known[base.lower()] + dot + sub
        self.cf.options.setdefault(name, []).append(
            self.cf.expand(value)
            if (name in ("QueueDirectory", "AliasFile", "PidFile", "HelpFile"))
            else value
        )
        if name.startswith("Milter.macros."):
            self._milter_macros(name.removeprefix("Milter.macros."), value)

    def _milter_macros(self, stage: str, value: str) -> None:
        names = macro_names(value)
        if len(names) > MILTER_MACRO_LIMIT:
            self._bad(
                f"milter_set_option: too many macros in Milter.macros.{stage} "
                f"(max {MILTER_MACRO_LIMIT})"
            )
            return
        self.cf.milter_macros[stage] = names

    def _header(self, rest: str) -> None:
        if not re.match(r"(?:\?[^?]*\?)?\s*(?:\*|[!-9;-~]+)\s*:", rest):
            self._bad(f'header syntax error, line "{rest}"')
            return
        self.cf.headers.append(rest)

    def _precedence(self, rest: str) -> None:
        name, _, value = rest.partition("=")
        if value.strip().lstrip("-").isdecimal():
            self.cf.precedences[name.strip()] = int(value)

    def _filter(self, rest: str) -> None:
        text = rest.replace("\n", " ")
        try:
            one = InputMailFilter.parse(text)
        except FilterSyntaxError as error:
            for problem in error.problems:
                self._bad(problem, error.status)
            if error.hint:
                self.cf.hints.append(f"hint: line {self._line}: {error.hint}")
            return
        if one.name in self.cf.filters:
            self._bad(f"X{one.name}: duplicate filter definition")
            return
        self.cf.filters[one.name] = one

    def _queue_group(self, rest: str) -> None:
        if not rest.strip():
            self._bad("name required for queue")
            return
        self.cf.queue_groups.append(rest)

    def _trust(self, rest: str) -> None:
        self.cf.trusted += rest.split()
        self.cf.classes.setdefault("t", set()).update(rest.split())

    def _environment(self, rest: str) -> None:
        name, _, value = rest.partition("=")
        self.cf.environment[name.strip()] = value


def _mailer_equates(text: str) -> dict[str, str]:
    """`P=…, F=…, A=…`: only the first letter of a key counts, and A= takes the rest of the line."""
    equates: dict[str, str] = {}
    rest = text.strip()
    while rest:
        key, equals, after = rest.partition("=")
        if not equals:
            break
        letter = key.strip()[:1]
        if letter == "A":
            equates[letter] = after.strip()
            break
        value, _, rest = after.partition(",")
        equates[letter] = value.strip()
        rest = rest.strip()
    return equates
