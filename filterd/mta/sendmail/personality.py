"""sendmail 8.17, put together."""

from __future__ import annotations

from dataclasses import asdict

from filterd.mta.mail.address import Route
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.personality import Personality, plain_recipients
from filterd.mta.sendmail.composer import SendmailComposer
from filterd.mta.sendmail.engine import RuleEngine
from filterd.mta.sendmail.filters import SendmailFilters
from filterd.mta.sendmail.macros import MACRO_LISTS, SendmailMacros
from filterd.mta.sendmail.queue_ids import SendmailQueueIds
from filterd.mta.sendmail.recipients import rule_recipients
from filterd.mta.sendmail.refusal_log import refusal_line
from filterd.mta.sendmail.replies import SendmailReplies
from filterd.mta.sendmail.rules import RULES
from filterd.mta.sendmail.verify import AddressVerifier
from filterd.mta.settings import MtaSettings

CF_VERSION = "filterd"
"""$Z, the version of the configuration, where there is no sendmail.cf."""

EXTENSIONS = (
    "ENHANCEDSTATUSCODES",
    "PIPELINING",
    "EXPN",
    "VERB",
    "8BITMIME",
    "SIZE",
    "DSN",
    "ETRN",
    "HELP",
)
"""What EHLO announces, in sendmail's order."""

FORBIDDEN_BY = {"EXPN": "noexpn", "VERB": "noverb", "ETRN": "noetrn"}
"""Extensions that a privacy flag takes away."""

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
) -> Personality:
    """Build it. version, replies, size_limit, engine: what a sendmail.cf says; without one the
    defaults.

    version: $Z. size_limit: octets that SIZE announces, 0 for no number, None for the settings'.
    engine: its rules and maps.
    """
    host = settings.hostname
    limit = settings.max_message_size if size_limit is None else size_limit
    lists = {**MACRO_LISTS, **settings.macros}
    return Personality(
        replies=replies or SendmailReplies(host),
        rules=RULES,
        extensions=extensions(settings.forbidden, limit),
        composer=SendmailComposer(host, version, warns="authwarnings" in settings.forbidden),
        queue_id=SendmailQueueIds().next,
        filters=lambda filters: SendmailFilters(filters, lists.get),
        macros=lambda connection: SendmailMacros(
            settings, version, connection, None if engine is None else engine.session()
        ),
        filter_route=_same_route,
        verify=AddressVerifier(host),
        recipients=plain_recipients if engine is None else rule_recipients,
        rewrites_addresses=engine is not None,
        refusal_line=refusal_line,
        on_failure=_on_failure,
    )


def extensions(forbidden: frozenset[str], size_limit: int) -> tuple[str, ...]:
    """What EHLO announces. forbidden: privacy flags. size_limit: octets, 0 for no number."""
    size = f"SIZE {size_limit}" if size_limit else "SIZE"
    allowed = (one for one in EXTENSIONS if FORBIDDEN_BY.get(one) not in forbidden)
    return tuple(size if one == "SIZE" else one for one in allowed)


def _same_route(address: str, route: Route) -> Route:
    del address
    return route


def _on_failure(one: InputMailFilter) -> dict[str, str | float]:
    action = FAILURE_ACTIONS[one.on_failure]
    return {"flags": one.flags, "on_failure": action, **asdict(one.time_limits)}
