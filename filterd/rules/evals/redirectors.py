"""Whether URIs lead through redirectors and shorteners, without asking them where to.

Nothing is fetched: tests of what a redirector answers do not hit. Source:
Mail::SpamAssassin::Plugin::Redirectors(3pm) of SpamAssassin 4.0.2, DecodeShortURLs(3pm).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from filterd.rules.conf.rule import RulePattern
from filterd.rules.evals.registry import Plugin
from filterd.rules.patterns import compile_pattern
from filterd.rules.view.uri_forms import unescaped

if TYPE_CHECKING:
    from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::Redirectors",
    "url_redirector",
    "url_redirector_get",
    "clear_url_redirector",
    "url_redirector_params",
    "max_redir_urls",
)

PARAMETERS = (
    "adurl af_web_dp cm_destination destination destURL l login location p1 pval r redir redirect"
    " redirectTo ret_url return returnUrl referer service target tid u url"
)
"""Names of parameters that redirectors take the target in, where no option names others."""

_WEB = re.compile(rb"https?://(?:[^@/?#]*+@)?([^/?#:]++)(?::\d+)?([^\n]*)", re.IGNORECASE)
_FRAGMENT = re.compile(rb"#[^\n]{1,32}")
_IN_PATH = re.compile(rb"/https?://", re.IGNORECASE)


def listed(host: bytes, hosts: frozenset[bytes], *, any_depth: bool = False) -> bool:
    """True if a host in lower case is in a list, also as `www.` of one; an entry that begins with
    a dot stands for the hosts below it."""
    if host in hosts:
        return True
    labels = host.split(b".")
    if len(labels) == 3 and labels[0] == b"www":
        return b".".join(labels[1:]) in hosts
    if len(labels) == 3 and not host.startswith(b"www"):
        return b"." + b".".join(labels[1:]) in hosts
    return any_depth and any(
        b"." + b".".join(labels[-n:]) in hosts for n in (2, 3) if n < len(labels)
    )


def hosts_of(view: View, *names: str, without: str = "") -> frozenset[bytes]:
    """The hosts that options name, without those that the option `without` takes away."""
    words = {name: _words(view, name) for name in (*names, without) if name}
    return frozenset().union(*(words[name] for name in names)) - words.get(without, frozenset())


def _words(view: View, name: str) -> frozenset[bytes]:
    lines = view.options.get(name, ())
    words = (word for line in lines for word in line.words(lower=True))
    return frozenset(word.encode("latin-1", "replace") for word in words)


@PLUGIN.test("redir_url")
def redir_url(view: View) -> bool:
    """True if a URI leads through a redirector: one that is listed, or one with a target in its
    parameters."""
    hosts = hosts_of(view, "url_redirector", "url_redirector_get", without="clear_url_redirector")
    options = view.options.get("url_redirector_params", ())
    names = "|".join(PARAMETERS.split())
    parameters = compile_pattern(RulePattern(options[-1].value if options else f"(?:{names})=(.*)"))
    for uri, detail in view.uri_detail.items():
        if not detail.domains or not detail.cleaned:
            continue
        match = _WEB.match(_FRAGMENT.sub(b"", unescaped(uri)))
        if match is None:
            continue
        if listed(match[1].lower(), hosts, any_depth=True):
            return True
        if parameters.search(match[2]) is not None or _IN_PATH.search(match[2]) is not None:
            return True
    return False
