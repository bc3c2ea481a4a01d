"""What one can watch while rules run: the source of test mode's output and of traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from filterd.mta.cf.lookup import MapAnswer
from filterd.mta.cf.patterns import Span
from filterd.mta.cf.rules import RewriteRule
from filterd.mta.cf.rulesets import Ruleset


@dataclass(frozen=True, slots=True)
class RuleMessage:
    """Something to say to the person or the client that an address came from.

    code, enhanced: SMTP reply and RFC 3463 status. address: what stands before the text, as in
    `joe@x.test... User unknown`, empty for nothing. system: the fault is the configuration's, not
    the address's. trouble: the exit status that it leaves behind, 0 for the usual one.
    """

    code: str
    enhanced: str
    text: str
    address: str = ""
    system: bool = False
    trouble: int = 0

    def __str__(self) -> str:
        return f"{self.address}... {self.text}" if self.address else self.text


@dataclass(frozen=True, slots=True)
class Lookup:
    """A lookup in a rule. result: what the rule goes on with, None for its default."""

    map: str
    key: str
    arguments: tuple[str, ...]
    answer: MapAnswer
    result: str | None


class Observer:
    """Does nothing; override what is of interest. Tokens are in internal form, with marks.

    details: whether rules are of interest, too, not only rulesets, lookups and messages.
    """

    details = False

    def message(self, message: RuleMessage) -> None: ...

    def enter(self, ruleset: Ruleset, tokens: Sequence[str]) -> None: ...

    def leave(self, ruleset: Ruleset, tokens: Sequence[str]) -> None:
        """A ruleset returns. Not called when it ends with an error."""

    def end(self, ruleset: Ruleset, tokens: Sequence[str]) -> None:
        """A ruleset ends, in whatever way; after `leave`."""

    def skip(self, name: str, number: int) -> None:
        """A ruleset without rules is not called."""

    def looped(self, tokens: Sequence[str]) -> None:
        """A rule was an infinite loop; the ruleset ends with this workspace."""

    def looked_up(self, lookup: Lookup) -> None: ...

    # With details.

    def trying(self, rule: RewriteRule) -> None: ...

    def failed(self, rule: RewriteRule) -> None: ...

    def matched(self, rule: RewriteRule, tokens: Sequence[str], taken: Sequence[Span]) -> None: ...

    def rewritten(self, tokens: Sequence[str]) -> None: ...

    def runtime_macro(self, side: str, name: str, value: str | None) -> None:
        """`$&x` was read, on the side `LHS` or `RHS`."""
