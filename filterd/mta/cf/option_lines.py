"""The O lines of a sendmail.cf: long names, abbreviations and letters.

Source: sendmail 8.17 `readcf.c` (setoption).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from filterd.milter.negotiation import macro_names
from filterd.mta.cf.alias_lines import alias_specs, class_trouble
from filterd.mta.cf.config import MapLine, SendmailCf
from filterd.mta.cf.mailers import Users, unquoted
from filterd.mta.cf.map_arguments import map_options
from filterd.mta.cf.marks import octets, readable
from filterd.mta.cf.names import BY_LETTER, OPTION_ORDER
from filterd.mta.cf.option_values import EX_USAGE, fatal, problems, time_complaints, warnings
from filterd.mta.cf.ports import host_to_ask, port_problems, unknown_host
from filterd.mta.cf.tokens import DEFAULT_OPERATORS, DELIMITERS
from filterd.mta.milters.settings import EX_SOFTWARE

MILTER_MACRO_LIMIT = 50
"""Macros in one of the milter's lists, MAXFILTERMACROS."""

MAX_OPERATORS = 40
"""Octets of OperatorChars."""

EXPANDED_OPTIONS = frozenset(("QueueDirectory", "AliasFile", "PidFile", "HelpFile"))

_SPACES = " \t\n\v\f\r"


USER_OPTIONS = {"DefaultUser": "u", "RunAsUser": "RunAsUser", "TrustedUser": "TrustedUser"}
"""Options that name a user, as messages call them."""

WITH_PARTS = frozenset(("Timeout", "Milter"))
"""Options of which there are several, `Timeout.mail`; elsewhere what follows a dot is ignored."""

PRIVACY = frozenset(
    """
    public needmailhelo needexpnhelo needvrfyhelo noexpn novrfy restrictexpand restrictmailq
    restrictqrun noetrn noverb authwarnings noreceipts nobodyreturn goaway noactualrecipient
    """.split()
)
"""Words of PrivacyOptions."""


class OptionReader:
    """Takes O lines. space: BlankSub. fixed: options that the command line set."""

    def __init__(
        self,
        cf: SendmailCf,
        users: Users,
        complain: Callable[..., None],
        expand: Callable[..., str],
    ) -> None:
        self._cf, self._program, self._users = cf, cf.program, users
        self._complain, self._expand = complain, expand
        self._where = ""
        self._operators: str | None = None
        self._in_force: str | None = None
        self._alias_count = 0
        self.space = " "
        self.fixed: set[str] = set()

    def fix(self, options: Iterable[str]) -> None:
        """From now on lines for these options are ignored."""
        self.fixed |= set(options)

    def _plain(self, text: str) -> str:
        return readable(self._program.names.dollars(text))

    def read(self, rest: str, where: str) -> None:
        """Take the text behind the O, with marks. where: file and line, for messages."""
        self._where = where
        rest = rest.rstrip(_SPACES)
        if rest.startswith(" "):
            given, value = _parts(rest)
            if given is None:
                self._complain("readcf: null option name")
                return
            base, dot, sub = given.partition(".")
            full = self._option_name(base)
            if full is None:
                return
            name = full + dot + sub if full in WITH_PARTS else full
        else:
            letter, value = rest[:1], rest[1:].lstrip(_SPACES)
            if letter == "M":
                self._macro(value)
                return
            known = BY_LETTER.get(letter)
            if known is None:
                code = self._program.names.octet(letter) if letter else 0
                self._complain(f"readcf: unknown option name 0x{code:x}")
                return
            name = known
        if name not in self.fixed:
            self._set_option(name, value)

    def _macro(self, text: str) -> None:
        """`OMxvalue`, as the command line's `-M`."""
        code, at = self._program.names.parse(text, 0, self._complain)
        if code:
            self._program.definitions.define(code, unquoted(text[at:])[0])

    def _option_name(self, given: str) -> str | None:
        """The whole name of an option; sendmail takes an abbreviation, too."""
        lower = given.lower()
        first = ""
        for one in OPTION_ORDER:
            if not one.lower().startswith(lower):
                continue
            if len(one) == len(given):
                return one
            if first:
                self._complain(f"readcf: ambiguous option name {given} (matches {first} and {one})")
                return None
            first = one
        if not first:
            self._complain(f"readcf: unknown option name {given}")
            return None
        self._cf.notices.append(f"{self._where}Option {given} used as abbreviation for {first}\n")
        return first

    def _check_value(self, name: str, value: str) -> None:
        """Say what is wrong with a value."""
        notices = self._cf.notices
        complaint = self._program.names.complaint
        if ending := fatal(name, value):
            self._complain(ending, EX_USAGE)
            self._cf.has_ended = True
        notices += [f"{self._where}{complaint(one)}\n" for one in time_complaints(name, value)]
        notices += [f"{complaint(one)}\n" for one in warnings(name, value)]
        for problem in problems(name, value):
            self._complain(problem)
        if name in ("DaemonPortOptions", "ClientPortOptions"):
            self._check_ports(value)
        elif name == "AliasFile":
            self._check_aliases(self._expand(value))
        elif name in USER_OPTIONS:
            self._check_user(USER_OPTIONS[name], value)
        elif name == "PrivacyOptions":
            for word in re.findall(r"[A-Za-z0-9]+", value):
                if word.lower() not in PRIVACY:
                    self._complain(f"readcf: Op line: {word} unrecognized")

    def _set_option(self, name: str, value: str) -> None:
        self._check_value(name, value)
        if name == "OperatorChars":
            if self._operators is not None:
                self._cf.notices.append(
                    "Warning: OperatorChars is being redefined.\n"
                    "         It should only be set before ruleset definitions.\n"
                )
            self._operators = unquoted(value)[0]
        elif name == "BlankSub":
            self.space = value[:1] or " "
        elif name == "ColonOkInAddr":
            self._program.colon_in_addresses = value[:1] in ("", "t", "T", "y", "Y")
        elif name == "MustQuoteChars":
            self._program.must_quote = "@,;:\\()[]" + value
        text = self._expand(value) if name in EXPANDED_OPTIONS else value
        self._cf.options.setdefault(name, []).append(self._plain(text))
        if name.startswith("Milter.macros."):
            self._milter_macros(name.removeprefix("Milter.macros."), self._plain(value))

    def _check_user(self, shown: str, value: str) -> None:
        """Say that a user or group is unknown. That is not a mistake here: the file may be for
        elsewhere."""
        parts = [value] if shown == "TrustedUser" else re.split("[.:/]", value, maxsplit=1)
        name, group = (*parts, "")[:2]
        if not name or (not name.isdecimal() and self._users.user(name) is None):
            self.tell(f"readcf: option {shown}: unknown user {name}", self._where)
        elif group and not group.isdecimal() and self._users.group(group) is None:
            self.tell(f"readcf: option {shown}: unknown group {group}", self._where)

    def _check_ports(self, value: str) -> None:
        """Say what is wrong with one end of connections, and of a host that nobody knows here."""
        for problem in port_problems(value):
            self._complain(problem)
        host, family = host_to_ask(value)
        if host and not self._users.has_host(host, family):
            self.tell(unknown_host(host), self._where)

    def _check_aliases(self, value: str) -> None:
        """Say what is wrong with the databases of aliases."""
        known = {one.lower() for one in self._cf.maps}
        for type, arguments in alias_specs(value):
            trouble = class_trouble(type)
            if trouble:
                self._complain(trouble)
                continue
            line = MapLine(f"Alias{self._alias_count}", type, self._plain(arguments))
            for problem in map_options(line, known, is_alias=True)[1]:
                self._complain(octets(problem))
            known.add(line.name.lower())
            self._alias_count += 1

    def tell(self, text: str, where: str) -> None:
        """Complain of something that depends on the machine, and is not the file's fault."""
        self._cf.notices.append(f"{where}{self._program.names.complaint(text)}\n")
        self._cf.status = EX_SOFTWARE

    def _milter_macros(self, stage: str, value: str) -> None:
        names = macro_names(value)
        if len(names) > MILTER_MACRO_LIMIT:
            self._complain(
                f"milter_set_option: too many macros in Milter.macros.{stage} "
                f"(max {MILTER_MACRO_LIMIT})"
            )
            return
        self._cf.milter_macros[stage] = names

    def operators_in_force(self) -> str:
        """The operators, which are those that are set when the first rule comes."""
        if self._in_force is not None:
            return self._in_force
        given = DEFAULT_OPERATORS if self._operators is None else self._operators
        text = self._expand(given, MAX_OPERATORS)
        self._in_force = text.replace(DELIMITERS, "")
        return self._in_force


def _parts(text: str) -> tuple[str | None, str]:
    """Name and value of ` Name = value`; blanks in front make the name another one, or none."""
    end = text.find("=", 1)
    end = len(text) if end < 0 else end
    before = text[:end]
    name = before.rstrip(" ")
    if end == 1:
        return None, ""
    value = text[end + 1 :].lstrip(" ")
    return name[1:] if name else "", value
