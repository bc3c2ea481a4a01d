"""Mail addresses in a message's text and links.

Source: Mail::SpamAssassin::Plugin::FreeMail(3), Mail::SpamAssassin::Plugin::HashBL(3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from filterd.rules.evals.arguments import pattern
from filterd.rules.view.view import View

USER_LIMIT = 64
"""Octets before the `@` (RFC 5321 §4.5.3.1.1)."""

ADDRESSES = 1_000
"""Addresses that a pattern of the site's finds in one text."""

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_USER_BACKWARDS = re.compile(rb"%b++(?:\.%b++)*+" % (_ATOM, _ATOM))
_AN_ATOM = re.compile(_ATOM)
_HOST = re.compile(
    rb"((?:[a-z0-9](?:[a-z0-9-]{0,59}[a-z0-9])?\.){1,4})([a-z0-9-]+)(?!\.[a-z0-9])", re.I
)
_IN_LINK = re.compile(rb"<?https?://\S{0,255}(?:@|%40)\S{0,255}", re.I)
# `<ann@example.org>`, and `ann@example.org wrote:`.
_QUOTED = re.compile(rb">|\s{1,10}(?!(?:fa(?:x|csi)|tel|phone|e?-?mail))[a-z]{2,11}:", re.I)


def addresses_in(view: View, text: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The addresses in a text that end in a known top-level domain, each with where it stands."""
    at = text.find(b"@")
    while at >= 0:
        start = _user(text, at)
        host = _HOST.match(text, at + 1) if start < at else None
        if host is not None and view.domains.is_top(host[2].decode("ascii")):
            yield text[start : host.end()], start, host.end()
        at = text.find(b"@", at + 1)


def _user(text: bytes, at: int) -> int:
    """Where the name before an `@` begins; the `@` itself if there is none."""
    first = max(at - USER_LIMIT, 0)
    found = _USER_BACKWARDS.match(text[first:at][::-1])
    if found is None:
        return at
    start = at - found.end()
    if start == first and first and _AN_ATOM.match(text, first - 1):
        # It goes on before: of a name that is too long, what is behind a dot.
        return text.find(b".", start, at) + 1 or at
    return start


def links_to_addresses(view: View) -> Iterator[bytes]:
    """What stands behind `mailto:` in links that are not in the text as well."""
    for uri, detail in view.uri_detail.items():
        if uri[:7].lower() == b"mailto:" and "a" in detail.types and "parsed" not in detail.types:
            yield uri[7:]


def text_addresses(
    view: View, expression: str = "", *, in_links: bool, quoted: bool
) -> Iterator[bytes]:
    """The addresses in the paragraphs of the text. in_links, quoted: also those in web links, and
    those of quoted mail. expression: a pattern for addresses in place of the usual one."""
    for paragraph in view.body:
        if not expression and b"@" not in paragraph:
            continue
        text = paragraph if in_links else _IN_LINK.sub(b" ", paragraph)
        for address, start, end in _found(view, text, expression):
            is_link = text[max(start - 7, 0) : start].lower() == b"mailto:"
            if quoted or is_link or _QUOTED.match(text, end) is None:
                yield address


def addresses_of(view: View, text: bytes, expression: str = "") -> Iterable[bytes]:
    """The addresses in any text."""
    return (address for address, _, _ in _found(view, text, expression))


def _found(view: View, text: bytes, expression: str) -> Iterable[tuple[bytes, int, int]]:
    if not expression:
        return addresses_in(view, text)
    spans = pattern(expression).spans(text, ADDRESSES)
    return ((text[start:end], start, end) for start, end in spans)
