"""A new site: the history's table and the index are made at the same time, by two threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from filterd.history import HistoryQuery
from filterd.quarantine import QuarantineSettings, Store
from tests.helpers.records import RECORDS, opened

OVERLAP = 0.5
"""Seconds for which the first one waits for the second; where only one can migrate it waits them
all."""


@pytest.fixture
def slow_first() -> Iterator[threading.Event]:
    """The migration of the history stops before its table until that of the index has begun."""
    begun, other = threading.Event(), threading.Event()

    def before(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "CREATE TABLE records" in statement:
            begun.set()
            other.wait(OVERLAP)
        elif "CREATE TABLE messages" in statement:
            other.set()

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    yield begun
    sa.event.remove(sa.Engine, "before_cursor_execute", before)


def test_both_are_made(tmp_path: Path, slow_first: threading.Event) -> None:
    history, store = opened(tmp_path), Store(QuarantineSettings(tmp_path / "q"))
    with ThreadPoolExecutor(2) as threads:
        added = threads.submit(history.add, RECORDS)
        assert slow_first.wait(10)
        counted = threads.submit(store.index.counts)
        assert (added.result(), counted.result()) == (0, [])
    assert history.search(HistoryQuery()).rows == RECORDS[::-1]
    store.index.check()
    store.close()
