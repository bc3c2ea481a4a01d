"""What test mode prints while rules run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from filterd.mta.bt.debug import LOOKUP, REWRITE, DebugLevels
from filterd.mta.cf.lookup import EX_TEMPFAIL
from filterd.mta.cf.marks import Names
from filterd.mta.cf.observer import Lookup, Observer, RuleMessage
from filterd.mta.cf.patterns import Span
from filterd.mta.cf.rules import RewriteRule
from filterd.mta.cf.rulesets import Ruleset

EX_SOFTWARE = 70

Write = Callable[[str], None]
"""Takes text in octet form."""


class TestModeOutput(Observer):
    """Prints what sendmail does. suppressed: errors of addresses are not told."""

    __test__ = False

    def __init__(self, names: Names, levels: DebugLevels, write: Write) -> None:
        self._names, self._levels, self._write = names, levels, write
        self.suppressed = False
        self.exit_status = 0

    @property
    def details(self) -> bool:  # type: ignore[override]
        return self._levels.at(REWRITE, 2)

    def message(self, message: RuleMessage) -> None:
        if message.system and not self.exit_status:
            self.exit_status = message.trouble or EX_SOFTWARE
        if message.system or not self.suppressed:
            self._write(f"{message}\n")

    def tokens(self, tokens: Iterable[str]) -> None:
        """A line of tokens, each with a blank in front."""
        show = self._names.show
        self._write("".join(f" {show(token)}" for token in tokens) + "\n")

    def enter(self, ruleset: Ruleset, tokens: Sequence[str]) -> None:
        self._write(f"{ruleset.title:<16.16}   input:")
        self.tokens(tokens)

    def leave(self, ruleset: Ruleset, tokens: Sequence[str]) -> None:
        self._write(f"{ruleset.title:<16.16} returns:")
        self.tokens(tokens)

    def skip(self, name: str, number: int) -> None:
        if self._levels.at(REWRITE, 3):
            self._write(f"-----skip subr {name} ({number})\n")

    def looped(self, tokens: Sequence[str]) -> None:
        if self._levels.at(REWRITE, 1):
            self._write("workspace: ")
            self.tokens(tokens)

    def looked_up(self, lookup: Lookup) -> None:
        if not self._levels.at(LOOKUP, 1):
            return
        key, answer = self._names.show(lookup.key), lookup.answer
        shown = ""
        if self._levels.at(LOOKUP, 5):
            values = (lookup.key, *lookup.arguments)
            shown = "".join(f", %{number}={value}" for number, value in enumerate(values))
        found = "NOT FOUND" if answer.value is None else answer.value
        self._write(f"map_lookup({lookup.map}, {key}{shown}) => {found} ({answer.status}), ad=0\n")
        if answer.status == EX_TEMPFAIL:
            self._write(f"map_lookup({lookup.map}, {key}) tempfail: errno=0\n")
            if lookup.result is not None and self._levels.at(LOOKUP, 4):
                self._write(f'map_lookup tempfail: returning "{lookup.result}"\n')

    def trying(self, rule: RewriteRule) -> None:
        if self._levels.at(REWRITE, 12):
            line = f" (line {rule.line})" if self._levels.at(REWRITE, 15) else ""
            self._write(f"-----trying rule{line}:")
            self.tokens(rule.pattern.tokens)

    def failed(self, rule: RewriteRule) -> None:
        del rule
        if self._levels.at(REWRITE, 10):
            self._write("----- rule fails\n")

    def matched(self, rule: RewriteRule, tokens: Sequence[str], taken: Sequence[Span]) -> None:
        del tokens, taken
        if self._levels.at(REWRITE, 12):
            self._write("-----rule matches:")
            self.tokens(rule.replacement.tokens)

    def rewritten(self, tokens: Sequence[str]) -> None:
        if self._levels.at(REWRITE, 4):
            self._write("rewritten as:")
            self.tokens(tokens)

    def runtime_macro(self, side: str, name: str, value: str | None) -> None:
        if self._levels.at(REWRITE, 2):
            shown = "(NULL)" if value is None else self._names.without_marks(value)
            self._write(f'rewrite: {side} $&{{{name}}} => "{shown}"\n')
