"""When the daemon has something learned, and what it does if that fails."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import pytest

from filterd.bayes.site.autolearn import AutolearnSettings
from filterd.config.load import Settings, load
from filterd.daemon import background
from filterd.daemon.autolearn_runner import Lessons


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "filterd.toml"
    file.write_text(f'[autolearn]\nenabled = true\n[filters.bayes]\nmodels = "{tmp_path}/models"\n')
    return load(file)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been started."""
    started: list[list[str]] = []

    def run(command: list[str], **_how: Any) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 0, "1 learned\n", "")

    monkeypatch.setattr(background.subprocess, "run", run)
    return started


def queue(settings: Settings) -> None:
    """Let one copy wait."""
    folder = settings.filters["bayes"].own.models / "autolearn"
    folder.mkdir(parents=True)
    (folder / f"spam-{'0' * 16}-id1.eml").write_bytes(b"\r\n")


def test_it_learns_when_the_time_has_come(settings: Settings, commands: list[list[str]]) -> None:
    queue(settings)
    now = [0.0]
    lesson = Lessons(lambda: settings, Path("/etc/f.toml"), lambda: now[0])
    for moment, runs in ((599, 0), (600, 1), (1199, 1), (1200, 2)):
        now[0] = float(moment)
        lesson.once()
        assert len(commands) == runs, moment
    assert commands[0][-4:] == ["learn", "auto", "--config", "/etc/f.toml"]


@pytest.mark.parametrize("change", [{"enabled": False}, {"interval": 0}])
def test_it_does_not_where_the_settings_say_so(
    settings: Settings, commands: list[list[str]], change: dict[str, Any]
) -> None:
    queue(settings)
    off = dataclasses.replace(settings, autolearn=AutolearnSettings(**{"enabled": True} | change))
    now = [0.0]
    lesson = Lessons(lambda: off, None, lambda: now[0])
    now[0] = 1e6
    lesson.once()
    assert commands == []


def test_it_does_not_where_nothing_waits(settings: Settings, commands: list[list[str]]) -> None:
    now = [0.0]
    lesson = Lessons(lambda: settings, None, lambda: now[0])
    now[0] = 1e6
    lesson.once()
    assert commands == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (subprocess.CompletedProcess("", 73, "", "old\nfilterd: disk is full\n"), "disk is full"),
        (subprocess.CompletedProcess("", -9, "", ""), "status -9"),
        (subprocess.TimeoutExpired("x", 600), "timed out"),
        (OSError(2, "No such file"), "No such file"),
    ],
    ids=["an error", "a signal", "too slow", "cannot be started"],
)
def test_trouble_is_logged(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what: Any,
    said: str,
) -> None:
    queue(settings)

    def run(*_command: Any, **_how: Any) -> Any:
        if isinstance(what, Exception):
            raise what
        return what

    monkeypatch.setattr(background.subprocess, "run", run)
    now = [0.0]
    lesson = Lessons(lambda: settings, None, lambda: now[0])
    now[0] = 1e6
    lesson.once()
    assert said in caplog.text
    assert "the copies stay" in caplog.text
