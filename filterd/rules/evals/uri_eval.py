"""Tests of URIs. Source: Mail::SpamAssassin::Plugin::URIEval(3pm)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from filterd.rules.evals.registry import Plugin

if TYPE_CHECKING:
    from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::URIEval")

REDIRECTIONS = 10
"""URIs in one another that are looked at."""

_HOST = re.compile(rb"https?://([^/:?]+)", re.IGNORECASE)
_INNER = re.compile(rb"https?:/{0,2}([^/:?]+)", re.IGNORECASE)
_ADDRESS = re.compile(r"https?:/*+(?:[^@/]++@)?\d++\.\d++\.\d++\.\d", re.IGNORECASE | re.ASCII)
_SAFE = re.compile(r"https:/*+(?:[^@/]++@)?\d++\.\d++\.\d++\.\d", re.ASCII)


@PLUGIN.test("check_for_http_redirector")
def check_for_http_redirector(view: View) -> bool:
    """True if a URI holds one of another domain."""
    return any(_redirects(view, uri) for uri in view.uris)


def _redirects(view: View, uri: bytes) -> bool:
    host = _HOST.match(uri)
    for _ in range(REDIRECTIONS):
        inner = _INNER.search(uri, host.end() + 1) if host is not None else None
        if host is None or inner is None:
            return False
        if _domain(view, host[1]) != _domain(view, inner[1]):
            return True
        host = _HOST.match(uri, inner.start())
    return False


def _domain(view: View, host: bytes) -> str:
    name = host.decode("latin-1")
    return view.domains.of_uri(name)[0] or name


@PLUGIN.test("check_https_ip_mismatch")
def check_https_ip_mismatch(view: View) -> bool:
    """True if the text of a link to an address is a secure URI with a name."""
    for info in view.html:
        for uri, link in info.links.items():
            if _ADDRESS.match(uri) is not None:
                texts = ("".join(pieces).lower() for pieces in link.texts)
                if any("https:" in text and _SAFE.match(text) is None for text in texts):
                    return True
    return False


@PLUGIN.test("check_uri_truncated")
def check_uri_truncated(view: View) -> bool:
    """True if a URI was too long."""
    return view.uri_detail.is_truncated
