"""Before tables get a newer form, an SQLite file is copied: for who goes back to the former
version."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from filterd.database import schema as schema_module
from filterd.database.schema import UnknownFormError, alembic_config, bring_up_to_date
from filterd.database.sqlite import SqliteFile
from filterd.history import HistoryQuery
from filterd.history.schema import SCHEMA as HISTORY
from filterd.quarantine import QuarantineSettings, Store
from filterd.quarantine.query import Query
from filterd.quarantine.schema import SCHEMA
from tests.helpers.entries import new
from tests.helpers.old_history import made_before
from tests.helpers.records import RECORDS, opened

KEPT = 20


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """The index of some messages, as the version before left it: mode 0600, form 0004."""
    store = Store(QuarantineSettings(tmp_path / "q"))
    for number in range(KEPT):
        store.put(new(f"id{number:02}"))
    store.close()
    return downgraded(tmp_path / "q/index.sqlite")


def downgraded(file: Path) -> Path:
    with engine(file).begin() as connection:
        command.downgrade(alembic_config(connection, SCHEMA), "0004")
    return file


def engine(file: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)


def rows(file: Path, table: str = "messages") -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def form(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def copies(file: Path) -> set[str]:
    """What is there beside the database and its log."""
    return {path.name for path in file.parent.glob(".*") if path.is_file()} | {
        path.name for path in file.parent.glob(f"{file.name}.*")
    }


def test_the_file_is_kept_as_it_was(index: Path) -> None:
    store = Store(QuarantineSettings(index.parent))
    assert store.index.count(Query()) == KEPT
    store.close()
    kept = index.with_name("index.sqlite.before-0005")
    assert (form(index), form(kept)) == ("0005", "0004")
    assert (rows(index), rows(kept)) == (KEPT, KEPT)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert {name for name in copies(index) if "before" in name} == {kept.name}


def test_one_goes_back_by_renaming_it(index: Path) -> None:
    store = Store(QuarantineSettings(index.parent))
    store.index.check()
    store.close()
    index.with_name("index.sqlite.before-0005").rename(index)
    former = dataclasses.replace(SCHEMA, forms=SCHEMA.forms[:-1])
    bring_up_to_date(engine(index), former)
    assert (form(index), rows(index)) == ("0004", KEPT)


def test_the_former_version_says_where_it_is(index: Path) -> None:
    Store(QuarantineSettings(index.parent)).index.check()
    former = dataclasses.replace(SCHEMA, forms=SCHEMA.forms[:-1])
    with pytest.raises(UnknownFormError) as refused:
        bring_up_to_date(engine(index), former)
    assert str(refused.value) == (
        "its form is 0005, this version of filterd knows 0004 and older; as it was before that, "
        f"it is in {index}.before-0005"
    )


def test_a_new_file_has_nothing_to_keep(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.add(RECORDS)
    history.close()
    assert not [name for name in copies(history.file) if "before" in name]


def test_a_file_of_a_version_without_forms_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite3"
    ids = made_before(file)
    history = opened(tmp_path)
    assert len(history.search(HistoryQuery(limit=1000)).rows) == len(ids)
    history.close()
    assert rows(SqliteFile(file).copy_before(HISTORY.newest), "records") == len(ids)


def test_only_the_newest_copy_stays(index: Path) -> None:
    index.with_name("index.sqlite.before-0004").write_bytes(b"older")
    others = [
        index.with_name(name)
        for name in ("index.sqlite2.before-0004", "index.sqlite.before-restore")
    ]
    for other in others:
        other.write_bytes(b"of another database, of `filterd restore`")
    Store(QuarantineSettings(index.parent)).index.check()
    assert not index.with_name("index.sqlite.before-0004").exists()
    assert index.with_name("index.sqlite.before-0005").exists()
    assert all(other.exists() for other in others)


def test_what_cannot_be_copied_is_not_changed(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(schema_module.SqliteFile, "save_copy", full)
    with pytest.raises(OSError, match="No space left"):
        bring_up_to_date(engine(index), SCHEMA)
    assert (form(index), rows(index)) == ("0004", KEPT)
    monkeypatch.undo()
    bring_up_to_date(engine(index), SCHEMA)
    assert form(index) == "0005"


def test_two_at_once_make_one_copy(index: Path) -> None:
    begin = threading.Barrier(2)

    def bring() -> None:
        begin.wait(10)
        bring_up_to_date(engine(index), SCHEMA)

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(bring) for _ in range(2)]:
            done.result(60)
    assert form(index) == "0005"
    assert form(index.with_name("index.sqlite.before-0005")) == "0004"
    assert {name for name in copies(index) if "before" in name} == {"index.sqlite.before-0005"}
