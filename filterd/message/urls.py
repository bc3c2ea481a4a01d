"""URLs and mail addresses that a message shows or loads: in its text, its HTML and its Subject.

Not a browser: what begins like a URL counts wherever it stands, in an attribute, in a script, in
text, and is understood as browsers understand it: entities resolved, tabs and line ends dropped,
backslashes as slashes, `%41` in hosts decoded, `http://3221226219/` as the address that it is. Each
pass is linear in the text, and what is read and kept has limits.

Sources: RFC 3986; the WHATWG's URL standard, §4 (hosts, IPv4 addresses in other notations).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from filterd.message.address import DOMAIN_LIMIT, LABEL_LIMIT, canonical_domain
from filterd.message.decoding import decode_charset, header_text
from filterd.message.entity import Entity
from filterd.message.envelope import ip
from filterd.message.fields import HeaderField
from filterd.message.references import resolved

TEXT_LIMIT = 1 << 20
"""Octets of decoded text that are looked through for one message, of all parts together."""

URLS_LIMIT = 10_000
"""Different URLs of one message that are kept; a long newsletter has some hundreds."""

URL_LIMIT = 2048
"""Octets of a URL that are read; most browsers' limit for what they show."""

NESTED_LIMIT = 3
"""URLs in one another, as in `https://a.example/?to=https://b.example/`."""

HOSTS_REMEMBERED = 4096
"""Of URLs, whose canonical form is remembered."""

SCHEMES = (b"http", b"https", b"ftp", b"ftps", b"ws", b"wss")
"""Schemes that lead to a host."""

# What stands behind `=` is looked at and not passed: a `="` in the text is not an attribute, and
# would take the beginning of the next one for its value.
_ATTRIBUTE = re.compile(rb"=\s*+(?=\"([^\"]*+)|'([^']*+)|([^\s\"'<>=]++))")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{1,15}\Z")
_URL_LIKE = re.compile(rb"(?i)(?:(?:https?|ftp):|mailto:|//|www\.)")
_AUTHORITY_END = re.compile(rb"[/?#]")
_REST = re.compile(rb"[^\x00-\x20\"'<>`{}|^\x7f]*+")
_WWW = re.compile(rb"(?i)(?<![A-Za-z0-9@./_-])www\.(?=[A-Za-z0-9\x80-\xff-])")
_MAIL_HOST = re.compile(
    rb"@((?:[A-Za-z0-9_-]|[\x80-\xff])++(?:\.(?:[A-Za-z0-9_-]|[\x80-\xff])++)++)"
)
_LOCAL_END = re.compile(rb"[A-Za-z0-9_.+\x80-\xff-]\Z")
_TAG_WITH_IMAGE = re.compile(rb"(?i)[\s\"'/](?:src|background|srcset|poster)\s*+\Z")
_DROPPED = bytes(range(0x20)) + b"\x7f"
_HOST_LABEL = re.compile(r"[a-z0-9_-]+")
_OTHER_SLASHES = bytes.maketrans(b"\\", b"/")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")


class Place(StrEnum):
    """Where a URL stands."""

    LINK = "link"
    """In an attribute of HTML that leads somewhere."""
    IMAGE = "image"
    """In an attribute whose target is loaded when the message is shown."""
    TEXT = "text"
    SUBJECT = "subject"
    EMAIL = "email"
    """A mail address: its host is the domain."""


@dataclass(frozen=True, slots=True)
class Url:
    """One URL. host: in A-labels and lower case, or an IP address. text: as it was understood, at
    most `URL_LIMIT` octets; of a mail address only the domain."""

    host: str
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Urls:
    """What a message has. found: in order, each once for a host and text. exceeds: a limit was
    reached, so there may be more."""

    found: tuple[Url, ...] = ()
    exceeds: bool = False


def urls_of(subject: HeaderField | None, leaves: Iterator[Entity]) -> Urls:
    """The URLs of a message. Never raises."""
    search = _UrlSearch()
    if subject is not None:
        words = header_text(subject.raw_value[:TEXT_LIMIT]).encode("utf-8", "replace")
        search.text(words, Place.SUBJECT)
    for leaf in leaves:
        if not leaf.content_type.startswith(("text/", "application/xhtml")):
            continue
        if search.room <= 0 or search.is_full:
            search.exceeds = True
            break
        content = leaf.head(search.room + 1)
        search.take(len(content))
        search.part(_utf8(leaf, content), is_html=leaf.content_type != "text/plain")
    return Urls(tuple(search.found), search.exceeds)


def _utf8(leaf: Entity, content: bytes) -> bytes:
    charsets = leaf.parameters.texts("charset")
    if content.isascii() and not charsets:
        return content
    return decode_charset(content, charsets[0] if charsets else "").encode("utf-8", "replace")


@dataclass
class _UrlSearch:
    """What was found so far. read: URLs that were taken apart, with how deep they were in others.
    room: octets of text that may still be read."""

    found: dict[Url, None] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)
    read: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    room: int = TEXT_LIMIT
    exceeds: bool = False

    @property
    def is_full(self) -> bool:
        return len(self.found) >= URLS_LIMIT

    def take(self, size: int) -> None:
        self.room -= size
        if self.room < 0:
            self.exceeds = True

    def part(self, content: bytes, *, is_html: bool) -> None:
        """Look through a part's text."""
        if is_html or b"href" in content:
            for match in _ATTRIBUTE.finditer(content):
                value = match[match.lastindex or 0][: 4 * URL_LIMIT]
                self._attribute(content, match.start(), value)
            if b"&" in content:
                # Behind the attributes: an entity may be a quotation mark.
                content = resolved(content.decode("utf-8", "replace")).encode("utf-8", "replace")
        self.text(content, Place.TEXT)

    def _attribute(self, content: bytes, at: int, value: bytes) -> None:
        if b"&" in value:
            value = resolved(value.decode("utf-8", "replace")).encode("utf-8", "replace")
        value = value.translate(None, _DROPPED).strip()[:URL_LIMIT]
        if not _URL_LIKE.match(value):
            return
        head, slashes, rest = value.translate(_OTHER_SLASHES).partition(b":")
        if head.lower() == b"mailto" and slashes:
            self._mail(unquote_to_bytes(rest))
            return
        place = Place.LINK
        if _TAG_WITH_IMAGE.search(content[max(0, at - 16) : at]):
            place = Place.IMAGE
        if not slashes or head.startswith((b"//", b"www.")):
            head, rest = b"", value
        self._url(head or b"http", rest, place)

    def text(self, content: bytes, place: Place) -> None:
        """Look through text: whatever has a scheme and a host, begins with `www.`, or is a mail
        address."""
        spans: list[tuple[int, int]] = []
        position = 0
        while (found := content.find(b"://", position)) >= 0 and not self.is_full:
            scheme = _SCHEME.search(content[max(0, found - 16) : found])
            end = _REST.match(content, found + 3).end()  # type: ignore[union-attr]  # matches all
            position = max(end, found + 3)
            spans.append((found, end))
            if scheme is not None:
                self._url(scheme[0], content[found + 1 : min(end, found + URL_LIMIT)], place)
        for match in _WWW.finditer(content):
            if self.is_full:
                break
            # No further: from each of many in a row it would be the whole text again.
            limit = match.start() + URL_LIMIT
            self._url(b"http", _REST.match(content, match.start(), limit)[0], place)  # type: ignore[index]
        for match in _MAIL_HOST.finditer(content):
            if self.is_full:
                break
            at = match.start()
            # What stands before the @ of a URL is a user, and the host is the URL's.
            place_before = bisect_right(spans, (at, at)) - 1
            if place_before >= 0 and at < spans[place_before][1]:
                continue
            if _LOCAL_END.search(content[max(0, at - 1) : at]):
                self._keep(match[1], b"", Place.EMAIL)
        self.exceeds = self.exceeds or self.is_full

    def _mail(self, addresses: bytes) -> None:
        for address in addresses.partition(b"?")[0].split(b",")[:100]:
            domain = address.rpartition(b"@")[2].strip()
            if domain:
                self._keep(domain, b"", Place.EMAIL)

    def _url(self, scheme: bytes, rest: bytes, place: Place, nested: int = 0) -> None:
        """Keep a URL and those in it. rest: all behind the scheme's colon."""
        scheme = scheme.lower()
        if not scheme.endswith(SCHEMES):  # `Seehttp://`: a word without a blank behind it
            return
        # What an attribute has, the text of the HTML has once more. Of one that was deep in others
        # those in it may not have been looked at.
        if self.read.get((scheme, rest), NESTED_LIMIT + 1) <= nested:
            return
        self.read[scheme, rest] = nested
        behind = rest.translate(_OTHER_SLASHES).lstrip(b"/")
        end = _AUTHORITY_END.search(behind)
        authority = behind if end is None else behind[: end.start()]
        host = authority.rpartition(b"@")[2]
        self._keep(host, scheme + b"://" + behind, place)
        inner = unquote_to_bytes(behind[len(authority) :]) if b"%" in behind else behind
        at = inner.find(b"://", len(authority) if inner is behind else 0)
        if at >= 0 and nested < NESTED_LIMIT:
            found = _SCHEME.search(inner[max(0, at - 16) : at])
            if found is not None:
                self._url(found[0], inner[at + 1 :], place, nested + 1)

    def _keep(self, host: bytes, text: bytes, place: Place) -> None:
        name = canonical_host(host)
        if not name:
            return
        shown = text.decode("utf-8", "replace")
        key = (name, shown or place)
        if key in self.seen:
            return
        if self.is_full:
            self.exceeds = True
            return
        self.seen.add(key)
        self.found[Url(name, shown or name, place)] = None


def canonical_host(raw: bytes) -> str:
    """The host of a URL's authority, without user and port: a domain in A-labels, or an IP address
    in its usual notation; `""` for what leads nowhere."""
    # A newsletter has its own host in each of a hundred URLs.
    return _remembered_host(raw) if len(raw) <= DOMAIN_LIMIT else _host(raw)


def _host(raw: bytes) -> str:
    if raw.startswith(b"["):
        literal = raw[1:64].partition(b"]")[0].decode("ascii", "replace")
        found = None if "%" in literal else ip(literal)
        return "" if found is None else str(found)
    host = raw.partition(b":")[0]
    if b"%" in host:
        host = unquote_to_bytes(host)
    if len(host) > 3 * DOMAIN_LIMIT:
        return ""
    name = canonical_domain(host.decode("utf-8", "replace").strip("\t\n\r .,;:!?()[]*_"))
    address = _ipv4(name)
    if address is not None:
        return address
    labels = name.split(".")
    if len(labels) < 2 or len(name) > DOMAIN_LIMIT:
        return ""
    if not all(len(label) <= LABEL_LIMIT and _HOST_LABEL.fullmatch(label) for label in labels):
        return ""
    return name


_remembered_host = lru_cache(HOSTS_REMEMBERED)(_host)


def _ipv4(name: str) -> str | None:
    """An IPv4 address in any notation that browsers take: one to four numbers, decimal, octal or
    hexadecimal; `""` for numbers that are none, None for a name."""
    parts = name.split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    if len(parts) > 4 or not all(map(_NUMBER.fullmatch, parts)):
        return ""
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return ""
    *bytes_, last = numbers
    if any(one > 255 for one in bytes_) or last >= 256 ** (5 - len(numbers)):
        return ""
    value = last + sum(one << (8 * (3 - place)) for place, one in enumerate(bytes_))
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def _number(text: str) -> int:
    if len(text) > 20:
        raise ValueError(text)
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8) if text.startswith("0") and len(text) > 1 else int(text)
