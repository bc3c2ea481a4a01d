"""Settings `[users]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.message.address import checked_domains
from filterd.message.envelope import ip
from filterd.quarantine.words import REASONS, known
from filterd.system.mistakes import mistakes

LANGUAGE = re.compile(r"[a-z]{2,3}(?:_[A-Z]{2})?")


@dataclass(frozen=True)
class UserSettings:
    """Settings `[users]`."""

    enabled: Annotated[
        bool, Doc("let people look at what is held for them, on pages of their own")
    ] = False
    deliver: Annotated[
        tuple[str, ...],
        Doc("reasons of the messages that they may have delivered, or delete; never virus"),
    ] = ("spam", "dmarc")
    request: Annotated[
        tuple[str, ...],
        Doc(
            "reasons of the messages that they see, and whose delivery an admin must approve; "
            "empty: such mail is not shown"
        ),
    ] = ()
    links: Annotated[
        bool, Doc("a digest has a link to them; it works without a login for [digest] link_days")
    ] = True
    actions_per_hour: Annotated[
        int, Ge(1), Doc("what one person may do within an hour: messages and changes of the list")
    ] = 200
    requests_per_day: Annotated[
        int, Ge(1), Doc("messages whose delivery one person may ask for within a day")
    ] = 20
    learn_per_day: Annotated[
        int,
        Ge(0),
        Doc("messages that one person may teach the classifier within a day; 0: none"),
    ] = 10
    learn: Annotated[
        Literal["own", "site"],
        Doc("what they teach counts for their own mail only, or teaches the site's model"),
    ] = "own"
    list_entries: Annotated[
        int, Gt(0), Doc("entries that one person may have in the list of senders")
    ] = 200
    language: Annotated[
        str, Doc("language of their pages where their browser asks for none that is there")
    ] = "en"
    catalogues: Annotated[
        Path | None,
        Doc("folder with languages of your own, e.g. fr.po (gettext); unset: English and German"),
    ] = None

    imap_host: Annotated[
        str, Doc("IMAP server at which users may log in with their mailbox's password; empty: none")
    ] = ""
    imap_port: Annotated[int, Gt(0), Le(65535), Doc("its port")] = 993
    imap_tls: Annotated[
        Literal["implicit", "starttls", "none"],
        Doc("TLS from the first octet, by STARTTLS, or (to this machine only) none"),
    ] = "implicit"
    imap_ca: Annotated[
        Path | None, Doc("certificates (PEM) that prove the IMAP server; unset: the system's")
    ] = None
    imap_domains: Annotated[
        tuple[str, ...],
        Doc("domains whose addresses may log in there; a name without one is in the first"),
    ] = ()
    imap_timeout: Annotated[float, Gt(0), Le(60), Doc("seconds for each answer of it")] = 20.0

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for name in ("deliver", "request"):
                for index, reason in enumerate(getattr(self, name)):
                    with wrong.at(name, index):
                        _check_reason(reason)
            with wrong.at("request"):
                if twice := sorted({*self.deliver} & {*self.request}):
                    raise ValueError(f'"{twice[0]}" is in deliver as well; expected it once')
            for index, domain in enumerate(self.imap_domains):
                with wrong.at("imap_domains", index):
                    checked_domains([domain])
                    if domain != domain.lower():
                        raise ValueError(f'{domain!r}; expected "{domain.lower()}"')
            with wrong.at("imap_domains"):
                if self.imap_host and not self.imap_domains:
                    raise ValueError('nobody could log in; expected imap_domains = ["mx.example"]')
            with wrong.at("imap_tls"):
                address = ip(self.imap_host)
                is_here = self.imap_host == "localhost" or (address and address.is_loopback)
                if self.imap_host and self.imap_tls == "none" and not is_here:
                    raise ValueError(
                        'passwords would cross the network in the clear; expected "implicit" or '
                        '"starttls"'
                    )
            with wrong.at("language"):
                if not LANGUAGE.fullmatch(self.language):
                    raise ValueError(f'{self.language!r} is not a language; expected "en" or "de"')

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reasons of the messages that people see."""
        return (*self.deliver, *self.request)


def _check_reason(reason: str) -> None:
    try:
        known("reasons", reason, REASONS)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("reasons: ")) from None
    if reason == "virus":
        raise ValueError('"virus" is never shown; a recipient cannot release it')
