"""The audit trail: which events somebody asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from filterd.quarantine.journal import Event, What
from filterd.quarantine.words import known

if TYPE_CHECKING:
    from filterd.review.access import Access

KINDS: tuple[str, ...] = get_args(What)
"""What may have been done."""

DISORDER = 3600.0
"""Seconds by which an event may stand before an older one in the journal: several write to it, and
clocks are set."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Conditions that must all hold; empty and None are left out.

    who, text: a part; text of note, reply, queue-id or recipients, in any case. what, id: whole.
    since, until: seconds since 1970, `until` not included. oldest_first: in the order in which
    things were done. Raises ValueError for something that is never done.
    """

    who: str = ""
    what: str = ""
    id: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None
    oldest_first: bool = False

    def __post_init__(self) -> None:
        known("what", self.what, KINDS)


def audited(access: Access, query: AuditQuery) -> Iterator[Event]:
    """The events that fit, the last one first; a reviewer sees its own actions. Raises
    StoreError."""
    if query.oldest_first:
        yield from (event for event in access.audit() if _fits(event, query))
        return
    for event in access.newest(query.id or query.what or query.who):
        if query.since is not None and event.time < query.since - DISORDER:
            return
        if _fits(event, query):
            yield event


def _fits(event: Event, query: AuditQuery) -> bool:
    return (
        (query.since is None or event.time >= query.since)
        and (query.until is None or event.time < query.until)
        and query.who in event.who
        and query.what in ("", event.what)
        and query.id in ("", event.id)
        and query.text.casefold() in _words(event)
    )


def _words(event: Event) -> str:
    told = (event.note, event.reply, event.queue_id, *event.recipients)
    return "\n".join(told).casefold()
