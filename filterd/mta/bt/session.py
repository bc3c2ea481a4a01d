"""The commands of test mode, one line at a time. No I/O: what is printed goes to a function.

Source: sendmail 8.17 `main.c` (testmodeline); the output is observed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from filterd.mta.bt.debug import DebugLevels
from filterd.mta.bt.mailers import mailer_line
from filterd.mta.bt.output import TestModeOutput, Write
from filterd.mta.cf.addresses import (
    CANONIFY,
    ERROR_MAILER,
    FINAL,
    SENDER,
    Address,
    Kind,
    Resolver,
    State,
)
from filterd.mta.cf.checks import HeaderChecker
from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.crack import cracked
from filterd.mta.cf.lookup import EX_OK, Maps
from filterd.mta.cf.marks import MACRO
from filterd.mta.cf.observer import Message
from filterd.mta.cf.rewriting import Rewriter, user_message
from filterd.mta.cf.tokens import scan

PROMPT = "> "

SUPPORTED_LEVEL = 10
"""The configuration level of sendmail 8.17."""

EX_TEMPFAIL = 75

_SPACES = " \t\n\v\f\r"

HelpFile = Callable[[str], Sequence[str] | None]
"""The lines of the help file for a topic, None if there is none."""


class HostNames(Protocol):
    """What `/canon` and `/mx` ask."""

    def canonical(self, name: str) -> str:
        """The canonical name of a host, the name itself if there is none."""
        ...

    def mail_exchangers(self, name: str) -> Sequence[str] | int | None:
        """Hosts for mail to a name; a negative number for a failure, None for a null MX."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What test mode needs of the world. user: who runs it."""

    maps: Maps
    hosts: HostNames
    help: HelpFile
    version: str
    user: str
    privileged: bool = True


class TestMode:
    __test__ = False

    def __init__(self, cf: SendmailCf, around: Around, levels: DebugLevels, write: Write) -> None:
        self._cf, self._program, self._around = cf, cf.program, around
        self._levels = levels
        self._print = write
        self._output = TestModeOutput(self._program.names, levels, self._write)
        self._rewriter = Rewriter(self._program, around.maps, self._output)
        self._resolver = Resolver(self._rewriter)
        self._kind = Kind()
        self.ended = False
        self._commands: dict[str, Callable[[str], None]] = {
            "canon": self._canon,
            "mx": self._mx,
            "map": self._map,
            "try": self._try,
            "tryflags": self._tryflags,
            "parse": self._parse,
            "sender": self._sender,
            "expand": self._expand,
            "header": self._header,
            "gethostbyname": self._nothing,
        }

    def _write(self, text: str) -> None:
        self._print(self._program.names.without_marks(text))

    @property
    def exit_status(self) -> int:
        """What sendmail ends with: the first trouble."""
        status = self._output.exit_status or self._resolver.exit_status
        return EX_OK if status == EX_TEMPFAIL else status

    def start(self) -> None:
        """What is printed before the first prompt."""
        for notice in self._cf.notices:
            self._write(notice)
        if self._cf.problems:
            self._output.exit_status = self._cf.status
        for text, system in self._warnings():
            self._output.message(Message("", "", text, system=system))
        self._write("ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)\n")
        self._write("Enter <ruleset> <address>\n")
        self._program.definitions.set("addr_type", self._kind.macro)

    def _warnings(self) -> list[tuple[str, bool]]:
        level, version = self._program.level, self._around.version
        found = []
        if level > SUPPORTED_LEVEL:
            text = (
                f"Warning: .cf version level ({level}) exceeds sendmail version {version} "
                f"functionality ({SUPPORTED_LEVEL})"
            )
            found.append((text, True))
        if level < SUPPORTED_LEVEL:
            text = (
                f"Warning: .cf file is out of date: sendmail {version} supports version "
                f"{SUPPORTED_LEVEL}, .cf file is version {level}"
            )
            found.append((text, False))
        name = self._expanded(MACRO + "j") or "localhost"
        if "." not in name:
            text = f"WARNING: local host name ({name}) is not qualified; see cf/README: WHO AM I?"
            found.append((text, False))
        if self._program.mailers.find("local") is None and self._around.privileged:
            found.append(("No local mailer defined", True))
        return found

    def _complain(self, text: str) -> None:
        self._rewriter.complain(text)

    def _expanded(self, text: str) -> str:
        return self._rewriter.definitions.expand(text, self._complain)

    # Lines

    def line(self, text: str) -> None:
        """Carry out one line, without its end. text: in octet form."""
        text = text.partition("\0")[0].lstrip(" ")
        first, second = text[:1], text[1:2]
        if first in ("", "#"):
            return
        if first == "?":
            self._help()
        elif first == ".":
            self._setting(text, second)
        elif first == "=":
            self._dump(text, second)
        elif first == "-":
            if second == "d":
                self._levels.set(text[2:])
            elif second:
                self._write(f'Unknown "-" command {text}\n')
            else:
                self._write("Usage: -d{debug arguments}\n")
        elif first == "$":
            self._value(text, second)
        elif first == "/":
            self._command(text.rstrip(_SPACES))
        else:
            self._rules(text)

    def _help(self) -> None:
        lines = self._around.help("-bt")
        if lines is None:
            self._write(f"Sendmail {self._around.version} -- HELP not implemented\n")
            return
        for line in lines:
            marked = self._program.names.translate(line, self._complain)
            self._write(self._expanded(marked) + "\n")
        self._write("End of HELP info\n" if lines else 'HELP topic "-bt" unknown\n')

    def _setting(self, text: str, which: str) -> None:
        names = self._program.names
        if which not in ("D", "C"):
            usage = "Usage: .[DC]macro value(s)\n"
            self._write(f'Unknown "." command {text}\n' if which else usage)
            return
        if which == "C" and len(text) == 2:
            return
        code, at = names.parse(text, 2, self._complain)
        if not code:
            return
        comments = self._program.level >= 3
        value = names.translate(text[at:], self._complain, comments=comments)
        if which == "D":
            self._rewriter.definitions.define(code, value)
        else:
            for word in self._expanded(value).split():
                self._rewriter.classes.add(code, word)

    def _dump(self, text: str, which: str) -> None:
        if which == "M":
            for mailer in self._program.mailers.numbered():
                self._write(mailer_line(mailer, self._program))
        elif which == "S":
            number = self._program.rulesets.find(text[2:], self._complain)
            if number < 0:
                self._write(f"Undefined ruleset {text[2:]}\n")
                return
            show = self._program.names.show
            for rule in self._program.rulesets[number].rules:
                left = "".join(show(token) + " " for token in rule.pattern.tokens)
                right = "".join(show(token) + " " for token in rule.replacement.tokens)
                self._write(f"R{left}\t\t{right}\n")
        elif which:
            self._write(f'Unknown "=" command {text}\n')
        else:
            self._write("Usage: =Sruleset or =M\n")

    def _value(self, text: str, which: str) -> None:
        code, _at = self._program.names.parse(text, 2 if which == "=" else 1, self._complain)
        if not code:
            return
        if which == "=":
            for word in self._rewriter.classes.words(code):
                self._write(word + "\n")
            return
        value = self._rewriter.definitions.value(code)
        self._write("Undefined\n" if value is None else self._program.names.show(value) + "\n")

    def _rules(self, text: str) -> None:
        """`3,0 address, address`."""
        body = text.lstrip(_SPACES)
        sets = re.split(f"[{_SPACES}]", body, maxsplit=1)[0]
        if len(sets) == len(body):
            self._write("No address!\n")
            return
        text = body[len(sets) + 1 :]
        if not self._resolver.acceptable(text, "", recipient=True):
            return
        tables = self._program.tables
        table = tables.rules if self._program.level >= 9 else tables.addresses
        at = 0
        while True:
            part = text[at:]

            def report(error: str, part: str = part) -> None:
                self._output.message(user_message(self._program, error, part))

            scanned = scan(part, table, report, delimiter=",")
            if scanned.tokens is not None:
                self._run(sets, scanned.tokens)
            at += scanned.end
            if at >= len(text):
                return
            at += 1

    def _run(self, sets: str, tokens: list[str]) -> None:
        while sets:
            number = self._program.rulesets.find(sets, self._complain)
            if number < 0:
                self._write(f"Undefined ruleset {sets}\n")
                return
            status = self._rewriter.run(tokens, number)
            if status != EX_OK:
                self._write(f"== Ruleset {sets} ({number}) status {status}\n")
            sets = sets.partition(",")[2]

    # Commands with a slash

    def _command(self, text: str) -> None:
        words = re.split(f"[ \t][{_SPACES}]*", text, maxsplit=1)
        name, argument = words[0][1:], words[1] if len(words) > 1 else ""
        if not name:
            self._write("Usage: /[canon|map|mx|parse|try|tryflags]\n")
        elif name.lower() == "quit":
            self.ended = True
        elif name.lower() in self._commands:
            self._commands[name.lower()](argument)
        else:
            self._write(f'Unknown "/" command {words[0]}\n')

    def _nothing(self, argument: str) -> None:
        del argument

    def _canon(self, name: str) -> None:
        if not name:
            self._write("Usage: /canon address\n")
        elif len(name) > 255:
            self._write("Name too long\n")
        else:
            found = self._around.hosts.canonical(name)
            self._write(f"getcanonname({name}) returns {found}\n")

    def _mx(self, name: str) -> None:
        if not name:
            self._write("Usage: /mx address\n")
            return
        found = self._around.hosts.mail_exchangers(name)
        if found is None:
            self._write(f"getmxrr({name}) returns null MX (See RFC7505)\n")
            return
        hosts = [] if isinstance(found, int) else list(found)
        count = found if isinstance(found, int) else len(hosts)
        self._write(f"getmxrr({name}) returns {count} value(s):\n")
        for host in hosts:
            self._write(f"\t{host}\n")

    def _map(self, argument: str) -> None:
        if not argument:
            self._write("Usage: /map mapname key\n")
            return
        words = re.split(f"[{_SPACES}]", argument, maxsplit=1)
        if len(words) < 2:
            self._write("No key specified\n")
            return
        name, key = words
        map = self._around.maps.find(name)
        if map is None:
            self._write(f'Map named "{name}" not found\n')
            return
        if not map.is_open:
            self._write(f'Map named "{name}" not open\n')
            return
        answer = map.lookup(key)
        self._rewriter.tell(answer)
        found = "no match" if answer.value is None else f"returns {answer.value}"
        self._write(f"map_lookup: {name} ({key}) {found} ({answer.status})\n")

    def _expand(self, argument: str) -> None:
        if not argument:
            self._write("Usage: /expand string\n")
        else:
            self._write(self._program.names.show(self._expanded(argument)))

    def _tryflags(self, argument: str) -> None:
        if not argument:
            self._write("Usage: /tryflags [Hh|Ee][Ss|Rr]\n")
            return
        header, sender = self._kind.header, self._kind.sender
        for flag in argument.lower():
            if flag in "he":
                header = flag == "h"
            elif flag in "sr":
                sender = flag == "s"
        self._kind = Kind(header, sender)
        self._rewriter.definitions.set("addr_type", self._kind.macro)

    @property
    def _what(self) -> str:
        kind = self._kind
        return (
            f"{'header' if kind.header else 'envelope'} "
            f"{'sender' if kind.sender else 'recipient'} address"
        )

    def _try(self, argument: str) -> None:
        words = re.split(f"[ \t][{_SPACES}]*", argument, maxsplit=1)
        if len(words) < 2 or not words[1]:
            self._write("Usage: /try mailer address\n")
            return
        name, address = words
        mailer = self._program.mailers.find(name)
        if mailer is None:
            self._write(f"Unknown mailer {name}\n")
            return
        self._write(f"Trying {self._what} {address} for mailer {name}\n")
        result, status = self._resolver.rewrite_for(address, mailer, self._kind)
        self._write(f"Rcode = {status}, addr = {result}\n")

    def _parse(self, text: str) -> None:
        if not text:
            self._write("Usage: /parse address\n")
            return
        around = cracked(
            text,
            colon_in_addresses=self._program.colon_in_addresses,
            must_quote=self._program.must_quote,
        )
        self._write(f"Cracked address = {self._program.names.show(around)}\n")
        self._write(f"Parsing {self._what}\n")
        found = self._resolver.parse(text, self._kind)
        if found is None:
            self._write("Cannot parse\n")
            return
        host = f"host {found.host}, " if found.host else ""
        self._write(f"mailer {found.mailer}, {host}user {found.user}\n")

    def _sender(self, text: str) -> None:
        resolver, kind = self._resolver, Kind(sender=True)
        definitions = self._rewriter.definitions
        definitions.set("x", "")
        definitions.set("addr_type", kind.macro)
        found = resolver.parse(text, kind, recipient=False)
        if not self._usable(found):
            if found is not None and found.state != State.BAD:
                resolver.error("553 5.1.7 Invalid sender address")
            self._output.suppressed = True
            text = self._around.user
            for one in (text, self._expanded(MACRO + "n"), "postmaster"):
                text = one
                found = resolver.parse(one, kind, recipient=False)
                if found is not None:
                    break
            self._output.suppressed = False
        tokens = self._rewriter.scanned(text, self._program.tables.internal)
        if tokens is None:
            self.ended = True
            return
        for number in (CANONIFY, SENDER, FINAL):
            self._rewriter.run(tokens, number)
        definitions.set("addr_type", None)
        definitions.set("f", self._program.tables.join(tokens))
        self._write(f"addr={found.user if found else ''}\n")

    @staticmethod
    def _usable(found: Address | None) -> bool:
        return (
            found is not None
            and found.state != State.BAD
            and found.mailer not in (ERROR_MAILER, "prog", "*file*", "*include*")
        )

    def _header(self, text: str) -> None:
        flags = HeaderChecker(self._rewriter, self._resolver).check(text)
        self._write(f"ul = {'00000000' if not flags else f'0x{flags:08x}'}\n")
