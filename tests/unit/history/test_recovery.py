"""A history that cannot be used: nobody loses it, and it is told how much is missing."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from filterd.history import History, HistoryError, HistoryQuery, HistorySettings, Record
from filterd.history.recorder import Recorder
from filterd.history.recovery import KEPT_ASIDE, recover
from filterd.history.store import BrokenHistoryError
from tests.helpers.records import NOW, RECORDS, REPORT, opened
from tests.helpers.reports import record

MANY = [record(f"n{number}", NOW + number / 1000, subject="x" * 400) for number in range(2000)]


def sql(file: Path, *statements: str) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def closed(folder: Path, records: list[Record]) -> Path:
    """A history that nobody has open, all of it in one file."""
    history = opened(folder)
    history.add(records)
    history.close()
    sql(history.file, "PRAGMA wal_checkpoint(TRUNCATE)")
    return history.file


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 + 100)


def overwritten(file: Path) -> None:
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40_000] = b"\xff" * 40_000
    file.write_bytes(content)


def no_database(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def another_schema(file: Path) -> None:
    file.unlink()
    sql(file, "CREATE TABLE records (a, b)", "PRAGMA user_version = 2")


def somebody_elses(file: Path) -> None:
    file.unlink()
    sql(file, "CREATE TABLE notes (text)", "INSERT INTO notes VALUES ('keep me')")


BEFORE_MIGRATIONS_99 = ("DROP TABLE history_version", "PRAGMA user_version = 99")
NEWER = ("UPDATE history_version SET version_num = '9999'",)

DAMAGES: list[tuple[Callable[[Path], None], int, int | None]] = [
    (cut, 1, None),
    (overwritten, 1000, 1),
    (no_database, 0, None),
    (a_folder, 0, None),
    (a_pipe, 0, None),
    (another_schema, 0, 0),
    (somebody_elses, 0, None),
]
"""What happens to a file of 2,000 records, how many are saved at least, and lost at least."""


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "saved", "lost"), DAMAGES)
def test_it_is_kept_and_a_new_one_made_of_what_can_be_read(
    tmp_path: Path, damage: Callable[[Path], None], saved: int, lost: int | None
) -> None:
    file = closed(tmp_path, MANY)
    damage(file)
    history = opened(tmp_path)
    assert history.trouble()
    done = recover(history, lambda: NOW)
    assert done is not None
    assert done.aside == "history.sqlite3.broken-20270115T080000Z"
    assert os.path.lexists(tmp_path / done.aside)
    assert done.saved >= saved
    assert (done.lost is None) if lost is None else (done.lost is not None and done.lost >= lost)
    rows = [*history.search(HistoryQuery(limit=1000)).rows]
    assert len(rows) == min(done.saved, 1000)
    assert all(row == MANY[int(row.id[1:])] for row in rows)
    assert history.trouble() == ""
    assert recover(history) is None
    assert history.file.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_is_a_new_history(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite3").touch()
    history = opened(tmp_path)
    assert history.trouble() == ""
    history.add(RECORDS)
    assert history.search(HistoryQuery()).rows == RECORDS[::-1]


VERSIONS: list[tuple[tuple[str, ...], str]] = [
    (BEFORE_MIGRATIONS_99, "tables are of version 99, this filterd's are of 2"),
    (NEWER, "its form is 9999, this version of filterd knows 0002 and older"),
]


@pytest.mark.parametrize(("statements", "words"), VERSIONS)
def test_another_version_is_kept_and_its_records_are_taken_over(
    tmp_path: Path, statements: tuple[str, ...], words: str
) -> None:
    file = closed(tmp_path, list(RECORDS))
    sql(file, *statements)
    history = opened(tmp_path)
    # Who only looks changes nothing: it may be the file of a daemon of that version.
    with pytest.raises(HistoryError, match=words):
        history.search(HistoryQuery())
    assert [path.name for path in tmp_path.iterdir() if "broken" in path.name] == []
    with pytest.raises(BrokenHistoryError):
        history.add(RECORDS)
    done = recover(history)
    assert done is not None
    assert (done.saved, done.lost) == (4, 0)
    assert history.search(HistoryQuery()).rows == RECORDS[::-1]


def test_no_more_are_taken_over_than_are_kept(tmp_path: Path) -> None:
    sql(closed(tmp_path, MANY), *NEWER)
    history = opened(tmp_path, keep_messages=500)
    done = recover(history)
    assert done is not None
    assert (done.saved, done.lost) == (500, 0)
    assert history.search(HistoryQuery(limit=1000)).rows == tuple(MANY[:-501:-1])


def test_a_lock_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.database.engine.BUSY_LIMIT", 0.05)
    file = closed(tmp_path, list(RECORDS))
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    recorder = recorder_of(tmp_path)
    recorder.note(REPORT, b"x")
    recorder.write()
    assert (recorder.lost, len(list(tmp_path.glob("*.broken-*")))) == (0, 0)
    other.close()
    recorder.write()
    assert recorder.lost == 0
    assert len(opened(tmp_path).search(HistoryQuery()).rows) == 5


def recorder_of(folder: Path, **settings: Any) -> Recorder:
    return Recorder(History(folder / "history.sqlite3", HistorySettings(**settings)))


def test_the_recorder_puts_aside_what_it_cannot_write_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sql(
        closed(tmp_path, MANY),
        "DROP INDEX records_failed",
        "DROP TABLE history_version",
        "PRAGMA user_version = 1",
    )
    recorder = recorder_of(tmp_path, keep_days=1e5)
    recorder.note(REPORT, b"x")
    recorder.write()
    assert "of version 1, this filterd's are of 2; it is kept as history.sqlite3." in caplog.text
    assert "2000 records were read from it, 0 records are lost" in caplog.text
    assert recorder.lost == 0
    assert opened(tmp_path).search(HistoryQuery(limit=1)).rows


def test_the_recorder_counts_what_is_lost_with_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = recorder_of(tmp_path)
    for _ in range(3):
        recorder.note(REPORT, b"x")
    recorder.write()
    no_database(tmp_path / "history.sqlite3")
    recorder.note(REPORT, b"y")
    recorder.write()
    file = tmp_path / "history.sqlite3"
    shown = len(opened(tmp_path).search(HistoryQuery()).rows)
    # By the version of SQLite its write-ahead log has them all, or none.
    assert (shown, recorder.lost) in ((4, 0), (1, 3))
    file.unlink()
    recorder.note(REPORT, b"z")
    recorder.write()
    assert recorder.lost == 4
    assert f"somebody removed {shown} records from {file}" in caplog.text
    assert [row.subject for row in opened(tmp_path).search(HistoryQuery()).rows] == ["z"]


def test_the_recorder_notices_that_its_log_was_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = recorder_of(tmp_path)
    for _ in range(3):
        recorder.note(REPORT, b"x")
    recorder.write()
    (tmp_path / "history.sqlite3-wal").unlink()
    (tmp_path / "history.sqlite3-shm").unlink()
    recorder.note(REPORT, b"y")
    recorder.write()
    rows = opened(tmp_path).search(HistoryQuery()).rows
    assert rows[0].subject == "y"
    assert len(rows) + recorder.lost == 4


def test_a_disk_that_goes_on_failing_does_not_fill_up(tmp_path: Path) -> None:
    history = opened(tmp_path)
    for number in range(KEPT_ASIDE + 3):
        history.close()
        no_database(history.file)
        assert recover(history, lambda number=number: NOW + number) is not None  # type: ignore[misc]
    assert len(list(tmp_path.glob("*.broken-*"))) == KEPT_ASIDE


def test_a_file_that_cannot_be_written_costs_notes_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    recorder = Recorder(opened(tmp_path / "file"))
    recorder.start()
    recorder.note(REPORT, b"x")
    recorder.close()
    assert recorder.lost == 1
    assert "1 messages are not recorded" in caplog.text


def test_trouble_is_not_told_every_second(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    recorder = Recorder(opened(tmp_path / "file"))
    for _ in range(3):
        recorder.note(REPORT, b"x")
        recorder.write()
    assert recorder.lost == 0
    assert len(caplog.records) == 1
    recorder.history = recorder_of(tmp_path).history
    recorder.write()
    assert len(opened(tmp_path).search(HistoryQuery()).rows) == 3


def test_a_clock_that_was_set_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = recorder_of(tmp_path)
    recorder.note(REPORT, b"x")
    recorder.write()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 60 * 86400)
    recorder._next_expiry = 0.0
    recorder.note(REPORT, b"y")
    recorder.write()
    assert "the clock was set since the start" in caplog.text
    assert len(opened(tmp_path).search(HistoryQuery()).rows) == 2
