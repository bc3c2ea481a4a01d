"""What is noted of one message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from filterd.chain.report import ScanReport, values
from filterd.chain.report_codec import Codec, parsed, plain
from filterd.chain.verdict import Failure, Symbol
from filterd.system.values import value

TEXT_LIMIT = 500
"""Characters of a text that a stranger chose; a Subject may be as long as its sender likes."""

NUMBER_LIMIT = 1e15
"""Points or milliseconds that are noted as such; more is nonsense of a worker."""

LIST_LIMIT = 1000
"""Recipients, and symbols, that are noted of one message."""


@value(frozen=True, slots=True, kw_only=True)
class Record(ScanReport):
    """One message: its report, and when it came. received: seconds since 1970, when its last octet
    came. subject, header_from: decoded; older versions wrote no header_from."""

    received: float = 0.0
    subject: str = ""
    header_from: str = ""

    def to_json(self) -> dict[str, Any]:
        """The record as a plain value, the time as ISO 8601 in UTC."""
        return {
            **plain(self),
            "received": datetime.fromtimestamp(self.received, UTC).isoformat(),
            "subject": self.subject,
            "client": self.client,
            "reason": self.why,
            "symbols": [{"name": one.name, "score": one.score} for one in self.symbols],
            "failures": {one.filter: str(one) for one in self.failures},
        }

    @property
    def why(self) -> str:
        """The reason; of a message that a person released, and that passed, which kept one it was:
        it came under a new id."""
        return self.reason or (f"release of {self.released}" if self.released else "")

    def encode(self) -> str:
        """What the store keeps besides its columns, as JSON; octets of no charset (lone surrogates)
        are escaped in it."""
        return _CODEC.text(self)

    @classmethod
    def decode(cls, id: str, received: float, action: str, score: float, text: str) -> Record:
        """The record of a row. Raises ValueError."""
        value = fields_of(text)
        value |= {"id": id, "received": received, "action": action, "score": score}
        return _CODEC.read(value)

    @classmethod
    def of(cls, report: ScanReport, received: float, subject: str, header_from: str = "") -> Record:
        """The record of a message."""
        own = {"received": received, "subject": subject, "header_from": header_from}
        return cls(**(values(report) | own))

    def cut(self) -> Record:
        """The same with no text, list or number larger than what is noted: values come from
        strangers."""
        return Record(**{name: _cut(value) for name, value in values(self).items()})


_CODEC = Codec(Record, ("id", "received", "action", "score"))


def fields_of(text: str) -> dict[str, Any]:
    """What `Record.encode` wrote, as plain values, unchecked: to count many records. Raises
    ValueError."""
    value = parsed(text)
    if isinstance(value, list):
        value = _first_form(value)
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return value


def _first_form(value: list[Any]) -> dict[str, Any]:
    """The fields of a row in its first form, a list."""
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
    ) = value
    name, _, address = client.rpartition("[")
    released = reason.removeprefix(_RELEASE) if reason.startswith(_RELEASE) else ""
    return {
        "queue_id": queue_id,
        "message_id": message_id,
        "client_name": name,
        "client_address": address.removesuffix("]"),
        "sender": sender,
        "recipients": recipients,
        "subject": subject,
        "size": size,
        "reason": "" if released else reason,
        "released": released,
        "required": required,
        "symbols": symbols,
        "milliseconds": milliseconds,
        "failures": [Failure.parse(name, text) for name, text in failures.items()],
    }


_RELEASE = "release of "


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if isinstance(value, Enum) or len(value) <= TEXT_LIMIT else value[:TEXT_LIMIT]
    if isinstance(value, (bool, int)) or value is None:
        return value
    if isinstance(value, float):
        # Neither NaN nor infinite.
        return value if abs(value) < NUMBER_LIMIT else 0.0
    if isinstance(value, tuple):
        return tuple([_cut(one) for one in value[:LIST_LIMIT]])
    if isinstance(value, Mapping):
        return {_cut(name): _cut(one) for name, one in [*value.items()][:LIST_LIMIT]}
    if isinstance(value, Symbol):
        return Symbol(_cut(value.name), _cut(value.score))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _cut(getattr(value, f.name)) for f in fields(value)})
    raise TypeError(f"a report has no {type(value).__name__}")
