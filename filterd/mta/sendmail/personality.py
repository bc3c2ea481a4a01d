"""sendmail 8.17, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path as Folder

from filterd.mta.delivery.router import POSTMASTER
from filterd.mta.mail.address import Route
from filterd.mta.mail.queue_times import QueueTimes
from filterd.mta.milters.macros import MacroTable
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.personality import Personality, plain_recipients
from filterd.mta.sendmail.checks import ContentLimits, RuleChecks
from filterd.mta.sendmail.composer import SendmailComposer
from filterd.mta.sendmail.engine import RuleEngine
from filterd.mta.sendmail.filters import SendmailFilters
from filterd.mta.sendmail.macros import MACRO_LISTS, SendmailMacros
from filterd.mta.sendmail.queue_ids import SendmailQueueIds
from filterd.mta.sendmail.recipients import rule_recipients
from filterd.mta.sendmail.refusal_log import refusal_line
from filterd.mta.sendmail.replies import SendmailReplies
from filterd.mta.sendmail.rules import RULES
from filterd.mta.sendmail.verify import AddressVerifier, RuleVerifier
from filterd.mta.settings import MtaSettings
from filterd.mta.smtp.checks import SessionChecks
from filterd.mta.smtp.rules import ConnectionRules, SessionRules

CF_VERSION = "filterd"
"""$Z, the version of the configuration, where there is no sendmail.cf."""

_QUEUE_IDS = SendmailQueueIds()
"""One source for all: sessions from before a new configuration go on beside new ones."""

_EXTENSIONS = (
    "ENHANCEDSTATUSCODES",
    "PIPELINING",
    "EXPN",
    "VERB",
    "8BITMIME",
    "SIZE",
    "DSN",
    "ETRN",
    "AUTH",
    "STARTTLS",
    "DELIVERBY",
    "HELP",
)
"""What EHLO announces, in sendmail's order."""

WITHHELD = {
    "PIPELINING": frozenset({"nopipelining"}),
    "EXPN": frozenset({"noexpn"}),
    "VERB": frozenset({"noverb", "noexpn"}),
    "DSN": frozenset({"noreceipts"}),
    "ETRN": frozenset({"noetrn"}),
}
"""Extensions that are not announced where one of these things is forbidden."""

FAILURE_ACTIONS = {
    "": "as if the filter were not there",
    "T": "451, try again",
    "R": "refuse",
    "4": "421, close",
}
"""What each flag of `F=` means."""


def sendmail(
    settings: MtaSettings,
    *,
    version: str = CF_VERSION,
    replies: SendmailReplies | None = None,
    size_limit: int | None = None,
    engine: RuleEngine | None = None,
    session_rules: SessionRules = RULES,
    connections: ConnectionRules = ConnectionRules(),  # noqa: B008  (frozen)
    limits: ContentLimits = ContentLimits(),  # noqa: B008  (frozen)
    delivers_at_once: Callable[[], bool] = lambda: True,
    postmaster: str = POSTMASTER,
    postmaster_copy: str = "",
    waiting: QueueTimes = QueueTimes(),  # noqa: B008  (frozen)
) -> Personality:
    """Build it. The rest is what a sendmail.cf says; without one the defaults.

    version: $Z. size_limit: octets that SIZE announces, 0 for no number, None for the settings'.
    engine: its rules and maps. limits: of what a message holds, with an engine.
    """
    host = settings.hostname
    limit = settings.max_message_size if size_limit is None else size_limit
    lists = {**MACRO_LISTS, **settings.macros}
    return Personality(
        replies=replies or SendmailReplies(host),
        rules=session_rules,
        delivers_at_once=delivers_at_once,
        postmaster=postmaster,
        postmaster_copy=postmaster_copy,
        waiting=waiting,
        connections=connections,
        extensions=_extensions(limit, session_rules.shortest_by),
        withheld=WITHHELD,
        checks=partial(_checks, limits, settings.spool),
        composer=SendmailComposer(host, version, warns="authwarnings" in settings.forbidden),
        queue_id=_QUEUE_IDS.next,
        filters=lambda filters: SendmailFilters(filters, lists.get),
        macros=lambda connection: SendmailMacros(
            settings,
            version,
            connection,
            None if engine is None else engine.session(of_client=True),
        ),
        filter_route=_same_route,
        verify=AddressVerifier(host) if engine is None else RuleVerifier(host),
        recipients=plain_recipients if engine is None else rule_recipients,
        rewrites_addresses=engine is not None,
        refusal_line=refusal_line,
        on_failure=_on_failure,
    )


def _extensions(size_limit: int, shortest_by: int | None) -> tuple[str, ...]:
    """What EHLO can announce. size_limit: octets, 0 for no number. shortest_by: seconds, see
    `SessionRules`."""
    numbers = {"SIZE": size_limit, "DELIVERBY": shortest_by or 0}
    return tuple(
        f"{one} {numbers[one]}" if numbers.get(one) else one
        for one in _EXTENSIONS
        if one != "DELIVERBY" or shortest_by is not None
    )


def _checks(limits: ContentLimits, spool: Folder, macros: MacroTable) -> SessionChecks:
    rules = macros.rules if isinstance(macros, SendmailMacros) else None
    return SessionChecks() if rules is None else RuleChecks(rules, macros, limits, spool)


def _same_route(address: str, route: Route) -> Route:
    del address
    return route


def _on_failure(one: InputMailFilter) -> dict[str, str | float]:
    action = FAILURE_ACTIONS[one.on_failure]
    return {"flags": one.flags, "on_failure": action, **asdict(one.time_limits)}
