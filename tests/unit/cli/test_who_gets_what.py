"""`filterd scan` and `filterd explain`: each recipient's outcome, and the rule that decides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.cli.app import _command
from filterd.lab import samples

SETTINGS = """
[chain]
filters = ["gtube"]
[filters.bayes]
models = "{folder}/models"
[quarantine]
folder = "{folder}/q"
[daemon]
socket = "unix:{folder}/s"
[[policy.rules]]
name = "mild"
recipients = ["joe@mx.example"]
at_most = "accept"
"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    config = tmp_path / "filterd.toml"
    config.write_text(SETTINGS.format(folder=tmp_path))
    mail = tmp_path / "mail.eml"
    mail.write_text(f"Subject: x\n\n{samples.GTUBE}\n")
    to = ["--to", "ann@mx.example", "--to", "joe@mx.example"]
    return [str(mail), "--config", str(config), *to]


OUTCOMES = [
    {"recipient": "ann@mx.example", "action": "quarantine", "rule": "default", "limit": 8.0},
    {"recipient": "joe@mx.example", "action": "accept", "rule": "mild"},
]


def run(name: str, *arguments: str) -> str:
    result = CliRunner().invoke(_command(name), arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_for_scripts(arguments: list[str]) -> None:
    assert json.loads(run("scan", *arguments, "--json"))["outcomes"] == OUTCOMES
    assert json.loads(run("explain", *arguments, "--json"))["report"]["outcomes"] == OUTCOMES


LISTS = """
[chain]
filters = ["locallists"]
[[filters.locallists.lists]]
file = "clients.list"
about = "client"
action = "reject"
[[filters.locallists.lists]]
file = "partners.list"
about = "sender"
kind = "allow"
[filters.bayes]
models = "{folder}/models"
[quarantine]
folder = "{folder}/q"
[daemon]
socket = "unix:{folder}/s"
"""


def test_which_list_decides_for_whom(tmp_path: Path, arguments: list[str]) -> None:
    """Files count from the settings' folder; the closest level decides, and is named. After the
    message there is one answer for all: who is to be refused alone is held."""
    (tmp_path / "filterd.toml").write_text(LISTS.format(folder=tmp_path))
    (tmp_path / "clients.list").write_text("203.0.113.0/24\n")
    (tmp_path / "partners.list").write_text("a.example for joe@mx.example\n")
    shown = run("explain", *arguments, "--client", "203.0.113.9", "--from", "ann@a.example")
    assert "  ann@mx.example: quarantine by rule LOCAL_BLOCKED_CLIENT\n" in shown
    assert "  joe@mx.example: accept by rule default\n" in shown
    assert (
        "  LOCAL_BLOCKED_CLIENT 0.0: "
        "The client's address is on the site's block list clients.list.\n"
        "      203.0.113.9 in clients.list:1, global level; "
        "not for all recipients (+5 points)\n" in shown
    )


@pytest.mark.slow
def test_for_people(arguments: list[str]) -> None:
    shown = " ".join(run("scan", *arguments).split())
    assert "ann@mx.example: quarantine (default), joe@mx.example: accept (mild)" in shown
    shown = run("explain", *arguments)
    assert "  ann@mx.example: quarantine by rule default\n" in shown
    assert (
        "  Held for 1 of 2 recipients: 1000.0 points, the limit is 8.0 (rule default).\n" in shown
    )
    assert "  joe@mx.example: accept by rule mild\n" in shown
