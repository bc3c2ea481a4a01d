"""Rules as SpamAssassin's configuration files define them, as values.

Nothing here is compiled and nothing looks at a message. Source: Mail::SpamAssassin::Conf(3),
SpamAssassin 4.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something stands. line: the first is 1; 0 where no line is meant."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class RuleKind(StrEnum):
    """What a rule looks at: the word that its line begins with."""

    HEADER = "header"
    BODY = "body"
    RAWBODY = "rawbody"
    FULL = "full"
    URI = "uri"
    URI_DETAIL = "uri_detail"
    MIMEHEADER = "mimeheader"
    META = "meta"


@dataclass(frozen=True, slots=True)
class RulePattern:
    """A Perl regular expression. source: what stands between the delimiters, octets as in the file
    (Latin-1). flags: its letters (`i`, `m`, `s`, `x`), sorted."""

    source: str
    flags: str = ""

    def __str__(self) -> str:
        return f"/{self.source}/{self.flags}"


@dataclass(frozen=True, slots=True)
class HeaderTest:
    """`header NAME Field:mod =~ /pattern/ [if-unset: text]`.

    field: as it was written, without modifiers. modifiers: `addr`, `name`, `raw`, `case`, `first`,
    `last`, `all` ... negated: `!~`. if_unset: the text in place of a field that is not there.
    """

    field: str
    modifiers: tuple[str, ...]
    pattern: RulePattern
    negated: bool = False
    if_unset: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderExists:
    """`header NAME exists:Field`."""

    field: str
    modifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextTest:
    """`body`, `rawbody`, `full` or `uri` with a pattern."""

    kind: RuleKind
    pattern: RulePattern


@dataclass(frozen=True, slots=True)
class UriCondition:
    """One condition of `uri_detail`.

    key: `raw`, `type`, `cleaned`, `text`, `domain` or `host`; with a `!` before it, the condition
    holds when none of the values meets the rest. negated: `!~`, a value that the pattern does not
    match meets it.
    """

    key: str
    pattern: RulePattern
    negated: bool = False


@dataclass(frozen=True, slots=True)
class UriDetailTest:
    """`uri_detail NAME key =~ /pattern/ ...`: all conditions hold for one URI."""

    conditions: tuple[UriCondition, ...]


@dataclass(frozen=True, slots=True)
class MimeHeaderTest:
    """`mimeheader NAME Field =~ /pattern/`: for the header of any part."""

    field: str
    modifiers: tuple[str, ...]
    pattern: RulePattern
    negated: bool = False
    if_unset: str | None = None


@dataclass(frozen=True, slots=True)
class EvalTest:
    """`body NAME eval:function(arguments)`. kind: what the line begins with; arguments: as text,
    without their quotation marks."""

    kind: RuleKind
    function: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetaTest:
    """`meta NAME expression`.

    expression: as it was written, but `rules_matching(...)` is the sum of the rules; what it means:
    `conf.meta`. names: the rules that it names, defined or not.
    """

    expression: str
    names: frozenset[str] = frozenset()


Test = HeaderTest | HeaderExists | TextTest | UriDetailTest | MimeHeaderTest | EvalTest | MetaTest


def patterns_of(test: Test) -> tuple[RulePattern, ...]:
    """The patterns of a test."""
    if isinstance(test, HeaderTest | TextTest | MimeHeaderTest):
        return (test.pattern,)
    if isinstance(test, UriDetailTest):
        return tuple(condition.pattern for condition in test.conditions)
    return ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with all that other lines say of it.

    scores: points in the four score sets (0: no Bayes and no network, 1: network, 2: Bayes,
    3: both). description: by language would be `describe`; one is chosen when the files are read.
    flags: words of `tflags`; the value is the text behind `=`, `""` without one.
    priority: rules with lower figures run first.
    """

    name: str
    test: Test
    origin: Origin
    scores: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    description: str = ""
    flags: Mapping[str, str] = field(default_factory=dict)
    priority: int = 0

    @property
    def is_part(self) -> bool:
        """True for what only other rules use: its name begins with two underscores."""
        return self.name.startswith("__")


_BLANKS = " \t\n\r\x0b\x0c"


@dataclass(frozen=True, slots=True)
class Option:
    """One line that sets something that is not a rule: `freemail_domains gmail.com`.

    name: in lower case, the new one where there is an old one as well (`welcomelist_from` for
    `whitelist_from`). value: the rest of the line, octets as Latin-1.
    """

    name: str
    value: str
    origin: Origin

    @property
    def text(self) -> str:
        """The value without blanks around. Those of ASCII count: 0xA0 and 0x85 are parts of UTF-8
        characters here, as of `à`."""
        return self.value.strip(_BLANKS)

    def words(self, *, lower: bool = False) -> list[str]:
        """What stands between blanks. lower: letters of ASCII in lower case, all others as they
        are."""
        octets = self.value.encode("latin-1", "replace")
        return [word.decode("latin-1") for word in (octets.lower() if lower else octets).split()]


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """A line that could not be used, and why: it is left out, as `spamassassin --lint` does."""

    origin: Origin
    text: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.text}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of a list of files.

    rules: by name, in the order of their first definition. options: by name, in the order of the
    files: eval tests read what is theirs. problems: lines left out. ignored: options of
    SpamAssassin that filterd has other settings for, each with the number of its lines.
    unsupported: rules left out for a test that filterd does not have, each with the reason.
    """

    rules: Mapping[str, Rule]
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    problems: tuple[RuleProblem, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
