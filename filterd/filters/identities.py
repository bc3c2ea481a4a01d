"""Under which name clients and mailboxes are counted, remembered and asked for."""

from __future__ import annotations

from filterd.message.address import Mailbox
from filterd.message.envelope import ip


def client_of(address: str) -> str:
    """A client's address, an IPv4-mapped one as IPv4; what is not an address stays as it is."""
    found = ip(address)
    return address if found is None else str(found)


def mailbox_of(address: str) -> str:
    """An address in its canonical form, without detail; `""` for the null reverse-path."""
    mailbox = Mailbox.parse(address)
    return str(Mailbox(mailbox.base, mailbox.domain))
