"""Settings `[filters.sign]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_doc import Doc

from filterd.auth.dkim.fields import OVERSIGNED_FIELDS, SIGNED_FIELDS
from filterd.chain.filter import Filter
from filterd.chain.services import Services
from filterd.filters.sign.symbols import DESCRIPTIONS
from filterd.message.address import checked_domains
from filterd.message.matching import LOCAL, networks
from filterd.system.mistakes import mistakes

KEYS_LIMIT = 10_000
"""Keys of one site: each is read at the start, and takes some kilobytes."""

SELECTOR_LIMIT = 190
"""Characters of a selector; with `_domainkey` and a domain it has to be a name of the DNS."""

_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9_-]*+)(?:\.[a-z0-9](?:[a-z0-9_-]*+))*+", re.IGNORECASE)
_HEADER = re.compile(r"[!-9<-~]++")
_NEVER = frozenset({"return-path", "received", "bcc", "resent-bcc", "dkim-signature"})
"""What is changed or taken out on the way, RFC 6376 §5.4.1; or is the signature itself."""


@dataclass(frozen=True)
class KeySettings:
    """Settings `[[filters.sign.keys]]`: one private key, and the domain that it signs for."""

    domain: Annotated[str, Doc("domain of the authors (From), also d= of the signature")]
    selector: Annotated[str, Doc("s=; the public key is at SELECTOR._domainkey.DOMAIN in the DNS")]
    file: Annotated[
        Path,
        Doc(
            "the private key: PEM (RSA or Ed25519), or the seed of Ed25519 in base64; a file of "
            "mode 0600 that belongs to filterd's user or to root"
        ),
    ]
    subdomains: Annotated[
        bool, Doc("true: also for authors in subdomains that have no key of their own")
    ] = False
    since: Annotated[date | None, Doc("first day on which it signs, UTC; unset: always")] = None
    until: Annotated[date | None, Doc("last day on which it signs, UTC; unset: for ever")] = None

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("domain"):
                checked_domains([self.domain])
            with wrong.at("selector"):
                if len(self.selector) > SELECTOR_LIMIT or not _SELECTOR.fullmatch(self.selector):
                    raise ValueError(
                        f"{self.selector!r} is not a selector; expected labels of letters, digits "
                        "and hyphens, as s2026"
                    )
            with wrong.at("until"):
                if self.since and self.until and self.until < self.since:
                    raise ValueError(f"{self.until} is before since, {self.since}")


@dataclass(frozen=True)
class SignSettings:
    """Signs outbound mail (DKIM) whose author's domain has a key here; seals other mail (ARC)."""

    needs_network: ClassVar[bool] = False

    keys: Annotated[
        tuple[KeySettings, ...],
        Doc("the keys; several of one domain sign at once, and without any nothing is signed"),
    ] = ()
    clients: Annotated[
        tuple[str, ...],
        Doc(
            "networks whose mail is signed, besides clients that logged in, as "
            '"192.0.2.0/24"; "local" for this host itself'
        ),
    ] = (LOCAL,)
    sign_headers: Annotated[
        tuple[str, ...], Doc("header fields that are signed, each as often as it is there")
    ] = SIGNED_FIELDS
    oversign_headers: Annotated[
        tuple[str, ...],
        Doc("those of them that nobody can add to the message without breaking the signature"),
    ] = OVERSIGNED_FIELDS
    arc_domain: Annotated[
        str,
        Doc(
            "domain whose key seals mail of others as it passes (ARC), with what the filter auth "
            "found; empty: none is sealed"
        ),
    ] = ""

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.clients):
                with wrong.at("clients", index):
                    networks([text])
            with wrong.at("keys"):
                _check_keys(self.keys)
            with wrong.at("arc_domain"):
                _check_arc_domain(self.arc_domain, self.keys)
            for name in ("sign_headers", "oversign_headers"):
                for index, header in enumerate(getattr(self, name)):
                    with wrong.at(name, index):
                        _check_header(header)
            with wrong.at("sign_headers"):
                if "from" not in [name.lower() for name in self.sign_headers]:
                    raise ValueError('does not have "from", without which no signature counts')

    def describe(self) -> Mapping[str, str]:
        """What the symbols mean."""
        return DESCRIPTIONS

    def build_with(self, services: Services) -> Filter:
        """The filter, its keys not read yet."""
        from filterd.filters.sign.filter import Sign  # noqa: PLC0415  (cryptography)

        return Sign(self, labels=services.labels)


def _check_keys(keys: tuple[KeySettings, ...]) -> None:
    if len(keys) > KEYS_LIMIT:
        raise ValueError(f"{len(keys)} keys; expected at most {KEYS_LIMIT}")
    names = [(*checked_domains([one.domain]), one.selector.lower()) for one in keys]
    twice = (
        next((name for name in names if names.count(name) > 1), None)
        if len(set(names)) < len(names)
        else None
    )
    if twice is not None:
        raise ValueError(f"two keys with the selector {twice[1]} for {twice[0]}; expected one")


def _check_arc_domain(domain: str, keys: tuple[KeySettings, ...]) -> None:
    if not domain:
        return
    (wanted,) = checked_domains([domain])
    for one in keys:
        (own,) = checked_domains([one.domain])
        if wanted == own or (one.subdomains and wanted.endswith(f".{own}")):
            return
    raise ValueError(f"{domain} has no key; expected the domain of one of the keys")


def _check_header(name: str) -> None:
    if not _HEADER.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header field")
    if name.lower() in _NEVER:
        raise ValueError(f"{name} changes on the way, and must not be signed")
