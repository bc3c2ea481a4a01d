"""Documents that do something when they are opened: macros, DDE, remote templates, scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.filters.parts.unpacking import markup, office, pdf, tables
from filterd.filters.parts.unpacking.files import File
from filterd.filters.parts.unpacking.handlers import has_handler
from filterd.filters.parts.unpacking.marks import MARKUP_EXTENSIONS, ONENOTE_FILE

MARKUP_LIMIT = 4 << 20
"""Octets of markup that are looked at."""

Finding = tuple[str, str]
"""Name of a symbol, and what was found."""

_MARKUP_KINDS = frozenset({"html", "svg", "hta"})
_MARKUP_EXTENSIONS = frozenset({*MARKUP_EXTENSIONS, "xml", "xsl", "xslt"})

_SCRIPT = re.compile(rb"(?i)<(?:[a-z]+:)?script\b|data:text/html|\bsrcdoc\s*+=")
# What makes XML a page: only in these namespaces are elements and attributes script, or after a
# stylesheet; an entity may hide either.
_PAGE_IN_XML = (
    b"/1999/xhtml",
    b"/2000/svg",
    b"xml-stylesheet",
    b"<!ENTITY",
    b"/XSL/",
    b"TR/WD-xsl",
)
_SCHEME = re.compile(rb"(?i)(?:java|vb)script:")
_META = re.compile(rb"(?i)<meta\b(?:(?!<meta\b)[^>])*+")
_ATTRIBUTE = re.compile(
    rb"(?<![^\s\"'>/=])([^\s\"'>/=]++)\s*+=\s*+(?:\"([^\"]*+)|'([^']*+)|([^\s\"'>]++))"
)
# The page that a refresh goes to (WHATWG HTML, "shared declarative refresh steps").
_TARGET = re.compile(rb"(?i)\s*+[\d.]*+\s*+[;,]?+\s*+(?:url\s*+=\s*+)?[\"']?\s*+(.*)", re.DOTALL)
_ELSEWHERE = re.compile(rb"(?i)[a-z][a-z0-9+.-]*+:|[\\/]{2}")
_BASE = re.compile(rb"(?i)<base\b[^<>]*+")
_SPACE = bytes(range(33))
# What draws no text within a picture, but is a page of its own in it.
_PAGE_ELEMENT = re.compile(
    rb"(?i)<(?:[a-z0-9]+:)?(?:html|body|head|base|meta|form|input|button|select|textarea|iframe"
    rb"|frame|frameset|object|embed|applet|portal)\b"
)
_FOREIGN = b"foreignobject"


def findings(file: File) -> Iterator[Finding]:
    """What the file would do when opened, as (symbol name, detail); nothing for a plain document.

    DOC_MACRO, DOC_MACRO_AUTO, DOC_DDE, DOC_REMOTE, DOC_EMBEDDED, DOC_SCRIPT, DOC_LAUNCH,
    DOC_ENCRYPTED.
    """
    for symbol, detail in dict.fromkeys(_findings(file)):
        yield symbol, f"{file.shown_path}: {detail}"


def _findings(file: File) -> Iterator[Finding]:
    name = file.names[0].lower() if file.names else ""
    kinds = file.kinds
    yield from office.member(file)
    if "ole" in kinds:
        yield from office.ole(file)
    if "pdf" in kinds:
        yield from pdf.findings(file.content)
    if "rtf" in kinds:
        yield from office.rtf(file.content)
    if "onenote" in kinds and ONENOTE_FILE in file.content:
        yield "DOC_EMBEDDED", "a file embedded in a OneNote section"
    # An Office file's own markup may well contain what is script elsewhere.
    is_page = not _MARKUP_KINDS.isdisjoint(kinds)
    is_named_so = not _MARKUP_EXTENSIONS.isdisjoint(file.extensions)
    if is_page or (is_named_so and not _is_office_member(name)):
        yield from _markup(file)
    yield from tables.findings(file)


def _is_office_member(name: str) -> bool:
    return name.startswith(("word/", "xl/", "ppt/", "docprops/", "meta-inf/", "content.xml"))


def _markup(file: File) -> Iterator[Finding]:
    content = markup.plain(file.content[:MARKUP_LIMIT])
    word = next((kind.upper() for kind in file.kinds if kind in _MARKUP_KINDS), "XML")
    has_script = _SCRIPT.search(content) or has_handler(content)
    is_stylesheet = not file.extensions.isdisjoint({"xsl", "xslt"})
    if word == "XML" and not is_stylesheet and not any(mark in content for mark in _PAGE_IN_XML):
        has_script = False
    if has_script or _SCHEME.search(content.translate(None, _SPACE)):
        yield "DOC_SCRIPT", f"{word} with script"
    if _holds_page(content):
        yield "DOC_SCRIPT", f"{word} with a page in it (foreignObject)"
    if _goes_elsewhere(content):
        yield "DOC_REMOTE", f"{word} that goes elsewhere by itself"


def _goes_elsewhere(content: bytes) -> bool:
    """True if the page refreshes to one that is not beside it: of a documentation the first page
    often goes to another in the same archive."""
    for tag in _META.findall(content):
        attributes = _attributes(tag)
        if attributes.get(b"http-equiv", b"").strip().lower() == b"refresh":
            target = _TARGET.match(attributes.get(b"content", b""))
            if target and target[1] and (_ELSEWHERE.match(target[1]) or _has_base(content)):
                return True
    return False


def _has_base(content: bytes) -> bool:
    """True if addresses that are relative are so to another place."""
    return any(
        _ELSEWHERE.match(_attributes(tag).get(b"href", b"").strip())
        for tag in _BASE.findall(content)
    )


def _attributes(tag: bytes) -> dict[bytes, bytes]:
    """Name in lower case → value; the first of a name counts."""
    found: dict[bytes, bytes] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag):
        found.setdefault(name.lower(), double or single or bare)
    return found


def _holds_page(content: bytes) -> bool:
    """True for a picture with a page in it (SVG 2 §12.4). Drawing programs write their texts that
    way, too; those are not pages."""
    lowered = content.lower()
    start = lowered.find(_FOREIGN)
    while start >= 0:
        end = lowered.find(_FOREIGN, start + len(_FOREIGN))
        stop = end if end >= 0 else len(content)
        if _PAGE_ELEMENT.search(content, start, stop):
            return True
        # Behind the end tag the picture goes on.
        is_end_tag = lowered[max(end - 40, start) : end].rpartition(b"<")[2].startswith(b"/")
        start = lowered.find(_FOREIGN, end + len(_FOREIGN)) if end >= 0 and is_end_tag else end
    return False
