"""When the daemon makes the DMARC reports of the day before."""

from __future__ import annotations

import dataclasses
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from filterd.config.dmarc import DmarcSettings
from filterd.config.load import Settings
from filterd.daemon import background
from filterd.daemon.report_runner import Reports

ON = DmarcSettings(send=True, at="01:30", org_name="Receiver", email="reports@receiver.example")


class Site:
    """A clock, the settings, and what the command answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = dataclasses.replace(Settings(), dmarc=ON)
        self.now = 0.0
        self.answer: Any = subprocess.CompletedProcess("", 0, "example.org: 1 message\n", "")
        self.started: list[list[str]] = []
        self.reports = Reports(lambda: self.settings, Path("/etc/f.toml"), lambda: self.now)
        monkeypatch.setattr(background.subprocess, "run", self._run)

    def _run(self, command: list[str], **_how: Any) -> subprocess.CompletedProcess[str]:
        self.started.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        assert isinstance(self.answer, subprocess.CompletedProcess)
        return self.answer

    def at(self, moment: str) -> int:
        """Look at that time, UTC; how many runs there were until then."""
        self.now = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
        self.reports.once()
        return len(self.started)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


def test_once_a_day_when_the_time_has_come(site: Site) -> None:
    assert site.at("2026-09-21T01:29:59") == 0
    assert site.at("2026-09-21T01:30:00") == 1
    assert site.at("2026-09-21T23:59:59") == 1
    assert site.at("2026-09-22T00:00:01") == 1
    assert site.at("2026-09-22T01:31:00") == 2
    assert site.started[0][-6:] == [
        "dmarc",
        "report",
        "2026-09-20",
        "--send",
        "--config",
        "/etc/f.toml",
    ]


def test_not_unless_the_settings_say_so(site: Site) -> None:
    site.settings = Settings()
    assert site.at("2026-09-21T12:00:00") == 0


def test_a_daemon_that_starts_late_still_reports(site: Site) -> None:
    assert site.at("2026-09-21T20:00:00") == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (subprocess.CompletedProcess("", 75, "", ""), "some have to wait"),
        (subprocess.CompletedProcess("", 74, "", "old\nfilterd: disk is full\n"), "disk is full"),
        (subprocess.CompletedProcess("", -9, "", ""), "status -9"),
        (subprocess.TimeoutExpired("x", 600), "timed out"),
        (FileNotFoundError(2, "No such file", "nice"), "nice"),
    ],
)
def test_what_fails_is_tried_again_in_an_hour(
    site: Site, answer: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    fine, site.answer = site.answer, answer
    assert site.at("2026-09-21T01:30:00") == 1
    assert said in caplog.text
    assert site.at("2026-09-21T02:29:00") == 1
    site.answer = fine
    assert site.at("2026-09-21T02:30:00") == 2
    assert site.at("2026-09-21T12:00:00") == 2


def test_a_clock_that_was_ahead_keeps_no_report_back(site: Site) -> None:
    fine, site.answer = site.answer, subprocess.CompletedProcess("", 75, "", "")
    assert site.at("2036-09-21T12:00:00") == 1
    site.answer = fine
    assert site.at("2026-09-21T12:00:00") == 2
    assert site.at("2026-09-21T13:00:00") == 2
