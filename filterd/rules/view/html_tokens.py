"""HTML in tokens, with the faults of a document, as Perl's HTML::Parser takes it apart.

Linear: what has no end is met once more at the end of the document and then is a comment. Source:
HTML::Parser(3pm), with `marked_sections`; its results over broken documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from filterd.rules.view.html_entities import resolved

TOKEN_LIMIT = 50_000
"""Marks `<` of a document that are looked at; what follows is passed over."""

ATTRIBUTE_LIMIT = 1000
"""Attributes of a tag that are read; more are passed over."""

_S = r"[ \t\n\r\f\x0b]"
_NS = r"[^ \t\n\r\f\x0b"
_TAG = re.compile(rf"<([A-Za-z_:]{_NS}>]*+){_S}*+")
_ATTRIBUTE = re.compile(
    rf"({_NS}>]{_NS}=>]*+){_S}*+"
    rf"(=)?(?(2){_S}*+(?:\"([^\"]*+)\"{_S}*+|'([^']*+)'{_S}*+|(?![\"'])({_NS}>]*+){_S}*+))?"
)
_END = re.compile(rf"</({_NS}>]++)")
_COMMENT_END = re.compile(rf"--{_S}*+>")
_DOCTYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)(?![\w.:-])", re.IGNORECASE | re.ASCII)
_DECLARED = re.compile(
    rf"{_S}*+(\"[^\"]*+\"|'[^']*+'|--(?:[^-]|-(?!-))*+--|[^ \t\n\r\f\x0b\"'>-]{_NS}>]*+)?"
)
_SECTION = re.compile(rf"<!\[{_S}*+((?:[A-Za-z_:][\w.:-]*+{_S}*+)*+)\[", re.ASCII)
_QUOTE_OR_END = re.compile(r"[>\"']")
_SECTIONS = ("include", "rcdata", "cdata", "ignore")

# Elements whose text holds no tags; True: no character references either.
_LITERAL = {
    "script": True,
    "style": True,
    "xmp": True,
    "iframe": True,
    "plaintext": True,
    "title": False,
    "textarea": False,
}
_LITERAL_END = {
    name: re.compile(rf"</({name}){_S}*+>", re.IGNORECASE | re.ASCII)
    for name in _LITERAL
    if name != "plaintext"
}
_TEXT_TO_THE_END = frozenset(("plaintext", "xmp", "iframe", "textarea"))

_INCOMPLETE = -1
_NO_TAG = -2


class Handler(Protocol):
    """Who is told of the tokens, in their order. Names are in lower case."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def text(self, text: str) -> None: ...
    def comment(self, text: str) -> None: ...
    def declaration(self, text: str) -> None: ...


class HtmlTokenizer:
    """Reads one document."""

    def __init__(self, text: str, handler: Handler) -> None:
        self._text = text
        self._handler = handler
        self._literal = ""
        self._is_cdata = False
        self._section = ""
        self._sections: list[str] = []
        self._ends_at_gt = False
        self._pending_end = ""
        self._endless: set[str] = set()
        self._tokens = 0

    def read(self) -> None:
        """Tell the handler of all tokens."""
        position = self._read_from(0)
        if self._literal in ("script", "style"):
            # The caller of SpamAssassin's reader closes these itself.
            name = self._literal
            self._report_text(position, len(self._text))
            self._report_end(name)
        else:
            self._finish(position)
        self._flush_end()

    def _finish(self, position: int) -> None:
        text, size = self._text, len(self._text)
        while position < size:
            if self._literal:
                if self._literal in _TEXT_TO_THE_END:
                    break
                if self._literal in ("script", "style"):
                    self._report_end(self._literal)
                else:
                    self._pending_end = self._literal
                self._literal = ""
                position = self._read_from(position)
                continue
            if text[position] == "<":
                if not self._ends_at_gt:
                    self._ends_at_gt = True
                    position = self._read_from(position)
                    continue
                following = text[position + 1 : position + 2]
                if (
                    following == ""
                    or following in "/!?_:"
                    or (following.isascii() and following.isalpha())
                ):
                    self._report_comment(text[position:])
                    return
            break
        if position < size:
            self._report_text(position, size)

    def _read_from(self, start: int) -> int:
        """Read as far as tokens are complete; where that ends."""
        text, size = self._text, len(self._text)
        position = start
        mark = start  # where text begins that was not told yet
        while True:
            if self._literal:
                mark = self._read_literal(mark)
                if self._literal:
                    return mark
                position = mark
            found = text.find("<", position)
            if self._section:
                end = self._end_of_section(position, found)
                if end >= 0:
                    self._close_section(mark, end)
                    position = mark = end + 3
                    continue
                if self._section in ("cdata", "rcdata"):
                    return mark
            if found < 0:
                return self._hold_back(mark)
            if found > mark:
                self._report_text(mark, found)
                mark = found
            if size - found < 3:
                return mark
            after = self._read_markup(found)
            if after == _INCOMPLETE:
                return mark
            if after == _NO_TAG:
                position = found + 1
            else:
                position = mark = after

    def _hold_back(self, mark: int) -> int:
        """Tell the text up to the last word, which may go on later."""
        text = self._text[mark:]
        kept = text.rstrip(" \t\n\r\f\x0b")
        if len(kept) == len(text):
            last = max(map(text.rfind, " \t\n\r\f\x0b"))
            kept = text[: last + 1].rstrip(" \t\n\r\f\x0b")
        end = mark + len(kept)
        if end > mark:
            self._report_text(mark, end)
        return end

    def _read_literal(self, mark: int) -> int:
        pattern = _LITERAL_END.get(self._literal)
        if self._literal in self._endless:
            return mark
        match = pattern.search(self._text, mark) if pattern is not None else None
        if match is None:
            self._endless.add(self._literal)  # so that each is looked for once only
            return mark
        if match.start() > mark:
            self._report_text(mark, match.start())
        self._report_end(match[1].lower())
        self._literal, self._is_cdata = "", False
        return match.end()

    def _read_markup(self, position: int) -> int:
        self._tokens += 1
        if self._tokens > TOKEN_LIMIT:
            return len(self._text)
        following = self._text[position + 1]
        if following == "/":
            return self._read_end(position)
        if following == "!":
            return self._read_declaration(position)
        if following == "?":
            end = self._text.find(">", position)
            return end + 1 if end >= 0 else _INCOMPLETE
        return self._read_start(position)

    def _read_start(self, position: int) -> int:
        text = self._text
        match = _TAG.match(text, position)
        if match is None:
            return _NO_TAG
        tag = _lower(match[1])
        attributes: dict[str, str] = {}
        at = match.end()
        if text[at : at + 1] != ">":
            at = self._read_attributes(at, attributes)
            if at == _INCOMPLETE:
                return _INCOMPLETE
        if self._pending_end:
            self._flush_end()
        if self._section != "ignore":
            self._handler.start(tag, attributes)
        if tag in _LITERAL:
            self._literal, self._is_cdata = tag, _LITERAL[tag]
        return at + 1

    def _read_attributes(self, position: int, attributes: dict[str, str]) -> int:
        """Where the `>` behind them is."""
        text, size = self._text, len(self._text)
        while True:
            if position >= size:
                return _INCOMPLETE
            if text[position] == ">":
                return position
            match = _ATTRIBUTE.match(text, position)
            assert match is not None
            name, equals, *values = match.groups()
            position = match.end()
            value = name if equals is None else next((v for v in values if v is not None), None)
            if value is None:
                return _INCOMPLETE
            name = _lower(name)
            if name not in attributes and len(attributes) < ATTRIBUTE_LIMIT:
                if equals is not None and "&" in value:
                    value = resolved(value, in_attribute=True)
                attributes[name] = value

    def _read_end(self, position: int) -> int:
        match = _END.match(self._text, position)
        at = self._end_of_tag(match.end() if match is not None else position + 2)
        if at < 0:
            return _INCOMPLETE
        if match is not None:
            self._report_end(_lower(match[1]))
        else:
            self._report_comment(self._text[position : at + 1])
        return at + 1

    def _end_of_tag(self, position: int) -> int:
        """Where `>` is, outside of quotation marks behind a blank or `=`; -1 if nowhere."""
        text, start, quote = self._text, position, ""
        if text[position : position + 1] == ">":
            return position
        for match in _QUOTE_OR_END.finditer(text, position):
            character, at = match[0], match.start()
            if not quote:
                if character == ">":
                    return at
                if at == start or text[at - 1] in " =":
                    quote = character
            elif character == quote:
                quote = ""
        return -1

    def _read_declaration(self, position: int) -> int:
        text = self._text
        following = text[position + 2]
        if following == "-":
            if position + 3 >= len(text):
                return _INCOMPLETE
            if text[position + 3] == "-":
                return self._read_comment(position)
        elif following == "[":
            match = _SECTION.match(text, position)
            if match is not None:
                names = match[1].lower().split() or ["include"]
                self._sections.append(max(names, key=_rank))
                self._update_section()
                return match.end()
        elif following == ">":
            self._report_comment(text[position : position + 3])
            return position + 3
        else:
            match = _DOCTYPE.match(text, position)
            if match is not None:
                end = self._end_of_doctype(match.end())
                if end == _INCOMPLETE:
                    return _INCOMPLETE
                if end >= 0:
                    if self._section != "ignore":
                        self._flush_end()
                        self._handler.declaration(text[position:end])
                    return end
        end = text.find(">", position)
        if end < 0:
            return _INCOMPLETE
        self._report_comment(text[position : end + 1])
        return end + 1

    def _end_of_doctype(self, position: int) -> int:
        text, size = self._text, len(self._text)
        while True:
            match = _DECLARED.match(text, position)
            assert match is not None
            position = match.end()
            if position >= size:
                return _INCOMPLETE
            if text[position] == ">":
                return position + 1
            if match[1] is None:
                # A quotation mark or comment without end, or a dash that begins no comment.
                is_dash = text[position] == "-" and text[position + 1 : position + 2] != "-"
                return _NO_TAG if is_dash else _INCOMPLETE

    def _read_comment(self, position: int) -> int:
        if self._ends_at_gt:
            end = self._text.find(">", position + 4)
            if end < 0:
                return _INCOMPLETE
            end += 1
        else:
            match = _COMMENT_END.search(self._text, position + 4)
            if match is None:
                return _INCOMPLETE
            end = match.end()
        self._report_comment(self._text[position:end])
        return end

    def _end_of_section(self, position: int, next_tag: int) -> int:
        """Where `]]>` ends a marked section, -1 if nowhere before the next tag."""
        holds_tags = self._section not in ("cdata", "rcdata") and next_tag >= 0
        return self._text.find("]]>", position, next_tag if holds_tags else len(self._text))

    def _close_section(self, mark: int, end: int) -> None:
        if end > mark:
            self._report_text(mark, end)
        self._sections.pop()
        self._update_section()

    def _update_section(self) -> None:
        self._section = max(self._sections, key=_rank, default="")
        self._is_cdata = self._section == "cdata"

    def _report_text(self, start: int, end: int) -> None:
        if self._section == "ignore" or start >= end:
            return
        text = self._text[start:end]
        self._handler.text(text if self._is_cdata else resolved(text))

    def _report_end(self, tag: str) -> None:
        if self._section != "ignore":
            self._flush_end()
            self._handler.end(tag)

    def _report_comment(self, text: str) -> None:
        if self._section != "ignore":
            self._handler.comment(text)

    def _flush_end(self) -> None:
        if self._pending_end:
            tag, self._pending_end = self._pending_end, ""
            self._handler.end(tag)


def _rank(name: str) -> int:
    return _SECTIONS.index(name) if name in _SECTIONS else -1


def _lower(name: str) -> str:
    if name.isascii():
        return name.lower()
    return "".join([c.lower() if c.isascii() else c for c in name])
