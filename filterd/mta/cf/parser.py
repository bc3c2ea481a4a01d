"""Parse the text of a sendmail.cf, every kind of line, with sendmail's error messages.

A mistake does not end the parsing: sendmail reports it and reads on, and exits in the end with the
status of the last. Source: sendmail 8.17 `readcf.c`; the texts are observed.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from filterd.mta.cf.class_lines import ClassLineReader
from filterd.mta.cf.class_sources import ClassSources, ReadFile
from filterd.mta.cf.config import MapLine, SendmailCf
from filterd.mta.cf.host import OWN_CLASSES, Host
from filterd.mta.cf.lines import logical_lines
from filterd.mta.cf.mailers import BUILT_IN, MailerReader, Users, unquoted
from filterd.mta.cf.map_arguments import map_options
from filterd.mta.cf.marks import CALL, MACRO, METASYMBOLS, octets, readable
from filterd.mta.cf.names import MAP_TYPES
from filterd.mta.cf.option_lines import OptionReader
from filterd.mta.cf.option_values import unit_complaints
from filterd.mta.cf.program import HeaderCheck
from filterd.mta.cf.queue_lines import QueueReader
from filterd.mta.cf.rules import compile_rule, plain_rule
from filterd.mta.cf.tokens import TokenTables
from filterd.mta.cf.voice import shortened
from filterd.mta.milters.settings import EX_SOFTWARE, FilterSyntaxError, InputMailFilter

MAX_FILTERS = 24
"""Filters in use at a time, MAXFILTERS less the end mark."""

MAX_SOURCE = 83
"""Octets of the file's name in an error message."""

MAX_HEADER_RULESET = 49
"""Octets of a header line's value that are looked at for `$>Name`."""

_SPACES = " \t\n\v\f\r"
_MAP_LINE = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9_.]*).?\s*(?:([A-Za-z0-9]+).?\s*)?", re.DOTALL)

_CONDITION = re.compile(
    rf"\?(?:[^?${MACRO}\x80-\uffff]*|{MACRO}.|\$(?:[^?{{]|\{{\w+\}}))\?", re.DOTALL
)
"""In front of a header field: flags of mailers, or a macro."""

_HEADER = re.compile(rf"(?:{_CONDITION.pattern}|(?!\?))([!-9;-~]+)\s*:", re.DOTALL)
"""A header field, with its condition."""


def parse(
    text: str,
    source: str,
    sources: ReadFile | ClassSources,
    *,
    host: Host | None = None,
    users: Users | None = None,
    preset: Iterable[str] = (),
) -> SendmailCf:
    """Parse the text of a file; mistakes are in `problems`. source: its name in those.

    sources: what reads the files that F lines name, or also runs programs and asks maps.

    preset: O lines that count more than the file's (`O Name=value`, `OX…`), and D lines in front of
    it: the command line's.
    """
    known = sources if isinstance(sources, ClassSources) else ClassSources(sources)
    parser = _CfParser(source, known, users or Users())
    parser.begin(host or Host(), preset)
    with _no_collections():
        for number, line in logical_lines(text):
            parser.line(number, line)
            if parser.cf.has_ended:
                break
    parser.finish()
    return parser.cf


@contextmanager
def _no_collections() -> Iterator[None]:
    """What is read is kept: to look through it for garbage again and again costs a third of the
    time for a file of 100,000 lines."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _CfParser:
    def __init__(self, source: str, sources: ClassSources, users: Users) -> None:
        self.cf = SendmailCf(source)
        self._program = self.cf.program
        self._class_lines = ClassLineReader(self.cf, sources, self._bad, self._tell)
        self._line: int | None = None
        self._text = ""
        self._ruleset: int | None = None
        self._tables: TokenTables | None = None
        self._defined: set[str] = set()
        self._changes_marks = False
        self._options = OptionReader(self.cf, users, self._bad, self._expand)
        self._users = users
        self._host = Host()
        self._named: set[str] = set()
        self._mailers = MailerReader(
            self._program.names,
            self._program.rulesets,
            self._program.mailers,
            users,
            self.cf.notices.append,
            self._tell,
        )
        self._queues = QueueReader(self.cf, self._mailers.queues, self._bad, self._tell)

    def begin(self, host: Host, preset: Iterable[str]) -> None:
        """What is there before the first line."""
        self._host = host
        for name, value in host.macros:
            self._program.definitions.set(name, octets(value))
        for name in (*host.names, host.node):
            if name:
                self._program.classes.add("w", octets(name))
        if host.node:
            self._program.classes.add("k", octets(host.node))
        for built_in in BUILT_IN:
            self._mailers.read(built_in, self._bad)
        for one in preset:
            self.line(None, one)
            if one.startswith("O"):
                self._options.fix(self.cf.options)

    def line(self, number: int | None, text: str) -> None:
        """number: None for the command line."""
        self._line, self._text = number, text
        if self._has_plain_rule(text):
            return
        text = octets(text.partition("\0")[0])
        level = self._program.level
        marked = self._program.names.translate(text, self._bad, comments=level >= 3)
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
        }.get(marked[:1])
        if handler is not None:
            handler(marked[1:])
        elif marked and not marked.startswith("#"):
            self._bad(f'unknown configuration line "{marked}"')

    def finish(self) -> None:
        """Check what can be checked only at the end."""
        self._line = None
        self._program.mailers.complete(self._program.level)
        for mailer in self.cf.mailers.values():
            self.cf.mailers[mailer.name] = self._program.mailers.find(mailer.name) or mailer
        self._program.tables = TokenTables.of(
            self._options.operators_in_force(), self._options.space
        )
        domain = self._expand(MACRO + "m")
        if domain:
            self._program.classes.add("m", domain)
        own_name = self._expand(MACRO + "j") or "localhost"
        self._program.classes.add("w", own_name)
        for name, words in OWN_CLASSES.items():
            for word in words.split():
                self._program.classes.add(self._program.names.code(name), word)
        definitions = self._program.definitions
        for name, value in definitions.items():
            self.cf.macros[name] = self._plain(value).strip()
        classes = self._program.classes
        for name in self._named:
            code = self._program.names.code(name)
            self.cf.classes[name] = {self._plain(word) for word in classes.words(code)}
        for name in self.cf.input_filters():
            if name not in self.cf.filters:
                self.cf.problems.append(
                    f"451 4.0.0 InputFilter {name} not defined: No such file or directory"
                )
        if len(self.cf.input_filters()) > MAX_FILTERS:
            self._bad(f"Too many filters: {len(self.cf.input_filters())}, max {MAX_FILTERS}")

    # Messages

    def _bad(self, text: str, status: int = EX_SOFTWARE) -> None:
        """An error. text: with marks."""
        where = "" if self._line is None else f": line {self._line}"
        names = self._program.names
        self.cf.problems.append(f"{self.cf.source}{where}: {self._plain(text)}")
        source = f"{shortened(self.cf.source, MAX_SOURCE)}{where}: " if where else ""
        self.cf.notices.append(f"{source}{names.complaint(text)}\n")
        self.cf.status = status

    def _tell(self, text: str) -> None:
        """What sendmail says, and reads on as if nothing was."""
        self.cf.notices.append(f"{self._where}{self._program.names.complaint(text)}\n")

    def _plain(self, text: str) -> str:
        return readable(self._program.names.dollars(text))

    def _expand(self, text: str, limit: int = 0) -> str:
        definitions = self._program.definitions
        if limit:
            return definitions.expand(text, self._bad, limit)
        return definitions.expand(text, self._bad)

    # One line each

    def _version(self, rest: str) -> None:
        level = re.match(r"\s*(\d+)", rest)
        if level is None:
            self._bad(f'invalid argument to V line: "{rest[:20]}"')
            return
        self.cf.level = self._program.level = self._mailers.level = int(level[1][:9])
        if self.cf.level >= 6:
            self._program.colon_in_addresses = False
        vendor = re.match(r"/([A-Za-z]*)", rest[level.end() :])
        if vendor is not None and vendor[1].lower() != "berkeley":
            self._bad(f'invalid V line vendor code: "{vendor[1]}"')
        short = self._program.definitions.get("w") or ""
        if self.cf.level >= 5 and "." in short:
            self._program.definitions.set("w", short.partition(".")[0])

    def _macro(self, rest: str) -> None:
        code, at = self._program.names.parse(rest, 0, self._bad)
        if not code:
            return
        value = unquoted(rest[at:])[0]
        self._changes_marks |= code in METASYMBOLS or code.isdigit()
        self._program.definitions.define(code, value)
        self._named_macro(code, value)

    def _named_macro(self, code: str, value: str) -> None:
        name = self._program.names.name(code)
        self._defined.add(f"${name}")
        if name == "j" and not self._host.qualified and "." in value and MACRO not in value:
            for other, part in zip("wm", value.split(".", 1), strict=True):
                if f"${other}" not in self._defined:
                    self._program.definitions.set(other, part)

    def _class_name(self, rest: str) -> tuple[str, int]:
        code, at = self._program.names.parse(rest, 0, self._bad)
        if code:
            self._named.add(self._program.names.name(code))
        return code, at

    def _class(self, rest: str) -> None:
        code, at = self._class_name(rest)
        if code:
            self._program.classes.add_words(code, self._expand(rest[at:]), self._bad)

    def _class_file(self, rest: str) -> None:
        code, at = self._class_name(rest)
        if code:
            self._class_lines.read(code, rest[at:])

    def _map(self, rest: str) -> None:
        text = self._expand(rest)
        found = _MAP_LINE.match(text)
        if found is None:
            self._bad("readcf: config K line: no map name")
            return
        name, type = found[1], found[2]
        if not type:
            self._bad(f"readcf: config K line, map {name}: no map class")
            return
        if type.lower() not in MAP_TYPES:
            self._bad(f"readcf: map {name}: class {type} not available")
            return
        # Case does not count; a name keeps the spelling of its first line.
        known = {one.lower(): one for one in self.cf.maps}
        arguments = self._program.names.without_marks(text[found.end() :])
        line = MapLine(known.get(name.lower(), name), type.lower(), readable(arguments))
        options, problems = map_options(line, known)
        for one in options.told:
            self._tell(octets(one))
        for problem in problems:
            self._bad(octets(problem))
        self.cf.maps[line.name] = line

    def _start_ruleset(self, rest: str) -> None:
        number = self._program.rulesets.enter(self._expand(rest), self._bad)[0]
        self._ruleset = number if number >= 0 else None
        if self._ruleset is None:
            return
        ruleset = self._program.rulesets[number]
        if ruleset.rules:
            self.cf.notices.append(f"WARNING: Ruleset {rest} has multiple definitions\n")
        self.cf.rulesets[ruleset.title] = ruleset.rules

    def _rule(self, rest: str) -> None:
        if self._ruleset is None:
            self._bad(f'missing valid ruleset for "R{rest}"')
            return
        left, tab, right = rest.partition("\t")
        if not tab:
            self._bad(f'invalid rewrite line "R{rest}" (tab expected)')
            return
        right = right.lstrip("\t").partition("\t")[0]
        if self._tables is None:
            self._tables = TokenTables.of(self._options.operators_in_force())
        tables = self._tables
        rule = compile_rule(
            self._line or 0,
            self._written(),
            (self._expand(left), self._expand(right)),
            tables.rules if self._program.level >= 9 else tables.internal,
            self._bad,
        )
        self._program.rulesets[self._ruleset].rules.append(rule)

    def _has_plain_rule(self, text: str) -> bool:
        """Take over a rule that needs no look at the state of the file, most of a long one's."""
        if text[:1] != "R" or self._ruleset is None or self._tables is None:
            return False
        if self._program.level < 9 or self._changes_marks:
            return False
        rule = plain_rule(self._line or 0, text, self._tables.rules)
        if rule is not None:
            self._program.rulesets[self._ruleset].rules.append(rule)
        return rule is not None

    def _written(self) -> tuple[str, str]:
        """Both sides of a rule as in the file."""
        left, _, right = self._text[1:].partition("\t")
        return left, right.lstrip("\t").partition("\t")[0]

    def _mailer(self, rest: str) -> None:
        mailer = self._mailers.read(rest, self._bad)
        if mailer is not None:
            self.cf.mailers[mailer.name] = mailer

    @property
    def _where(self) -> str:
        return "" if self._line is None else f"{self.cf.source}: line {self._line}: "

    def _option(self, rest: str) -> None:
        self._options.read(rest, self._where)

    def _header(self, rest: str) -> None:
        found = _HEADER.match(rest)
        if found is None:
            condition = _CONDITION.match(rest)
            shown = condition[0][:-1] if condition else rest
            self._bad(f'header syntax error, line "{shown}"')
            return
        value = self._expand(rest[found.end() :], MAX_HEADER_RULESET).lstrip(_SPACES)
        if value.startswith(CALL):
            strips = not value.startswith("+", 1)
            text = value[1 if strips else 2 :]
            number, after = self._program.rulesets.enter(text, self._bad)
            if number > 0:
                name = text[: len(text) - len(after)].strip()
                checks, field = self._program.header_checks, found[1].lower()
                # What one line of a field says of comments stays with it.
                strips = strips or (field in checks and checks[field].strips_comments)
                checks[field] = HeaderCheck(name, strips)
        self.cf.headers.append(self._plain(rest))

    def _precedence(self, rest: str) -> None:
        name, equals, value = rest.partition("=")
        if not equals:
            self._bad(f'unknown configuration line "P{rest}"')
            return
        number = re.match(r"\s*-?\d+", value)
        self.cf.precedences[name.strip()] = int(number[0]) if number else 0

    def _filter(self, rest: str) -> None:
        text = self._plain(rest).replace("\n", " ")
        for times in re.findall(r"[,\s]T\w*\s*=([^,]*)", text):
            for time in times.split(";"):
                for told in unit_complaints(time.partition(":")[2].strip()):
                    self._tell(told)
        try:
            one = InputMailFilter.parse(text)
        except FilterSyntaxError as error:
            for problem in error.problems:
                self._bad(octets(problem), error.status)
            if error.hint:
                self.cf.hints.append(f"hint: line {self._line}: {error.hint}")
            return
        if one.name in self.cf.filters:
            self._bad(f"X{octets(one.name)}: duplicate filter definition")
            return
        self.cf.filters[one.name] = one
        place = one.address
        if place.family != "unix" and not self._users.has_host(place.host, place.family):
            # Not a mistake here: the file may be for elsewhere, or its name server away.
            text = f"X{octets(one.name)}: Unknown host name {octets(place.host)}"
            self._options.tell(text, self._where)

    def _queue_group(self, rest: str) -> None:
        if self._queues.read(rest):
            self.cf.queue_groups.append(self._plain(rest))

    def _trust(self, rest: str) -> None:
        self.cf.trusted += self._plain(rest).split()
        self._named.add("t")
        self._program.classes.add_words("t", rest, self._bad)

    def _environment(self, rest: str) -> None:
        name, _, value = self._plain(rest).partition("=")
        self.cf.environment[name.strip()] = value
