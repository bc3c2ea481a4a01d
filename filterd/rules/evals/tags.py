"""Tags: what a message's `%{NAME}` and `_NAME_` stand for.

Those that rules took out of the message by named groups, and those that SpamAssassin's own code
sets of header, relays, links and signatures. A tag that is not set has no values. Source:
Mail::SpamAssassin::Conf(3), TEMPLATE TAGS and CAPTURING TAGS USING REGEX NAMED CAPTURE GROUPS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from filterd.message.authentication import AuthResult, DkimCheck
from filterd.rules.evals import asn
from filterd.rules.evals.authentication import known
from filterd.rules.view.ip_text import reverse
from filterd.rules.view.received import Relay
from filterd.rules.view.relays import text_of
from filterd.rules.view.view import View

Values = Iterable[str | bytes]


def tag_values(view: View, name: str) -> tuple[bytes, ...]:
    """The values of a tag, each once and none empty. name: as between the marks, with what stands
    in parentheses: `DKIMDOMAIN`, `HEADER(From:addr:domain)`."""
    base, _, argument = name.partition("(")
    if base == "HEADER":
        field, *modifiers = argument.removesuffix(")").split(":")
        found: Values = (view.value(field, *filter(None, modifiers)),)
    elif base in _OF_RELAYS:
        found = _OF_RELAYS[base](view)
    elif base in view.tags:
        found = view.tags[base]
    elif base in _OF_MESSAGE:
        found = _OF_MESSAGE[base](view)
    else:
        asn.set_tags(view)
        found = view.tags.get(base, ())
    octets = (
        one.encode("utf-8", "surrogateescape") if isinstance(one, str) else one for one in found
    )
    return tuple(dict.fromkeys(filter(None, octets)))


def _last_external(view: View) -> Relay:
    return next(iter(view.relays.external), _NO_RELAY)


def _first_trusted(view: View) -> Relay:
    return next(reversed(view.relays.trusted), _NO_RELAY)


_NO_RELAY = Relay()

_OF_RELAYS: Mapping[str, Callable[[View], Values]] = MappingProxyType(
    {
        "FIRSTTRUSTEDIP": lambda view: [_first_trusted(view).ip],
        "FIRSTTRUSTEDREVIP": lambda view: [reverse(_first_trusted(view).ip)],
        "LASTEXTERNALIP": lambda view: [_last_external(view).ip],
        "LASTEXTERNALREVIP": lambda view: [reverse(_last_external(view).ip)],
        "LASTEXTERNALRDNS": lambda view: [_last_external(view).rdns.encode("latin-1", "replace")],
        "LASTEXTERNALHELO": lambda view: [_last_external(view).helo.encode("latin-1", "replace")],
    }
)
"""Tags that no rule can set in their place."""


def _reversed(relays: Iterable[Relay]) -> list[str]:
    return [reverse(relay.ip) for relay in relays if not relay.ip_private]


def _links(view: View) -> dict[bytes, bytes]:
    """Hosts of the links of a message, each with its domain."""
    found: dict[bytes, bytes] = {}
    for detail in view.uri_detail.values():
        found.update(detail.hosts)
    return found


def _valid(view: View) -> list[DkimCheck]:
    return [one for one in known(view).dkim if one.result is AuthResult.PASS]


_OF_MESSAGE: Mapping[str, Callable[[View], Values]] = MappingProxyType(
    {
        "SENDERDOMAIN": View.sender_domains,
        "AUTHORDOMAIN": View.author_domains,
        "DKIMDOMAIN": lambda view: [one.domain for one in _valid(view)],
        "DKIMIDENTITY": lambda view: [one.auid or f"@{one.domain}" for one in _valid(view)],
        "DKIMSELECTOR": lambda view: [one.selector for one in _valid(view)],
        "URIHOSTS": lambda view: sorted(_links(view)),
        "URIDOMAINS": lambda view: sorted(set(_links(view).values())),
        "RELAYSTRUSTED": lambda view: [text_of(view.relays.trusted)],
        "RELAYSUNTRUSTED": lambda view: [text_of(view.relays.untrusted)],
        "RELAYSINTERNAL": lambda view: [text_of(view.relays.internal)],
        "RELAYSEXTERNAL": lambda view: [text_of(view.relays.external)],
        "RELAYSTRUSTEDREVIP": lambda view: _reversed(view.relays.trusted),
        "RELAYSUNTRUSTEDREVIP": lambda view: _reversed(view.relays.untrusted),
        "RELAYSINTERNALREVIP": lambda view: _reversed(view.relays.internal),
        "RELAYSEXTERNALREVIP": lambda view: _reversed(view.relays.external),
    }
)

TAGS = frozenset(("HEADER", *_OF_RELAYS, *_OF_MESSAGE))
"""Names of the tags that are set without a rule."""
