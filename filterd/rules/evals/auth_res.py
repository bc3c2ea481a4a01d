"""AuthRes: what Authentication-Results fields (RFC 8601) of the site's own hosts say.

Source: Mail::SpamAssassin::Plugin::AuthRes(3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::AuthRes",
    *("authres_networks", "authres_trusted_authserv", "authres_ignored_authserv"),
)

_FIELD = re.compile(rb"(?:(ARC)-)?Authentication-Results:\s*(.+)", re.I)
_INSTANCE = re.compile(r"i\s*=\s*(\d{1,3})\s*;\s*", re.A)
_COMMENT = re.compile(r"\((?:[^()\\]++|\\.?)*+(?:\)|(?=\()|\Z)")
_SERVER = re.compile(r"\s*([^\s;=\"]+)(?:\s+\d+)?\s*(?:;|\Z)")
_RESULT = re.compile(r"\s*([\w-]+)\s*(?:/\s*\d+\s*)?=\s*(\w+)(?=\s|\Z)", re.A)
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)')

_RESULTS = {
    "auth": "none pass fail temperror permerror",
    "arc": "none pass fail policy neutral temperror permerror",
    "dkim": "none pass fail policy neutral temperror permerror",
    "dkim-adsp": "none pass unknown fail discard nxdomain temperror permerror",
    "dkim-atps": "none pass fail temperror permerror",
    "dmarc": "none pass fail bestguesspass temperror permerror policy",
    "domainkeys": "none pass fail policy neutral temperror permerror",
    "iprev": "pass fail temperror permerror",
    "rrvs": "none pass fail temperror permerror unknown",
    "sender-id": "none pass fail policy neutral softfail hardfail temperror permerror",
    "smime": "none pass fail policy neutral temperror permerror",
    "spf": "none pass fail policy neutral softfail hardfail temperror permerror",
    "vbr": "none pass fail temperror permerror",
}
_KNOWN = {method: frozenset(results.split()) for method, results in _RESULTS.items()}

INSTANCES = 50
"""The highest number of an ARC set (RFC 8617 §4.2.1)."""


def _words(view: View, option: str) -> frozenset[str]:
    text = " ".join(one.value for one in view.options.get(option, ()))
    return frozenset(text.lower().split())


def _fields(view: View) -> Iterator[str]:
    options = view.options.get("authres_networks", ())
    networks = options[-1].value.strip().lower() if options else "internal"
    name = {"internal": "ALL-INTERNAL", "trusted": "ALL-TRUSTED"}.get(networks, "ALL")
    for line in view.value(name).split(b"\n"):
        match = _FIELD.match(line)
        if match is None:
            continue
        text = match[2].decode("latin-1")
        if match[1]:
            instance = _INSTANCE.match(text)
            if instance is None or not 1 <= int(instance[1]) <= INSTANCES:
                continue
            text = text[instance.end() :]
        yield text


def _parsed(text: str, trusted: frozenset[str], ignored: frozenset[str]) -> list[tuple[str, str]]:
    """(method, result); empty for a field that is not to be believed, or is wrong in any place."""
    text = _COMMENT.sub(" ", _QUOTED.sub("x", text))
    server = _SERVER.match(text)
    if server is None:
        return []
    name = server[1].lower()
    if (trusted and name not in trusted) or name in ignored:
        return []
    found = []
    for part in text[server.end() :].split(";"):
        if not part.strip() or part.strip().lower() == name:
            continue
        match = _RESULT.match(part)
        if match is None or match[2] not in _KNOWN.get(match[1].lower(), ()):
            return []
        found.append((match[1].lower(), match[2]))
    return found


def _results(view: View) -> dict[str, str]:
    """Result by method: a pass if any is one, else the first."""
    key = "authentication results"
    if key not in view.notes:
        trusted = _words(view, "authres_trusted_authserv")
        ignored = _words(view, "authres_ignored_authserv")
        found: dict[str, str] = {}
        for text in _fields(view):
            for method, result in _parsed(text, trusted, ignored):
                if result == "pass" or method not in found:
                    found[method] = result
        view.notes[key] = found
    return cast("dict[str, str]", view.notes[key])


@PLUGIN.test("check_authres_result")
def check_authres_result(view: View, method: str, wanted: str) -> bool:
    """The result of a method is as wanted, `missing` for none at all."""
    result = _results(view).get(method)
    return result is None if wanted.lower() == "missing" else result == wanted.lower()
