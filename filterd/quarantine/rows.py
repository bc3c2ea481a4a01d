"""Between values and the index's rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from filterd.database.storable import storable
from filterd.quarantine.journal import Delivery
from filterd.quarantine.words import State


def delivery_of(found: Any) -> Delivery:
    """The copy that a row of `deliveries` stands for."""
    values = {name: value for name, value in found.items() if name != "id"}
    return Delivery(**values | {"state": State(values["state"])})


def delivery_row(id: str, delivery: Delivery) -> dict[str, Any]:
    """The row of a copy."""
    row = {"id": id, **asdict(delivery)}
    row["state"] = str(delivery.state)
    texts = ("recipient", "reply", "request_note")
    return row | {name: storable(row[name]) for name in texts}
