"""sendmail 8.17's macros: one table that grows with the session.

Sources: `srvrsmtp.c`, `envelope.c`, `doc/op` §5.2; observed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from time import time

from filterd.message.envelope import ip
from filterd.mta.mail.address import Route, domain_part
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.milters.macros import ClientConnection, MacroTable, Table, client_macros
from filterd.mta.sendmail.engine import RuleSession
from filterd.mta.sendmail.features import daemon_flags
from filterd.mta.settings import MtaSettings

VERSION = "8.17.1.9"
"""The sendmail whose behaviour this is: its $v."""

MACRO_LISTS: Mapping[str, tuple[str, ...]] = {
    "connect": ("j", "_", "{daemon_name}", "{if_name}", "{if_addr}"),
    "helo": ("{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}"),
    "envfrom": (
        "i",
        "{auth_type}",
        "{auth_authen}",
        "{auth_ssf}",
        "{auth_author}",
        "{mail_mailer}",
        "{mail_host}",
        "{mail_addr}",
    ),
    "envrcpt": ("{rcpt_mailer}", "{rcpt_host}", "{rcpt_addr}"),
    "eom": ("{msg_id}",),
}
"""What sendmail's m4 puts into `O Milter.macros.*`. A stage without a list gets no macro packet."""


def sendmail_date() -> str:
    """arpadate(): RFC 5322, the zone `GMT` where there is no offset."""
    return _sendmail_date(int(time()))


@lru_cache(maxsize=4)
def _sendmail_date(second: int) -> str:
    date = formatdate(second, localtime=True)
    return date.removesuffix("+0000") + "GMT" if date.endswith("+0000") else date


class SendmailMacros(MacroTable):
    """sendmail's table. version: `$Z`. rules: the macros of the rules, with a sendmail.cf."""

    def __init__(
        self,
        settings: MtaSettings,
        version: str,
        connection: ClientConnection,
        rules: RuleSession | None = None,
    ) -> None:
        self.rules = rules
        host, (address, port) = settings.hostname, connection.local
        table = {
            **client_macros(host, connection.peer),
            "{daemon_name}": connection.listener,
            "v": VERSION,
            "Z": version,
            "w": host.partition(".")[0],
            "n": "MAILER-DAEMON",
            "{client_connections}": str(connection.sessions),
            "{client_rate}": str(connection.rate),
            "{total_rate}": str(connection.total_rate),
            "{daemon_addr}": settings.listen,
            "{daemon_family}": "inet6" if ":" in address else "inet",
            "{daemon_flags}": daemon_flags(connection.modifiers),
            "{daemon_info}": "SMTP",
            "{daemon_port}": str(port),
            "{opMode}": "d",
            "{deliveryMode}": "b",
            "{load_avg}": str(round(os.getloadavg()[0])),
            "{if_name}": host,
            "{if_addr}": address,
        }
        if (found := ip(address)) is not None and found.is_loopback:
            # sendmail hides the loopback interface's address.
            table["{if_name}"] = "localhost"
            del table["{if_addr}"]
        super().__init__(table)

    def persistent(self) -> dict[str, str]:
        """The class `persistentMacros`."""
        if self.rules is None:
            return {}
        program, now = self.rules.engine.program, self.now
        words = program.classes.words(program.names.code("persistentMacros"))
        return {word: now[word] for word in words if now.get(word)}

    def begin(self, queue_id: str) -> None:
        super().begin(queue_id)
        self._message = {"i": queue_id, "b": sendmail_date(), "{quarantine}": ""}

    def mail(
        self,
        sender: EnvelopePath,
        *,
        local: bool,
        helo: str,
        protocol: str,
        route: Route | None = None,
    ) -> None:
        domain = domain_part(sender.address)
        mailer, host = "local", ""
        if domain and not local:
            # sendmail's own rules put the dot behind a domain that they take for a name.
            mailer, host = "esmtp", domain + "."
        address = sender.address
        if local:
            address = address.rpartition("@")[0].lower() if "@" in address else address.lower()
        if route is not None:
            mailer, host, address = route.mailer, route.host, route.user
        self._message |= {
            "r": protocol,
            "f": self._message.get("f", sender.address),
            "{mail_mailer}": mailer,
            "{mail_host}": host,
            "{mail_addr}": address,
            "{nrcpts}": "0",
            "{nbadrcpts}": "0",
            "{ntries}": "0",
        }
        # Without HELO it is the name that we know.
        self._message["s"] = helo or self.session["{client_name}"]
        if host:
            self._message["h"] = host
        for name, macro in (("SIZE", "{msg_size}"), ("RET", "{dsn_ret}"), ("ENVID", "{dsn_envid}")):
            value = _parameter(sender, name)
            if value:
                self._message[macro] = value

    def rcpt(self, recipient: EnvelopePath, route: Route, *, good: int, bad: int) -> Table:
        self._message |= {"{nrcpts}": str(good + 1), "{nbadrcpts}": str(bad), "{addr_type}": "e r"}
        self._message |= {"u": route.user, "h": route.host}
        notify = _parameter(recipient, "NOTIFY")
        return {
            **self.now,
            "{rcpt_mailer}": route.mailer,
            "{rcpt_host}": route.host,
            "{rcpt_addr}": route.user,
            **({"{dsn_notify}": notify} if notify else {}),
        }

    def message(self, size: int, sender: EnvelopePath, only: EnvelopePath | None) -> None:
        self._message |= {"{msg_size}": str(size), "g": sender.address}
        if only is None:
            self._message.pop("u", None)
        else:
            self._message["u"] = only.text


def _parameter(path: EnvelopePath, name: str) -> str:
    """The value of an ESMTP parameter, `""` if it is not there."""
    for one in path.parameters:
        key, _, value = one.partition("=")
        if key.upper() == name:
            return value
    return ""
