"""Settings `[mta]`: the embedded MTA without a sendmail.cf."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.mta.milters.settings import InputMailFilter

Flavour = Literal["sendmail", "postfix"]

Privacy = Literal[
    "authwarnings",
    "needmailhelo",
    "needvrfyhelo",
    "needexpnhelo",
    "novrfy",
    "noexpn",
    "noverb",
    "noetrn",
    "noreceipts",
    "goaway",
]


@dataclass(frozen=True)
class MtaSettings:
    """Settings `[mta]`."""

    listen: Annotated[str, Doc("address of the SMTP server")] = "127.0.0.1"
    port: Annotated[int, Ge(0), Le(65535), Doc("its port; 0: any free one")] = 2525
    hostname: Annotated[str, Doc("the MTA's own name, sendmail's $j")] = "mx.example.test"
    flavour: Annotated[
        Flavour, Doc("whose replies, macros and failure semantics: sendmail 8.17 or postfix 3.7")
    ] = "sendmail"
    filters: Annotated[tuple[InputMailFilter, ...], Doc("milters, asked in this order")] = ()
    local_domains: Annotated[
        tuple[str, ...],
        Doc("domains delivered here in addition to the MTA's own name; empty: all domains"),
    ] = ()
    deliver: Annotated[Literal["maildir", "mbox"], Doc("format of the mailboxes")] = "maildir"
    mail: Annotated[Path, Doc("folder of the mailboxes, one for each recipient")] = Path("mail")
    spool: Annotated[
        Path, Doc("folder of the queue; accepted mail is here before the client gets 250")
    ] = Path("spool")
    max_message_size: Annotated[int, Gt(0), Doc("bytes; a larger message is refused with 552")] = (
        100 << 20
    )
    max_recipients: Annotated[
        int, Gt(0), Doc("recipients of one message; more are refused with 452")
    ] = 1000
    max_connections: Annotated[int, Gt(0), Doc("clients at a time; more get 421")] = 1000
    idle_timeout: Annotated[
        float, Gt(0), Doc("seconds that a client may be silent; RFC 5321 §4.5.3.2.7 asks for 300")
    ] = 300.0
    privacy: Annotated[
        tuple[Privacy, ...],
        Doc(
            "what clients may not do, sendmail's PrivacyOptions; goaway is all of them but noetrn "
            "and noreceipts; "
            "authwarnings adds X-Authentication-Warning to mail from clients without HELO"
        ),
    ] = ("noetrn",)
    tls_certificate: Annotated[
        Path | None, Doc("PEM file with the certificate chain; with it STARTTLS is offered")
    ] = None
    tls_key: Annotated[Path | None, Doc("its private key, if it is not in the same file")] = None
    passwords: Annotated[
        Path | None,
        Doc("users who may log in (AUTH, under TLS only); `filterd mta passwd` writes its lines"),
    ] = None
    relay_host: Annotated[
        str,
        Doc(
            "where mail for other hosts goes, which users who logged in may send: `[host]:port`, "
            "or a domain for its MX hosts; empty: the MX hosts of the recipient's domain"
        ),
    ] = ""
    max_hops: Annotated[
        int, Gt(0), Doc("Received fields; a message with more is refused as a loop")
    ] = 100
    retry: Annotated[
        float, Gt(0), Doc("seconds to the first retry; doubled each time, at most an hour")
    ] = 60.0
    expire: Annotated[
        float, Gt(0), Doc("seconds after which undelivered mail is returned to its sender")
    ] = 432000.0
    macros: Annotated[
        dict[str, tuple[str, ...]],
        Doc(
            "macro lists by stage (connect, helo, envfrom, envrcpt, data, eoh, eom); other stages "
            "keep the flavour's list"
        ),
    ] = field(default_factory=dict)

    @property
    def forbidden(self) -> frozenset[str]:
        """The privacy flags in force, `goaway` taken apart (PRIV_GOAWAY of sendmail's `conf.h`)."""
        flags = frozenset(self.privacy)
        if "goaway" in flags:
            flags |= {"authwarnings", "needmailhelo", "needvrfyhelo", "needexpnhelo"}
            flags |= {"novrfy", "noexpn", "noverb"}
        return flags


@dataclass(frozen=True, slots=True)
class Listener:
    """One address to listen on, sendmail's daemon. name: its `{daemon_name}`. family: `inet`,
    `inet6`, or "" for what the address is.

    modifiers: the letters of `M=`. forbidden: what its clients may not do, besides what is
    forbidden to all (`SessionOptions.forbidden`).
    """

    name: str
    address: str
    port: int
    filters: tuple[InputMailFilter, ...]
    modifiers: str = ""
    forbidden: frozenset[str] = frozenset()
    family: str = ""

    @property
    def is_optional(self) -> bool:
        """Whether the server starts without it."""
        return "O" in self.modifiers

    @property
    def speaks_tls(self) -> bool:
        """Whether TLS begins with the connection (RFC 8314 §3.3), without STARTTLS."""
        return "s" in self.modifiers
