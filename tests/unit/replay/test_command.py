"""`filterd replay`: other settings, a running daemon, what was decided then."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from filterd.cli.app import _command
from filterd.config.load import load
from filterd.filters.gtube import STRING
from filterd.quarantine import Store
from tests.helpers.entries import new
from tests.helpers.process import Program, folder, listens

pytestmark = pytest.mark.server


HEADER = b"From: ann@client.example\r\nSubject: hello\r\n\r\n"


@pytest.fixture
def site() -> Iterator[Path]:
    with folder("replay") as path:
        write(path, "now", "")
        write(path, "milder", "[filters.gtube]\nscore = 6.0\n")
        (path / "mail").mkdir()
        (path / "mail" / "1-ham").write_bytes(HEADER + b"hi\n")
        (path / "mail" / "2-spam").write_bytes(HEADER + STRING + b"\n")
        yield path


def write(folder: Path, name: str, more: str) -> None:
    (folder / f"{name}.toml").write_text(
        f'[daemon]\nsocket = "unix:{folder}/s"\nsocket_mode = 0o600\nspool = "{folder}/spool"\n'
        '[workers]\ncount = 1\n[chain]\nfilters = ["gtube"]\n'
        f'[quarantine]\nfolder = "{folder}/q"\n{more}'
    )


def replay(site: Path, *arguments: str, config: str = "now") -> Result:
    return CliRunner().invoke(
        _command("replay"), [*arguments, "--config", str(site / f"{config}.toml")]
    )


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_two_settings(site: Path) -> None:
    mail, other = str(site / "mail"), str(site / "milder.toml")
    (row, told) = rows(replay(site, mail, "--compare", other, "--json"))
    assert row["message"].endswith("2-spam")
    assert [(row[side]["action"], row[side]["score"]) for side in ("before", "after")] == [
        ("reject", 1000.0),
        ("accept", 6.0),
    ]
    assert row["after"]["labelled"]
    assert row["changes"] == ["GTUBE 1000.0→6.0"]
    assert told["summary"] == {
        "messages": 2,
        "actions_differ": 1,
        "only_scores_differ": 0,
        "moves": [{"before": "reject", "after": "accept (labelled)", "messages": 1}],
    }
    assert len(rows(replay(site, mail, "--compare", other, "--json", "--all"))) == 3
    # Nothing of that was stored, noted or made.
    assert sorted(path.name for path in site.iterdir()) == ["mail", "milder.toml", "now.toml"]


def test_the_table(site: Path) -> None:
    shown = replay(site, str(site / "mail"), "--compare", str(site / "milder.toml")).stdout
    assert "1-ham" not in shown
    assert "2 messages: 1 get another answer, 0 only other points" in shown
    assert "reject → accept (labelled): 1" in shown


def test_what_was_decided_then_and_today(site: Path) -> None:
    store = Store(load(site / "now.toml").quarantine)
    kept = new("1m83ha1t0ndg89r7")
    store.put(kept)
    store.close()
    (row, _) = rows(replay(site, kept.id, "--json"))
    assert (row["before"]["action"], row["before"]["score"]) == ("quarantine", kept.report.score)
    assert (row["after"]["action"], row["after"]["score"]) == ("accept", 0.0)


def test_a_running_daemon(site: Path) -> None:
    program = Program(
        [sys.executable, "-m", "filterd", "run", "--config", site / "now.toml"],
        site,
        {"NOTIFY_SOCKET": ""},
    )
    program.start(lambda: listens(site / "s"))
    mail = str(site / "mail")
    # It does what its settings say.
    *found, told = rows(replay(site, mail, "--against", "daemon", "--json", "--all"))
    assert [(row["before"]["action"], row["after"]["action"]) for row in found] == [
        ("accept", "accept"),
        ("reject", "reject"),
    ]
    assert [row["after"]["score"] for row in found] == [0.0, 1000.0]
    assert told["summary"]["actions_differ"] == told["summary"]["only_scores_differ"] == 0
    # And it is the side that counts as before where others are compared with it.
    other = str(site / "milder.toml")
    (row, _) = rows(replay(site, mail, "--against", f"unix:{site}/s", "--compare", other, "--json"))
    assert (row["before"]["action"], row["after"]["action"]) == ("reject", "accept")
    assert row["changes"] == ["GTUBE 1000.0→6.0"]
    assert len(list((site / "q").glob("*/*.eml"))) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["mail"], 64, "--compare or --against"),
        (["mail", "--against", "daemon"], 69, "no filter answers there"),
        (["mail", "--against", "here"], 69, "expected unix:/path"),
        (["mail", "--compare", "none.toml"], 78, "none.toml"),
        (["1m83ha1t0ndg89r7"], 66, "no such file or folder"),
        (["what/is.this", "--compare", "milder.toml"], 66, "no such file or folder"),
        (["empty", "--compare", "milder.toml"], 66, "no message was found"),
    ],
)
def test_what_cannot_be(
    site: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, says: str
) -> None:
    monkeypatch.chdir(site)
    (site / "empty").mkdir()
    result = replay(site, *arguments)
    assert result.exit_code == status
    assert says in result.stderr
    assert "Traceback" not in result.output
