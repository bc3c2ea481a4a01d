"""Postfix 3.7's macros: for header, body and end of message little more than those of the client.

Sources: `smtpd_milter.c`, `cleanup_milter.c`; observed.
"""

from __future__ import annotations

from collections.abc import Mapping

from filterd.mta.mail.address import Route, domain_part
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.milters.macros import ClientConnection, MacroTable, Table, client_macros
from filterd.mta.settings import MtaSettings

VERSION = "Postfix 3.7.11"
"""Its $v, `mail_name` and `mail_version`."""

MACRO_LISTS: Mapping[str, tuple[str, ...]] = {
    "connect": ("j", "{daemon_name}", "{daemon_addr}", "v", "_"),
    "helo": ("{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"),
    "envfrom": (
        "i",
        "{auth_type}",
        "{auth_authen}",
        "{auth_author}",
        "{mail_addr}",
        "{mail_host}",
        "{mail_mailer}",
    ),
    "envrcpt": ("i", "{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}"),
    "data": ("i",),
    "unknown": (),
    "header": ("i",),
    "eoh": ("i",),
    "body": ("i",),
    "eom": ("i",),
}
"""Postfix 3.7's `milter_*_macros`."""


class PostfixMacros(MacroTable):
    """Postfix 3.7's table."""

    def __init__(self, settings: MtaSettings, connection: ClientConnection) -> None:
        address, port = connection.local
        self._host = settings.hostname
        super().__init__(
            {
                **client_macros(settings.hostname, connection.peer),
                "{daemon_name}": settings.hostname,
                "{daemon_addr}": address,
                "{daemon_port}": str(port),
                "v": VERSION,
                "{client_connections}": "0",
            }
        )

    @property
    def content(self) -> Table:
        hidden = {"{client_resolve}", "{client_connections}"}
        kept = {name: value for name, value in self.session.items() if name not in hidden}
        return {**kept, "i": self.queue_id}

    def mail(
        self,
        sender: EnvelopePath,
        *,
        local: bool,
        helo: str,
        protocol: str,
        route: Route | None = None,
    ) -> None:
        del helo, protocol, route
        here = local or not sender.address
        self._message |= {
            "{mail_mailer}": "virtual" if here else "smtp",
            "{mail_host}": self._host if here else domain_part(sender.address),
            "{mail_addr}": sender.address,
        }

    def rcpt(self, recipient: EnvelopePath, route: Route, *, good: int, bad: int) -> Table:
        del recipient, good, bad
        return {**self.now, **_recipient(route)}

    def rcpt_done(self, recipient: EnvelopePath, route: Route, *, taken: bool) -> None:
        del recipient
        if taken and "i" not in self._message:
            # The queue file, and so a name for it, is made for the first recipient.
            self._message |= {"i": self.queue_id, **_recipient(route)}


def _recipient(route: Route) -> Table:
    return {"{rcpt_mailer}": route.mailer, "{rcpt_host}": route.host, "{rcpt_addr}": route.user}
