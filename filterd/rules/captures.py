"""`(?<NAME>...)` and `%{NAME}`: what one pattern takes out of a message, another one looks for.

Source: Mail::SpamAssassin::Conf(3), CAPTURING TAGS USING REGEX NAMED CAPTURE GROUPS. The text of a
group counts as it stands in the message, never as a pattern.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator

from filterd.rules import tests
from filterd.rules.conf.regexp import CAPTURE, TEMPLATE
from filterd.rules.conf.rule import HeaderTest, MimeHeaderTest, Rule, RulePattern, TextTest
from filterd.rules.evals.tags import tag_values
from filterd.rules.patterns.compiled import Span
from filterd.rules.tests import Matching, NotUsable
from filterd.rules.view.view import View

VALUES = 100
"""Different texts of one name that are kept; what a pattern takes beyond them is passed over."""

OCTETS = 8_192
"""Length of all texts that are put into one pattern. PCRE2 takes no literals much longer; a rule
that would need more does not hit."""

_TAG = re.compile(r"[A-Z][A-Z0-9]*+(?:_[A-Z0-9]++)*+\Z")

_QUOTED = {one: rf"\x{one:02x}" for one in range(256) if not chr(one).isalnum() or one > 127}
"""All octets but letters and figures, as a pattern has them that means only themselves."""


def matching_of(rule: Rule) -> Matching:
    """How a rule is tested that is neither a meta nor an eval test. Raises NotUsable."""
    test = rule.test
    if isinstance(test, TextTest | HeaderTest) and TEMPLATE.search(test.pattern.source):
        return WithTemplate(rule, test)
    found = tests.matching_of(rule)
    if isinstance(test, TextTest | HeaderTest | MimeHeaderTest):
        names = frozenset(filter(_TAG.match, found.compiled.names))
        if names and CAPTURE.search(test.pattern.source):
            return Capturing(found, names)
    return found


class Capturing(Matching):
    """A rule whose named groups are tags for rules that run later."""

    def __init__(self, inner: Matching, names: frozenset[str]) -> None:
        super().__init__(inner.rule, inner.pattern)
        self._inner = inner
        self._names = sorted(names)

    @property
    def wider(self) -> Matching:
        return self._inner.wider

    def count(self, view: View) -> int:
        count = self._inner.count(view)
        if count:
            for name, values in self._found(view).items():
                view.tags[name] = tuple(values)
        return count

    def places(self, view: View, limit: int) -> Iterator[tuple[str, bytes, Span]]:
        return self._inner.places(view, limit)

    def _found(self, view: View) -> dict[str, dict[bytes, None]]:
        found: dict[str, dict[bytes, None]] = {}
        for _, text, (start, _end) in self._inner.places(view, self.limit):
            match = self.compiled.match(text, start)
            for name in self._names if match is not None else ():
                assert match is not None
                value = match.group(name)
                if value and len(found.get(name, ())) < VALUES:
                    found.setdefault(name, {})[value] = None
        return found


class WithTemplate(Matching):
    """A rule that looks for the values of tags: its pattern is another one in each message. It does
    not hit where one of the tags is not set."""

    def __init__(self, rule: Rule, test: TextTest | HeaderTest) -> None:
        super().__init__(rule, test.pattern)
        self._test = test
        self._tags = tuple(dict.fromkeys(TEMPLATE.findall(test.pattern.source)))

    @property
    def wider(self) -> Matching:
        try:
            return tests.matching_of(self._with(_anything))
        except NotUsable:
            return self

    def count(self, view: View) -> int:
        filled = self._filled(view)
        return 0 if filled is None else filled.count(view)

    def places(self, view: View, limit: int) -> Iterator[tuple[str, bytes, Span]]:
        filled = self._filled(view)
        return iter(()) if filled is None else filled.places(view, limit)

    def _filled(self, view: View) -> Matching | None:
        """The rule with what its tags are in this message. Raises NotUsable for a pattern that this
        makes too long."""
        values = {name: tag_values(view, name) for name in self._tags}
        if not all(values.values()):
            return None
        if sum(len(one) for found in values.values() for one in found) > OCTETS:
            raise NotUsable(f"what it looks for has more than {OCTETS} octets")
        return matching_of(self._with(lambda tag: _any_of(values[tag[1]])))

    def _with(self, text: Callable[[re.Match[str]], str]) -> Rule:
        """The rule with something in place of its tags."""
        source = TEMPLATE.sub(text, self._test.pattern.source)
        pattern = RulePattern(source, self._test.pattern.flags)
        return dataclasses.replace(self.rule, test=dataclasses.replace(self._test, pattern=pattern))


def _anything(_tag: re.Match[str]) -> str:
    return "(?s:.+)"


def _any_of(values: Iterable[bytes]) -> str:
    quoted = (value.decode("latin-1").translate(_QUOTED) for value in values)
    return f"(?:{'|'.join(quoted)})"
