"""URIs in HTML, made absolute, and the texts of the links to them.

Source: HTML 4.01, RFC 3986 §5.2; the results of SpamAssassin 4.0.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

URI_LIMIT = 8192
"""Characters of a URI that are kept."""

_BLANKS = " \t\n\r\f\x0b\xa0"
_ATTRIBUTES = {
    **dict.fromkeys(("body", "table", "tr", "td"), ("background",)),
    **dict.fromkeys(("a", "area", "link"), ("href", "data-saferedirecturl")),
    **dict.fromkeys(("img", "frame", "iframe", "embed", "script", "bgsound"), ("src",)),
    "form": ("action",),
}
_KEPT = re.compile(r"(?:data|mailto|file|cid|tel):", re.IGNORECASE)
_BASE = re.compile(r"(?:https?|ftp):", re.IGNORECASE)
_REFRESH = re.compile(r"\burl\s*+=\s*+", re.IGNORECASE)
_HIDDEN_HREF = re.compile(r"\w/href")
_HIDDEN_SRC = re.compile(r"\w/src")
_PARTS = re.compile(r"(?:([^:/?#]++):)?(?://([^/?#]*+))?([^?#]*+)(?:\?([^#]*+))?(?:#([^\n]*+))?")
_WWW = re.compile(r"www\d*\.", re.IGNORECASE)
_FTP = re.compile(r"ftp\d*\.", re.IGNORECASE)


class HtmlLink:
    """One URI. types: the elements that name it. texts: pieces of the text of each `a`."""

    __slots__ = ("texts", "types")

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.texts: list[list[str]] = []


class Links(dict[str, HtmlLink]):
    """The URIs of a document in the order of their first appearance.

    is_truncated: some URI was too long.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_truncated = False
        self._base = ""

    def found(self, tag: str, attributes: Mapping[str, str]) -> Mapping[str, str]:
        """Take the URIs of an element; its attributes as they are to be read."""
        if tag == "base":
            self._set_base(attributes.get("href", ""))
        elif tag == "meta":
            self._refresh(attributes)
        names = _ATTRIBUTES.get(tag)
        if names is None:
            return attributes
        attributes = _repaired(attributes, names[0])
        for name in names:
            if name in attributes:
                self._add(tag, attributes[name])
        return attributes

    def anchor(self, href: str) -> list[str]:
        """Where the pieces of the text of a link to `href` go."""
        pieces: list[str] = []
        self._link(self._cut(href)).texts.append(pieces)
        return pieces

    def _link(self, uri: str) -> HtmlLink:
        link = self.get(uri)
        if link is None:
            link = self[uri] = HtmlLink()
        return link

    def _cut(self, uri: str) -> str:
        uri = uri.strip(_BLANKS)
        if len(uri) > URI_LIMIT:
            self.is_truncated = True
            uri = uri[:URI_LIMIT]
        return uri

    def _add(self, tag: str, uri: str) -> None:
        uri = self._cut(uri)
        if uri and _KEPT.match(uri) is None:
            uri = absolute(self._base, uri)
        if uri:
            self._link(uri).types.add(tag)

    def _set_base(self, href: str) -> None:
        if href in ("", "0"):
            return
        uri = self._cut(href)
        self._add("base", uri)
        if _BASE.match(uri) is not None:
            name = uri.rpartition("/")[2]
            stem, dot, ending = name.rpartition(".")
            if dot and stem and 2 <= len(ending) <= 4 and uri.count("/") > 2:
                uri = uri[: len(uri) - len(ending) - 1 - len(stem.rpartition(".")[2])]
            self._base = uri if uri.endswith("/") else uri + "/"

    def _refresh(self, attributes: Mapping[str, str]) -> None:
        content = attributes.get("content", "")
        if "refresh" in attributes.get("http-equiv", "").lower():
            found = list(_REFRESH.finditer(content))
            if found:
                self._add("meta", content[found[-1].end() :].partition(";")[0])


def _repaired(attributes: Mapping[str, str], name: str) -> Mapping[str, str]:
    """Where a slash instead of a blank joins an attribute to another, it still counts."""
    if name not in ("href", "src") or "/" not in "".join(attributes):
        return _without_mark(attributes)
    hidden = _HIDDEN_HREF if name == "href" else _HIDDEN_SRC
    repaired = dict(attributes)
    for key in attributes:
        if hidden.search(key) is not None:
            repaired[name] = repaired.pop(key)
    return _without_mark(repaired)


def _without_mark(attributes: Mapping[str, str]) -> Mapping[str, str]:
    href = attributes.get("href", "")
    return {**attributes, "href": href.replace("\ufeff", "")} if "\ufeff" in href else attributes


def absolute(base: str, uri: str) -> str:
    """A reference resolved against a base URI (RFC 3986 §5.2); a host without a scheme gets one."""
    scheme, authority, path, query, fragment = _split(uri)
    base_scheme, base_authority, base_path, base_query, _ = _split(base)
    if scheme is not None and scheme == base_scheme:
        scheme = None
    if scheme is None:
        if authority is None:
            if path == "":
                path = base_path
                query = base_query if query is None else query
            elif path.startswith("/"):
                path = _without_dots(path)
            else:
                path = _without_dots(_merged(base_authority, base_path, path))
            authority = base_authority
        else:
            path = _without_dots(path)
        scheme = base_scheme
    else:
        path = _without_dots(path)
    head = ""
    if scheme and scheme != "0":
        head = scheme + ":"
    elif authority is not None:
        head = "http:" if _WWW.match(authority) else "ftp:" if _FTP.match(authority) else ""
    if authority is not None:
        head += "//" + authority
    tail = "" if query is None else "?" + query
    return head + path + tail + ("" if fragment is None else "#" + fragment)


def _split(uri: str) -> tuple[str | None, str | None, str, str | None, str | None]:
    match = _PARTS.match(uri)
    assert match is not None
    return match[1], match[2], match[3], match[4], match[5]


def _merged(authority: str | None, base_path: str, path: str) -> str:
    if authority is not None and base_path in ("", "0"):
        return "/" + path
    return base_path[: base_path.rfind("/") + 1] + path


def _without_dots(path: str) -> str:
    """A path without `.` and `..` (RFC 3986 §5.2.4)."""
    if "/." not in path and not path.startswith("."):
        return path
    if path.startswith(("./", "../")):
        path = path[path.index("/") :]
    segments: list[str] = []
    pieces = path.split("/")
    for index, piece in enumerate(pieces):
        is_last = index == len(pieces) - 1
        if index and piece == "..":
            if segments:
                segments.pop()
            if is_last:
                segments.append("/")
        elif index and piece == ".":
            if is_last:
                segments.append("/")
        else:
            segments.append(("/" if index else "") + piece)
    return "".join(segments)
