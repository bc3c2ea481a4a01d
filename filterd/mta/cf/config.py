"""What a sendmail.cf says, as values: its macros, classes, options, mailers, maps and rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from filterd.mta.cf.macros import expand
from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.ports import ClientPort, DaemonPort, client, daemon, names
from filterd.mta.cf.program import Program
from filterd.mta.cf.rules import RewriteRule
from filterd.mta.milters.settings import InputMailFilter


class CfError(Exception):
    """A configuration that sendmail refuses.

    The text has all error messages, one a line. status: sendmail's exit status.
    """

    def __init__(self, problems: list[str], status: int) -> None:
        super().__init__("\n".join(problems))
        self.status = status


@dataclass(frozen=True, slots=True)
class MapLine:
    """A K line."""

    name: str
    type: str
    arguments: str


@dataclass(slots=True)
class SendmailCf:
    """The whole of a file. Names of long macros and classes are without braces.

    program: what runs of it. problems: errors, with which sendmail does not start, as text to read;
    notices: all that sendmail says while it reads the file, as it says it.
    """

    source: str
    level: int = 0
    macros: dict[str, str] = field(default_factory=dict)
    classes: dict[str, set[str]] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    maps: dict[str, MapLine] = field(default_factory=dict)
    mailers: dict[str, MailerLine] = field(default_factory=dict)
    filters: dict[str, InputMailFilter] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    precedences: dict[str, int] = field(default_factory=dict)
    trusted: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    queue_groups: list[str] = field(default_factory=list)
    rulesets: dict[str, list[RewriteRule]] = field(default_factory=dict)
    milter_macros: dict[str, tuple[str, ...]] = field(default_factory=dict)
    program: Program = field(default_factory=Program)
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    status: int = 0
    has_ended: bool = False
    """sendmail does not read on after such a mistake."""

    def option(self, name: str, default: str = "") -> str:
        """The last value of an option."""
        return self.options.get(name, [default])[-1]

    def input_filters(self) -> tuple[str, ...]:
        """The names in `O InputMailFilters`, in order."""
        return names(self.option("InputMailFilters"))

    def daemons(self) -> tuple[DaemonPort, ...]:
        """The addresses to listen on."""
        lines = self.options.get("DaemonPortOptions")
        if lines is None:
            return (DaemonPort(),)
        return tuple(daemon(text, number) for number, text in enumerate(lines))

    def clients(self) -> tuple[ClientPort, ...]:
        """This end of connections to other hosts, the last line for each address family."""
        found = map(client, self.options.get("ClientPortOptions", []))
        return tuple({one.family: one for one in found}.values())

    def expand(self, text: str, **values: str) -> str:
        """Text with this file's macros, and others, expanded."""
        return expand(text, {**self.macros, **values})
