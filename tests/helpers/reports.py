"""Reports as tests write them: in few words, and valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from filterd.chain.report import ScanReport
from filterd.chain.verdict import Action, Failure, Reason, RemovedPart, Symbol
from filterd.history import Record
from filterd.message import Envelope
from filterd.quarantine import NewEntry


def report(
    id: str = "id1",
    *,
    action: str = "accept",
    reason: str = "",
    client: str = "",
    symbols: Sequence[tuple[str, float] | Symbol] = (),
    failures: Mapping[str, str] | None = None,
    kind: type[ScanReport] = ScanReport,
    **fields: Any,
) -> Any:
    """A report of that kind. client: `name[address]`. failures: `kind: detail` by filter."""
    name, _, address = client.partition("[")
    return kind(
        id=id,
        action=Action(action),
        reason=Reason(reason) if reason else "",
        client_name=name,
        client_address=address.removesuffix("]"),
        symbols=tuple(one if isinstance(one, Symbol) else Symbol(*one) for one in symbols),
        failures=tuple(Failure.parse(*one) for one in (failures or {}).items()),
        **fields,
    )


def record(id: str, received: float, queue_id: str = "", **fields: Any) -> Record:
    """A record of the history."""
    found = report(id, kind=Record, received=received, queue_id=queue_id, **fields)
    assert isinstance(found, Record)
    return found


def new_entry(
    id: str,
    data: bytes,
    envelope: Envelope,
    held_for: tuple[str, ...],
    *,
    received: datetime | None = None,
    removed: tuple[RemovedPart, ...] = (),
    **fields: Any,
) -> NewEntry:
    """A message to be kept, held as spam where nothing else is said."""
    found = report(
        id, **{"reason": "spam", "action": "quarantine", "score": 9.0, **fields}, removed=removed
    )
    return NewEntry(found, data, envelope, held_for, received or datetime.now(UTC))


def revised(new: NewEntry, **changes: Any) -> NewEntry:
    """The same message to be kept, with other fields of its own or of its report."""
    own = {name: changes.pop(name) for name in _OWN & changes.keys()}
    if "reason" in changes:
        changes["reason"] = Reason(changes["reason"])
    return replace(new, report=replace(new.report, **changes), **own)


_OWN = {field.name for field in fields(NewEntry)}
