"""A new SQLite database made in one step is the one that all migrations make."""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa

from filterd.bayes.site.schema import SCHEMA as JOURNAL
from filterd.database import newest
from filterd.database.schema import Schema, bring_up_to_date, check
from filterd.history.schema import SCHEMA as HISTORY
from filterd.quarantine.schema import SCHEMA as QUARANTINE
from filterd.state.schema import schema

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = [HISTORY, QUARANTINE, JOURNAL, schema(1.0, 1)]

each_schema = pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.title)


def script() -> ModuleType:
    path = ROOT / "scripts" / "newest_tables.py"
    spec = importlib.util.spec_from_file_location("newest_tables", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def engine(file: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)


def everything(file: Path) -> list[object]:
    """All that is in an SQLite file: what the tables are like, in order, rows, and numbers."""
    with closing(sqlite3.connect(file)) as connection:
        made = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
        found: list[object] = [*made]
        for kind, name, *_ in made:
            if kind == "table":
                found.append((name, connection.execute(f'SELECT * FROM "{name}"').fetchall()))
        for pragma in ("user_version", "application_id", "encoding", "auto_vacuum", "page_size"):
            found.append((pragma, connection.execute(f"PRAGMA {pragma}").fetchone()))
    return found


def test_every_room_with_migrations_has_one() -> None:
    folders = {path.parent for path in (ROOT / "filterd").rglob("migrations/versions")}
    assert folders == {schema.folder for schema in SCHEMAS}
    assert {one.folder for one in script().SCHEMAS} == folders


@each_schema
def test_it_is_what_the_migrations_make(schema: Schema, tmp_path: Path) -> None:
    in_steps, at_once = tmp_path / "steps", tmp_path / "once"
    script().migrated(schema, in_steps)
    bring_up_to_date(engine(at_once), schema)
    assert everything(at_once) == everything(in_steps), "run scripts/newest_tables.py"
    with engine(at_once).connect() as connection:
        check(connection, schema)


def test_alembic_is_not_loaded_for_it(tmp_path: Path) -> None:
    program = (
        "import sys\nimport sqlalchemy as sa\nfrom filterd.database.schema import *\n"
        "from filterd.history.schema import SCHEMA\n"
        "bring_up_to_date(sa.create_engine(f'sqlite:///{sys.argv[1]}'), SCHEMA)\n"
        "print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-P", "-c", program, str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_file_in_which_something_is_goes_through_the_migrations(tmp_path: Path) -> None:
    """Tables of the training journal from before there were migrations: they have no form."""
    file = tmp_path / "journal"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)")
        connection.execute("INSERT INTO meta VALUES ('kept', 7)")
        connection.commit()
    bring_up_to_date(engine(file), JOURNAL)
    with closing(sqlite3.connect(file)) as connection:
        assert ("kept", 7) in connection.execute("SELECT * FROM meta").fetchall()
        found = connection.execute("SELECT version_num FROM journal_version").fetchall()
    assert found == [(JOURNAL.newest,)]


def test_what_fails_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction, as with migrations: who comes next begins anew."""
    file = tmp_path / "new"
    broken = tmp_path / "migrations"
    broken.mkdir()
    text = (HISTORY.folder / newest.FILE).read_text("utf-8")
    (broken / newest.FILE).write_text(text.replace("INSERT INTO", "INSERT nowhere"), "utf-8")
    real = newest.make
    monkeypatch.setattr(newest, "make", lambda connection, _folder: real(connection, broken))
    with pytest.raises(sa.exc.OperationalError):
        bring_up_to_date(engine(file), HISTORY)
    monkeypatch.undo()
    with engine(file).connect() as connection:
        assert newest.is_empty(connection)
    bring_up_to_date(engine(file), HISTORY)
