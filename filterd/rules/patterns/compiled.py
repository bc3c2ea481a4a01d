"""Patterns made ready by PCRE2, and searches whose time and memory have limits.

A text of any length ends within `SECONDS` or a little more: at the first attempt all beginnings are
tried at once with few steps for each; if that is not enough, or the text is long, window by window.
"""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from functools import lru_cache

import pcre2

from filterd.rules.conf.rule import RulePattern
from filterd.rules.patterns import limits
from filterd.rules.patterns.octets import ALL
from filterd.rules.patterns.prefilter import first_edge, first_octets, most_octets
from filterd.rules.patterns.reader import read
from filterd.rules.patterns.syntax import Edge, PatternError, Tree
from filterd.rules.patterns.texts import PatternTexts
from filterd.rules.patterns.writer import (
    NEVER,
    Writer,
    is_caseless,
    octet_set,
)

Span = tuple[int, int]
"""First octet and the one behind the last."""

_STEPS = -47
_STACK_OF_JIT = -46
_DEPTH = -53
_HEAP = -63
"""PCRE2's errors for a match that needs more than its limits: pcre2.h."""
_GIVEN_UP = frozenset((_STEPS, _STACK_OF_JIT, _DEPTH, _HEAP))


_TOO_LARGE = 120
"""PCRE2's error for a pattern that is too long for it, compiled."""


_NO_EARLY_FAIL = b"(?(DEFINE)a)(?:%b)"
"""Around a pattern for PCRE2's JIT. That of 10.47 leaves out places where a match begins when a
repeated class, as in `https?://[^/]{0,50}%`, failed further on; not behind a condition, and this
one takes nothing and costs nothing."""


class TooMuchWork(Exception):  # noqa: N818 - what happened to a search, not a fault
    """A search was given up: it needs more steps, memory or time than the limits allow."""


@dataclass(frozen=True, slots=True)
class PatternParts:
    """What is kept of a pattern in a cache. plain, joined: for PCRE2, without limits; joined is
    empty when texts cannot be joined. first: the octets that a match can begin with, as a set.
    edge: where alone it can begin, `Edge.START` or `Edge.LINE_START`; None for anywhere.
    reach: how many octets are looked at from one beginning at most; None without a limit.
    windowable: whether a search may be divided."""

    plain: bytes
    joined: bytes
    first: int
    edge: Edge | None
    reach: int | None
    caseless: bool
    windowable: bool


@dataclass(frozen=True, slots=True)
class PatternMatch:
    """A match. groups: the span of each, the whole first; None for one that took no part."""

    subject: bytes
    groups: tuple[Span | None, ...]
    names: dict[str, int]

    @property
    def span(self) -> Span:
        whole = self.groups[0]
        assert whole is not None
        return whole

    def group(self, which: int | str = 0) -> bytes | None:
        """What a group took. Raises IndexError or KeyError for one that is not in the pattern."""
        span = self.groups[self.names[which] if isinstance(which, str) else which]
        return None if span is None else self.subject[span[0] : span[1]]


def parts_of(tree: Tree) -> PatternParts:
    """The texts for PCRE2."""
    root = tree.root
    caseless = is_caseless(root)

    def text(*, joined: bool) -> str:
        writer = Writer(joined=joined, caseless=caseless)
        found = writer.whole(root)
        if not _fits(found):
            writer = Writer(joined=joined, caseless=caseless, groups=tree.groups, shares=True)
            found = writer.whole(root)
        return found

    plain = text(joined=False)
    joined = text(joined=True) if tree.divisible else ""
    return PatternParts(
        plain.encode("latin-1"),
        joined.encode("latin-1"),
        first_octets(root),
        first_edge(root),
        most_octets(root),
        caseless,
        tree.divisible,
    )


def _fits(text: str) -> bool:
    """Whether a text is not too long for PCRE2; nothing is said of other mistakes."""
    try:
        pcre2.compile(text.encode("latin-1"), jit=False)
    except pcre2.PatternError as error:
        return bool(error.code != _TOO_LARGE)
    return True


class _PatternSearch:
    """A text for PCRE2 and its compiled forms, made when they are needed."""

    __slots__ = ("_beginning", "_forms", "first", "parts", "text")

    def __init__(self, text: bytes, parts: PatternParts) -> None:
        self.text = text
        self.parts = parts
        self.first: pcre2.Pattern | None = None
        self._forms: dict[tuple[int, bool], pcre2.Pattern] = {}
        self._beginning: re.Pattern[bytes] | None = None

    def compiled(self) -> pcre2.Pattern:
        """The form for short texts. Raises PatternError."""
        if self.first is None:
            self.first = self._compile(self.text, limits.STEPS_AT_ONE_PLACE, jit=True)
        return self.first

    def search(self, subject: bytes, at: int, reach: int) -> pcre2.Match | None:
        """The first match from `at` on. reach: length of the text, or of the longest of those
        that are joined. Raises TooMuchWork."""
        if (len(subject) - at) * reach <= limits.AT_ONCE:
            try:
                return (self.first or self.compiled()).search(subject, at)
            except pcre2.LibraryError as error:
                if error.code not in _GIVEN_UP:
                    raise
        if self.parts.windowable:
            return self._in_windows(subject, at, reach)
        if len(subject) - at > limits.UNDIVIDED:
            raise TooMuchWork(f"text of more than {limits.UNDIVIDED} octets for this pattern")
        form = self._forms.get((0, False))
        if form is None:
            form = self._forms[0, False] = self._compile(
                self.text, limits.STEPS_AT_ONE_PLACE, jit=False
            )
        try:
            return form.search(subject, at)
        except pcre2.LibraryError as error:
            if error.code not in _GIVEN_UP:
                raise
            raise TooMuchWork(str(error)) from error

    def count(self, subject: bytes, limit: int, reach: int) -> int:
        """How many matches that do not overlap there are, `limit` at most. Raises TooMuchWork."""
        if len(subject) * reach <= limits.AT_ONCE:
            # PCRE2 goes on after a match as Perl does: one call, not one for each match.
            with contextlib.suppress(pcre2.LibraryError):
                number: int = self.compiled().subn(b"", subject)[1]
                return min(number, limit)
        return len(_spans(self, subject, limit, 0, reach))

    def more_than_nothing(self, subject: bytes, at: int) -> pcre2.Match | None:
        """A match at this place that is not empty. Raises TooMuchWork."""
        form = self._forms.get((0, True))
        if form is None:
            text = b"\\G(?:%b)(?!\\G)" % self.text
            form = self._forms[0, True] = self._compile(text, limits.STEPS_OF_A_WINDOW, jit=True)
        try:
            return form.search(subject, at)
        except pcre2.LibraryError as error:
            if error.code not in _GIVEN_UP:
                raise
            raise TooMuchWork(str(error)) from error

    def _in_windows(self, subject: bytes, at: int, reach: int) -> pcre2.Match | None:
        end = time.thread_time() + limits.SECONDS
        smallest, jit = len(limits.WINDOWS) - 1, True
        # Not before: where all is tried at once, PCRE2 counts its steps from each beginning.
        if self.parts.reach is not None:
            reach = min(reach, self.parts.reach)
        least = 0
        while at <= len(subject):
            begins = self._beginnings().search(subject, at)
            if begins is None:
                return None
            at = begins.start()
            far = max(1, min(reach, len(subject) - at))
            size = least
            while size < smallest and limits.WINDOWS[size] * far > limits.WINDOW:
                size += 1
            try:
                found = self._form(limits.WINDOWS[size], jit=jit).search(subject, at)
            except pcre2.LibraryError as error:
                if error.code not in _GIVEN_UP:
                    raise
                if error.code == _STACK_OF_JIT:
                    jit = False
                elif size < smallest:
                    least = size + 1
                else:
                    raise TooMuchWork(str(error)) from error
            else:
                if found is not None:
                    return found
                at += limits.WINDOWS[size]
            if time.thread_time() > end:
                raise TooMuchWork(f"more than {limits.SECONDS:g} s of CPU for one search")
        return None

    def _beginnings(self) -> re.Pattern[bytes]:
        """Where a match can begin."""
        if self._beginning is None:
            text = "" if self.parts.first == ALL else octet_set(self.parts.first, caseless=False)
            if not self.parts.first:
                text = NEVER
            # In joined texts a NUL is where one ends, and the next begins.
            if self.parts.edge is Edge.START:
                text = rf"(?<![^\x00]){text}"
            elif self.parts.edge is Edge.LINE_START:
                text = rf"(?<![^\n\x00]){text}"
            self._beginning = re.compile(text.encode("ascii"))
        return self._beginning

    def _form(self, size: int, *, jit: bool) -> pcre2.Pattern:
        """The pattern for the next `size` beginnings."""
        form = self._forms.get((size, jit))
        if form is None:
            text = b"\\G[\\x00-\\xff]{0,%d}?\\K(?:%b)" % (size - 1, self.text)
            form = self._forms[size, jit] = self._compile(text, limits.STEPS_OF_A_WINDOW, jit=jit)
        return form

    def _compile(self, text: bytes, steps: int, *, jit: bool) -> pcre2.Pattern:
        head = b"(*LF)(*BSR_UNICODE)(*LIMIT_MATCH=%d)(*LIMIT_HEAP=%d)(*LIMIT_DEPTH=%d)" % (
            steps,
            limits.HEAP_KIB,
            limits.DEPTH,
        )
        flags = pcre2.IGNORECASE if self.parts.caseless else 0
        if jit:
            text = _NO_EARLY_FAIL % text
        try:
            return pcre2.compile(head + text, flags, jit=jit)
        except pcre2.PatternError as error:
            reason = str(error).partition("; ")[2] or str(error)
            raise PatternError(reason) from error


class Compiled:
    """A pattern of Perl's, ready to search in octets."""

    __slots__ = ("_joined", "_names", "_plain", "pattern")

    def __init__(self, pattern: RulePattern, parts: PatternParts) -> None:
        """Raises PatternError for what PCRE2 does not accept, at the first search at the latest."""
        self.pattern = pattern
        self._plain = _PatternSearch(parts.plain, parts)
        self._joined = _PatternSearch(parts.joined, parts) if parts.joined else None
        self._names: dict[str, int] | None = None

    def check(self) -> None:
        """Raises PatternError if PCRE2 does not accept the pattern."""
        self._plain.compiled()

    @property
    def names(self) -> dict[str, int]:
        """Numbers of the named groups."""
        if self._names is None:
            self._names = dict(self._plain.compiled().groupindex)
        return self._names

    def search(self, subject: bytes, at: int = 0) -> Span | None:
        """Where the pattern matches first from octet `at` on. Raises TooMuchWork."""
        found = self._plain.search(subject, at, len(subject))
        return None if found is None else found.span()

    def match(self, subject: bytes, at: int = 0) -> PatternMatch | None:
        """The first match with its groups. Raises TooMuchWork."""
        found = self._plain.search(subject, at, len(subject))
        if found is None:
            return None
        count = self._plain.compiled().groups
        spans = (found.span(group) for group in range(count + 1))
        return PatternMatch(
            subject, tuple(None if at < 0 else (at, to) for at, to in spans), self.names
        )

    def spans(self, subject: bytes, limit: int, at: int = 0) -> list[Span]:
        """At most `limit` matches that do not overlap, as Perl's `while (/.../g)` finds them.
        Raises TooMuchWork."""
        return _spans(self._plain, subject, limit, at, len(subject))

    def count(self, subject: bytes, limit: int) -> int:
        """How many `spans` there are. Raises TooMuchWork."""
        return self._plain.count(subject, limit, len(subject))

    def is_in(self, texts: PatternTexts, skip: int = 0) -> bool:
        """Whether the pattern matches in one of the texts, apart from the first `skip`. Raises
        TooMuchWork."""
        if self._joined is not None and texts.joined is not None:
            at = texts.start(skip)
            return at is not None and (
                self._joined.search(texts.joined, at, texts.longest) is not None
            )
        return any(self.search(text) is not None for text in texts.items[skip:])

    def count_in(self, texts: PatternTexts, limit: int, skip: int = 0) -> int:
        """How often the pattern matches in the texts, `limit` at most. Raises TooMuchWork."""
        if self._joined is not None and texts.joined is not None:
            at = texts.start(skip)
            if at is None:
                return 0
            if at == 0:
                return self._joined.count(texts.joined, limit, texts.longest)
            return len(_spans(self._joined, texts.joined, limit, at, texts.longest))
        return len(self.places(texts, limit, skip))

    def places(self, texts: PatternTexts, limit: int, skip: int = 0) -> list[tuple[int, Span]]:
        """At most `limit` matches: the number of the text, and where in it. Raises TooMuchWork."""
        found: list[tuple[int, Span]] = []
        for number, text in enumerate(texts.items[skip:], skip):
            found += [(number, span) for span in self.spans(text, limit - len(found))]
            if len(found) >= limit:
                break
        return found


def _spans(search: _PatternSearch, subject: bytes, limit: int, at: int, reach: int) -> list[Span]:
    found: list[Span] = []
    while len(found) < limit and at <= len(subject):
        match = search.search(subject, at, reach)
        if match is None:
            break
        span = match.span()
        found.append(span)
        at = max(span[1], at)
        while span[0] == span[1] and len(found) < limit:
            match = search.more_than_nothing(subject, at)  # as Perl goes on after an empty match
            if match is None:
                at += 1
                break
            span = match.span()
            found.append(span)
            at = span[1]
    return found


_known: dict[RulePattern, PatternParts] = {}

KNOWN = 100_000
"""Patterns of which is kept what was found out; beyond it all are forgotten."""


def know(pattern: RulePattern, parts: PatternParts) -> None:
    """Say what was found out about a pattern, so that it is not read again."""
    if len(_known) >= KNOWN:
        _known.clear()
    _known[pattern] = parts


@lru_cache(maxsize=4096)
def compile_pattern(pattern: RulePattern) -> Compiled:
    """The pattern, ready. Raises PatternError with the reason."""
    known = _known.get(pattern)
    if known is not None:
        return Compiled(pattern, known)
    compiled = Compiled(pattern, parts_of(read(pattern)))
    compiled.check()
    return compiled
