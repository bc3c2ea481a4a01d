"""A safe view of a message's parts: text as text, HTML without anything that acts.

HTML passes nh3 (ammonia, a parser as browsers have it, and a list of what may stay). What is left
has no address in it: nothing to load, nothing to click. Links are listed beside it, as text. The
frame that shows it forbids the rest (`FRAME_POLICY`), so that two things must fail before one acts.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape

import nh3

from filterd.message import Entity, Message
from filterd.review.warnings import MessageWarning, ShownLink, warnings_of
from filterd.system.display import printable

SIZE_LIMIT = 32 << 20
"""Octets of a message that is taken apart to be shown; a larger one can be downloaded."""

TEXT_LIMIT = 200_000
"""Characters of a part that are shown; nobody reads more to judge a message."""

HTML_LIMIT = 300_000
"""Characters of an HTML part that are sanitised. nh3 takes half a second for as many ampersands, by
their square."""

ANCHORS_LIMIT = 100_000
"""Characters of an HTML part whose links are compared with their texts."""

NESTING_LIMIT = 1000
"""Elements open at a time. A browser's parser takes time in proportion to their number for each
tag that comes then; real mail stays below 100, hostile mail gets half a minute out of it."""

LINK_LIMIT = 200
"""Links of an HTML part that are listed, and the characters of one that are shown."""

LINK_WIDTH = 500

HTML = "text/html"

OPEN_PARTS = 3
"""Text parts that stand open on the page; the others are one click away."""

SHOWN_PARTS = 20
"""Text parts that are shown; a digest has more, and they can be downloaded."""

STYLE = (
    "body{margin:12px;font:15px/1.5 system-ui,sans-serif;color:#111;background:#fff;"
    "overflow-wrap:anywhere}a{color:#1a4f9c;text-decoration:underline}"
    "img{border:1px dashed #999;padding:0 4px;font-size:13px;color:#555}"
    "table{max-width:100%}blockquote{border-left:3px solid #ccc;margin-left:0;padding-left:12px}"
    "pre{white-space:pre-wrap}mark{background:none;color:inherit}"
    "mark.spam,mark.ham{color:#111;background:#fdeaea;border-bottom:3px double #c23a33}"
    "mark.ham{background:#e3f4e6;border-bottom:2px dotted #3b8a4b}"
)
"""The frame's own style sheet; a message cannot bring one."""

_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

FRAME_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox"
)
"""Content-Security-Policy of the frame: no script, no form, nothing loaded, no origin."""

TAGS = frozenset(
    "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup"
    " dd del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i"
    " img ins kbd li main mark nav ol p pre q s samp section small span strike strong sub summary"
    " sup table tbody td tfoot th thead tr tt u ul var wbr".split()
)
"""Elements that stay; of others the text stays, and of script and style nothing."""

NEVER_SHOWN = frozenset(
    "script style title template svg math iframe object noscript noframes noembed textarea"
    " select".split()
)
"""Elements whose text goes as well."""

SCHEMES = frozenset("http https mailto ftp tel data cid javascript".split())
"""Schemes of the links that are listed."""

_TABLE = frozenset({"colspan", "rowspan", "align", "valign"})

ATTRIBUTES: dict[str, set[str]] = {
    "*": {"dir", "lang"},
    "a": {"href"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"color", "size"},
    "img": {"alt", "src"},
    "ol": {"start"},
    "table": {"align", "border"},
    "td": set(_TABLE),
    "th": set(_TABLE),
}
"""Attributes that may stay. `href` and `src` are looked at, and then taken out."""


@dataclass(frozen=True, slots=True)
class Safe:
    """A sanitized HTML part. links: where it would lead, in order, each once.
    images: how many different ones it would load. is_cut: True if only its beginning is here."""

    html: str
    links: tuple[str, ...]
    images: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One line of the part tree. depth: from 0. size: octets of the decoded content. number: of a
    text part that can be shown, by `text_parts`, from 0; None for others."""

    depth: int
    content_type: str
    name: str
    disposition: str
    encoding: str
    size: int
    number: int | None


def text_parts(message: Message) -> list[Entity]:
    """The parts that can be shown, in order."""
    found = (e for e in message.leaves() if e.content_type in ("text/plain", "text/html"))
    return [entity for entity, _ in zip(found, range(SHOWN_PARTS), strict=False)]


def parts(message: Message) -> Iterator[TreeLine]:
    """The part tree, in the order of the message."""
    numbers = {id(entity): number for number, entity in enumerate(text_parts(message))}
    pending = [(message.root, 0)]
    while pending:
        entity, depth = pending.pop()
        pending += [(child, depth + 1) for child in reversed(entity.children)]
        yield TreeLine(
            depth,
            entity.content_type,
            printable(", ".join(entity.filenames), lines=True),
            entity.disposition,
            entity.transfer_encoding if entity.is_leaf else "",
            len(entity.content) if entity.is_leaf else entity.end - entity.start,
            numbers.get(id(entity)),
        )


def plain(entity: Entity) -> tuple[str, bool]:
    """A part's text as one can look at it, and whether it was cut."""
    text = entity.text
    return printable(text[:TEXT_LIMIT].replace("\r\n", "\n"), lines=True), len(text) > TEXT_LIMIT


def harmless(html: str) -> Safe:
    """HTML without anything that acts, loads or leads anywhere."""
    links: dict[str, None] = {}
    images: set[str] = set()

    def look(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "href":
            if tag == "a" and len(links) < LINK_LIMIT:
                links[printable(value[:LINK_WIDTH], lines=True)] = None
            return None
        if attribute == "src":
            if tag == "img":
                images.add(value)
            return None
        return value

    end = _nesting_end(html[:HTML_LIMIT])
    cleaned = nh3.clean(
        html[:end],
        tags=set(TAGS),
        clean_content_tags=set(NEVER_SHOWN),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=look,
        strip_comments=True,
        link_rel=None,
        url_schemes=set(SCHEMES),
    )
    return Safe(cleaned, tuple(links), len(images), len(html) > end)


_ANCHOR = re.compile(r'<a href="([^"]*+)">([^<]*+)</a>')


def anchors(html: str) -> Iterator[ShownLink]:
    """The links with their texts, as a browser reads them, in order; of a link around a picture
    alone the text is empty."""
    cleaned = nh3.clean(
        html[: _nesting_end(html[:ANCHORS_LIMIT])],
        tags={"a"},
        clean_content_tags=set(NEVER_SHOWN),
        attributes={"*": set(), "a": {"href"}},
        strip_comments=True,
        link_rel=None,
        url_schemes=set(SCHEMES),
    )
    for found in _ANCHOR.finditer(cleaned):
        yield ShownLink(unescape(found[1]), " ".join(unescape(found[2]).split()))


def warnings(message: Message, recipients: Sequence[str]) -> tuple[MessageWarning, ...]:
    """What is to be warned of, in the text parts that stand open on the page and in the header.
    recipients: those that the reader may know."""
    pages = (one.text for one in text_parts(message)[:OPEN_PARTS] if one.content_type == HTML)
    return warnings_of(message, (link for text in pages for link in anchors(text)), recipients)


_MARK = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")

_NEVER_NEST = frozenset(
    "area base br col dd dt embed hr img input li link meta option p param source td th tr tbody"
    " track wbr".split()
)
"""Elements that hold nothing, or that the next of their kind closes (HTML, 13.1.2.4)."""


def _nesting_end(html: str) -> int:
    """Where the HTML gets nested too deeply, or its end. An end tag counts for its own name only:
    `<b></i>` over and over nests."""
    still_open: Counter[str] = Counter()
    depth = 0
    for mark in _MARK.finditer(html):
        name = mark[2].lower()
        if name in _NEVER_NEST:
            continue
        if not mark[1]:
            if depth == NESTING_LIMIT:
                return mark.start()
            still_open[name] += 1
            depth += 1
        elif still_open[name]:
            still_open[name] -= 1
            depth -= 1
    return len(html)


def document(safe: Safe) -> str:
    """The frame's whole document."""
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>message</title>'
        f"<style>{STYLE}</style></head><body>{safe.html}</body></html>"
    )
