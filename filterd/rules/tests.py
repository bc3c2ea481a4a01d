"""How each kind of rule with a pattern looks at a message."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from filterd.rules.conf.rule import (
    HeaderExists,
    HeaderTest,
    MimeHeaderTest,
    Rule,
    RuleKind,
    RulePattern,
    TextTest,
    UriDetailTest,
)
from filterd.rules.evals import uri_detail
from filterd.rules.patterns import Compiled, PatternError, compile_pattern
from filterd.rules.patterns.compiled import Span
from filterd.rules.patterns.texts import PatternTexts
from filterd.rules.view.parts import PartView
from filterd.rules.view.view import View

HITS = 1000
"""How often a rule with `tflags multiple` hits at most, where no `maxhits` says it."""

_FIGURES = re.compile(r"[0-9]{1,6}\Z")

_RANGE = re.compile(r"([0-9]{1,4})?(-)?([0-9]{1,4})?\Z")


class NotUsable(ValueError):  # noqa: N818  (the end of one rule)
    """A rule that cannot be used. The text says why."""


class Matching(ABC):
    """A rule with one pattern, or without. pattern: None where another test decides."""

    def __init__(self, rule: Rule, pattern: RulePattern | None) -> None:
        self.rule = rule
        self.pattern = pattern
        self._compiled: Compiled | None = None
        if pattern is not None:
            _try(pattern)
        maxhits = rule.flags.get("maxhits", "")
        most = int(maxhits) if _FIGURES.match(maxhits) and int(maxhits) else HITS
        self.limit = most if "multiple" in rule.flags else 1

    @property
    def compiled(self) -> Compiled:
        """The pattern, ready."""
        if self._compiled is None:
            assert self.pattern is not None
            self._compiled = compile_pattern(self.pattern)
        return self._compiled

    @property
    def wider(self) -> Matching:
        """A rule of the same kind whose pattern matches wherever this one hits."""
        return self

    @abstractmethod
    def count(self, view: View) -> int:
        """How often the rule hits."""

    @abstractmethod
    def places(self, view: View, limit: int) -> Iterator[tuple[str, bytes, Span]]:
        """Where it matches: what it looks at, with a name for people, and the place in it."""


class InText(Matching):
    """`body`, `rawbody`, `full`, `uri`."""

    def __init__(self, rule: Rule, test: TextTest) -> None:
        super().__init__(rule, test.pattern)
        self.kind = test.kind
        self._skip = 1 if test.kind is RuleKind.BODY and "nosubject" in rule.flags else 0

    def count(self, view: View) -> int:
        texts = texts_of(view, self.kind)
        if self.limit == 1:
            return int(self.compiled.is_in(texts, self._skip))
        return self.compiled.count_in(texts, self.limit, self._skip)

    def places(self, view: View, limit: int) -> Iterator[tuple[str, bytes, Span]]:
        texts = texts_of(view, self.kind)
        for number, span in self.compiled.places(texts, limit, self._skip):
            yield f"{self.kind} {number}", texts.items[number], span


class InHeader(Matching):
    """`header` with a pattern."""

    def __init__(self, rule: Rule, test: HeaderTest) -> None:
        super().__init__(rule, test.pattern)
        self.key = test.field, test.modifiers
        self.negated = test.negated
        # A field that is not there is empty for a pattern.
        self.unset = (test.if_unset or "").encode("latin-1", "replace")
        self.looked_at = self.key, self.unset

    def text(self, view: View) -> bytes:
        """The field."""
        value = view.header(*self.key)
        return self.unset if value is None else value

    def count(self, view: View) -> int:
        return self.count_of(self.text(view))

    def count_of(self, text: bytes) -> int:
        """How often the rule hits where this is in the field."""
        if self.negated:
            return int(self.compiled.search(text) is None)
        if self.limit == 1:
            return int(self.compiled.search(text) is not None)
        return self.compiled.count(text, self.limit)

    def places(self, view: View, limit: int) -> Iterator[tuple[str, bytes, Span]]:
        text = self.text(view)
        name = ":".join((self.key[0], *self.key[1]))
        for span in () if self.negated else self.compiled.spans(text, limit):
            yield name, text, span


class Exists(Matching):
    """`header` with `exists:`."""

    def __init__(self, rule: Rule, test: HeaderExists) -> None:
        super().__init__(rule, None)
        self._test = test
        self.field = test.field

    def count(self, view: View) -> int:
        return int(view.header(self._test.field, self._test.modifiers) is not None)

    def places(self, view: View, limit: int) -> Iterator[tuple[str, bytes, Span]]:
        value = view.header(self._test.field, self._test.modifiers)
        if value is not None and limit:
            yield self._test.field, value, (0, len(value))


class InUriDetail(Matching):
    """`uri_detail`."""

    def __init__(self, rule: Rule, test: UriDetailTest) -> None:
        super().__init__(rule, None)
        self._test = test
        for condition in test.conditions:
            _try(condition.pattern)

    def count(self, view: View) -> int:
        return int(uri_detail.find(view, self._test.conditions) is not None)

    def places(self, view: View, limit: int) -> Iterator[tuple[str, bytes, Span]]:
        found = uri_detail.find(view, self._test.conditions)
        if found is not None and limit:
            yield "uri", found, (0, len(found))


class InMimeHeader(Matching):
    """`mimeheader`: in the header of any part, the message's own among them.

    tells_absence: the rule may hit where no part has the field.
    """

    def __init__(self, rule: Rule, test: MimeHeaderTest) -> None:
        super().__init__(rule, test.pattern)
        self.negated = test.negated
        self._field = test.field
        self._name = test.field.lower().encode("latin-1", "replace")
        self._is_raw = "raw" in test.modifiers
        self._unset = (test.if_unset or "").encode("latin-1", "replace")
        self._first, self._last = _range(rule.flags.get("range"))
        self._concat = "concat" in rule.flags
        self.looked_at = self._field, self._is_raw, self._unset
        self.tells_absence = (
            self.negated
            or self._concat
            or bool(self._unset)
            or self.compiled.search(b"") is not None
        )

    def all_values(self, view: View) -> tuple[bytes, ...]:
        """What each part has in the field."""
        key = f"mimeheader {self.looked_at!r}"
        found = view.notes.get(key)
        if not isinstance(found, tuple):
            parts = (part for part in view.parts.walk() if part.type)
            found = view.notes[key] = tuple(map(self._value, parts))
        return found

    def _values(self, view: View) -> Iterator[tuple[int, bytes]]:
        numbered = enumerate(self.all_values(view), 1)
        return (one for one in numbered if self._first <= one[0] <= self._last)

    def _value(self, part: PartView) -> bytes:
        if self._field == "ALL":
            lines = [
                name + b": " + value
                for name, raw in part.fields
                for value in ([raw] if self._is_raw else part.all(name.lower())[:1])
            ]
            return b"\n".join(lines)
        values = part.all_raw(self._name) if self._is_raw else part.all(self._name)
        return values[-1] if values else self._unset

    def count(self, view: View) -> int:
        values: Sequence[bytes] = [value for _, value in self._values(view)]
        if self._concat:
            values = [b"".join(v if v.endswith(b"\n") else v + b"\n" for v in values)]
        if self.negated:
            return int(all(self.compiled.search(value) is None for value in values))
        if self.limit == 1:
            return int(any(self.compiled.search(value) is not None for value in values))
        # The first part that hits is the last one looked at.
        counts = (self.compiled.count(value, self.limit) for value in values)
        return next(filter(None, counts), 0)

    def places(self, view: View, limit: int) -> Iterator[tuple[str, bytes, Span]]:
        for number, value in self._values(view):
            for span in () if self.negated else self.compiled.spans(value, limit):
                yield f"part {number}", value, span


def matching_of(rule: Rule) -> Matching:
    """How a rule is tested that is neither a meta nor an eval test. Raises NotUsable."""
    match rule.test:
        case TextTest() as test:
            return InText(rule, test)
        case HeaderTest() as test:
            return InHeader(rule, test)
        case HeaderExists() as test:
            return Exists(rule, test)
        case UriDetailTest() as test:
            return InUriDetail(rule, test)
        case MimeHeaderTest() as test:
            return InMimeHeader(rule, test)
    raise NotUsable(f"{type(rule.test).__name__} has no pattern")


def patterns_of(rule: Rule) -> Sequence[RulePattern]:
    """The patterns of a rule."""
    match rule.test:
        case TextTest() | HeaderTest() | MimeHeaderTest() as test:
            return (test.pattern,)
        case UriDetailTest() as test:
            return [condition.pattern for condition in test.conditions]
    return ()


def texts_of(view: View, kind: RuleKind) -> PatternTexts:
    """The texts of `body`, `rawbody`, `full` or `uri` rules, made once a message."""
    key = f"texts of {kind}"
    found = view.notes.get(key)
    if not isinstance(found, PatternTexts):
        items: dict[RuleKind, Sequence[bytes]] = {}
        match kind:
            case RuleKind.BODY:
                items[kind] = view.body
            case RuleKind.RAWBODY:
                items[kind] = view.rawbody
            case RuleKind.URI:
                items[kind] = view.uris
            case _:
                items[kind] = (view.full,)
        found = view.notes[key] = PatternTexts(items[kind])
    return found


def _try(pattern: RulePattern) -> None:
    """Raises NotUsable for a pattern that cannot be compiled."""
    try:
        compile_pattern(pattern)
    except PatternError as error:
        raise NotUsable(str(error)) from None


def _range(text: str | None) -> tuple[int, int]:
    """First and last part of `tflags range=`."""
    found = _RANGE.match(text or "")
    if found is None or not text:
        return 0, HITS
    first, dash, last = found.groups()
    if first and not dash:
        return int(first), int(first)
    return int(first or 0), int(last or HITS)
