"""How one MTA behaves where MTAs differ, as one value: everything that sendmail and Postfix do not
have in common.

Nothing else asks which of the two the server is. `sendmail.personality` and `postfix.personality`
build it, once for a server; `flavours` chooses by the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from filterd.mta.delivery.builtin import BuiltInRouter
from filterd.mta.delivery.recipients import MessageRecipients, PlainRecipients
from filterd.mta.delivery.router import POSTMASTER, Router
from filterd.mta.mail.address import Route
from filterd.mta.mail.composer import Composer
from filterd.mta.mail.queue_times import QueueTimes
from filterd.mta.milters.answers import Filters
from filterd.mta.milters.macros import ClientConnection, MacroTable
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.smtp.checks import SessionChecks
from filterd.mta.smtp.refusal_log import RefusalLine
from filterd.mta.smtp.replies import Replies, SmtpReply
from filterd.mta.smtp.rules import ConnectionRules, SessionRules


def plain_recipients(router: Router, macros: MacroTable) -> MessageRecipients:
    """The recipients of a router without rules. A client who has logged in may send anywhere."""
    relay = router.relay if isinstance(router, BuiltInRouter) else None
    return PlainRecipients(router, relay, lambda: "{auth_type}" in macros.session)


def _no_checks(macros: MacroTable) -> SessionChecks:
    del macros
    return SessionChecks()


@dataclass(frozen=True, slots=True)
class Personality:
    """One MTA's ways. Each session calls `filters` and `macros` once."""

    replies: Replies
    """What the server says to a client."""

    rules: SessionRules
    """What it accepts from a client, and when it slows one down."""

    extensions: tuple[str, ...]
    """What EHLO can announce, in order, STARTTLS and AUTH with the rest."""

    composer: Composer
    """The MTA's own header fields."""

    queue_id: Callable[[], str]
    """A new queue id at each call."""

    filters: Callable[[Iterable[InputMailFilter]], Filters]
    """The filters of one session: how they are asked, what their failures mean."""

    macros: Callable[[ClientConnection], MacroTable]
    """The macros of one session."""

    filter_route: Callable[[str, Route], Route]
    """The triple that filters are shown for a recipient's address and its real route."""

    verify: Callable[[Router, str, bool], SmtpReply]
    """The reply to VRFY of an argument, or with True to EXPN."""

    refusal_line: RefusalLine
    """The line of the log about a command that a filter refused."""

    on_failure: Callable[[InputMailFilter], Mapping[str, str | float]]
    """What happens when a filter fails, `on_failure`, and the limits in seconds by name."""

    checks: Callable[[MacroTable], SessionChecks] = _no_checks
    """What the MTA itself checks in one session, before the filters."""

    withheld: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Extensions that are not announced to a client who may not do one of these things."""

    recipients: Callable[[Router, MacroTable], MessageRecipients] = plain_recipients
    """The recipients of one message, with the macros of its session."""

    rewrites_addresses: bool = False
    """Addresses of envelope and header are rewritten when mail leaves."""

    connections: ConnectionRules = ConnectionRules()
    """When connections wait or are refused."""

    delivers_at_once: Callable[[], bool] = lambda: True
    """Whether mail that is accepted now is delivered now, and not by a later run of the queue."""

    postmaster: str = POSTMASTER
    """Who gets reports about reports that failed, "" for nobody."""

    postmaster_copy: str = ""
    """Who gets a copy of each report to a sender, "" for nobody."""

    waiting: QueueTimes = QueueTimes()
    """How long mail may wait in the queue."""

    keeps_duplicates: bool = False
    """A recipient that a filter has added beside the client's gets the message twice."""

    def announced(self, forbidden: frozenset[str]) -> list[str]:
        """What EHLO announces to a client who may not do these things."""
        return [one for one in self.extensions if forbidden.isdisjoint(self.withheld.get(one, ()))]
