"""A journal in PostgreSQL: moved there from the file, shared, and with a lock of its own."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filterd.bayes.site import journal_folder
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.bayes.site.journal_folder import open_to_read
from filterd.bayes.site.learned import Batch, JournalError
from filterd.bayes.site.learner import Learner, LearnOutcome
from filterd.bayes.site.schema import SCHEMA
from filterd.database.engine import database
from tests.helpers.learning import contents, model_of
from tests.helpers.postgresql import emptied, run
from tests.helpers.process import wait_for
from tests.helpers.training_mail import message


@pytest.fixture
def url(postgresql: str) -> str:
    """A database without tables."""
    return emptied(postgresql)


def teach(folder: ModelFolder, numbers: range, *, spam: bool, source: str = "cli:ann") -> None:
    with Learner(folder, source) as learner:
        for number in numbers:
            learner.learn(message(number, spam=spam), spam=spam)


def told(folder: ModelFolder) -> tuple[list[Batch], dict[bool, int]]:
    journal = open_to_read(folder)
    assert journal is not None
    with closing(journal):
        return journal.batches(), journal.contents()


@pytest.fixture
def file(tmp_path: Path) -> ModelFolder:
    """A folder whose journal is the file: three batches, the second undone."""
    folder = ModelFolder(tmp_path / "models")
    teach(folder, range(6), spam=True)
    teach(folder, range(10, 13), spam=False, source="autolearn")
    with Learner(folder, "cli:ann") as learner:
        learner.undo(2)
    return folder


def put_aside(folder: ModelFolder) -> list[str]:
    return [path.name for path in folder.path.glob("journal.sqlite3*")]


def test_a_database_takes_over_what_the_file_says(file: ModelFolder, url: str) -> None:
    before = told(file)
    folder = ModelFolder(file.path, url)
    # Looking changes nothing.
    assert told(folder) == before
    assert put_aside(folder) == ["journal.sqlite3"]
    with Learner(folder, "cli:ann") as learner:
        assert learner.learn(message(1, spam=True), spam=True) is LearnOutcome.KNOWN
        assert told(folder) == before
        for number in range(6):
            assert learner.forget(message(number, spam=True)) is LearnOutcome.FORGOTTEN
        assert not np.any(learner.model.weights)
    (aside,) = put_aside(folder)
    assert aside.startswith("journal.sqlite3.moved-2")
    with closing(sqlite3.connect(folder.path / aside)) as connection:
        assert connection.execute("SELECT count(*) FROM batch").fetchone() == (3,)
    # Numbers go on behind those that came with the rows.
    assert [batch.id for batch in told(folder)[0]] == [4, 3, 2, 1]
    with Learner(folder, "cli:ann") as learner:
        learner.undo(4)
    assert contents(folder) == {True: 6, False: 0}
    # What autolearn had learned and a person undid may be learned again; what a person taught not.
    with Learner(folder, "autolearn") as learner:
        assert learner.learn(message(10, spam=False), spam=False) is LearnOutcome.LEARNED
        assert learner.learn(message(1, spam=True), spam=False) is LearnOutcome.KEPT


class User:
    """Of a database."""


class CrashError(Exception):
    """In place of a kill."""


@pytest.mark.parametrize("crashing", ["copy", "_put_file_aside"])
def test_a_crash_while_it_takes_over_loses_nothing(
    file: ModelFolder, url: str, crashing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, folder = told(file), ModelFolder(file.path, url)

    def crash(*_arguments: object) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        where: Any = journal_folder if crashing.startswith("_") else LearningJournal
        patch.setattr(where, crashing, crash)
        with pytest.raises(CrashError):
            Learner(folder, "cli:ann").__enter__()
    assert told(folder) == before
    teach(folder, range(30, 31), spam=True)
    assert contents(folder) == {True: 7, False: 0}
    assert len(put_aside(folder)) == 1


def test_without_the_setting_the_moved_file_is_missed(file: ModelFolder, url: str) -> None:
    teach(ModelFolder(file.path, url), range(30, 31), spam=True)
    model = model_of(file)
    with pytest.raises(JournalError, match="does not know version 4"), Learner(file, "cli:ann"):
        pass
    assert np.array_equal(model_of(file).weights, model.weights)


def test_one_database_is_for_one_folder(tmp_path: Path, url: str) -> None:
    one, two = ModelFolder(tmp_path / "one", url), ModelFolder(tmp_path / "two", url)
    teach(one, range(3), spam=True)
    for use in (lambda: teach(two, range(1), spam=True), lambda: told(two)):
        with pytest.raises(JournalError, match=r"filters\.bayes\.database: .* of another folder"):
            use()
    assert not two.link.is_symlink()
    assert contents(one) == {True: 3, False: 0}


def test_a_folder_with_models_is_not_given_to_an_empty_database(
    file: ModelFolder, url: str
) -> None:
    file.journal.rename(file.path / "journal.bak")
    with pytest.raises(JournalError, match="does not know version 3"):
        teach(ModelFolder(file.path, url), range(1), spam=True)
    # Nor was the database bound to it.
    other = ModelFolder(file.path.with_name("other"), url)
    teach(other, range(1), spam=True)
    assert contents(other) == {True: 1, False: 0}


@pytest.mark.slow
def test_the_same_file_by_its_url_is_not_moved(file: ModelFolder) -> None:
    folder = ModelFolder(file.path, f"sqlite:///{file.journal}")
    teach(folder, range(30, 31), spam=True)
    assert put_aside(file) == ["journal.sqlite3"]
    assert contents(file) == {True: 7, False: 0}


def waiting(url: str) -> bool:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return bool(run(url, query)[0][0])


def test_one_learner_at_a_time_on_several_hosts(tmp_path: Path, url: str) -> None:
    """Two folders with the same files stand for two hosts that do not see each other's locks."""
    one = ModelFolder(tmp_path / "one", url)
    teach(one, range(3), spam=True)
    two = ModelFolder(tmp_path / "two", f"{url}&client_encoding=utf8")
    shutil.copytree(one.path, two.path, symlinks=True)
    with ThreadPoolExecutor(1) as pool:
        with Learner(one, "cli:one") as learner:
            other = pool.submit(teach, two, range(10, 11), spam=True)
            wait_for("a learner that waits", lambda: waiting(url))
            assert learner.learn(message(1, spam=True), spam=True) is LearnOutcome.KNOWN
        other.result(30)
    assert contents(two) == {True: 4, False: 0}
    # The first one's files are behind now. Nothing is written with them.
    before = sorted(path.name for path in one.path.iterdir())
    with pytest.raises(JournalError, match=r"describes version 2, and there is no .*00002\.fdm"):
        teach(one, range(20, 21), spam=True)
    assert sorted(path.name for path in one.path.iterdir()) == before


def test_a_learner_that_loses_its_connection_writes_nothing(tmp_path: Path, url: str) -> None:
    folder = ModelFolder(tmp_path / "models", url)
    teach(folder, range(3), spam=True)
    before = sorted(path.name for path in folder.path.iterdir())
    with (
        pytest.raises(JournalError, match=r"filters\.bayes\.database: cannot be used"),
        Learner(folder, "cli:ann") as learner,
    ):
        learner.learn(message(20, spam=True), spam=True)
        who = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        run(url, f"SELECT pg_terminate_backend(pid) FROM ({who}) AS learner")
    assert sorted(path.name for path in folder.path.iterdir()) == before
    teach(folder, range(20, 21), spam=True)
    assert contents(folder) == {True: 4, False: 0}


def test_who_waits_to_learn_is_not_stopped_by_the_servers_time_limits(url: str) -> None:
    limited = f"{url}&options=-c%20statement_timeout%3D60s%20-c%20lock_timeout%3D60s"
    there, user = database(limited, Path("/nowhere"), SCHEMA), User()
    with there.sole_connection(user) as connection:
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == "0"
    # The pool has none of that session.
    with there.connection(user) as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "1min"
    there.leave(user)


def test_tables_of_another_program_are_left_alone(tmp_path: Path, url: str) -> None:
    run(url, "CREATE TABLE batch (id INTEGER)")
    with pytest.raises(JournalError, match="a table batch is there that filterd did not make"):
        teach(ModelFolder(tmp_path / "models", url), range(1), spam=True)


@pytest.mark.parametrize("bad", ["nonsense", "mysql://root:secret@db/x"])
def test_a_wrong_url_is_told_without_its_password(tmp_path: Path, bad: str) -> None:
    with pytest.raises(JournalError, match=r"filters\.bayes\.database: .*not a URL") as raised:
        teach(ModelFolder(tmp_path / "models", bad), range(1), spam=True)
    assert "secret" not in str(raised.value)


def test_what_is_moved_is_logged(
    file: ModelFolder, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    teach(ModelFolder(file.path, url), range(1), spam=True)
    assert "rows copied to filters.bayes.database" in caplog.text
