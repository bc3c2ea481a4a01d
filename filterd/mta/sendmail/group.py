"""Recipients of a message that a mailer gets together."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.tokens import without_quotes
from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import Target
from filterd.mta.sendmail.recipient import PROG


@dataclass(frozen=True)
class RecipientGroup:
    """Recipients of one mailer, host, sender and user. parameters: those of the sender. is_report:
    the message is a report that was made here. arrived: when it came, in seconds since the epoch.
    """

    mailer: MailerLine
    host: str
    sender: str
    user: str
    members: tuple[tuple[Target, Route], ...]
    parameters: tuple[str, ...]
    is_report: bool = False
    arrived: float = 0.0


def user_word(mailer: MailerLine, user: str) -> str:
    """A user as a mailer gets it: without quotes (s), a program without its bar."""
    if "s" in mailer.flags:
        user = without_quotes(user)
    return user.removeprefix("|") if mailer.name.lower() == PROG else user
