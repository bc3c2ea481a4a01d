"""HTTPSMismatch: links whose text is another site's address than the one they go to.

Source: Mail::SpamAssassin::Plugin::HTTPSMismatch(3).
"""

from __future__ import annotations

import re

from filterd.rules.evals.arguments import is_within
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.domains import ascii_host, is_host_name
from filterd.rules.view.html import HtmlInfo
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::HTTPSMismatch")

_TARGET = re.compile(r"https?://([^/:?#]++)", re.IGNORECASE)
_SHOWN = re.compile(r"https://([^\s/:?#]++)", re.IGNORECASE)
_NUMBERS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[?(?=[0-9a-f.]*+:)[0-9a-f:.]++\]?", re.IGNORECASE)


@PLUGIN.test("check_https_http_mismatch")
def check_https_http_mismatch(
    view: View, least_links: str = "1", below_links: str | None = None
) -> bool:
    """A part of HTML with such a link, and at least, and below, so many links to web sites."""
    for info in view.html:
        links, differs = _links(view, info)
        below = below_links is None or links < float(below_links)
        if differs and below and is_within(links, least_links or "1"):
            return True
    return False


def _links(view: View, info: HtmlInfo) -> tuple[int, bool]:
    """How many links with a text go to a named web site, and whether one says another."""
    count, differs = 0, False
    for uri, link in info.links.items():
        found = _TARGET.match(uri) if link.texts else None
        target = _domain(view, found[1]) if found is not None else ""
        if _NUMBERS.fullmatch(target) or not is_host_name(target):
            continue
        count += 1
        for pieces in link.texts:
            shown = _SHOWN.search("".join(pieces))
            other = _domain(view, shown[1]) if shown is not None else ""
            differs |= bool(other) and other != target
    return count, differs


def _domain(view: View, host: str) -> str:
    """The registered domain of a host, the address if it is one; "" for what cannot be either."""
    host = ascii_host(host.lower())
    if _NUMBERS.fullmatch(host):
        return host
    found = view.domains.registered(host)
    return found if view.domains.is_valid(found) else ""
