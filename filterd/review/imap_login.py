"""Logging in with the password of one's mailbox: the IMAP server says whether it is right.

The password goes to that server alone, over TLS with a certificate that is checked (RFC 8314), or
in the clear to this machine; it is kept nowhere. The server is asked by AUTHENTICATE PLAIN
(RFC 4616), which takes passwords of any characters, and logged out of at once.
"""

from __future__ import annotations

import imaplib
import logging
import re
import ssl
import threading

from filterd.config.users import UserSettings
from filterd.message.address import readable
from filterd.review.outside_login import LoginUnavailableError
from filterd.review.principals import Principal

log = logging.getLogger(__name__)

SESSIONS_LIMIT = 8
"""Conversations with the server at a time; others wait for a turn, as long as for an answer."""

PASSWORD_OCTETS = 1024

_LOCAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
"""Names that are asked about. Others may have a meaning of their own for the server: `*` stands
before a master user in Dovecot, `+` before a detail."""


class ImapLogin:
    """The mailboxes of one server."""

    def __init__(self, users: UserSettings) -> None:
        self._users = users
        self._turn = threading.BoundedSemaphore(SESSIONS_LIMIT)

    @property
    def is_used(self) -> bool:
        """True if there is a server to ask."""
        return self._users.enabled and bool(self._users.imap_host)

    def verify(self, name: str, password: str) -> Principal | None:
        """The user of that mailbox, if the password is its own. name: an address, or what stands
        before the @ in the first of `imap_domains`. Raises LoginUnavailableError."""
        address = self._address(name)
        if address is None or not password or "\0" in password:
            return None
        octets = password.encode("utf-8", "replace")
        if len(octets) > PASSWORD_OCTETS:
            return None
        if not self._turn.acquire(timeout=self._users.imap_timeout):
            raise LoginUnavailableError("too many logins wait for the IMAP server")
        try:
            if not self._is_right(address, octets):
                return None
        finally:
            self._turn.release()
        return Principal(address, "user", "", recipients=(address,))

    def _address(self, name: str) -> str | None:
        local, at, domain = name.partition("@")
        domains = self._users.imap_domains
        wanted = domain.lower() if at else domains[0]
        if not _LOCAL.fullmatch(local) or wanted not in domains:
            return None
        return readable(f"{local}@{wanted}")

    def _is_right(self, address: str, password: bytes) -> bool:
        users = self._users
        where = f"{users.imap_host}:{users.imap_port}"
        try:
            client = self._connected()
        except (imaplib.IMAP4.error, OSError) as error:
            # A certificate that is not proven is an OSError.
            raise LoginUnavailableError(f"IMAP server {where}: {error}") from None
        try:
            client.authenticate("PLAIN", lambda _: b"\0" + address.encode() + b"\0" + password)
        except imaplib.IMAP4.abort as error:
            raise LoginUnavailableError(f"IMAP server {where}: {error}") from None
        except imaplib.IMAP4.error as error:
            if "[UNAVAILABLE]" in str(error):  # RFC 5530 §3
                raise LoginUnavailableError(f"IMAP server {where}: {error}") from None
            return False
        except OSError as error:
            raise LoginUnavailableError(f"IMAP server {where}: {error}") from None
        finally:
            _close(client)
        return True

    def _connected(self) -> imaplib.IMAP4:
        """A connection that may carry a password. Raises imaplib.IMAP4.error, OSError."""
        users = self._users
        if users.imap_tls == "implicit":
            return imaplib.IMAP4_SSL(
                users.imap_host,
                users.imap_port,
                ssl_context=self._context(),
                timeout=users.imap_timeout,
            )
        client = imaplib.IMAP4(users.imap_host, users.imap_port, timeout=users.imap_timeout)
        if users.imap_tls == "starttls":
            try:
                client.starttls(self._context())
            except BaseException:
                _close(client)
                raise
        return client

    def _context(self) -> ssl.SSLContext:
        ca = self._users.imap_ca
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _close(client: imaplib.IMAP4) -> None:
    """End a connection, whatever state it is in."""
    try:
        client.logout()
    except (imaplib.IMAP4.error, OSError):
        client.shutdown()
