"""What is noted of one message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from filterd.system.bounded import json_value

TEXT_LIMIT = 500
"""Characters of a text that a stranger chose; a Subject may be as long as its sender likes."""

NUMBER_LIMIT = 1e15
"""Points or milliseconds that are noted as such; more is nonsense of a worker."""

LIST_LIMIT = 1000
"""Recipients, and symbols, that are noted of one message."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Record:
    """One message. received: seconds since 1970, when its last octet came. client: `name[address]`.
    action: the answer, as a word. milliseconds: by filter. failures: `kind: detail`, by filter."""

    id: str
    received: float
    queue_id: str = ""
    message_id: str = ""
    client: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    size: int = 0
    action: str = ""
    reason: str = ""
    score: float = 0.0
    required: float = 0.0
    symbols: tuple[tuple[str, float], ...] = ()
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The record as a plain value, the time as ISO 8601 in UTC."""
        return {
            "id": self.id,
            "received": datetime.fromtimestamp(self.received, UTC).isoformat(),
            "queue_id": self.queue_id,
            "message_id": self.message_id,
            "client": self.client,
            "sender": self.sender,
            "recipients": list(self.recipients),
            "subject": self.subject,
            "size": self.size,
            "action": self.action,
            "reason": self.reason,
            "score": self.score,
            "required": self.required,
            "symbols": [{"name": name, "score": score} for name, score in self.symbols],
            "ms": dict(self.milliseconds),
            "failures": dict(self.failures),
        }

    def encode(self) -> str:
        """What the store keeps besides its columns: JSON in ASCII, so that octets of no charset
        (lone surrogates) survive."""
        return _ENCODER.encode(
            [
                self.queue_id,
                self.message_id,
                self.client,
                self.sender,
                self.recipients,
                self.subject,
                self.size,
                self.reason,
                self.required,
                self.symbols,
                dict(self.milliseconds),
                dict(self.failures),
            ]
        )

    @classmethod
    def decode(cls, id: str, received: float, action: str, score: float, text: str) -> Record:
        """The record of a row. Raises ValueError."""
        (
            queue_id,
            message_id,
            client,
            sender,
            recipients,
            subject,
            size,
            reason,
            required,
            symbols,
            milliseconds,
            failures,
        ) = json_value(text)
        return cls(
            id,
            received,
            queue_id,
            message_id,
            client,
            sender,
            tuple(recipients),
            subject,
            size,
            action,
            reason,
            score,
            required,
            tuple((name, points) for name, points in symbols),
            milliseconds,
            failures,
        )

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], received: float, subject: str) -> Record:
        """The record of what the daemon logs about a message. Values come from strangers, so they
        are cut to size here."""
        symbols, times, failures = (_table(facts.get(k)) for k in ("symbols", "ms", "failures"))
        return cls(
            str(facts["id"]),
            received,
            _cut(facts.get("queue_id")),
            _cut(facts.get("message_id")),
            _cut(facts.get("client")),
            _cut(facts.get("from")),
            tuple(_cut(one) for one in list(facts.get("to") or ())[:LIST_LIMIT]),
            _cut(subject),
            int(facts.get("size") or 0),
            str(facts.get("action") or ""),
            _cut(facts.get("reason") or _release(facts)),
            _number(facts.get("score")),
            _number(facts.get("required")),
            tuple((_cut(name), _number(points)) for name, points in symbols),
            {_cut(name): _number(milliseconds) for name, milliseconds in times},
            {_cut(name): _cut(detail) for name, detail in failures},
        )


def _table(value: object) -> list[tuple[object, object]]:
    """The items of a mapping that a worker sent, as many as are noted."""
    return list(value.items())[:LIST_LIMIT] if isinstance(value, Mapping) else []


def _release(facts: Mapping[str, Any]) -> str:
    """Which kept message it was, of one that a person released; it came under a new id."""
    return f"release of {facts['released']}" if facts.get("released") else ""


def _cut(value: object) -> str:
    return "" if value is None else str(value)[:TEXT_LIMIT]


def _number(value: object) -> float:
    # Neither NaN nor infinite, nor an integer that no float can hold.
    if isinstance(value, (int, float)) and abs(value) < NUMBER_LIMIT:
        return float(value)
    return 0.0
