"""Settings `[web]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from annotated_doc import Doc
from annotated_types import Ge, Gt, Le

from filterd.message.envelope import ip
from filterd.message.matching import networks
from filterd.system.mistakes import mistakes


@dataclass(frozen=True)
class WebSettings:
    """Settings `[web]`."""

    listen: Annotated[
        str, Doc("IP address that `filterd web` listens on; it speaks HTTP without TLS")
    ] = "127.0.0.1"
    port: Annotated[int, Gt(0), Le(65535), Doc("its port")] = 8025
    expose: Annotated[
        bool,
        Doc(
            "listen on an address that is not loopback: passwords then cross the network unless "
            "only a TLS proxy can reach it"
        ),
    ] = False
    url: Annotated[
        str, Doc("how people reach the pages, e.g. https://mail.example; empty: at listen and port")
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        Doc("networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed"),
    ] = ()
    accounts: Annotated[
        Path | None,
        Doc("file with the accounts, mode 0600; unset: accounts.json in the quarantine's folder"),
    ] = None
    idle_minutes: Annotated[
        float, Gt(0), Doc("a session ends after so many minutes without a request")
    ] = 30.0
    session_hours: Annotated[
        float, Gt(0), Doc("a session ends after so many hours in any case")
    ] = 12.0
    login_attempts: Annotated[
        int, Ge(1), Doc("failed logins with one account from one address within login_minutes")
    ] = 5
    login_minutes: Annotated[float, Gt(0), Doc("minutes for which a failed login counts")] = 15.0
    upload_megabytes: Annotated[
        int, Gt(0), Le(1024), Doc("largest message, in MiB, that may be uploaded to be scanned")
    ] = 50
    release_socket: Annotated[
        Path | None,
        Doc(
            "unix socket of `filterd quarantine release-service`, which hands mail that is "
            "released in the pages to the MTA; unset: the pages do that themselves"
        ),
    ] = None
    sendmail_macros: Annotated[
        Path | None,
        Doc(
            "folder of sendmail's m4 files, for mc files on the page Trace; unset: where "
            "distributions install them"
        ),
    ] = None

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("listen"):
                self._check_listen()
            for index, text in enumerate(self.trusted_proxies):
                with wrong.at("trusted_proxies", index):
                    networks([text], local=False)
            with wrong.at("url"):
                self._check_url()

    def _check_listen(self) -> None:
        address = ip(self.listen)
        if address is None:
            raise ValueError(f'{self.listen!r} is not an IP address; expected "127.0.0.1"')
        if not address.is_loopback and not self.expose:
            raise ValueError(
                f"{self.listen} can be reached from outside, and filterd has no TLS; "
                "expected 127.0.0.1 behind a TLS proxy, or `expose = true`"
            )

    def _check_url(self) -> None:
        parts = urlsplit(self.url)
        if self.url and not (
            parts.scheme in ("http", "https") and parts.netloc and parts.path in ("", "/")
        ):
            raise ValueError(
                f'{self.url!r} is not of the form "https://mail.example" (without a path)'
            )

    @property
    def base(self) -> str:
        """The beginning of every link to the pages, without a slash at its end."""
        if self.url:
            return self.url.rstrip("/")
        host = f"[{self.listen}]" if ":" in self.listen else self.listen
        return f"http://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """True if only this machine can reach the pages, so that plain HTTP is safe."""
        address = ip(self.listen)
        return address is not None and address.is_loopback and not self.url.startswith("https:")
