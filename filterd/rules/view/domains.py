"""Hosts and the domains that somebody registered, as rules see them.

Which endings there are, the options `util_rb_tld`, `util_rb_2tld` and `util_rb_3tld` say. A rule
set that names no `com` has no list of its own as SpamAssassin's stock rules have: what it names is
added to the Public Suffix List. Source: Mail::SpamAssassin::Conf(3); RFC 1480 for `us`.
"""

from __future__ import annotations

import contextlib
import re
import string
from collections.abc import Mapping, Sequence
from functools import lru_cache

from filterd.message.address import canonical_domain
from filterd.message.suffixes import is_top_level, registered_domain
from filterd.rules.conf.rule import Option
from filterd.rules.view.ip_text import IP
from filterd.rules.view.kept import kept

HOST_LIMIT = 253
"""Octets of a host name (RFC 1035 §2.3.4)."""

LABEL_LIMIT = 63
"""Octets of one label (RFC 1035 §2.3.4)."""

FOUND_LIMIT = 251
"""Octets of a host's name before its last label, where it is looked for in text."""

ENDING_LABELS = 4
"""Labels of the longest ending under which others register, `pvt.k12.ma.us`."""

ALWAYS = "com"
"""A top-level domain that no whole list of them lacks."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_ENDING = re.compile(r"\.([A-Za-z0-9-]++)(?![A-Za-z0-9._-])(?!\.[A-Za-z0-9])")
_RUN = re.compile(r"\S+", re.ASCII)
_DOTS = re.compile(r"\.\.+")
_SCHEME = re.compile(r"[a-z]+:/{0,2}")
_PATH = re.compile(r"[/?#]")
_PORT = re.compile(r":\d*\Z", re.ASCII)
_ESCAPED = re.compile(r"%(?:2[1-9a-f]|[3-6][0-9a-f]|7[0-9a-e])")
_ADDRESS = re.compile(IP, re.ASCII)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_NOT_WEB = ("javascript:", "cid:", "file:")
_STATES = frozenset(
    "al ak az ar ca co ct de dc fl ga gu hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh"
    " nj nm ny nc nd mp oh ok or pa pr ri sc sd tn tx ut vt va vi wa wv wi wy as fm mh pw".split()
)


def ascii_host(host: str) -> str:
    """A host in A-labels and lower case (RFC 5891), as SpamAssassin has it with Net::LibIDN2; one
    of ASCII stays as it is. host: text, or octets of UTF-8 or ISO 8859-1, one a character."""
    if host.isascii():
        return host
    with contextlib.suppress(UnicodeError):
        host = host.encode("latin-1").decode("utf-8")
    return canonical_domain(host)


def is_host_name(host: str) -> bool:
    """True for a name of two labels or more that may stand in the DNS; underscores only in front of
    the last two."""
    host = host.lower().rstrip(".")
    labels = host.split(".")
    if len(host) > HOST_LIMIT or len(labels) < 2:
        return False
    if any(len(label) > LABEL_LIMIT or _LABEL.fullmatch(label) is None for label in labels):
        return False
    return not any("_" in label for label in labels[-2:])


class Domains:
    """The endings of domains that a rule set knows."""

    def __init__(self, top: frozenset[str], second: frozenset[str], third: frozenset[str]) -> None:
        self._top = top
        self._second = second
        self._third = third
        self._is_whole = ALWAYS in top
        self.registered = lru_cache(4096)(self._registered)

    @classmethod
    def of(cls, options: Mapping[str, Sequence[Option]]) -> Domains:
        """What the options of a rule set say."""
        lines = tuple(options.get(f"util_rb_{name}", ()) for name in ("tld", "2tld", "3tld"))
        return kept(cls, lines, lambda: cls(*map(_words, lines)))

    def is_top(self, label: str) -> bool:
        """True for a top-level domain, in A-labels."""
        label = label.lower()
        return label in self._top or (not self._is_whole and is_top_level(label))

    def is_valid(self, host: str) -> bool:
        """True for a name in a top-level domain that there is."""
        before, dot, label = host.lower().rpartition(".")
        return bool(dot) and self.is_top(label) and not any(c.isspace() for c in before)

    def _registered(self, host: str) -> str:
        """The domain of a host that somebody registered; the name itself where it is shorter."""
        name = _DOTS.sub(".", host.lower()).strip(".")
        labels = name.split(".")
        start = max(len(labels) - ENDING_LABELS, 0)
        while len(labels) - start > 1 and not self._is_delegated(labels[start:]):
            start += 1
        found = ".".join(labels[max(start - 1, 0) :])
        return found if self._is_whole else max(found, registered_domain(name) or name, key=len)

    def _is_delegated(self, labels: list[str]) -> bool:
        """True for an ending under which others register."""
        name = ".".join(labels)
        match len(labels):
            case 2:
                return name in self._second
            case 3:
                return labels[1] in _STATES if labels[2] == "us" else name in self._third
            case 4:
                is_local = labels[:2] == ["pvt", "k12"] or labels[0] in ("ci", "co")
                return labels[3] == "us" and is_local and labels[2] in _STATES
        return False

    def host_in(self, text: str, start: int = 0, end: int | None = None) -> tuple[int, int] | None:
        """Where the first thing that looks like a host in a known domain stands in a text; it may
        have anything in front of it."""
        limit = len(text) if end is None else end
        for run in _RUN.finditer(text, start, limit):
            begin, stop = run.span()
            while begin < stop and begin and text[begin - 1] in "._-":
                begin += 1
            best = 0
            for ending in _ENDING.finditer(text, begin + 1, stop):
                if ending.start() - begin > FOUND_LIMIT:
                    break
                if self.is_top(ending[1]):
                    best = ending.end()
            if best:
                return begin, best
        return None

    def host_at(self, text: str, start: int, end: int) -> str:
        """The host of `host_in`, if it stands right at `start`; else ""."""
        # A last label that this cuts is too long for a top-level domain.
        run = _RUN.match(text, start, min(end, start + FOUND_LIMIT + LABEL_LIMIT + 4))
        found = None if run is None else self.host_in(text, start, run.end())
        return text[found[0] : found[1]] if found is not None and found[0] == start else ""

    def of_uri(self, uri: str) -> tuple[str, str]:
        """(registered domain, host) of a URI or address; ("", "") where it has none."""
        text = uri.translate(_LOWER)  # never an octet of UTF-8
        if text.startswith(_NOT_WEB):
            return "", ""
        if text.startswith("mailto:"):
            text = text[7:].partition("?")[0]
            if text.count("@") != 1:
                return "", ""
            text = text.rpartition("@")[2]
        else:
            scheme = _SCHEME.match(text)
            text = text[scheme.end() :] if scheme is not None else text
            text = _PATH.split(text, maxsplit=1)[0].rpartition("@")[2]
            text = _PORT.sub("", text)
        if _ESCAPED.search(text):
            return "", ""
        text = ascii_host(text)
        if _ADDRESS.fullmatch(text):
            return text, text
        if not is_host_name(text) or not self.is_valid(text):
            return "", ""
        return self.registered(text), text


def _words(lines: Sequence[Option]) -> frozenset[str]:
    return frozenset(
        canonical_domain(word.decode("utf-8", "replace"))
        for line in lines
        for word in line.value.encode("latin-1", "replace").split()
    )
