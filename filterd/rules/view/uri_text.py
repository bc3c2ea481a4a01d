"""URIs in plain text: what mail readers make a link of, and hosts that people copy.

Source: Mail::SpamAssassin::PerMsgStatus(3pm), get_uri_detail_list; the results of
SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from filterd.rules.view.domains import Domains, is_host_name
from filterd.rules.view.uri_forms import unescaped

_END = rb"><\"`}\]{[|\s\x1b\xa0"
_MAIL_END = _END + rb",('\x80-\xff"

MAIL_PART = 251
"""Octets of an address on either side of its `@`."""

SHORTEST = 4
"""Octets of the shortest URI, `a.bc`."""

HOST_PART = 252
"""Octets of a host before its last dot."""

_KNOWN = re.compile(
    rb"(?:(?:https?|ftp)://|(?:www\d{0,2}|ftp)\.)[^"
    + _END
    + rb"]++|(mailto:[^"
    + _MAIL_END
    + rb"]++)",
    re.IGNORECASE,
)
_MARKS = (b"://", b"www", b"ftp.", b"mailto:")
_BEGINS = re.compile(rb"\b|(?<=[><\"'`,{[(|\s\x1b\xa0])|(?<=\x1b\(.)")
_BEGINS_NAME = re.compile(rb"(?<![A-Za-z0-9_])|(?<=\x1b\(.)")
_HOST_TAIL = re.compile(rb"(?::\d{1,5})?(?:/[^" + _END + rb"]++)?(?=[" + _END + rb"]|\Z)")
_BEFORE_HOST = frozenset(b"!\"#$&'()*+,/:;<=>?@[\\]^`{|}~ \t\n\r\x0b\x0c\x1b\xa0")


def _blanked(kept: bytes) -> bytes:
    """A table that makes blanks of all octets but some."""
    return bytes(octet if octet in kept else 0x20 for octet in range(256)).lower()


_HOST_OCTETS = _blanked(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_MAIL_OCTETS = _blanked(re.compile(rb"[" + _MAIL_END + rb"]").sub(b"", bytes(range(256))))
_LAST_LABEL = re.compile(rb"[a-z\d-]{2,63}")
_IGNORED_AT_END = b"-~!@#^&*()_+=:;'?,."
_SCHEME = re.compile(rb"(?:https?|ftp|mailto):", re.IGNORECASE)
_EMPTY = re.compile(rb"\w+:/{0,2}")
_WWW = re.compile(rb"www\d{0,2}\.", re.IGNORECASE)
_MAIL_PREFIX = re.compile(rb"(?:skype|e?-?mail)?:+", re.IGNORECASE)
_ESCAPE = re.compile(rb"%[0-9a-fA-F]{2}")
_MAIL_HOST = re.compile(rb"@([^?&>]*+)")


class TextUri(NamedTuple):
    """A URI of a text, with a scheme. types: `parsed`, `unlinked`, `schemeless`."""

    uri: bytes
    types: tuple[str, ...]


class _Match(NamedTuple):
    start: int
    order: int
    end: int
    host: bytes


_NONE = _Match(1 << 60, 9, 0, b"")
_PLAIN: tuple[str, ...] = ("parsed",)
_KNOWN_ORDER, _MAIL_ORDER, _HOST_ORDER = range(3)


def uris_in(paragraphs: Iterable[bytes], domains: Domains) -> Iterator[TextUri]:
    """The URIs of all paragraphs, each text once."""
    seen: set[bytes] = set()
    for paragraph in paragraphs:
        if len(paragraph) < SHORTEST:
            continue
        for match in _matches(paragraph, domains):
            raw = paragraph[match.start : match.end]
            bracket = raw.find(b")")
            if bracket >= 0 and b"(" not in raw[:bracket]:
                raw = raw[:bracket]
            raw = raw.rstrip(_IGNORED_AT_END)
            if raw not in seen:
                seen.add(raw)
                found = _complete(raw, match, domains)
                if found is not None:
                    yield found


def _matches(text: bytes, domains: Domains) -> Iterator[_Match]:
    """What may be URIs, leftmost first; where several begin, the kind that is surer."""
    searches: list[Callable[[int], _Match]] = []
    lowered = text.lower()
    if any(mark in lowered for mark in _MARKS):
        searches.append(partial(_next_known, text))
    if b"@" in text:
        searches.append(partial(_next_mail, text, text.translate(_MAIL_OCTETS)))
    if b"." in text:
        searches.append(partial(_next_host, text, text.translate(_HOST_OCTETS), domains))
    following = [search(0) for search in searches]
    while following:
        best = min(following)
        if best is _NONE:
            return
        yield best
        for index, search in enumerate(searches):
            if following[index].start < best.end:
                following[index] = search(best.end)


def _next_known(text: bytes, start: int) -> _Match:
    """The next text that begins as URIs do."""
    position = start
    while True:
        match = _KNOWN.search(text, position)
        if match is None:
            return _NONE
        if _BEGINS_NAME.match(text, match.start()) is not None:
            order = _KNOWN_ORDER if match[1] is None else _MAIL_ORDER
            return _Match(match.start(), order, match.end(), b"")
        position = match.start() + 1


def _next_mail(text: bytes, runs: bytes, start: int) -> _Match:
    """The next text that looks like an address. runs: the text, blank where an address ends."""
    at = text.find(b"@", start)
    while at >= 0:
        first = max(start, at - MAIL_PART, runs.rfind(b" ", start, at) + 1)
        first = max(first, runs.rfind(b"@", start, at) + 1)
        end = runs.find(b" ", at)
        end = len(runs) if end < 0 else end
        if first < at and 1 <= end - at - 1 <= MAIL_PART:
            begins = _BEGINS.search(text, first, at)
            if begins is not None and begins.start() < at:
                return _Match(begins.start(), _MAIL_ORDER, end, b"")
        at = text.find(b"@", at + 1)
    return _NONE


def _next_host(text: bytes, runs: bytes, domains: Domains, start: int) -> _Match:
    """The next host in a known top-level domain. runs: the text in lower case, blank where a host
    ends."""
    dot = runs.find(b".", start)
    while dot >= 0:
        first = runs.rfind(b" ", 0, dot) + 1
        end = runs.find(b" ", dot)
        end = len(runs) if end < 0 else end
        host = runs[first:end].removesuffix(b".")
        name, _, last = host.rpartition(b".")
        if (
            first >= start
            and 1 <= len(name) <= HOST_PART
            and name[:1].isalnum()
            and (first == 0 or text[first - 1] in _BEFORE_HOST)
            and _LAST_LABEL.fullmatch(last) is not None
            and domains.is_top(last.decode("ascii"))
        ):
            tail = _HOST_TAIL.match(text, end)
            if tail is not None:
                return _Match(first, _HOST_ORDER, tail.end(), host)
        dot = runs.find(b".", end)
    return _NONE


def _complete(raw: bytes, match: _Match, domains: Domains) -> TextUri | None:
    """A text with the scheme that it lacks; None if it proves not to be a URI."""
    if match.order == _MAIL_ORDER and b"@" not in raw:
        return None
    if match.host and not is_host_name(match.host.decode("ascii")):
        return None
    if raw[:4].lower() in (b"cid:", b"mid:") or _EMPTY.fullmatch(raw) is not None:
        return None
    uri, types = raw, _PLAIN
    if _SCHEME.match(uri) is None:
        found = _with_scheme(uri)
        if found is None:
            return None
        uri, types = found
    if uri[:7].lower() == b"mailto:":
        if _ESCAPE.search(uri) is not None:
            uri = unescaped(uri)
        host = _MAIL_HOST.search(uri)
        if host is None:
            return None
        name = host[1]
        while name.endswith(b"%20"):
            name = name[:-3]
        if not domains.is_valid(name.decode("latin-1")):
            return None
    return TextUri(uri, types)


def _with_scheme(uri: bytes) -> tuple[bytes, tuple[str, ...]] | None:
    types = ("parsed", "schemeless")
    if uri[:4].lower() == b"ftp.":
        return b"ftp://" + uri, types
    at = uri.rfind(b"@")
    if _WWW.match(uri) is not None or (at >= 0 and 0 <= uri.find(b"/") < at - 1):
        return b"http://" + uri, types
    if at >= 0:
        if uri.find(b".", uri.index(b"@") + 2) < 0 or b"&nbsp;" in uri:
            return None
        prefix = _MAIL_PREFIX.match(uri)
        return b"mailto:" + (uri[prefix.end() :] if prefix is not None else uri), types
    if b"." not in uri:
        return None
    return b"http://" + uri, ("parsed", "unlinked", "schemeless")
