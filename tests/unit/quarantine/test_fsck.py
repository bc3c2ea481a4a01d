"""What `fsck` does with an index that cannot be used: it is kept and made again, as `doctor` says;
nothing is lost or released twice by that."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from filterd.cli.quarantine import app
from filterd.config.load import Settings
from filterd.digest.ledger import DigestLedger
from filterd.doctor.findings import Level
from filterd.doctor.servers import store as doctor_store
from filterd.quarantine import QuarantineSettings, Store, StoreError
from filterd.quarantine.database import BrokenIndexError
from filterd.quarantine.journal import Delivery, Event
from filterd.quarantine.release import Releaser, ReleaseRequest
from filterd.quarantine.upkeep import Upkeep
from tests.helpers.entries import new
from tests.helpers.locks import locks_on
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.stores import empty

pytestmark = pytest.mark.slow


MESSAGES = 60


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


@pytest.fixture
def store(tmp_path: Path, mta: Mta) -> Store:
    """Messages, of which some were released, pinned or deleted, and nobody has the index open."""
    store = filled(QuarantineSettings(tmp_path / "q", release_port=mta.port))
    store.close()
    return store


def filled(settings: QuarantineSettings) -> Store:
    store = Store(settings)
    for number in range(MESSAGES):
        store.put(new(f"id{number}"))
    Releaser(store).release(ReleaseRequest("id1", "test"))
    store.pin("id2", "test")
    store.delete("id3", "test")
    return store


def sql(file: Path, *statements: str) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def no_database(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 + 100)


def overwritten(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as content:
        content.seek(8192)
        content.write(b"\xff" * (size - 12288))


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_link_to_nothing(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def a_log_that_is_a_folder(file: Path) -> None:
    Path(f"{file}-wal").mkdir()


def somebody_elses(file: Path) -> None:
    file.unlink()
    sql(file, "CREATE TABLE alembic_version (other)", "CREATE TABLE messages (text)")


def statement(text: str) -> Callable[[Path], None]:
    return lambda file: sql(file, text)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "no database": no_database,
    "cut short": cut,
    "overwritten": overwritten,
    "a folder": a_folder,
    "a pipe": a_pipe,
    "a link to nothing": a_link_to_nothing,
    "a log that is a folder": a_log_that_is_a_folder,
    "another program's": somebody_elses,
    "a newer form": statement("UPDATE alembic_version SET version_num = '9999'"),
    "an unknown form": statement("UPDATE alembic_version SET version_num = '0000'"),
    "a column too many": statement("ALTER TABLE messages ADD COLUMN other NOT NULL DEFAULT 1"),
    "a column too few": statement("ALTER TABLE deliveries DROP COLUMN form"),
    "a table too few": statement("DROP TABLE digests"),
}


def agrees(store: Store) -> bool:
    """True if the index says of every message what the journal says."""
    states = store.index.states()
    delivery_state = {id: store.delivery_state(id) for id in states}
    return len(states) == MESSAGES and states == {
        id: (stand.state, stand.pinned) for id, stand in delivery_state.items()
    }


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_index_is_kept_and_made_again(
    store: Store, tmp_path: Path, mta: Mta, damage: str
) -> None:
    index = tmp_path / "q" / "index.sqlite"
    DAMAGES[damage](index)
    # The doctor and the error itself advise what helps.
    settings = Settings(quarantine=store.settings)
    told = [finding for finding in doctor_store(settings) if finding.level is Level.FAIL]
    assert len(told) == 1
    assert "`filterd quarantine fsck` sets it aside" in told[0].found
    with pytest.raises(BrokenIndexError, match="`filterd quarantine fsck` sets it aside"):
        Releaser(store).release(ReleaseRequest("id5", "test")) if damage == "no database" else (
            store.index.check()
        )
    looked = store.fsck(repair=False)
    assert (bool(looked.fault), looked.aside, looked.checked) == (True, "", MESSAGES)
    report = store.fsck()
    assert report.fault == looked.fault
    assert os.path.lexists(tmp_path / "q" / report.aside)
    assert ".broken-" in report.aside
    assert len(report.added) == MESSAGES
    assert agrees(store)
    assert index.stat().st_mode & 0o777 == 0o600
    again = store.fsck()
    assert (again.fault, again.added, again.stale, again.restated) == ("", (), (), ())
    assert [f for f in doctor_store(settings) if f.level is Level.FAIL] == []
    (outcome,) = Releaser(store).release(ReleaseRequest("id1", "test"))
    assert (outcome.state, outcome.done, len(mta.taken)) == ("released", False, 1)


def test_what_is_done_while_fsck_reads_is_neither_damage_nor_forgotten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just after fsck has read the journal, one message is deleted, another one released."""
    whole = store.journal.events

    def events(id: str | None = None) -> Iterator[Event]:
        yield from whole(id)
        if id is None:
            monkeypatch.undo()
            other = Store(store.settings)
            other.delete("id8", "test")
            Releaser(other).release(ReleaseRequest("id9", "test"))

    monkeypatch.setattr(store.journal, "events", events)
    report = store.fsck(rebuild=True)
    assert report.damaged == ()
    assert agrees(store)
    assert store.index.states()["id8"] == ("deleted", False)
    assert store.index.states()["id9"] == ("released", False)


def test_an_empty_file_is_filled(store: Store, tmp_path: Path) -> None:
    os.truncate(tmp_path / "q" / "index.sqlite", 0)
    report = store.fsck()
    assert (report.fault, len(report.added)) == ("", MESSAGES)
    assert agrees(store)


def test_the_upkeep_adds_what_the_index_lost(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "q" / "index.sqlite").unlink()
    for path in (tmp_path / "q").glob("????-??-??/*.json"):
        os.utime(path, (1, 1))
    Upkeep(lambda: store.settings).once()
    assert f"{MESSAGES} messages were missing in the index" in caplog.text
    assert agrees(store)


def test_who_was_told_what_is_taken_over(store: Store) -> None:
    ledger = DigestLedger(store.index)
    ledger.claim("joe@mx.test", 0.0, 5.0, 1.0)
    ledger.settle("joe@mx.test", 5.0)
    with store.index.connection() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    assert store.fsck().aside
    assert not DigestLedger(store.index).claim("joe@mx.test", 0.0, 5.0, 1e6)


def test_a_lock_is_no_damage(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.database.engine.BUSY_LIMIT", 0.05)
    other = sqlite3.connect(tmp_path / "q" / "index.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE messages SET pinned = pinned")
    with pytest.raises(StoreError, match="database is locked") as raised:
        store.pin("id7", "test")
    assert not isinstance(raised.value, BrokenIndexError)
    assert "fsck" not in str(raised.value)
    other.close()
    assert store.fsck().fault == ""


OTHER_PROCESS = """
import sys
from pathlib import Path
from filterd.quarantine import QuarantineSettings, Store
from tests.helpers.entries import new

store = Store(QuarantineSettings(Path(sys.argv[1])))
store.put(new("other0"))
for number, line in enumerate(sys.stdin, 1):
    store.put(new(f"other{number}"))
    print(f"other{number}" in store.index.states(), flush=True)
"""


def test_a_process_that_has_the_old_index_open_goes_on_with_the_new_one(
    store: Store, tmp_path: Path
) -> None:
    index = tmp_path / "q" / "index.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(tmp_path / "q")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None

        def ask() -> str:
            other.stdin.write("\n")  # type: ignore[union-attr]
            other.stdin.flush()  # type: ignore[union-attr]
            return other.stdout.readline().strip()  # type: ignore[union-attr]

        assert ask() == "True"
        assert len(store.fsck(rebuild=True).added) == MESSAGES + 2
        held = locks_on(index)
        assert ask() == "True"
        assert "other2" in store.index.states()
        other.stdin.close()
    # The other one has closed the old database, which took nothing of ours away.
    assert locks_on(index) == held
    store.put(new("last"))
    assert "last" in Store(store.settings).index.states()
    assert store.fsck().added == ()


def test_the_command_tells_what_it_did(store: Store, tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(f'[quarantine]\nfolder = "{tmp_path / "q"}"\n', encoding="utf-8")
    no_database(tmp_path / "q" / "index.sqlite")
    no_database(tmp_path / "q" / "history.sqlite3")

    def ran(*options: str) -> str:
        result = CliRunner().invoke(app, ["fsck", "--config", str(config), *options])
        assert result.exit_code == 0, result.output
        return result.output

    assert "the index could not be used: file is not a database (not repaired)" in ran(
        "--no-repair"
    )
    output = ran()
    assert (
        "the index could not be used: file is not a database; it is kept as index.sqlite.broken-"
        in output
    )
    assert f"{MESSAGES} messages; missing in the index: {MESSAGES};" in output
    assert "it is kept as history.sqlite3.broken-" in output
    assert "0 records were read from it, an unknown number of records are lost" in output
    found = json.loads(ran("--json"))
    assert (found["index"], found["history"]["fault"]) == ({"fault": "", "aside": ""}, "")


PG_DAMAGES = {
    "a column too few": "ALTER TABLE deliveries DROP COLUMN form",
    "a column too many": "ALTER TABLE messages ADD COLUMN other text NOT NULL DEFAULT 'x'",
    "a table too few": "DROP TABLE messages",
    "an unknown form": "UPDATE alembic_version SET version_num = '0000'",
}


@pytest.mark.parametrize("damage", PG_DAMAGES)
def test_tables_in_postgresql_are_kept_in_a_schema_of_their_own(
    tmp_path: Path, postgresql: str, mta: Mta, damage: str
) -> None:
    empty(postgresql)
    store = filled(QuarantineSettings(tmp_path / "q", postgresql, release_port=mta.port))
    with store.index.connection() as connection:
        connection.execute(sa.text(PG_DAMAGES[damage]))
    store.close()
    newer = "form" in damage and "unknown" in damage
    if newer:
        with pytest.raises(BrokenIndexError, match="fsck --rebuild` sets it aside"):
            store.fsck()
    report = store.fsck(rebuild=newer)
    assert report.aside.startswith("filterd_broken_2")
    assert agrees(store)
    with store.index.connection() as connection:
        kept = sa.inspect(connection).get_table_names(report.aside)
    assert "alembic_version" in kept
    (outcome,) = Releaser(store).release(ReleaseRequest("id1", "test"))
    assert (outcome.state, outcome.done, len(mta.taken)) == ("released", False, 1)


def test_who_uses_both_tables_and_who_puts_them_aside_do_not_wait_for_each_other(
    tmp_path: Path, postgresql: str, mta: Mta
) -> None:
    """A claim locks `deliveries`, then `messages`: neither it nor the other one may be given up."""
    empty(postgresql)
    store = filled(QuarantineSettings(tmp_path / "q", postgresql, release_port=mta.port))
    engine = sa.create_engine(postgresql)
    with ThreadPoolExecutor(1) as pool, engine.begin() as claim:
        claim.execute(sa.text("UPDATE deliveries SET changed = changed"))
        rebuilt = pool.submit(store.fsck, rebuild=True)
        with pytest.raises(TimeoutError):
            rebuilt.result(0.5)
        claim.execute(sa.text("UPDATE messages SET pinned = pinned"))
        claim.commit()
        assert rebuilt.result(30).aside
    engine.dispose()
    assert agrees(store)


def test_two_in_the_same_second_are_both_kept(tmp_path: Path, postgresql: str) -> None:
    empty(postgresql)
    for url in (postgresql, ""):
        store = Store(QuarantineSettings(tmp_path / "q", url), lambda: 1_800_000_000.5)
        names = [store.fsck(rebuild=True).aside for _ in range(3)]
        assert len(set(names)) == 3


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_who_writes_the_same_copies_at_once_gets_no_error(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    """A release that is settled, and fsck that makes the same rows again."""
    url = ""
    if database == "postgresql":
        url = request.getfixturevalue("postgresql")
        empty(url)
    store = Store(QuarantineSettings(tmp_path / "q", url))
    store.put(new())
    entry, delivery_state = store.get("id1"), store.delivery_state("id1")
    rounds, start = 40, threading.Barrier(4)

    def repeat(deed: Callable[[], object]) -> None:
        start.wait()
        for _ in range(rounds):
            deed()

    settled = Delivery("joe@mx.test", "released", 1.0)
    deeds: list[Callable[[], object]] = [
        lambda: store.index.update("id1", delivery_state),
        lambda: store.index.settle("id1", settled),
        lambda: store.index.settle("id1", Delivery("ann@mx.test", "released", 1.0)),
        lambda: (store.index.remove(["id1"]), store.index.add(entry, "path", delivery_state)),
    ]
    with ThreadPoolExecutor(len(deeds)) as threads:
        for done in [threads.submit(repeat, deed) for deed in deeds]:
            done.result()
    store.index.add(entry, "path", delivery_state)
    store.index.settle("id1", settled)
    assert {d.recipient: d.state for d in store.index.deliveries("id1")}[
        "joe@mx.test"
    ] == "released"
