"""A history as versions of filterd without migrations left it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.helpers.records import NOW

BEFORE_MIGRATIONS = """
CREATE TABLE records (
    id TEXT NOT NULL, received REAL NOT NULL, action TEXT NOT NULL, score REAL NOT NULL,
    recipients TEXT NOT NULL, symbols TEXT NOT NULL, failed TEXT NOT NULL, words TEXT NOT NULL,
    rest TEXT NOT NULL
);
CREATE INDEX records_newest ON records (received, action);
CREATE INDEX records_by_action ON records (action, received);
CREATE INDEX records_failed ON records (received) WHERE failed <> '';
PRAGMA user_version = 2;
PRAGMA journal_mode = WAL;
"""
"""The statements by which versions of filterd without migrations made a file."""


def made_before(file: Path) -> list[str]:
    """A file as such a version left it; the ids in it, oldest first."""
    connection = sqlite3.connect(file)
    connection.executescript(BEFORE_MIGRATIONS)
    for number in range(60):
        rest = [
            f"q{number}",
            f"<{number}@x>",
            "c[192.0.2.7]",
            "Ann@a.test",
            ["Joe+x@mx.test"],
            f"Offer {number}",
            100,
            "spam",
            5.0,
            [["BAYES_99", 9.0]],
            {"bayes": 1.5},
            {"clamav": "timeout: 30 s"},
        ]
        words = [
            "ann@a.test",
            f"i{number}",
            f"q{number}",
            f"<{number}@x>",
            "c[192.0.2.7]",
            "ann@a.test",
            "joe+x@mx.test",
            f"offer {number}",
        ]
        connection.execute(
            "INSERT INTO records VALUES (?, ?, 'quarantine', 9.0, '[\"joe+x@mx.test\"]', "
            "' BAYES_99 ', ' clamav ', ?, ?)",
            (f"i{number}", NOW + number, "\n".join(words), json.dumps(rest)),
        )
    connection.commit()
    connection.close()
    return [f"i{number}" for number in range(60)]
