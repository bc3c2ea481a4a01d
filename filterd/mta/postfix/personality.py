"""Postfix 3.7, put together."""

from __future__ import annotations

from functools import partial

from filterd.mta.delivery.router import Router
from filterd.mta.mail.address import Route, domain_part
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.personality import Personality
from filterd.mta.postfix.composer import PostfixComposer
from filterd.mta.postfix.filters import PostfixFilters
from filterd.mta.postfix.macros import MACRO_LISTS, PostfixMacros
from filterd.mta.postfix.queue_ids import PostfixQueueIds
from filterd.mta.postfix.refusal_log import refusal_line
from filterd.mta.postfix.replies import PostfixReplies
from filterd.mta.postfix.rules import RULES
from filterd.mta.settings import MtaSettings
from filterd.mta.smtp.replies import SmtpReply


def postfix(settings: MtaSettings) -> Personality:
    """Build it."""
    host = settings.hostname
    lists = {**MACRO_LISTS, **settings.macros}
    size = f"SIZE {settings.max_message_size}"

    def filter_route(address: str, route: Route) -> Route:
        del route
        full = address.lower()
        full = full if "@" in full else f"{full}@{host}"
        return Route("virtual", domain_part(full), full)

    return Personality(
        replies=PostfixReplies(host),
        rules=RULES,
        extensions=(
            *("PIPELINING", size, "VRFY", "ENHANCEDSTATUSCODES", "8BITMIME"),
            *("STARTTLS", "AUTH", "DSN"),
        ),
        composer=PostfixComposer(host),
        queue_id=PostfixQueueIds().next,
        filters=lambda filters: PostfixFilters(filters, lists.get),
        macros=partial(PostfixMacros, settings),
        filter_route=filter_route,
        verify=_verify,
        refusal_line=refusal_line,
        on_failure=_on_failure,
        keeps_duplicates=True,
    )


def _verify(router: Router, argument: str, expand: bool) -> SmtpReply:
    """Postfix knows no EXPN, and VRFY looks nothing up."""
    del router, expand
    return SmtpReply.of(f"252 2.0.0 {argument.strip('<> ')}")


def _on_failure(one: InputMailFilter) -> dict[str, str | float]:
    return {
        "on_failure": one.default_action,
        "connect": one.connect_timeout,
        "command": one.command_timeout,
        "content": one.content_timeout,
    }
