"""Sample events of each kind, to try templates and receivers with."""

from __future__ import annotations

from typing import Any

from filterd.chain.verdict import Action, Failure, FailureKind, Outcome, Reason, RemovedPart, Symbol
from filterd.config.notices import KINDS, EventKind, NoticeSettings
from filterd.filters.rates.counting import HeldParty
from filterd.history import Record
from filterd.notices.compose import NoticeWriter
from filterd.notices.events import (
    AccountEvent,
    FailureEvent,
    FullEvent,
    MessageEvent,
    NoticeEvent,
    RequestEvent,
)
from filterd.quarantine.copies import HeldCopy
from filterd.quarantine.index import Row
from filterd.quarantine.journal import Delivery

RECIPIENT = "joe@mx.example"

_ACTIONS = {"held": Action.QUARANTINE, "stripped": Action.ACCEPT, "virus": Action.REJECT}
_REASONS = {"held": Reason.SPAM, "stripped": Reason.STRIPPED, "virus": Reason.VIRUS}


def sample(kind: EventKind, now: float) -> NoticeEvent:
    """An event of that kind, which never happened."""
    match kind:
        case "failed":
            detail = "unavailable: 127.0.0.1:3310: Connection refused"
            return FailureEvent("clamav", _record("held", now), detail, messages=3)
        case "full":
            return FullEvent(now, {"disk": 93.0, "keep_megabytes": 97.2}, 12_345, 5_100_000_000)
        case "account":
            why = "24 of 60 messages in 3600 s refused"
            return AccountEvent(HeldParty("user", "ann", why, now, now + 86400.0))
        case "request":
            row = Row(**_ROW, received=now - 3600.0)
            note = "Our supplier sends its drawings this way"
            return RequestEvent(HeldCopy(row, Delivery(RECIPIENT, asked=now, request_note=note)))
    return MessageEvent(kind, _record(kind, now), (RECIPIENT,))


_ROW: dict[str, Any] = {
    "id": "1m832zjby7595m34",
    "size": 14_336,
    "sender": "news@shop.example",
    "recipients": (RECIPIENT,),
    "client_address": "192.0.2.25",
    "queue_id": "4B1ABC0042",
    "message_id": "<1@shop.example>",
    "header_from": "Shop <news@shop.example>",
    "subject": "Your order of yesterday",
    "reason": "banned",
    "action": "quarantine",
    "score": 0.0,
    "symbols": (),
    "virus": "",
    "path": "",
    "state": "held",
    "pinned": False,
}


def _record(kind: EventKind, now: float) -> Record:
    action = _ACTIONS[kind]
    return Record(
        id="1m832zjby7595m34",
        queue_id="4B1ABC0042",
        received=now,
        client_name="mail.shop.example",
        client_address="192.0.2.25",
        sender="news@shop.example",
        recipients=(RECIPIENT,),
        size=14_336,
        action=action,
        reason=_REASONS[kind],
        stored=True,
        score=14.9,
        required=5.0,
        symbols=(Symbol("BAYES_SPAM", 9.9), Symbol("DNS_LISTED", 5.0)),
        virus="Eicar-Signature" if kind == "virus" else "",
        removed=(RemovedPart("invoice.exe", "its type", 0, 1),) if kind == "stripped" else (),
        outcomes=(Outcome(RECIPIENT, action, "default", limit=8.0),),
        failures=(Failure("clamav", FailureKind.UNAVAILABLE, "Connection refused"),),
        subject="Your order of yesterday",
        header_from="Shop <news@shop.example>",
    )


def check_templates(settings: NoticeSettings, now: float) -> None:
    """Write each notice that the settings call for, and send none. Raises NoticeError."""
    writer = NoticeWriter(settings, b"", "mx.example")
    for kind in KINDS:
        if not settings.mailed(kind):
            continue
        event = sample(kind, now)
        whole = [event] * 60
        writer.message(kind, RECIPIENT, [event], now, is_test=True)
        writer.message(kind, RECIPIENT, whole, now, suppressed=2)
        if isinstance(event, MessageEvent):
            links = {event.record.id: "https://mail.example/held/x"}
            writer.message(kind, RECIPIENT, [event], now, recipient=RECIPIENT, links=links)
