"""Values with parameters, as in Content-Type, read the way mail readers read them.

Quoted, unquoted or badly quoted; split in continuations and with charsets (RFC 2231); encoded words
where none may be (RFC 2047 forbids them in parameters, and half the world writes them). Of a
parameter that stands there several times every value is kept: readers differ in which they take.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import unquote_to_bytes

from filterd.message.decoding import decode_charset, decode_words

PARAMETER_LIMIT = 1000
"""Parameters of one field that are looked at; real ones have a handful."""

VALUE_LIMIT = 16 << 10
"""Octets of one field that are parsed; a long name in continuations needs less than a tenth."""

# What nobody can read in two ways: no comment, no blank, no escape where one may deceive.
_PLAIN = re.compile(
    rb"\s*+([A-Za-z0-9.+-]++/?+[A-Za-z0-9.+-]*+)\s*+"
    rb"((?:;\s*+[A-Za-z0-9-]++="
    rb"(?:\"(?:[^\"\\=(]++|(?<![A-Za-z0-9* \t])=)*+\"|[^\s;\"'()=]++)\s*+)*+);?\s*+"
)
_PLAIN_WORD = re.compile(rb"\s*+([A-Za-z0-9.+-]++/?+[A-Za-z0-9.+-]*+)\s*+(?:;|\Z)")
_MEDIA_TYPE = re.compile(
    rb"[ \t]*+(?:\r?\n[ \t]++)?+[A-Za-z0-9.+-]++/[A-Za-z0-9.+-]++[ \t]*+(?:;|\s*+\Z)"
)
_PLAIN_PARAMETER = re.compile(rb';\s*+([A-Za-z0-9-]++)=(?:"([^"]*+)"|([^\s;]++))')
# Every branch begins with a character of its own, which makes the search several times as fast.
_COMMENT_MARK = re.compile(rb'\\.|\(\(*+|\)\)*+|"', re.DOTALL)
_VALUE = rb'("(?:[^"\\]++|\\.)*+(?:"|$)|[^;]*+)'
_PARAMETER = re.compile(rb';\s*+([^\s=;"]++(?:[ \t]++[*0-9]++)?)\s*+=\s*+' + _VALUE, re.DOTALL)
# A name or boundary where no parameter begins: without a semicolon before it, or in a comment.
_LOOSE = re.compile(
    rb"(?i)(?:^|[\s,(])((?:(?:file)?name|boundary)[*0-9]*+)\s*+=\s*+" + _VALUE, re.DOTALL
)
_BEHIND_STRING = re.compile(rb"[^;]*+")
_TOKEN = re.compile(rb"[^\s()<>@,;:\\\"/\[\]?=*]*+")
_ENCODED_WORD = re.compile(rb"=\?[^?\s]++\?[A-Za-z]\?[^?]*+\?=")
_WORDS = re.compile(rb"=\?\S++")
# A string that begins within a value: some readers go on in it and end the value where it ends.
_STRING_WITHIN = re.compile(
    rb';\s*+([^\s=;"]++(?:[ \t]++[*0-9]++)?)\s*+=\s*+([^\s;"][^;"]*+"(?:[^"\\]++|\\.)*+)', re.DOTALL
)
# What stands there in the place of a parameter, but is none of the media type.
_LOOSE_PARAMETER = re.compile(rb"[\s,][^\s=,]++\s*+=", re.DOTALL)
_FOLD = re.compile(rb"\r?\n[ \t]")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
# Behind a number some readers pass over what does not belong there.
_SEGMENT = re.compile(r"(.+?)(?:\*(\d{1,9})(?:[^\d*][^*]*+)?+)?(\*)?")


class Parameters:
    """The parameters of one field, in order: lower-case name, octets without quotes.

    is_plain: no name has a `*`, so that none is a piece of a value or has a charset (RFC 2231).
    is_unmistakable: written so that no two readers understand it differently.
    """

    __slots__ = ("is_plain", "is_unmistakable", "pairs")

    def __init__(
        self,
        pairs: tuple[tuple[str, bytes], ...],
        *,
        is_plain: bool,
        is_unmistakable: bool = False,
    ) -> None:
        self.pairs = pairs
        self.is_plain = is_plain
        self.is_unmistakable = is_unmistakable

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def raw(self, name: str) -> bytes:
        """The first value of that name, RFC 2231 continuations joined; `b""` if there is none."""
        return next((value for value, _charset in self._values(name)), b"")

    def all_raw(self, name: str) -> list[bytes]:
        """Every value of that name, octets; more than one is a contradiction."""
        return [value for value, _charset in self._values(name)]

    def texts(self, *names: str) -> list[str]:
        """Every value of these names, decoded: name by name, RFC 2231 first, then plain ones."""
        found: list[str] = []
        if not self.pairs:
            return found
        for name in names:
            for value, charset in self._values(name):
                if charset is not None:
                    found.append(decode_charset(value, charset))
                if charset is None or b"=?" in value:
                    found.append(decode_words(value))
        return found

    def _values(self, name: str) -> Iterable[tuple[bytes, str | None]]:
        """Octets and declared charset (None for a plain value) of each value of that name."""
        if self.is_plain:
            return [(value, None) for key, value in self.pairs if key == name]
        return self._extended_values(name)

    def _extended_values(self, name: str) -> Iterator[tuple[bytes, str | None]]:
        segments: dict[int, list[tuple[bytes, bool]]] = {}
        plain: list[bytes] = []
        for key, value in self.pairs:
            match = _SEGMENT.fullmatch(key)
            if match is None or match[1] != name:
                continue
            if match[2] is not None:
                segments.setdefault(int(match[2]), []).append((value, match[3] is not None))
            elif match[3] is not None:
                yield _extended(value)
            else:
                plain.append(value)
        if segments:
            yield from _continued(segments)
        yield from ((value, None) for value in plain)


NO_PARAMETERS = Parameters((), is_plain=True)
_NONE_AT_ALL = Parameters((), is_plain=True, is_unmistakable=True)


def _extended(value: bytes) -> tuple[bytes, str]:
    """`charset'language'percent-encoded` (RFC 2231 §4)."""
    charset, quote, rest = value.partition(b"'")
    if quote:
        _language, quote, text = rest.partition(b"'")
        if quote:
            return unquote_to_bytes(text), charset.decode("ascii", "replace")
    return unquote_to_bytes(value), ""


def _continued(
    segments: dict[int, list[tuple[bytes, bool]]],
) -> Iterator[tuple[bytes, str | None]]:
    """All that readers make of continuations: of a number that stands there twice the first counts
    or the last, and a missing number ends the value or does not."""
    numbers = sorted(segments)
    yield _joined([segments[number][0] for number in numbers])
    if any(len(values) > 1 for values in segments.values()):
        yield _joined([segments[number][-1] for number in numbers])
    whole = next((n for n, number in enumerate(numbers) if n != number), len(numbers))
    if 0 < whole < len(numbers):
        yield _joined([segments[number][0] for number in numbers[:whole]])


def _joined(segments: list[tuple[bytes, bool]]) -> tuple[bytes, str | None]:
    """Continuations in one piece (RFC 2231 §4.1); the first names the charset."""
    first, encoded = segments[0]
    value, charset = _extended(first) if encoded else (first, None)
    for segment, is_encoded in segments[1:]:
        value += unquote_to_bytes(segment) if is_encoded else segment
    return value, charset


def parse_word(raw: bytes) -> str:
    """The word before the parameters alone, as `parse_value` has it, for a fraction of the time."""
    match = _PLAIN_WORD.match(raw, 0, VALUE_LIMIT)
    return match[1].decode("ascii").lower() if match else parse_value(raw)[0]


def is_media_type(raw: bytes) -> bool:
    """True if a media type stands there as all readers understand it, and no boundary that some
    may see otherwise."""
    return _MEDIA_TYPE.match(raw, 0, VALUE_LIMIT) is not None and b"boundary" not in raw.lower()


def parse_value(raw: bytes) -> tuple[str, Parameters]:
    """Split a field value: the word before the parameters in lower case, and the parameters."""
    if not raw:
        return "", NO_PARAMETERS
    match = _PLAIN.fullmatch(raw, 0, VALUE_LIMIT)
    if match is not None:
        word = match[1].decode("ascii").lower()
        rest = match[2]
        if not rest:
            return word, _NONE_AT_ALL
        if b"\n" in rest:
            rest = _FOLD.sub(b" ", rest)
        pairs = [
            (name.decode("ascii").lower(), quoted or token)
            for name, quoted, token in _PLAIN_PARAMETER.findall(rest)
        ]
        cuts = [
            (name.decode("ascii").lower(), cut)
            for name, _quoted, token in _PLAIN_PARAMETER.findall(rest)
            for cut in (_cut_names(name, token) if token else ())
        ]
        known = (*pairs[:PARAMETER_LIMIT], *cuts[:PARAMETER_LIMIT])
        return word, Parameters(known, is_plain=True, is_unmistakable=True)
    raw = raw[:VALUE_LIMIT]
    plain = _without_comments(raw) if b"(" in raw else raw
    head = plain.partition(b";")[0]
    if b"=" in head:
        head = _without_parameters(head)
    word = b"".join(head.split()).strip(b'"').decode("latin-1").lower()
    # Each once: looking a pair up in a list would take the square of the time.
    found = dict.fromkeys(_pairs(plain))
    if plain != raw:
        # Most readers know no comments here and take a name that stands in one.
        for other in (raw, _without_comments(raw, b"")):
            found.update(dict.fromkeys(_pairs(other)))
    found.update(dict.fromkeys(_loose_pairs(raw)))
    if b"=?" in raw:
        # Some readers decode the whole field first, and parameters may come of it.
        decoded = decode_words(_FOLD.sub(b" ", raw)).encode("utf-8", "replace")
        found.update(dict.fromkeys(_pairs(decoded[:VALUE_LIMIT])))
    is_plain = not any("*" in key for key, _value in found)
    return word, Parameters(tuple(found), is_plain=is_plain) if found else NO_PARAMETERS


def _without_parameters(head: bytes) -> bytes:
    match = _LOOSE_PARAMETER.search(head)
    if match:
        return head[: match.start()].rstrip(b", \t\r\n\v\f")
    return b"" if b"/" not in head.partition(b"=")[0] else head


def _pairs(raw: bytes) -> list[tuple[str, bytes]]:
    found = islice(_PARAMETER.finditer(raw), PARAMETER_LIMIT)
    return [(_key(match[1]), _unquoted(match[2])) for match in found]


def _loose_pairs(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """File names and boundaries that stand where a strict reader sees none."""
    lowered = raw.lower()
    if b"name" not in lowered and b"boundary" not in lowered:
        return
    for match in islice(_LOOSE.finditer(raw), PARAMETER_LIMIT):
        yield _key(match[1]), _unquoted(match[2])
    for match in islice(_PARAMETER.finditer(raw), PARAMETER_LIMIT):
        for cut in _cut_names(match[1], match[2].strip()):
            yield _key(match[1]), cut
    for match in islice(_STRING_WITHIN.finditer(raw), PARAMETER_LIMIT):
        yield _key(match[1]), _ESCAPED.sub(rb"\1", _FOLD.sub(b" ", match[2].replace(b'"', b"", 1)))
    for match in islice(_PARAMETER.finditer(raw), PARAMETER_LIMIT):
        if match[2].startswith(b'"') and b"name" in match[1].lower():
            behind = _BEHIND_STRING.match(raw, match.end())
            if behind and behind[0].strip(b" \t\r\n)"):
                value = match[2] + behind[0].strip()
                yield _key(match[1]), value.replace(b'" "', b"").replace(b'"', b"")


def _cut_names(key: bytes, value: bytes) -> Iterator[bytes]:
    """A name that stands there without quotes, as far as it is a token (RFC 2045 §5.1), an encoded
    word, or several: some readers take no more of it. Nothing of what has no extension then."""
    if b"name" in key.lower():
        for pattern in (_TOKEN, _ENCODED_WORD, _WORDS):
            match = pattern.match(value)
            if match and match.end() < len(value) and (pattern is not _TOKEN or b"." in match[0]):
                yield match[0]


def _key(name: bytes) -> str:
    return b"".join(name.split()).decode("latin-1").lower()


def _without_comments(raw: bytes, instead: bytes = b" ") -> bytes:
    """The value less its comments, nested ones too (RFC 5322 §3.2.2); quoted strings stay.

    instead: what stands in a comment's place, a blank to RFC 5322.
    """
    kept, position, depth, quoted = [], 0, 0, False
    for match in _COMMENT_MARK.finditer(raw):
        mark = match[0]
        if mark == b'"' and not depth:
            quoted = not quoted
        elif mark.startswith(b"(") and not quoted:
            if not depth:
                kept.append(raw[position : match.start()])
            depth += len(mark)
        elif mark.startswith(b")") and depth:
            closed = min(len(mark), depth)
            depth -= closed
            position = match.start() + closed
    if not depth:  # one that is never closed goes to the end
        kept.append(raw[position:])
    return instead.join(kept)


def _unquoted(value: bytes) -> bytes:
    if b"\n" in value:
        value = _FOLD.sub(b" ", value)
    if value.startswith(b'"'):
        inner = value[1:].removesuffix(b'"')
        return _ESCAPED.sub(rb"\1", inner) if b"\\" in inner else inner
    return value.strip()
