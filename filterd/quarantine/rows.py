"""Between values and the index's rows, and how SQLite is to behave."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from filterd.quarantine.journal import Delivery

BUSY_LIMIT = 5.0
"""Seconds that a writer waits for another; the files are safe by then, so this costs no mail."""


def delivery_of(found: Any) -> Delivery:
    """The copy that a row of `deliveries` stands for."""
    return Delivery(**{name: value for name, value in found.items() if name != "id"})


def delivery_row(id: str, delivery: Delivery) -> dict[str, Any]:
    """The row of a copy."""
    row = {"id": id, **asdict(delivery)}
    return {**row, "recipient": storable(delivery.recipient), "reply": storable(delivery.reply)}


def storable(text: str) -> str:
    """The text as a database can hold it: without NUL and without lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")


def tune_sqlite(connection: Any, _record: object) -> None:
    """What each new connection is told."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_LIMIT * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # Files and journal are fsynced and bring back any row: the index need not wait for the disk.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
