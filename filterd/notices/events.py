"""What can be told: each event with its kind, its id, and facts as plain values.

A message's facts are those of its record in the history. What a stranger wrote into the message
(Subject, From, names of parts) is left out where the reader has no business with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from filterd.chain.shares import as_for
from filterd.chain.verdict import Action, Reason
from filterd.config.notices import EventKind
from filterd.filters.rates.counting import HeldParty
from filterd.history import Record
from filterd.message.address import Mailbox, checked_domains, same
from filterd.quarantine.copies import HeldCopy

OWN_MARK = "notice-"
"""Beginning of the ids in the marks of notices, by which our own filters let them pass."""

LIST_LIMIT = 50
"""Symbols, recipients or names of one event that are told."""


class NoticeEvent(Protocol):
    """Something that is told. kind: its word. id: the same whenever it is found. time: seconds
    since 1970."""

    @property
    def kind(self) -> EventKind:
        """The word of its kind."""
        ...

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def time(self) -> float:
        """When it happened."""
        ...

    def facts(self, *, subject: bool, recipient: str | None = None) -> dict[str, Any]:
        """Facts by name, plain values that `json` takes.

        subject: with what a stranger wrote into the message. recipient: only what concerns that
        one.
        """
        ...


def event_id(*words: str) -> str:
    """A name for what these words say, 32 hexadecimal digits."""
    text = "\0".join(words).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """A message that was held or stripped, or has a virus. recipients: those whom it concerns."""

    kind: EventKind
    record: Record
    recipients: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its name."""
        return event_id(self.kind, self.record.id)

    @property
    def time(self) -> float:
        """When the message came."""
        return self.record.received

    def facts(self, *, subject: bool, recipient: str | None = None) -> dict[str, Any]:
        """See `NoticeEvent.facts`."""
        record, recipients = self.record, self.recipients
        if recipient is not None:
            record = as_for(record, lambda other: same(other, recipient))
            recipients = (recipient,)
        found: dict[str, Any] = {
            "id": record.id,
            "queue_id": record.queue_id,
            "received": record.received,
            "client": record.client,
            "authenticated": record.authenticated,
            "sender": record.sender,
            "recipients": list(recipients[:LIST_LIMIT]),
            "size": record.size,
            "action": record.action.word,
            "reason": str(record.reason),
            "score": record.score,
            "required": record.required,
            "virus": record.virus,
            "symbols": [one.name for one in record.symbols[:LIST_LIMIT]],
            "kept": record.stored,
        }
        if subject:
            found |= {
                "subject": record.subject,
                "header_from": record.header_from,
                "removed": [one.filename for one in record.removed[:LIST_LIMIT]],
            }
        return found


@dataclass(slots=True)
class FailureEvent:
    """A filter that failed. messages: how many had no opinion of it since the last look. record:
    the last of them. detail: what became of the filter there."""

    filter: str
    record: Record
    detail: str
    messages: int = 1
    kind: EventKind = field(default="failed", init=False)

    @property
    def id(self) -> str:
        """Its name."""
        return event_id(self.kind, self.filter, self.record.id)

    @property
    def time(self) -> float:
        """When the last message came."""
        return self.record.received

    def facts(self, *, subject: bool, recipient: str | None = None) -> dict[str, Any]:
        """See `NoticeEvent.facts`."""
        del subject, recipient
        return {
            "filter": self.filter,
            "detail": self.detail,
            "messages": self.messages,
            "last_id": self.record.id,
            "last": self.record.received,
        }


@dataclass(frozen=True, slots=True)
class FullEvent:
    """A quarantine that is nearly full. levels: percent of each limit that is nearly reached, by
    the setting's name, or `disk`."""

    time: float
    levels: dict[str, float]
    messages: int
    octets: int
    kind: EventKind = field(default="full", init=False)

    @property
    def id(self) -> str:
        """Its name."""
        return event_id(self.kind, f"{self.time:.0f}")

    def facts(self, *, subject: bool, recipient: str | None = None) -> dict[str, Any]:
        """See `NoticeEvent.facts`."""
        del subject, recipient
        return {"levels": self.levels, "messages": self.messages, "octets": self.octets}


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """Somebody whose mail is held for its share of spam."""

    held: HeldParty
    kind: EventKind = field(default="account", init=False)

    @property
    def id(self) -> str:
        """Its name."""
        return event_id(self.kind, self.held.by, self.held.party, f"{self.held.since:.0f}")

    @property
    def time(self) -> float:
        """Since when."""
        return self.held.since

    def facts(self, *, subject: bool, recipient: str | None = None) -> dict[str, Any]:
        """See `NoticeEvent.facts`."""
        del subject, recipient
        held = self.held
        return {
            "by": held.by,
            "party": held.party,
            "why": held.why,
            "since": held.since,
            "until": held.until,
        }


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """A recipient who asks for the release of its mail."""

    held: HeldCopy
    kind: EventKind = field(default="request", init=False)

    @property
    def id(self) -> str:
        """Its name."""
        copy = self.held.copy
        return event_id(self.kind, self.held.row.id, copy.recipient, f"{copy.asked:.3f}")

    @property
    def time(self) -> float:
        """When it asked."""
        return self.held.copy.asked

    def facts(self, *, subject: bool, recipient: str | None = None) -> dict[str, Any]:
        """See `NoticeEvent.facts`."""
        del recipient
        row, copy = self.held.row, self.held.copy
        found: dict[str, Any] = {
            "id": row.id,
            "asked": copy.asked,
            "recipient": copy.recipient,
            "note": copy.request_note,
            "received": row.received,
            "sender": row.sender,
            "reason": row.reason,
        }
        if subject:
            found |= {"subject": row.subject, "header_from": row.header_from}
        return found


def of_message(record: Record) -> MessageEvent | None:
    """What is to be told of a message. Nothing of a refusal before there was one, of what its
    client sends again, and of what a person or filterd itself sends: no notice about a notice."""
    if record.stage or record.released or record.action is Action.TEMPFAIL:
        return None
    if record.virus:
        return MessageEvent("virus", record, _whose(record, lambda _action: True))
    if record.action is Action.QUARANTINE or any(
        one.action is Action.QUARANTINE for one in record.outcomes
    ):
        held = _whose(record, lambda action: action is Action.QUARANTINE)
        return MessageEvent("held", record, held)
    if record.reason == Reason.STRIPPED:
        taken = _whose(record, lambda action: action is Action.ACCEPT)
        return MessageEvent("stripped", record, taken)
    return None


def _whose(record: Record, concerns: Callable[[Action], bool]) -> tuple[str, ...]:
    """The recipients whose mail got an action that concerns the event; all where nothing is known
    of each."""
    known = [one for one in record.outcomes if one.recipient]
    if not known:
        return record.recipients
    return tuple(dict.fromkeys(one.recipient for one in known if concerns(one.action)))


def failures(records: Iterable[Record]) -> list[FailureEvent]:
    """What filters failed in these messages, one event for each filter. What a content did to a
    filter before is not told again."""
    found: dict[str, FailureEvent] = {}
    for record in records:
        for failure in record.failures:
            if failure.again or not failure.filter:
                continue
            there = found.get(failure.filter)
            if there is None:
                found[failure.filter] = FailureEvent(failure.filter, record, str(failure))
            else:
                there.record, there.detail = record, str(failure)
                there.messages += 1
    return [*found.values()]


def local_recipients(event: NoticeEvent, domains: tuple[str, ...]) -> Iterator[str]:
    """The recipients of an event that may be told: those in these domains, of mail that is not on
    its way out."""
    if not isinstance(event, MessageEvent) or event.record.outbound:
        return
    wanted = checked_domains(domains)
    for recipient in event.recipients:
        if Mailbox.parse(recipient).domain in wanted:
            yield recipient
