"""The macros of an SMTP session: what a filter may ask for, and what each is at that moment.

sendmail keeps one table that grows with the session, Postfix looks each value up when it is asked,
and shows the header, body and end of message little more than the client.
Sources: sendmail 8.17 `srvrsmtp.c`, `envelope.c`, `doc/op` §5.2; Postfix 3.7 `smtpd_milter.c`,
`cleanup_milter.c`; both observed.
"""

from __future__ import annotations

import ipaddress
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from time import time

from filterd.mta.delivery.router import Route
from filterd.mta.mail.address import domain_part
from filterd.mta.mail.draft import Path
from filterd.mta.mail.peer import Peer
from filterd.mta.settings import POSTFIX_VERSION, SENDMAIL_VERSION, MtaSettings

Table = Mapping[str, str]


def sendmail_date() -> str:
    """arpadate(): RFC 5322, the zone `GMT` where there is no offset."""
    return _sendmail_date(int(time()))


@lru_cache(maxsize=4)
def _sendmail_date(second: int) -> str:
    date = formatdate(second, localtime=True)
    return date.removesuffix("+0000") + "GMT" if date.endswith("+0000") else date


class Macros(ABC):
    """The table of one session. `now` is what holds at a command."""

    def __init__(self, session: dict[str, str]) -> None:
        self.session = session
        self._message: dict[str, str] = {}

    @property
    def now(self) -> Table:
        return {**self.session, **self._message}

    @property
    def content(self) -> Table:
        """The table for header, body and end of message."""
        return self.now

    def begin(self, queue_id: str) -> None:
        """A new envelope: what the last one knew is forgotten."""
        self.queue_id = queue_id
        self._message = {}

    @abstractmethod
    def mail(self, sender: Path, *, local: bool, helo: str, protocol: str) -> None:
        """MAIL came. local: the sender is a recipient of this host."""

    @abstractmethod
    def rcpt(self, recipient: Path, route: Route, *, good: int, bad: int) -> Table:
        """The table for one RCPT. good: recipients taken before; bad: refused before."""

    def rcpt_done(self, recipient: Path, route: Route, *, taken: bool) -> None:  # noqa: B027
        """RCPT has been answered."""

    def message(self, size: int, sender: Path, only: Path | None) -> None:  # noqa: B027
        """The final dot came. size: octets. only: the recipient, None where there are several."""


class SendmailMacros(Macros):
    """sendmail's table. version: `$Z`. connections: of this client, this one counted."""

    def __init__(
        self,
        settings: MtaSettings,
        daemon: str,
        peer: Peer,
        local: tuple[str, int],
        version: str,
        connections: int,
    ) -> None:
        host = settings.hostname
        table = {
            **_client(settings, peer),
            "{daemon_name}": daemon,
            "v": SENDMAIL_VERSION,
            "Z": version,
            "w": host.partition(".")[0],
            "n": "MAILER-DAEMON",
            "{client_connections}": str(connections),
            "{daemon_addr}": settings.listen,
            "{daemon_family}": "inet6" if ":" in local[0] else "inet",
            "{daemon_flags}": "",
            "{daemon_info}": "SMTP",
            "{daemon_port}": str(local[1]),
            "{opMode}": "d",
            "{deliveryMode}": "b",
            "{load_avg}": str(round(os.getloadavg()[0])),
            "{if_name}": host,
            "{if_addr}": local[0],
        }
        if ipaddress.ip_address(local[0]).is_loopback:
            # sendmail does not show the loopback interface's address.
            table["{if_name}"] = "localhost"
            del table["{if_addr}"]
        super().__init__(table)

    def begin(self, queue_id: str) -> None:
        super().begin(queue_id)
        self._message = {"i": queue_id, "b": sendmail_date(), "{quarantine}": ""}

    def mail(self, sender: Path, *, local: bool, helo: str, protocol: str) -> None:
        domain = domain_part(sender.address)
        mailer, host = "local", ""
        if domain and not local:
            # sendmail's own rules put the dot behind a domain that they take for a name.
            mailer, host = "esmtp", domain + "."
        address = sender.address
        if local:
            address = address.rpartition("@")[0].lower() if "@" in address else address.lower()
        self._message |= {
            "r": protocol,
            "f": sender.address,
            "{mail_mailer}": mailer,
            "{mail_host}": host,
            "{mail_addr}": address,
            "{nrcpts}": "0",
            "{nbadrcpts}": "0",
            "{ntries}": "0",
        }
        # Who has not said HELO has the name that we know.
        self._message["s"] = helo or self.session["{client_name}"]
        if host:
            self._message["h"] = host
        for name, macro in (("SIZE", "{msg_size}"), ("RET", "{dsn_ret}"), ("ENVID", "{dsn_envid}")):
            value = _parameter(sender, name)
            if value:
                self._message[macro] = value

    def rcpt(self, recipient: Path, route: Route, *, good: int, bad: int) -> Table:
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

    def message(self, size: int, sender: Path, only: Path | None) -> None:
        self._message |= {"{msg_size}": str(size), "g": sender.address}
        if only is None:
            self._message.pop("u", None)
        else:
            self._message["u"] = only.text


class PostfixMacros(Macros):
    """Postfix's values."""

    def __init__(self, settings: MtaSettings, peer: Peer, local: tuple[str, int]) -> None:
        self._host = settings.hostname
        super().__init__(
            {
                **_client(settings, peer),
                "{daemon_name}": settings.hostname,
                "{daemon_addr}": local[0],
                "{daemon_port}": str(local[1]),
                "v": POSTFIX_VERSION,
                "{client_connections}": "0",
            }
        )

    @property
    def content(self) -> Table:
        hidden = {"{client_resolve}", "{client_connections}"}
        kept = {name: value for name, value in self.session.items() if name not in hidden}
        return {**kept, "i": self.queue_id}

    def mail(self, sender: Path, *, local: bool, helo: str, protocol: str) -> None:
        del helo, protocol
        here = local or not sender.address
        self._message |= {
            "{mail_mailer}": "virtual" if here else "smtp",
            "{mail_host}": self._host if here else domain_part(sender.address),
            "{mail_addr}": sender.address,
        }

    def rcpt(self, recipient: Path, route: Route, *, good: int, bad: int) -> Table:
        del recipient, good, bad
        return {**self.now, **_recipient(route)}

    def rcpt_done(self, recipient: Path, route: Route, *, taken: bool) -> None:
        del recipient
        if taken and "i" not in self._message:
            # The queue file, and so a name for it, is made for the first recipient.
            self._message |= {"i": self.queue_id, **_recipient(route)}


def _recipient(route: Route) -> Table:
    return {"{rcpt_mailer}": route.mailer, "{rcpt_host}": route.host, "{rcpt_addr}": route.user}


def _client(settings: MtaSettings, peer: Peer) -> dict[str, str]:
    named = not peer.name.startswith("[")
    return {
        "j": settings.hostname,
        "_": peer.shown,
        "{client_addr}": peer.address,
        "{client_name}": peer.name,
        "{client_port}": str(peer.port),
        "{client_ptr}": peer.name,
        "{client_resolve}": "OK" if named else "FAIL",
    }


def _parameter(path: Path, name: str) -> str:
    """The value of an ESMTP parameter, `""` if it is not there."""
    for one in path.parameters:
        key, _, value = one.partition("=")
        if key.upper() == name:
            return value
    return ""
