"""The SMTP envelope of one mail transaction, as the milter callbacks delivered it.

Addresses are `str` decoded as ASCII with `surrogateescape`, so that every octet a client sent
survives a round trip; they are without angle brackets, the null reverse-path is `""`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Client:
    """The SMTP client: name as the MTA resolved it, address as text, `""` for a local submission.

    name: host name, or `[192.0.2.1]` where the MTA could not resolve one.
    """

    name: str = "localhost"
    address: str = ""
    port: int = 0
    helo: str = ""

    @property
    def is_local(self) -> bool:
        """True for mail submitted on this host: no address at all, or a loopback one."""
        if not self.address:
            return True
        try:
            return ip_address(self.address).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Recipient:
    """One forward-path with its ESMTP parameters (`NOTIFY=NEVER`, RFC 3461)."""

    address: str
    parameters: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """The part after the last `@`, lower case, `""` if there is none."""
        return self.address.rpartition("@")[2].lower() if "@" in self.address else ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Reverse-path, forward-paths, client and the MTA's macros of one mail transaction.

    macros: the MTA's values by name as sendmail spells it, one-letter names bare (`i`, `j`), long
    ones in braces (`{auth_authen}`).
    """

    sender: str = ""
    recipients: tuple[Recipient, ...] = ()
    client: Client = Client()
    sender_parameters: tuple[str, ...] = ()
    macros: Mapping[str, str] = field(default_factory=dict)

    @property
    def queue_id(self) -> str:
        """The MTA's name of the message in its log (macro `i`), `""` where it has none."""
        return self.macros.get("i", "")

    @property
    def authenticated(self) -> str:
        """The SMTP AUTH identity (macro `{auth_authen}`), `""` for a client that did not log in."""
        return self.macros.get("{auth_authen}", "")
