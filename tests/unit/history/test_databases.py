"""Files of versions without migrations, and a PostgreSQL database that two hosts share."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from filterd.history import History, HistoryError, HistoryQuery, HistorySettings
from filterd.history.recorder import Recorder
from filterd.history.recovery import recover
from filterd.history.store import BrokenHistoryError
from tests.helpers.old_history import made_before
from tests.helpers.postgresql import emptied, run
from tests.helpers.records import CASES, NOW, RECORDS, REPORT, opened
from tests.helpers.reports import record


def forms(file: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(file)
    found = connection.execute("SELECT version_num FROM history_version").fetchall()
    found += connection.execute("PRAGMA user_version").fetchall()
    connection.close()
    return found


def test_a_file_of_a_version_without_migrations_opens_with_all_its_records(tmp_path: Path) -> None:
    ids = made_before(tmp_path / "history.sqlite3")
    history = opened(tmp_path)
    found = history.search(HistoryQuery(limit=1000)).rows
    assert [one.id for one in found] == ids[::-1]
    assert found[-1] == record(
        "i0",
        NOW,
        "q0",
        message_id="<0@x>",
        client="c[192.0.2.7]",
        sender="Ann@a.test",
        recipients=("Joe+x@mx.test",),
        subject="Offer 0",
        size=100,
        action="quarantine",
        reason="spam",
        score=9.0,
        required=5.0,
        symbols=(("BAYES_99", 9.0),),
        milliseconds={"bayes": 1.5},
        failures={"clamav": "timeout: 30 s"},
    )
    assert history.add(RECORDS) == 0
    assert len(history.search(HistoryQuery(limit=1000)).rows) == len(ids) + len(RECORDS)
    assert history.trouble() == ""
    history.close()
    assert forms(tmp_path / "history.sqlite3") == [("0002",), (2,)]


@pytest.mark.parametrize(
    ("wish", "number"),
    [
        ({"sender": "ANN@a"}, 60),
        ({"recipient": "joe"}, 60),
        ({"domain": "mx.test"}, 60),
        ({"text": "offer 59"}, 1),
        ({"symbol": "bayes_99"}, 60),
        ({"failed": "clamav"}, 60),
        ({"visible": ("joe@mx.test",), "text": "offer 59"}, 1),
        ({"visible": ("o@mx.test",)}, 0),
        ({"visible": ("@mx.test",), "recipient": "joe", "sender": "ann", "text": "q7"}, 1),
    ],
)
def test_what_such_a_file_has_is_found(tmp_path: Path, wish: dict[str, Any], number: int) -> None:
    made_before(tmp_path / "history.sqlite3")
    assert len(opened(tmp_path).search(HistoryQuery(**wish, limit=1000)).rows) == number


def test_a_new_file_is_made_as_those_versions_made_it(tmp_path: Path) -> None:
    """So that there is one kind of file, whatever version began it."""
    (tmp_path / "old").mkdir()
    made_before(tmp_path / "old/history.sqlite3")
    for history in (opened(tmp_path / "old"), opened(tmp_path)):
        history.add(RECORDS)
        history.close()

    def columns(file: Path) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(file)
        found = connection.execute("PRAGMA table_info(records)").fetchall()
        names = connection.execute(
            "SELECT name FROM sqlite_schema WHERE tbl_name = 'records' ORDER BY name"
        ).fetchall()
        connection.close()
        return [*found, *names]

    assert columns(history.file) == columns(tmp_path / "old/history.sqlite3")


CUT_SHORT = """
import os, sys
from pathlib import Path
import sqlalchemy as sa
from filterd.history import History, HistorySettings

def die(_connection, statement):
    if sys.argv[2] in statement:
        os._exit(9)

@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def before(connection, cursor, statement, *rest):
    die(connection, statement)

History(Path(sys.argv[1]), HistorySettings()).records.check()
"""


@pytest.mark.server
@pytest.mark.parametrize(
    "statement", ["CREATE INDEX records_failed", "INSERT INTO history_version"]
)
def test_a_new_file_whose_making_is_killed_is_empty(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "history.sqlite3"
    killed = subprocess.run([sys.executable, "-c", CUT_SHORT, file, statement], check=False)
    assert killed.returncode == 9
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == []
    connection.close()
    history = opened(tmp_path)
    history.add(RECORDS)
    assert history.search(HistoryQuery()).rows == RECORDS[::-1]


@pytest.mark.server
@pytest.mark.parametrize("statement", ["CREATE INDEX records_searched", "UPDATE history_version"])
def test_a_migration_that_is_killed_changes_nothing(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "history.sqlite3"
    ids = made_before(file)
    before = schema_of(file)
    killed = subprocess.run([sys.executable, "-c", CUT_SHORT, file, statement], check=False)
    assert killed.returncode == 9
    assert schema_of(file) == before
    history = opened(tmp_path)
    assert {row.id for row in history.search(HistoryQuery(limit=100)).rows} == set(ids)
    assert "records_searched" in str(schema_of(file))


def schema_of(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


@pytest.fixture
def url(postgresql: str) -> str:
    """A database without tables."""
    return emptied(postgresql)


def host(url: str, **settings: Any) -> History:
    return History(Path("/nowhere"), HistorySettings(database=url, **settings), lambda: NOW + 60)


@pytest.fixture
def shared(url: str) -> History:
    history = host(url)
    history.add(RECORDS)
    return history


@pytest.mark.parametrize(("conditions", "ids"), CASES)
def test_every_condition_in_postgresql(
    shared: History, conditions: dict[str, Any], ids: str
) -> None:
    found = shared.search(HistoryQuery(**conditions)).rows
    assert "".join(record.id for record in found) == ids


def test_records_come_back_from_postgresql_as_they_were(shared: History) -> None:
    odd = record(
        "odd", NOW + 9, sender="a\0b\udce9", recipients=("nul\0@x.test",), subject="\0\udcff"
    )
    shared.add([odd])
    assert shared.search(HistoryQuery()).rows == (odd, *RECORDS[::-1])
    assert shared.search(HistoryQuery(sender="a\0b\udce9")).rows == (odd,)
    assert shared.search(HistoryQuery("\0\udcff", visible=("@x.test",))).rows == (odd,)


def test_two_hosts_share_one_history(url: str) -> None:
    one, two = host(url), host(url, keep_messages=6)
    assert (one.add(RECORDS), two.add([record("e", NOW + 4), record("f", NOW + 5)])) == (0, 0)
    first = two.search(HistoryQuery(limit=4))
    assert [r.id for r in first.rows] == ["f", "e", "d", "c"]
    one.add([record("g", NOW + 6)])
    assert [r.id for r in two.search(HistoryQuery(limit=4, after=first.next)).rows] == ["b", "a"]
    # What the other host lets go was not lost.
    assert two.expire() == 1
    assert one.add([record("h", NOW + 7)]) == 0
    assert [r.id for r in one.search(HistoryQuery()).rows] == list("hgfedcb")


def test_flow_symbols_and_failures_in_postgresql(shared: History, tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.add(RECORDS)
    for history in (shared, file):
        assert history.flow(NOW, NOW + 4, 2.0) == [
            (NOW, "quarantine", 1),
            (NOW, "reject", 1),
            (NOW + 2, "accept", 2),
        ]
    assert shared.top(NOW, 5) == file.top(NOW, 5)
    assert shared.failures(NOW) == file.failures(NOW) != []
    for place in ((0, NOW + 60, 50), (0, NOW + 60, 2), (0, NOW, 50)):
        assert shared.eventful(*place) == file.eventful(*place)
    assert shared.newest_number() == 4


HIDDEN = [
    ({"text": "bob@other"}, False),
    ({"text": "OTHER.test"}, False),
    ({"text": "joe@mx"}, True),
    ({"recipient": "bob"}, False),
    ({"recipient": '", "'}, False),
    ({"recipient": "JOE"}, True),
    ({"domain": "other.test"}, False),
    ({"domain": "mx.test"}, True),
    ({"text": "pills"}, True),
    ({"domain": "sender.test"}, True),
    ({"text": "other@sender"}, True),
    ({"text": "q17"}, True),
    ({"text": "bob@other.test\njoe"}, False),
    ({"text": "other@sender.test\nbob"}, False),
    ({"text": "bob@other.test\npills"}, False),
]


@pytest.mark.parametrize(("wish", "shown"), HIDDEN)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_hidden_recipients_cannot_be_guessed_in_either(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, wish: dict[str, Any], shown: bool
) -> None:
    history = opened(tmp_path) if kind == "sqlite" else host(request.getfixturevalue("url"))
    to = ("Bob@Other.test", "Joe@mx.test", "bob@other.test")
    history.add(
        [record("a", NOW, "q17", sender="other@sender.test", recipients=to, subject="Pills")]
    )
    assert history.search(HistoryQuery(**wish)).rows
    for visible in (("joe@mx.test",), ("@mx.test",), ("@mx.test", "@")):
        assert bool(history.search(HistoryQuery(**wish, visible=visible)).rows) is shown


def test_broken_tables_are_moved_aside_when_an_admin_says_so_and_not_by_the_daemon(
    url: str, shared: History, caplog: pytest.LogCaptureFixture
) -> None:
    shared.close()
    run(url, "ALTER TABLE records DROP COLUMN symbols")
    history = host(url, keep_days=1e5)
    recorder = Recorder(history)
    recorder.note(REPORT, b"x")
    recorder.write()
    assert 'history.database: column "symbols" of relation "records" does not exist' in caplog.text
    assert recorder.lost == 0
    assert "records" in history.trouble()
    done = recover(history, lambda: NOW)
    assert done is not None
    assert (done.aside, done.saved, done.lost) == ("filterd_broken_20270115t080000z", 0, None)
    recorder.write()
    assert [one.id for one in history.search(HistoryQuery()).rows] == [REPORT.id]
    assert recover(history) is None


def test_tables_of_a_newer_version_are_left_alone(url: str, shared: History) -> None:
    shared.close()
    run(url, "UPDATE history_version SET version_num = '9999'")
    history = host(url)
    with pytest.raises(BrokenHistoryError, match="its form is 9999"):
        history.search(HistoryQuery())
    with pytest.raises(HistoryError, match="left alone, since another host may use them"):
        recover(history)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("nonsense", "not a URL of a database; expected postgresql"),
        ("mysql://root:secret@db/x", "not a URL of a database"),
        ("postgresql+psycopg://u:secret@127.0.0.1:1/x", "history.database: .*connection"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(
    bad: str, words: str
) -> None:
    with pytest.raises(HistoryError, match=words) as raised:
        host(bad).search(HistoryQuery())
    assert "secret" not in str(raised.value)
