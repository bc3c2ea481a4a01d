"""`filterd clamd`: reload and stats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.helpers.scanner import Scanner, clean


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    config = folder / "filterd.toml"
    config.write_text(
        '[chain]\nfilters = ["clamav"]\n[filters.clamav]\n'
        f'server = ["unix:{folder}/a", "unix:{folder}/b"]\n'
    )
    done = CliRunner().invoke(_typer(), [*words, "--config", str(config)])
    return done.exit_code, done.stdout, done.stderr


def _typer() -> object:
    from filterd.cli.clamd import app

    return app


def test_all_read_their_signatures_again(tmp_path: Path) -> None:
    with Scanner(clean, tmp_path / "a"), Scanner(clean, tmp_path / "b"):
        status, out, err = run(tmp_path, "reload")
    assert (status, err) == (0, "")
    assert out == "".join(f"unix:{tmp_path}/{n} reads its signatures again\n" for n in "ab")


def test_one_that_refuses_and_one_that_is_away(tmp_path: Path) -> None:
    with Scanner(clean, tmp_path / "a", says={}):
        status, out, err = run(tmp_path, "reload")
        assert (status, out) == (69, "")
        assert "unix:" in err
        assert "COMMAND UNAVAILABLE" in err
        assert "No such file" in err
        status, out, _err = run(tmp_path, "reload", "--json")
        assert [bool(json.loads(line)["error"]) for line in out.splitlines()] == [True, True]


@pytest.mark.parametrize("words", [("stats",), ("stats", "--json")])
def test_what_each_says(tmp_path: Path, words: tuple[str, ...]) -> None:
    with Scanner(clean, tmp_path / "a"):
        status, out, err = run(tmp_path, *words)
    assert status == 69
    if "--json" in words:
        first, second = map(json.loads, out.splitlines())
        assert (first["number"], first["stats"]["queue"]) == (27450, 4)
        assert second["error"]
    else:
        assert "1.4.3/27450, signatures" in out
        assert "2 of 12 threads at work, 4 scans waiting" in out
        assert "No such file" in err
