"""The journal's file: of versions without migrations, of another folder, lost."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filterd.bayes.model.store import ModelFileError, load
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.bayes.site.journal_folder import open_to_read
from filterd.bayes.site.learned import Batch, JournalError
from filterd.bayes.site.learner import Learner, LearnOutcome
from tests.helpers.learning import contents, model_of
from tests.helpers.training_mail import message

pytestmark = pytest.mark.slow

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, source TEXT NOT NULL, about TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in force', 'undone', 'rolled back', 'an undo')),
    undone_by INTEGER REFERENCES batch);
CREATE TABLE IF NOT EXISTS generation (
    id INTEGER PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batch, written TEXT NOT NULL,
    live INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lesson (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, spam INTEGER NOT NULL, step REAL NOT NULL,
    counted INTEGER NOT NULL, source TEXT NOT NULL, time TEXT NOT NULL,
    batch INTEGER NOT NULL REFERENCES batch, born INTEGER NOT NULL, died INTEGER);
"""
LATER = """
CREATE TABLE IF NOT EXISTS automatic (
    day TEXT NOT NULL, sender TEXT NOT NULL, learned INTEGER NOT NULL, PRIMARY KEY (day, sender));
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS lesson_key ON lesson (key);
CREATE INDEX IF NOT EXISTS lesson_batch ON lesson (batch);
"""
BEFORE_MIGRATIONS = TABLES + LATER + INDEXES
"""The statements by which versions of filterd without migrations made a file."""


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


def taught(folder: ModelFolder) -> None:
    """Four batches: spam, ham, one message moved, the second undone; then one of autolearn."""
    for numbers, spam in ((range(6), True), (range(10, 14), False)):
        with Learner(folder, "cli:ann", "some mail") as learner:
            for number in numbers:
                learner.learn(message(number, spam=spam), spam=spam)
    with Learner(folder, "cli:ann") as learner:
        learner.learn(message(0, spam=True), spam=False)
    with Learner(folder, "cli:ann") as learner:
        learner.undo(2)
    with Learner(folder, "autolearn") as learner:
        learner.learn(message(20, spam=True), spam=True)
        learner.journal.count_automatic("somebody")


def made_old(folder: ModelFolder, statements: str = BEFORE_MIGRATIONS) -> None:
    """Make the journal a file as such a version would have left it, by that version's statements,
    and the folder one that has no number."""
    new = folder.journal.rename(folder.path / "new.sqlite3")
    with closing(sqlite3.connect(folder.journal)) as connection:
        connection.executescript(statements)
        connection.execute("ATTACH ? AS new", (str(new),))
        for name, columns in connection.execute(
            "SELECT s.name, group_concat(c.name) FROM main.sqlite_schema AS s, "
            "pragma_table_info(s.name, 'main') AS c WHERE s.type = 'table' GROUP BY s.name"
        ).fetchall():
            connection.execute(f"INSERT INTO {name} SELECT {columns} FROM new.{name}")
        connection.execute("DELETE FROM meta WHERE name <> 'current'")
        connection.commit()
    new.unlink()
    (folder.path / "folder.id").unlink()


def told(folder: ModelFolder) -> tuple[list[Batch], dict[bool, int], int]:
    journal = open_to_read(folder)
    assert journal is not None
    with closing(journal):
        return journal.batches(), journal.contents(), journal.learned_today("somebody")


@pytest.mark.parametrize("indexes", ["", INDEXES])
def test_a_file_of_a_version_without_migrations_loses_nothing(
    folder: ModelFolder, indexes: str
) -> None:
    taught(folder)
    before = told(folder)
    assert [batch.state for batch in before[0]] == [
        "in force",
        "an undo",
        "in force",
        "undone",
        "in force",
    ]
    assert before[1:] == ({True: 6, False: 1}, 1)
    made_old(folder, TABLES + LATER + indexes)
    assert told(folder) == before
    with Learner(folder, "cli:ann") as learner:
        # What was learned before is known, moved and forgotten, to the last bit.
        assert learner.learn(message(1, spam=True), spam=True) is LearnOutcome.KNOWN
        for number in range(6):
            assert learner.forget(message(number, spam=True)) is LearnOutcome.FORGOTTEN
        assert learner.forget(message(20, spam=True)) is LearnOutcome.FORGOTTEN
        assert not np.any(learner.model.weights)
        assert not np.any(learner.model.counts)
    assert contents(folder) == {True: 0, False: 0}
    with Learner(folder, "cli:ann") as learner:
        learner.go_back(1)
    assert contents(folder) == {True: 6, False: 0}


def test_a_file_from_before_autolearn_gets_its_table(folder: ModelFolder) -> None:
    taught(folder)
    made_old(folder, TABLES + INDEXES)
    batches, inside, today = told(folder)
    assert (len(batches), inside, today) == (5, {True: 6, False: 1}, 0)


def test_a_file_that_was_not_finished_is_finished(folder: ModelFolder) -> None:
    folder.make()
    with closing(sqlite3.connect(folder.journal)) as connection:
        connection.executescript(TABLES.partition(";")[0])
    with Learner(folder, "cli:ann") as learner:
        learner.learn(message(1, spam=True), spam=True)
    assert contents(folder) == {True: 1, False: 0}


def test_a_new_file_is_made_as_those_versions_made_it(folder: ModelFolder) -> None:
    """So that there is one kind of file: migrations add to it, and change nothing."""
    taught(folder)
    old = folder.path / "old.sqlite3"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(BEFORE_MIGRATIONS)

    def columns(file: Path) -> dict[str, list[tuple[Any, ...]]]:
        with closing(sqlite3.connect(file)) as connection:
            names = connection.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()
            return {
                name: [
                    column
                    for column in connection.execute(f"PRAGMA table_info({name})")
                    if not column[1].startswith("window_")
                ]
                for (name,) in names
                if "journal_version" not in name
            }

    assert columns(folder.journal) == columns(old)


@pytest.mark.parametrize(
    "statements",
    [
        "CREATE TABLE lesson (id INTEGER PRIMARY KEY)",
        "CREATE TABLE batch (id INTEGER PRIMARY KEY, title TEXT); CREATE TABLE x (y)",
    ],
)
def test_tables_of_another_program_are_refused(folder: ModelFolder, statements: str) -> None:
    folder.make()
    with closing(sqlite3.connect(folder.journal)) as connection:
        connection.executescript(statements)
    with pytest.raises(JournalError, match="has other columns"), Learner(folder, "x"):
        pass


def test_a_file_that_is_not_a_database_is_refused(folder: ModelFolder) -> None:
    folder.make()
    folder.journal.write_bytes(b"no database" * 100)
    with pytest.raises(JournalError, match=r"journal\.sqlite3: cannot be used"):
        LearningJournal(folder)


CUT_SHORT = """
import os, sys
from pathlib import Path
import sqlalchemy as sa
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal

@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def before(connection, cursor, statement, *rest):
    if sys.argv[2] in statement:
        os._exit(9)

LearningJournal(ModelFolder(Path(sys.argv[1])))
"""


@pytest.mark.server
@pytest.mark.parametrize("statement", ["CREATE INDEX lesson_batch", "INSERT INTO journal_version"])
def test_a_new_file_whose_making_is_killed_is_empty(folder: ModelFolder, statement: str) -> None:
    folder.make()
    killed = subprocess.run([sys.executable, "-c", CUT_SHORT, folder.path, statement], check=False)
    assert killed.returncode == 9
    with closing(sqlite3.connect(folder.journal)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == []
    taught(folder)
    assert contents(folder) == {True: 6, False: 1}


def files(folder: ModelFolder) -> set[str]:
    return {path.name for path in folder.path.iterdir()}


def test_the_journal_of_another_folder_is_refused(folder: ModelFolder, tmp_path: Path) -> None:
    other = ModelFolder(tmp_path / "other")
    taught(folder)
    with Learner(other, "cli:ann") as learner:
        learner.learn(message(77, spam=True), spam=True)
    before = files(other)
    shutil.copyfile(folder.journal, other.journal)
    for use in (lambda: Learner(other, "cli:ann").__enter__(), lambda: open_to_read(other)):
        with pytest.raises(JournalError, match=r"of another folder, whose id is [0-9a-f]{15};"):
            use()
    assert files(other) == before
    (other.path / "folder.id").unlink()
    with pytest.raises(JournalError, match=r"folder\.id\) has none"), Learner(other, "cli:ann"):
        pass


def test_a_folder_is_copied_with_its_journal(folder: ModelFolder, tmp_path: Path) -> None:
    taught(folder)
    copy = ModelFolder(Path(shutil.copytree(folder.path, tmp_path / "copy", symlinks=True)))
    with Learner(copy, "cli:ann") as learner:
        assert learner.forget(message(1, spam=True)) is LearnOutcome.FORGOTTEN
    assert (contents(copy)[True], contents(folder)[True]) == (5, 6)


@pytest.mark.parametrize("what", ["lost", "older"])
def test_models_that_the_journal_does_not_know_are_not_deleted(
    folder: ModelFolder, tmp_path: Path, what: str
) -> None:
    taught(folder)
    older = shutil.copyfile(folder.journal, tmp_path / "older.sqlite3")
    with Learner(folder, "cli:ann") as learner:
        learner.learn(message(100, spam=False), spam=False)
    before, version = files(folder), folder.current()
    folder.journal.unlink()
    if what == "older":
        older.rename(folder.journal)
    for _ in range(2):
        with (
            pytest.raises(
                JournalError, match=f"does not know version {version}, which is in force"
            ),
            Learner(folder, "cli:ann"),
        ):
            pass
    assert files(folder) == before
    # What the error says helps.
    model, kept = model_of(folder), tmp_path / "kept.fdm"
    shutil.copyfile(folder.version_path(version or 0), kept)
    folder.link.unlink()
    with Learner(folder, "cli:ann") as learner:
        learner.adopt(load(kept))
    assert np.array_equal(model_of(folder).weights, model.weights)


@pytest.mark.parametrize("text", ["", "x" * 15, "0" * 14, "\0" * 20])
def test_a_damaged_number_is_told(folder: ModelFolder, text: str) -> None:
    taught(folder)
    (folder.path / "folder.id").write_text(text)
    with pytest.raises(ModelFileError, match="expected 15 hexadecimal digits"):
        Learner(folder, "x").__enter__()
