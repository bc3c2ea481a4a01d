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


def owner_of(address: str) -> str:
    """Whose mailbox an envelope's address of this site is: `mailbox_of` without the tag of BATV
    (draft-levine-smtp-batv §4), `prvs=1234abcdef=ann@a.example`. The address that SRS hides is
    another site's, and anybody may write one."""
    mailbox = Mailbox.parse(address)
    return str(Mailbox(without_batv(mailbox.base), mailbox.domain))


def without_batv(local: str) -> str:
    """A local part without that tag."""
    parts = local.split("=", 2)
    return parts[2] if parts[0] == "prvs" and len(parts) == 3 else local
