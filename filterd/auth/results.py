"""Authentication-Results (RFC 8601): the value, a reader and a writer.

The reader takes what others write, in any legal spelling, and is linear and bounded. The writer
puts no comments, which some receivers misread, and nothing but printable ASCII: domains are in
A-labels, and addresses do not stand in it, so that mail with SMTPUTF8 needs no other form (RFC 8601
§5). ARC-Authentication-Results has the same form behind its instance (RFC 8617 §4.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FIELD_LIMIT = 16 << 10
"""Octets of a field that are read. Fields of real hosts stay below 3 KiB."""

RESULTS_LIMIT = 100
"""Results of one field that are read."""

PROPERTIES_LIMIT = 20
"""Properties of one result that are read."""

VALUE_LIMIT = 300
"""Characters of one value that are written; domains have at most 253."""

LINE_LIMIT = 76
"""Characters after which a line is folded; RFC 5322 §2.1.1 asks for at most 78."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|\\.?|[();=]|[^\s"\\();=]++|\s++', re.DOTALL)
_PARENTHESIS = re.compile(r"[()]|\\.", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_NOT_SHOWN = re.compile(r"[^ -~]")
_FOLD = re.compile(r"[\r\n]++")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"(?:[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]*+@)?[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]++")
"""What needs no quotation marks: a token of RFC 2045 §5.1, or an address made of such."""

_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*+)")


class ResultsError(ValueError):
    """A field that cannot be read; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One `resinfo` (RFC 8601 §2.2): how one check ended.

    method, result: as they are registered, in lower case: `dkim`, `pass`. reason: why, in words.
    properties: what was checked, as (`header.d`, `bank.example`), in order.
    """

    method: str
    result: str
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """The first property of that name, `""` without one."""
        return next((value for key, value in self.properties if key == name), "")


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """What one host, its authserv-id, found out; without any result it says `none`."""

    authserv_id: str
    results: tuple[MethodResult, ...] = ()

    def of(self, method: str) -> Iterator[MethodResult]:
        """The results of one method, in order."""
        return (one for one in self.results if one.method == method)


def parse(value: bytes | str) -> AuthenticationResults:
    """Read the value of a field, folded or not.

    Raises ResultsError for a malformed field, and for one over the limits.
    """
    if len(value) > FIELD_LIMIT:
        raise ResultsError(f"a field of {len(value)} octets; expected at most {FIELD_LIMIT}")
    text = value if isinstance(value, str) else value.decode("utf-8", "replace")
    # Line ends only fold; other control characters have no place here, quoted or not.
    text = _CONTROL.sub("?", _FOLD.sub("", text))
    first, *rest = _sections(text)
    # A version may follow (§2.2): there is only 1.
    named = bool(first) and bool(first[0].key)
    if not named or len(first) > 2 or any(word.value is not None for word in first):
        raise ResultsError("expected a host's name, and results behind `;`")
    if len(first) == 2 and first[1].key != "1":
        raise ResultsError(f"version {first[1].key[:20]!r}; expected 1")
    results = []
    for section in rest:
        if not section or (section[0].value is None and section[0].key.lower() == "none"):
            continue
        results.append(_result(section))
        if len(results) > RESULTS_LIMIT:
            raise ResultsError(f"more than {RESULTS_LIMIT} results")
    return AuthenticationResults(first[0].key, tuple(results))


@dataclass(slots=True)
class _Word:
    """`key`, or `key=value`."""

    key: str = ""
    value: str | None = None
    open: bool = True
    """Whether what follows belongs to it: no blank came since."""
    awaited: bool = False
    """Whether a value is to come: behind `=`, where blanks may stand."""


def _sections(text: str) -> list[list[_Word]]:
    """The words between `;`, without comments; blanks may stand around `=`, `.` and `/`."""
    sections: list[list[_Word]] = [[]]
    position = 0
    while match := _TOKEN.match(text, position):
        token, position = match[0], match.end()
        words = sections[-1]
        last = words[-1] if words else None
        if token == "(":
            position = _comment_end(text, position)
        elif token == ")":
            pass
        elif token == ";":
            if len(sections) > 2 * RESULTS_LIMIT:
                raise ResultsError(f"more than {RESULTS_LIMIT} results")
            sections.append([])
        elif token == "=":
            if last is None or (last.value is not None and not last.open):
                raise ResultsError("`=` with nothing before it")
            if last.value is None:
                last.value = ""
            else:
                last.value += "="
            last.open = last.awaited = True
            continue
        elif not token.isspace():
            _take(words, last, token)
            continue
        if last is not None:
            last.open = last.awaited
    return sections


def _comment_end(text: str, start: int) -> int:
    """Behind the parenthesis that closes a comment, in which quotation marks are letters (RFC 5322
    §3.2.2); the end of the text where none does."""
    depth = 1
    for found in _PARENTHESIS.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return len(text)


def _take(words: list[_Word], last: _Word | None, token: str) -> None:
    quoted = token[0] in '"\\'
    if quoted:
        token = _PAIR.sub(r"\1", token.removeprefix('"').removesuffix('"'))
    if last is not None and last.value is not None and last.open:
        last.value += token
        last.awaited = False
    elif last is not None and last.value is None and _joins(last, token) and not quoted:
        last.key += token
        last.open = True
    else:
        if len(words) > PROPERTIES_LIMIT + 2:
            raise ResultsError(f"more than {PROPERTIES_LIMIT} properties")
        words.append(_Word(token))


def _joins(last: _Word, token: str) -> bool:
    return last.open or last.key[-1:] in (".", "/") or token[:1] in (".", "/")


def _result(words: list[_Word]) -> MethodResult:
    first, *rest = words
    # `dkim/1`: versions of methods are not told apart (§2.2).
    method = first.key.partition("/")[0].lower()
    if first.value is None or not _KEYWORD.fullmatch(method):
        raise ResultsError(f"{first.key[:40]!r}; expected a method and its result, as spf=pass")
    reason = ""
    properties: list[tuple[str, str]] = []
    for word in rest:
        if word.value is None:
            # Some writers leave quotation marks out.
            continue
        key = word.key.lower()
        if key == "reason" and not properties:
            reason = word.value
        elif "." in key:
            properties.append((key, word.value))
    return MethodResult(method, first.value.lower(), reason, tuple(properties))


_PLAINER = str.maketrans({"(": "", ")": "", ";": ",", '"': "'", "\\": "/"})


def written(results: AuthenticationResults) -> str:
    """The value of the field, each result on a line of its own behind LF and tab.

    What is not printable ASCII becomes `?`, so that nothing in it ends the field. Reasons have no
    parentheses, semicolons and quotation marks: they may stand in quotes, but there are readers who
    take them for comments and ends of results all the same.
    """
    lines = [f"{_host(results.authserv_id)};"]
    for number, one in enumerate(results.results):
        words = [f"{one.method}={one.result}"]
        if one.reason:
            words.append(f"reason={_quoted(one.reason.translate(_PLAINER))}")
        words += [f"{name}={_value(value)}" for name, value in one.properties if value]
        if number < len(results.results) - 1:
            words[-1] += ";"
        lines += _folded(words)
    if not results.results:
        lines.append("none")
    return "\n\t".join(lines)


def _folded(words: list[str]) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > LINE_LIMIT:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _host(name: str) -> str:
    shown = _NOT_SHOWN.sub("?", name)[:VALUE_LIMIT]
    return shown if _PLAIN.fullmatch(shown) else _quoted(shown)


def _value(text: str) -> str:
    shown = _NOT_SHOWN.sub("?", text)[:VALUE_LIMIT]
    return shown if _PLAIN.fullmatch(shown) else _quoted(shown)


def _quoted(text: str) -> str:
    shown = _NOT_SHOWN.sub("?", text)[:VALUE_LIMIT]
    return '"' + re.sub(r'(["\\])', r"\\\1", shown) + '"'
