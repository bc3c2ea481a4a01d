"""The commands of test mode, one line at a time. No I/O: what is printed goes to a function.

Source: sendmail 8.17 `main.c` (testmodeline); the output is observed.
"""

from __future__ import annotations

import re

from filterd.mta.bt.around import Around
from filterd.mta.bt.commands import SlashCommands
from filterd.mta.bt.debug import DebugLevels
from filterd.mta.bt.mailers import mailer_line
from filterd.mta.bt.output import TestModeOutput, Write
from filterd.mta.cf.addresses import (
    AddressResolver,
)
from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.lookup import EX_OK
from filterd.mta.cf.marks import MACRO
from filterd.mta.cf.observer import RuleMessage
from filterd.mta.cf.rewriting import Rewriter
from filterd.mta.cf.tokens import scan, without_quotes

PROMPT = "> "

SUPPORTED_LEVEL = 10
"""The configuration level of sendmail 8.17."""

EX_TEMPFAIL = 75

_SPACES = " \t\n\v\f\r"


class TestMode:
    __test__ = False

    def __init__(self, cf: SendmailCf, around: Around, levels: DebugLevels, write: Write) -> None:
        self._cf, self._program, self._around = cf, cf.program, around
        self._levels = levels
        self._print = write
        self._output = TestModeOutput(self._program.names, levels, self._write)
        self._rewriter = Rewriter(self._program, around.maps, self._output)
        self.resolver = AddressResolver(self._rewriter)
        self._commands = SlashCommands(
            self._rewriter, self.resolver, self._output, around, self._write
        )

    @property
    def ended(self) -> bool:
        """Whether nobody wants to hear more."""
        return self._commands.ended

    def _write(self, text: str) -> None:
        self._print(self._program.names.without_marks(text))

    @property
    def exit_status(self) -> int:
        """What sendmail ends with: the first trouble."""
        status = self._output.exit_status or self.resolver.exit_status
        return EX_OK if status == EX_TEMPFAIL else status

    def start(self) -> None:
        """What is printed before the first prompt."""
        for notice in self._cf.notices:
            self._write(notice)
        self._output.exit_status = self._cf.status
        if self._cf.has_ended:
            return
        for text, system in self._warnings():
            self._output.message(RuleMessage("", "", text, system=system))
        self._write("ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)\n")
        self._write("Enter <ruleset> <address>\n")
        self._commands.start()

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
        name = self._rewriter.expanded(MACRO + "j") or "localhost"
        if "." not in name:
            text = f"WARNING: local host name ({name}) is not qualified; see cf/README: WHO AM I?"
            found.append((text, False))
        if self._program.mailers.find("local") is None and self._around.privileged:
            found.append(("No local mailer defined", True))
        return found

    def _complain(self, text: str) -> None:
        self._rewriter.complain(text)

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
            self._commands.run(text.rstrip(_SPACES))
        else:
            self._rules(text)

    def _help(self) -> None:
        lines = self._around.help("-bt")
        if lines is None:
            self._write(f"Sendmail {self._around.version} -- HELP not implemented\n")
            return
        for line in lines:
            marked = self._program.names.translate(line, self._complain)
            self._write(self._rewriter.expanded(marked) + "\n")
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
            self._rewriter.classes.add_words(code, self._rewriter.expanded(value), self._complain)

    def _dump(self, text: str, which: str) -> None:
        if which == "M":
            for mailer in self._program.mailers.numbered():
                self._write(mailer_line(mailer, self._program))
        elif which == "S":
            number = self._program.rulesets.find(text[2:], self._complain)
            if number < 0:
                # A blank ends the name.
                name = re.match(r"\s*[A-Za-z]\w*(?=\s)", text[2:])
                self._write(f"Undefined ruleset {name[0] if name else text[2:]}\n")
                return
            show, unquoted = self._program.names.show, self._rewriter.unquoted
            for rule in self._program.rulesets[number].rules:
                left = "".join(show(token) + " " for token in rule.pattern.tokens)
                right = "".join(
                    show(without_quotes(token) if (rule, token) in unquoted else token) + " "
                    for token in rule.replacement.tokens
                )
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
        if not self.resolver.acceptable(text, "", recipient=True):
            return
        tables = self._program.tables
        table = tables.rules if self._program.level >= 9 else tables.addresses
        at = 0
        while True:
            part = text[at:]

            def report(error: str, part: str = part) -> None:
                self._rewriter.voice.error(error, part)

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
