"""How filterd does, told from outside, also when it does not do well."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.learner import Learner
from filterd.cli import app as command_line
from filterd.config.assembly import open_history
from filterd.config.load import Settings, load
from filterd.message import Message
from filterd.ops.status import status
from filterd.quarantine import Store
from tests.helpers.entries import new
from tests.helpers.reports import record
from tests.helpers.scanner import Scanner, clean


def site(folder: Path, more: str = "") -> Settings:
    config = folder / "filterd.toml"
    config.write_text(
        f'[daemon]\nsocket = "unix:{folder}/d.sock"\n'
        f'[chain]\nfilters = ["gtube", "clamav", "bayes"]\n'
        f'[quarantine]\nfolder = "{folder}/q"\n'
        f'[filters.clamav]\nserver = "unix:{folder}/clamd.sock"\n'
        f'[filters.bayes]\nmodels = "{folder}/models"\n{more}'
    )
    return load(config)


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    told = status(site(tmp_path))
    assert not told.daemon.answers
    assert "No such file" in told.daemon.error
    assert [(f.name, f.messages) for f in told.filters] == [
        ("gtube", 0),
        ("clamav", 0),
        ("bayes", 0),
    ]
    assert "clamd.sock" in told.clamd[0].error
    assert (told.model.missing_spam, told.model.missing_ham) == (50, 50)
    assert told.quarantine.messages == {}
    assert told.flow.messages == {}
    assert json.loads(json.dumps(told.to_json()))["daemon"]["answers"] is False


def test_a_site_at_work(tmp_path: Path) -> None:
    settings = site(tmp_path)
    now = time.time()
    open_history(settings).add(
        [
            record("a", now - 5, action="accept", milliseconds={"gtube": 1.0, "bayes": 2.0}),
            record(
                "b",
                now - 4,
                action="tempfail",
                failures={"clamav": "timeout: 30 s"},
                milliseconds={"gtube": 2.0, "clamav": 9.0},
            ),
            record("old", now - 9000, action="accept"),
        ]
    )
    Store(settings.quarantine).put(new("id1"))
    with Learner(ModelFolder(tmp_path / "models"), "test") as learner:
        learner.learn(Message(b"Subject: pills\r\n\r\nbuy\r\n"), spam=True)
    version = b"ClamAV 1.4.3/27450/Sat Nov 21 09:26:11 2020\n"
    with (
        Scanner(clean, tmp_path / "clamd.sock", version=version),
        socket.socket(socket.AF_UNIX) as daemon,
    ):
        daemon.bind(str(tmp_path / "d.sock"))
        daemon.listen()
        told = status(settings)
    assert told.daemon.answers
    assert told.flow.messages == {"accept": 1, "tempfail": 1}
    gtube, clamav, _ = told.filters
    assert (gtube.messages, gtube.failures, gtube.milliseconds) == (2, 0, 1.5)
    assert (clamav.messages, clamav.failures) == (1, 1)
    assert (clamav.last_failure_id, clamav.last_failure_detail) == ("b", "timeout: 30 s")
    assert "d.control" in told.daemon.silent
    assert (told.clamd[0].engine, told.clamd[0].number) == ("1.4.3", 27450)
    assert told.clamd[0].days is not None
    assert told.clamd[0].days > 365
    assert (told.model.spam, told.model.missing_spam, told.model.missing_ham) == (1, 49, 50)
    assert told.model.last_lesson(told.time) == "last lesson today"
    assert told.model.last_lesson(told.time + 3 * 86400) == "last lesson 3 days ago"
    assert told.quarantine.messages == {"held": 1}
    assert told.quarantine.octets > 0


def test_what_cannot_be_read_does_not_hide_the_rest(tmp_path: Path) -> None:
    settings = site(tmp_path)
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "history.sqlite3").write_bytes(b"no database at all, but long enough" * 40)
    models = ModelFolder(tmp_path / "models")
    models.make()
    models.version_path(1).write_bytes(b"nonsense")
    models.link.symlink_to(models.version_path(1).name)
    told = status(settings)
    assert "not a database" in told.flow.error
    assert "is not a filterd model" in told.model.error
    assert told.quarantine.error == ""


def test_history_that_is_switched_off_is_told(tmp_path: Path) -> None:
    told = status(site(tmp_path, "[history]\nenabled = false\n"))
    assert "switched off" in told.flow.error
    assert not (tmp_path / "q" / "history.sqlite3").exists()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_command(tmp_path: Path, form: list[str]) -> None:
    settings = site(tmp_path)
    result = CliRunner().invoke(
        command_line._command("status"), ["--config", str(settings.source), *form]
    )
    assert result.exit_code == 69
    if form:
        assert json.loads(result.stdout)["model"]["missing_ham"] == 50
    else:
        assert "50 spam and 50 ham are needed" in " ".join(result.stdout.split())


def test_the_command_tells_when_the_last_lesson_was(tmp_path: Path) -> None:
    settings = site(tmp_path)
    with Learner(ModelFolder(tmp_path / "models"), "test") as learner:
        learner.learn(Message(b"Subject: pills\r\n\r\nbuy\r\n"), spam=True)
    result = CliRunner().invoke(command_line._command("status"), ["--config", str(settings.source)])
    told = " ".join(result.stdout.split())
    assert "learned 1 spam, 0 ham, last lesson today; 49 spam and 50 ham are needed" in told


def test_the_history_command(tmp_path: Path) -> None:
    settings = site(tmp_path)
    open_history(settings).add([record("a", time.time(), subject="hi \x1b[31m", action="accept")])

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(
            command_line._command("history"), ["--config", str(settings.source), *arguments]
        )
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "\x1b" not in run()
    assert json.loads(run("--json"))["id"] == "a"
    assert "no matching messages" in run("--action", "reject")
