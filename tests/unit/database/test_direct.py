"""Reading and writing an SQLite file by the driver alone, beside others who have it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from filterd.database import direct
from filterd.database.direct import DirectConnections, Statements

COUNT = sa.text("SELECT count(*) FROM t")
FAR = 60.0


def number(asked: Statements) -> int:
    return int(asked.rows(COUNT, {})[0][0])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
    return path


@pytest.fixture
def connections(file: Path) -> Iterator[DirectConnections]:
    made = DirectConnections(
        lambda: sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    )
    yield made
    made.close()


def alone(file: Path) -> sqlite3.Connection:
    """Somebody who has the file alone, as who finds it after a crash."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("INSERT INTO t VALUES (1)")
    return other


def test_a_reader_waits_for_who_has_it_alone(
    file: Path, connections: DirectConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = alone(file)
    waited = threading.Event()
    monkeypatch.setattr(direct, "_pause", waited.set)
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(connections.read, number, time.monotonic() + FAR)
        assert waited.wait(FAR)
        other.close()
        assert found.result(FAR) == 1


def test_not_for_ever(file: Path, connections: DirectConnections) -> None:
    with closing(alone(file)), pytest.raises(sa.exc.DBAPIError, match="locked"):
        connections.read(number, time.monotonic())


def test_a_reader_waits_for_no_writer(file: Path, connections: DirectConnections) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO t VALUES (1)")
        assert connections.read(number, time.monotonic()) == 0
        other.execute("COMMIT")
        assert connections.read(number, time.monotonic()) == 1
