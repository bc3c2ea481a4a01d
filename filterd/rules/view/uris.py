"""The URIs of a message: of its text and its HTML, in all forms that rules look at.

Source: Mail::SpamAssassin::PerMsgStatus(3pm), get_uri_list and get_uri_detail_list; the results of
SpamAssassin 4.0.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from filterd.rules.view.html import HtmlInfo
from filterd.rules.view.html_links import URI_LIMIT
from filterd.rules.view.uri_forms import Forms, forms_of
from filterd.rules.view.uri_text import uris_in

URIS_LIMIT = 10_000
"""Different URIs of a message that are looked at."""

FORMS_LIMIT = 16 * 1024 * 1024
"""Octets of all forms of all URIs together, beyond which no more URIs are looked at: one may have
fifty times its own size."""


@dataclass(slots=True)
class UriDetail:
    """What is known of one URI as it stands in the message.

    types: elements of HTML that name it; `parsed` for one of the text, with `unlinked` and
    `schemeless`. cleaned: its forms. anchor_text: texts of links to it. domains: registered domains
    of all forms. hosts: hosts of them, each with its domain.
    """

    types: set[str] = field(default_factory=set)
    cleaned: list[bytes] = field(default_factory=list)
    anchor_text: list[bytes] = field(default_factory=list)
    domains: set[bytes] = field(default_factory=set)
    hosts: dict[bytes, bytes] = field(default_factory=dict)


class Uris(dict[bytes, UriDetail]):
    """All URIs by their raw text, those of the text first.

    is_truncated: one was too long, or there are too many.
    """

    def __init__(self, how: Forms) -> None:
        super().__init__()
        self.is_truncated = False
        self._how = how
        self._octets = 0

    def read_text(self, paragraphs: Iterable[bytes]) -> None:
        """Take the URIs of plain text."""
        for found in uris_in(paragraphs, self._how.domains):
            self.add(found.uri, found.types, must_have_domain=True)

    def read_html(self, info: HtmlInfo) -> None:
        """Take the URIs of a document."""
        self.is_truncated |= info.links.is_truncated
        for text, link in info.links.items():
            uri = info.octets(text)
            if self.add(uri, link.types or ("parsed",)):
                texts = ["".join(pieces) for pieces in link.texts]
                self[uri].anchor_text += map(info.octets, dict.fromkeys(texts))

    def add_domain(self, domain: bytes) -> None:
        """Take the domain of a signature, for lists and not for `uri` rules."""
        uri = b"domainkeys:" + domain
        found, host = self._how.domain_and_host(uri)
        if found:
            detail = self.setdefault(uri, UriDetail())
            detail.types |= {"domainkeys", "nocanon", "noclean"}
            detail.domains.add(found)
            detail.hosts[host] = found

    def add(self, uri: bytes, types: Iterable[str], *, must_have_domain: bool = False) -> bool:
        """Add a URI with its forms; False if it is left out."""
        if (len(self) >= URIS_LIMIT or self._octets > FORMS_LIMIT) and uri not in self:
            self.is_truncated = True
            return False
        forms = forms_of(uri, self._how)
        hosts: dict[bytes, bytes] = {}
        if any(len(form) > URI_LIMIT for form in forms):
            self.is_truncated = True
            forms = [form[:URI_LIMIT] for form in forms]
        for form in forms:
            domain, host = self._how.domain_and_host(form)
            if domain:
                hosts[host] = domain
        if must_have_domain and not hosts:
            return False
        self._octets += sum(map(len, forms))
        detail = self.setdefault(uri, UriDetail())
        detail.cleaned = list(dict.fromkeys((*detail.cleaned, *forms)))
        detail.types |= set(types)
        detail.hosts |= hosts
        detail.domains |= set(hosts.values())
        return True

    def cleaned(self) -> tuple[bytes, ...]:
        """All forms of all URIs, each once: what `uri` rules look at."""
        return tuple(dict.fromkeys(form for detail in self.values() for form in detail.cleaned))


def uris_of(
    paragraphs: Iterable[bytes],
    documents: Iterable[HtmlInfo],
    how: Forms,
    signatures: Iterable[bytes] = (),
) -> Uris:
    """The URIs of a message.

    paragraphs: of its rendered text. signatures: domains that signed, where they count.
    """
    uris = Uris(how)
    uris.read_text(paragraphs)
    for info in documents:
        uris.read_html(info)
    for domain in signatures:
        uris.add_domain(domain)
    return uris
