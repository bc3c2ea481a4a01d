"""What people want to know of a rule set: rules as lines, what needs what, what is doubtful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from filterd.rules.conf.regexp import always_matches
from filterd.rules.conf.rule import (
    EvalTest,
    HeaderExists,
    HeaderTest,
    MetaTest,
    MimeHeaderTest,
    Rule,
    RuleKind,
    RulePattern,
    RuleProblem,
    RuleSet,
    Test,
    TextTest,
    UriDetailTest,
    patterns_of,
)

NAME_LENGTH = 40
"""Longest name of a rule that is not remarked on."""


def kind_of(test: Test) -> str:
    """The word that the rule's line begins with."""
    match test:
        case HeaderTest() | HeaderExists():
            return RuleKind.HEADER
        case TextTest() | EvalTest():
            return "askdns" if _is_askdns(test) else test.kind
        case UriDetailTest():
            return RuleKind.URI_DETAIL
        case MimeHeaderTest():
            return RuleKind.MIMEHEADER
        case MetaTest():
            return RuleKind.META


def as_line(test: Test) -> str:
    """What a rule tests, as a configuration file would have it behind the name."""
    match test:
        case HeaderTest() | MimeHeaderTest():
            sign = "!~" if test.negated else "=~"
            unset = "" if test.if_unset is None else f" [if-unset: {test.if_unset}]"
            return f"{_field(test)} {sign} {_pattern(test.pattern)}{unset}"
        case HeaderExists():
            return f"exists:{_field(test)}"
        case TextTest():
            return _pattern(test.pattern)
        case UriDetailTest():
            return "  ".join(
                f"{one.key} {'!~' if one.negated else '=~'} {_pattern(one.pattern)}"
                for one in test.conditions
            )
        case EvalTest():
            if _is_askdns(test):
                return " ".join(test.arguments)
            return f"eval:{test.function}({', '.join(map(repr, test.arguments))})"
        case MetaTest():
            return test.expression


def used_by(rule_set: RuleSet, name: str) -> tuple[str, ...]:
    """The meta rules that name a rule."""
    return tuple(
        other
        for other, rule in rule_set.rules.items()
        if isinstance(rule.test, MetaTest) and name in rule.test.names
    )


def undefined(rule_set: RuleSet) -> Mapping[str, int]:
    """Names in meta rules that no line defines, with the number of these metas. Rules that are
    unsupported are not among them."""
    found = Counter(
        name
        for rule in rule_set.rules.values()
        if isinstance(rule.test, MetaTest)
        for name in rule.test.names
        if name not in rule_set.rules and name not in rule_set.unsupported
    )
    return dict(sorted(found.items()))


def doubtful(rule_set: RuleSet) -> Iterator[RuleProblem]:
    """Rules that are used, and that their author may not have meant so."""
    for rule in rule_set.rules.values():
        for pattern in patterns_of(rule.test):
            why = always_matches(pattern.source)
            if why:
                text = f"{rule.name}: its pattern matches every text: {why}"
                yield RuleProblem(rule.origin, text)
        if len(rule.name) > NAME_LENGTH and not rule.name.startswith(("__", "T_")):
            yield RuleProblem(rule.origin, f"{rule.name}: a name of over {NAME_LENGTH} characters")


def counted(rules: Mapping[str, Rule]) -> Mapping[str, int]:
    """How many rules there are of each kind."""
    found = Counter(kind_of(rule.test) for rule in rules.values())
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def _is_askdns(test: TextTest | EvalTest) -> bool:
    return isinstance(test, EvalTest) and test.function == "askdns"


def _field(test: HeaderTest | MimeHeaderTest | HeaderExists) -> str:
    return ":".join((test.field, *test.modifiers))


def _pattern(pattern: RulePattern) -> str:
    # Patterns in other delimiters may have a bare slash.
    bare = pattern.source.replace("\\/", "")
    return f"m{{{pattern.source}}}{pattern.flags}" if "/" in bare else str(pattern)
