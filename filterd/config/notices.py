"""Settings `[notices]`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.message.address import checked_domains
from filterd.message.envelope import ip
from filterd.quarantine.settings import ADDRESS
from filterd.system.mistakes import mistakes

EventKind = Literal["held", "stripped", "virus", "failed", "full", "account", "request"]
"""What can be told."""

KINDS: tuple[EventKind, ...] = get_args(EventKind)

ADMIN, RECIPIENT, SENDER = "admin", "recipient", "sender"

OF_MESSAGES = ("held", "stripped", "virus")
"""What has recipients."""

WEBHOOKS_LIMIT = 20


@dataclass(frozen=True)
class WebhookSettings:
    """One receiver of events by HTTP."""

    url: Annotated[str, Doc("where events are posted; https, or http to this host")]
    secret: Annotated[
        Path,
        Doc("file, mode 0600, with the secret that signs, in base64; a second line: a former one"),
    ]
    events: Annotated[tuple[EventKind, ...], Doc("events that are posted")] = KINDS
    ca: Annotated[
        Path | None, Doc("certificates (PEM) that prove the receiver; unset: the system's")
    ] = None
    subject: Annotated[bool, Doc("include Subject, From and names of attachments of messages")] = (
        False
    )
    timeout: Annotated[float, Gt(0), Le(60), Doc("seconds for connection and answer together")] = (
        10.0
    )
    per_hour: Annotated[
        int, Ge(1), Doc("events that are posted within an hour; what is more is only counted")
    ] = 1000

    def __post_init__(self) -> None:
        with mistakes() as wrong, wrong.at("url"):
            _check_url(self.url)

    @property
    def host(self) -> str:
        """The receiver's host, for logs: what stands behind it in the URL may be a secret."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True)
class NoticeSettings:
    """Settings `[notices]`."""

    sender: Annotated[
        str, Doc("From of notices, e.g. postmaster@mx.example; must be set for notices by mail")
    ] = ""
    admins: Annotated[tuple[str, ...], Doc('addresses that "admin" stands for')] = ()
    held: Annotated[
        tuple[str, ...],
        Doc('who is told of held messages: "admin", "recipient" or addresses; empty: nobody'),
    ] = ()
    stripped: Annotated[
        tuple[str, ...], Doc("who is told of messages from which a part was removed")
    ] = ()
    virus: Annotated[tuple[str, ...], Doc("who is told of messages with a virus")] = ()
    failed: Annotated[
        tuple[str, ...], Doc('who is told that a filter or scanner failed; "admin" or addresses')
    ] = ()
    full: Annotated[
        tuple[str, ...], Doc("who is told that the quarantine or its disk is nearly full")
    ] = ()
    account: Annotated[
        tuple[str, ...],
        Doc("who is told of an account or client whose mail is held, since it sends spam"),
    ] = ()
    request: Annotated[
        tuple[str, ...],
        Doc("who is told that a user asks for the release of held mail ([users] request)"),
    ] = ()
    domains: Annotated[
        tuple[str, ...],
        Doc('only recipients in these domains are told; must be set where "recipient" is used'),
    ] = ()
    subject: Annotated[
        bool,
        Doc(
            "show Subject, From and names of attachments also to others than the recipient of a "
            "message"
        ),
    ] = False
    language: Annotated[Literal["en", "de"], Doc("language of filterd's own templates")] = "en"
    templates: Annotated[
        Path | None,
        Doc("folder with templates of your own, e.g. held.txt (Jinja2); what is not there is ours"),
    ] = None
    per_hour: Annotated[
        int, Ge(1), Doc("notices of one kind to one address within an hour; then only counted")
    ] = 6
    all_per_hour: Annotated[int, Ge(1), Doc("notices by mail to all addresses within an hour")] = (
        500
    )
    full_percent: Annotated[
        float, Gt(0), Le(100), Doc("percent of a limit or of the disk from which it is nearly full")
    ] = 90.0
    webhooks: Annotated[
        tuple[WebhookSettings, ...], Doc("receivers of events by HTTP, [[notices.webhooks]]")
    ] = ()

    @property
    def enabled(self) -> bool:
        """True if anybody is told of anything."""
        return bool(self.webhooks) or any(self.mailed(kind) for kind in KINDS)

    def mailed(self, kind: EventKind) -> tuple[str, ...]:
        """Who is told of events of a kind by mail, as the settings say it."""
        found: tuple[str, ...] = getattr(self, kind)
        return found

    def wanted(self, kind: EventKind) -> bool:
        """True if anybody is told of events of a kind."""
        return bool(self.mailed(kind)) or any(kind in hook.events for hook in self.webhooks)

    def addresses(self, kind: EventKind) -> tuple[str, ...]:
        """The addresses that are told of events of a kind, besides recipients; each once."""
        return tuple(dict.fromkeys(self._addresses(self.mailed(kind))))

    def _addresses(self, words: tuple[str, ...]) -> Iterator[str]:
        for word in words:
            if word == ADMIN:
                yield from self.admins
            elif word != RECIPIENT:
                yield word

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("sender"):
                if self.sender or any(map(self.mailed, KINDS)):
                    _check_address(self.sender)
            for index, text in enumerate(self.admins):
                with wrong.at("admins", index):
                    _check_address(text)
            for index, text in enumerate(self.domains):
                with wrong.at("domains", index):
                    checked_domains([text])
            for kind in KINDS:
                for index, word in enumerate(self.mailed(kind)):
                    with wrong.at(kind, index):
                        self._check_word(kind, word)
            with wrong.at("webhooks"):
                if len(self.webhooks) > WEBHOOKS_LIMIT:
                    raise ValueError(f"more than {WEBHOOKS_LIMIT} webhooks")
                urls = [one.url for one in self.webhooks]
                if len({*urls}) < len(urls):
                    raise ValueError("two webhooks have the same url; expected one with all events")

    def _check_word(self, kind: EventKind, word: str) -> None:
        if word == ADMIN:
            if not self.admins:
                raise ValueError(
                    '"admin" stands for nobody; expected admins = ["postmaster@mx.example"]'
                )
        elif word == RECIPIENT:
            if kind not in OF_MESSAGES:
                raise ValueError(f'{kind} has no recipient; expected "admin" or an address')
            if not self.domains:
                raise ValueError(
                    "would tell recipients of other sites as well; "
                    'expected domains = ["mx.example"]'
                )
        elif word == SENDER:
            raise ValueError(
                "a sender's address may be forged, and is never told; "
                'expected "admin", "recipient" or an address'
            )
        else:
            _check_address(word)


def _check_address(text: str) -> None:
    if not ADDRESS.fullmatch(text):
        raise ValueError(f'{text!r} is not an address; expected "postmaster@mx.example"')


def _check_url(text: str) -> None:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_plain = text.isascii() and text.isprintable() and " " not in text
    if (
        not is_plain
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or port == 0
        or parts.username is not None
        or parts.fragment
    ):
        raise ValueError(
            f"{text!r} is not of the form "
            '"https://hooks.example/filterd" (without a name, a password and #)'
        )
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise ValueError("would go over the network in the clear; expected https://")


def _is_here(host: str) -> bool:
    address = ip(host)
    return host == "localhost" or (address is not None and address.is_loopback)
