"""One address of a message's recipients: what it became, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from filterd.mta.cf.addresses import ResolvedAddress
from filterd.mta.delivery.router import ConfigurationError, DeliveryError

PROG, FILE = "prog", "*file*"


class RecipientState(Enum):
    OK = "ok"
    WAITING = "waiting"
    """A map or a file was not there: to be tried again later."""

    BAD = "bad"
    REPLACED = "replaced"
    """By its aliases, its ruleset 5, its list."""

    VERIFIED = "verified"
    """An alias; its members are not looked at yet."""


@dataclass(eq=False, slots=True)
class QueuedRecipient:
    """One address of the send queue.

    text: as it was written. parent: the list that named it. owner: who gets reports about what it
    expands to. user: whose `.forward` or list named it. home: of a user.
    """

    text: str
    address: ResolvedAddress
    parent: QueuedRecipient | None = None
    state: RecipientState = RecipientState.OK
    problem: DeliveryError | None = None
    owner: str | None = None
    user: str = ""
    home: str = ""
    keeps_itself: bool = False
    """A list that names itself: its own mailbox gets a copy."""

    is_unsafe: bool = False
    """A list that others can write: it must name neither programs nor files."""

    bad_shell: str = ""
    """Why a list must name neither, for the shell of its owner."""

    place: str = ""
    """File and line that named it, for messages."""

    is_accepted: bool = False
    trouble: str = ""
    """Why it waits."""

    full_name: str = ""
    """Of a user."""

    @property
    def same(self) -> tuple[str, str, str]:
        """What addresses of one recipient have in common."""
        return self.address.mailer, self.address.host, self.address.user

    @property
    def is_wanted(self) -> bool:
        return self.state is not RecipientState.REPLACED


def refused(reply: str) -> DeliveryError:
    """An error for a reply `550 5.1.1 <joe@x.test>... User unknown`."""
    code, enhanced, text = (*reply.split(" ", 2), "", "")[:3]
    temporary = code.startswith("4")
    if code == "554" and enhanced == "5.3.5":
        error: DeliveryError = ConfigurationError(text)
        error.reply = reply
        return error
    words = text.rpartition("... ")[2]
    return DeliveryError(words, temporary=temporary, code=enhanced, reply=reply)


def parents(one: QueuedRecipient) -> Iterator[QueuedRecipient]:
    """The lists that lead to an address, the nearest one first."""
    above = one.parent
    while above is not None:
        yield above
        above = above.parent


def unfit_list(recipient: QueuedRecipient) -> str:
    """Why the list that names a program or file must not; "" if it may, or this is neither."""
    parent = recipient.parent
    what = {PROG: "programs", FILE: "files"}.get(recipient.address.mailer)
    if parent is None or what is None:
        return ""
    if parent.bad_shell:
        return f"{parent.bad_shell} {what}"
    return f"Address {parent.text} is unsafe for mailing to {what}" if parent.is_unsafe else ""


def at(error: DeliveryError, place: str) -> DeliveryError:
    """The error, told with file and line."""
    if place and error.reply is not None:
        code, enhanced, text = (*error.reply.split(" ", 2), "", "")[:3]
        error.reply = f"{code} {enhanced} {place}{text}"
    return error
