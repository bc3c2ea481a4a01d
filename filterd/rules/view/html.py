"""What rules ask of HTML: its text, which of it nobody sees, links with their texts, statistics.

Source: Mail::SpamAssassin::Plugin::HTMLEval(3pm); the results of SpamAssassin 4.0.1 over mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from filterd.rules.view.html_links import Links
from filterd.rules.view.html_style import BLANKS, Style, color, sight, size, with_css
from filterd.rules.view.html_tokens import HtmlTokenizer

SIZE_LIMIT = 1_000_000
"""Characters of a document that are read."""

ELEMENTS = frozenset(
    "a abbr acronym address applet area b base basefont bdo big blockquote body br button caption"
    " center cite code col colgroup dd del dfn dir div dl dt em fieldset font form frame frameset"
    " h1 h2 h3 h4 h5 h6 head hr html i iframe img input ins isindex kbd label legend li link map"
    " menu meta nobr noframes noscript object ol optgroup option p param pre q s samp script select"
    " small span strike strong style sub sup table tbody td textarea tfoot th thead title tr tt u"
    " ul var x-sigsep x-tab".split()
)
"""Elements of HTML 4.01, and three that mailers make."""

_ALSO_SHOWN = frozenset("bgsound embed listing plaintext xmp".split())
_STYLED = frozenset("a basefont big body div font marquee p small span table td th tr".split())
_GAPS = {
    **dict.fromkeys(("br", "div"), "\n"),
    **dict.fromkeys("li th td dt dd embed h1 h2 h3 h4 h5 h6".split(), " "),
    **dict.fromkeys("p hr blockquote pre listing plaintext xmp title".split(), "\n\n"),
}
_NO_CSS = frozenset(("basefont", "body", "font", "marquee"))
_SHOWING = {
    **dict.fromkeys(("basefont", "font"), frozenset(("color", "face", "size"))),
    **dict.fromkeys(("table", "td", "tr"), frozenset(("bgcolor", "style"))),
    **dict.fromkeys(("a", "div", "p", "span"), frozenset(("style",))),
    "body": frozenset("text bgcolor link alink vlink background".split()),
    "marquee": frozenset(("bgcolor", "background")),
}
_COLOR_NAMES = {"body": ("text",), "font": ("color",), "basefont": ("color",)}
_SIZED = frozenset(("basefont", "font"))
_NAMESPACE = re.compile(r"(?:o|st\d):[\w-]+/?")
_CLOSED_BY_CELL = {"td": ("font", "td"), "tr": ("font", "td", "tr")}

_EMPTY_ELEMENT = re.compile(r"<(\w++)[ \t\n\r\f\x0b]*+/>")
_QUOTES = str.maketrans({0x201C: '"', 0x201D: '"'})
_RUN = re.compile(r"[ \t\n\r\f\x0b]{2,}|[\t\n\r\f\x0b]|\xc2\xa0")
_ANYTHING = re.compile(r"[^ \t\n\r\f\x0b\xc2\xa0]|\xc2(?!\xa0)|(?<!\xc2)\xa0")
_MARKS = r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e"
_FACE = re.compile(
    r"\s*+[\"'.]?[a-z ][a-z -]*[a-z]\d?[\"']?(?:,\s*+[\"']?[a-z][a-z -]*[a-z]\d?[\"']?)*;?",
    re.IGNORECASE | re.ASCII,
)
_LENGTH = re.compile(r"(\d{1,9})(%)?", re.ASCII)
_CHARSET = re.compile(r"\bcharset\s*+=\s*+[\"']?([^\"']+)", re.IGNORECASE)


def _letters(wide: bool) -> str:
    blanks = r" \t\n\r\x0b\x0c"
    if wide:
        blanks += r"\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    return f"[^{blanks}{_MARKS}]"


# By whether the text is Unicode for Perl, where more are blanks and letters.
_FIRST = {wide: re.compile(_letters(wide)) for wide in (False, True)}
_LAST_RUN = {
    wide: re.compile(rf"\b({_letters(wide)}{{1,7}})\Z", 0 if wide else re.ASCII)
    for wide in (False, True)
}
_FIRST_RUN = {
    wide: re.compile(rf"({_letters(wide)}{{1,7}})\b", 0 if wide else re.ASCII)
    for wide in (False, True)
}


class HtmlInfo:
    """What was found in one document.

    numbers: statistics and findings by SpamAssassin's names (`image_area`, `font_low_contrast`
    ...); what was not met is not there. inside: how many elements of a name are still open at the
    end, by name. titles, scripts, comments, anchors: their texts. charsets: as `meta` has them.
    links: URIs.
    """

    def __init__(self, is_wide: bool = False) -> None:
        self._is_wide = is_wide
        self.numbers: dict[str, float] = {"html": 1}
        self.inside: dict[str, int] = {}
        self.titles: list[str] = []
        self.scripts: list[str] = []
        self.comments: list[str] = []
        self.anchors: list[str] = []
        self.charsets: list[str] = []
        self.links = Links()

    def octets(self, text: str) -> bytes:
        """A text of the document as octets: UTF-8, or Latin-1 where the document is ASCII and has
        others by their numbers only, as rules see them in SpamAssassin."""
        if not self._is_wide and (text.isascii() or max(text) < "\u0100"):
            return text.encode("latin-1")
        return text.encode("utf-8", "surrogatepass")


def read_html(text: str, *, is_wide: bool) -> tuple[HtmlInfo, list[tuple[str, bool]]]:
    """What is in a document, and its text in pieces, each with whether it is hidden.

    is_wide: the text is Unicode for Perl: it was decoded and is not only ASCII.
    """
    reader = _HtmlReader(is_wide)
    length = len(text)
    text = text[:SIZE_LIMIT].replace("&nbsp;", " ")
    text = _EMPTY_ELEMENT.sub(r"<\1>", text)
    if is_wide:
        text = text.translate(_QUOTES) if "\u201c" in text or "\u201d" in text else text
    HtmlTokenizer(text, reader).read()
    return reader.finish(length), reader.pieces


class _HtmlReader:
    """A `html_tokens.Handler`."""

    def __init__(self, is_wide: bool) -> None:
        self.info = HtmlInfo(is_wide)
        self.pieces: list[tuple[str, bool]] = []
        self._is_wide = is_wide
        self._after_gap = False
        self._styles = [Style()]
        self._open_styles: dict[str, int] = {}
        self._base_size = 3
        self._sizes = [3, 3]
        self._tags = self._tags_seen = self._elements = self._elements_seen = 0
        self._closed_extra = self._obfuscation = 0
        self._image_area = 0
        self._back_hair: set[tuple[int, int]] = set()
        self._anchor: list[str] | None = None
        self._anchors: list[list[str]] = []
        self._titles: list[list[str]] = []
        self._seen_doctype = False

    def finish(self, length: int) -> HtmlInfo:
        info = self.info
        numbers = info.numbers
        numbers["image_area"] = self._image_area
        numbers["length"] = length
        numbers["min_size"], numbers["max_size"] = self._sizes
        if self._tags:
            numbers["closed_extra_ratio"] = self._closed_extra / self._tags
            if self._elements:
                numbers["bad_tag_ratio"] = (self._tags - self._elements) / self._tags
            if self._obfuscation:
                numbers["obfuscation_ratio"] = self._obfuscation / self._tags
        if self._elements_seen and self._tags_seen:
            seen = self._tags_seen
            numbers["non_element_ratio"] = (seen - self._elements_seen) / seen
        if self._back_hair:
            numbers["backhair_count"] = len(self._back_hair)
        info.anchors = ["".join(pieces) for pieces in self._anchors]
        info.titles = ["".join(pieces) for pieces in self._titles]
        return info

    # What the tokens say

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if not self._count(tag, 1):
            return
        if tag in _STYLED:
            self._open_style("td" if tag == "th" else tag, attributes)
        if tag in _GAPS:
            self._gap(_GAPS[tag])
        if attributes or tag in ("a", "embed", "object", "title"):
            self._look_at(tag, attributes)

    def end(self, tag: str) -> None:
        if not self._count(tag, -1):
            return
        if tag in _STYLED and tag != "body":
            self._close_style("td" if tag == "th" else tag)
        if tag in _GAPS:
            self._gap(_GAPS[tag])

    def comment(self, text: str) -> None:
        self.info.comments.append(text)

    def declaration(self, text: str) -> None:
        if text[:9].lower() == "<!doctype":
            self._elements += 1
            self._tags += 1
            self.info.inside["!doctype"] = 0

    def text(self, text: str) -> None:
        inside = self.info.inside
        if inside.get("script"):
            self.info.scripts.append(text)
            return
        if inside.get("style"):
            return
        if inside.get("a") and self._anchor is not None:
            self._anchor.append(text)
        if inside.get("title") and self._titles:
            self._titles[-1].append(text)
        hidden = False
        if _ANYTHING.search(text) is not None:
            seen = sight(self._styles[-1])
            hidden = seen.hidden
            if seen.finding:
                self.info.numbers[seen.finding] = 1
        if self.pieces:
            self._note_broken_word(self.pieces[-1][0], text)
        shown = _RUN.sub(" ", text)
        if self._after_gap and not hidden:
            shown = shown.removeprefix(" ")
        self.pieces.append((shown, hidden))
        self._after_gap = False

    # What follows of it

    def _count(self, tag: str, step: int) -> bool:
        """Count a tag; False if it is of no element that is shown."""
        inside = self.info.inside
        is_element = tag in ELEMENTS
        is_foreign = ":" in tag and _NAMESPACE.fullmatch(tag) is not None
        is_new = tag not in inside
        if is_element or is_foreign:
            self._elements += 1
            self._elements_seen += is_new
        self._tags += 1
        self._tags_seen += is_new
        depth = inside.get(tag, 0) + step
        if depth < 0:
            depth = 0
            self._closed_extra += 1
        inside[tag] = depth
        return is_element or (tag in _ALSO_SHOWN)

    def _gap(self, gap: str) -> None:
        if self.pieces and not self._after_gap:
            text, hidden = self.pieces[-1]
            if not hidden and text.endswith(" "):
                self.pieces[-1] = (text[:-1], hidden)
        self.pieces.append((gap, False))
        self._after_gap = True

    def _note_broken_word(self, before: str, text: str) -> None:
        wide = self._is_wide
        if not before or not text or before[-1] in " \n" or text[0] in " \n":
            return
        if _FIRST[wide].match(text) and _FIRST[wide].match(before, len(before) - 1):
            self._obfuscation += 1
        last = _LAST_RUN[wide].search(before, max(0, len(before) - 7))
        if last is not None:
            first = _FIRST_RUN[wide].match(text)
            if first is not None:
                self._back_hair.add((len(last[1]), len(first[1])))

    def _open_style(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "basefont" and attributes.get("size", "").lstrip(BLANKS)[:1].isdigit():
            self._base_size = size(attributes["size"], 0, 3)
            return
        if tag in _CLOSED_BY_CELL:
            self._close_cells(tag)
        parent = self._styles[-1]
        style = Style(tag, *parent[1:])
        if tag == "big":
            style = style._replace(size=style.size + 1)
        elif tag == "small":
            style = style._replace(size=style.size - 1)
        elif attributes:
            style = self._with_attributes(style, tag, attributes, parent)
        self._styles.append(style)
        self._open_styles[tag] = self._open_styles.get(tag, 0) + 1

    def _with_attributes(
        self, style: Style, tag: str, attributes: Mapping[str, str], parent: Style
    ) -> Style:
        if _SHOWING[tag].isdisjoint(attributes):
            return style
        for name in _COLOR_NAMES.get(tag, ()):
            if name in attributes:
                style = style._replace(foreground=color(attributes[name]))
        if tag in _SIZED and "size" in attributes:
            style = style._replace(size=size(attributes["size"], self._base_size, style.size))
        if "style" in attributes and tag not in _NO_CSS:
            style = with_css(style, attributes["style"], parent)
        if style.size > self._sizes[1]:
            self._sizes[1] = style.size
        elif style.size < self._sizes[0]:
            self._sizes[0] = style.size
        return style

    def _pop_style(self) -> Style:
        style = self._styles.pop()
        self._open_styles[style.tag] -= 1
        return style

    def _close_cells(self, tag: str) -> None:
        if self._open_styles.get(tag):
            while self._styles[-1].tag in _CLOSED_BY_CELL[tag]:
                self._pop_style()

    def _close_style(self, tag: str) -> None:
        if self._open_styles.get(tag):
            while self._pop_style().tag != tag:
                pass

    def _look_at(self, tag: str, attributes: Mapping[str, str]) -> None:
        links = self.info.links
        attributes = links.found(tag, attributes)
        numbers = self.info.numbers
        if tag == "a":
            self._anchor = links.anchor(attributes.get("href", ""))
            self._anchors.append(self._anchor)
        elif tag == "img":
            if self.info.inside.get("a") and self._anchor is not None:
                self._anchor.append("<img>\n")
            if "width" in attributes and "height" in attributes:
                self._image_area += _area(attributes["width"], attributes["height"])
        elif tag == "font":
            if "face" in attributes and _FACE.fullmatch(attributes["face"]) is None:
                numbers["font_face_bad"] = 1
        elif tag == "form":
            if "mailto:" in attributes.get("action", "").lower():
                numbers["form_action_mailto"] = 1
        elif tag in ("object", "embed"):
            numbers["embeds"] = 1
        elif tag == "title":
            self._titles.append([])
        elif tag == "meta" and "content-type" in attributes.get("http-equiv", "").lower():
            found = _CHARSET.search(attributes.get("content", ""))
            if found is not None:
                self.info.charsets.append(found[1])


def _area(width: str, height: str) -> int:
    """Points of a picture; a screen of 800 by 600 is taken for a percentage, 200 where none is."""
    return (_points(width, 8) or 200) * (_points(height, 6) or 200)


def _points(text: str, per_cent: int) -> int:
    found = _LENGTH.fullmatch(text)
    if found is None:
        return 0
    return int(found[1]) * (per_cent if found[2] else 1)
