"""The folder of `filterd demo`: its own is emptied, any other is left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import typer

from filterd.cli.common import Exit
from filterd.cli.demo import demo
from filterd.lab.demo import MARKER, prepare


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and the one line."""
    with pytest.raises(typer.Exit) as caught:
        demo(folder=folder)
    said = capsys.readouterr().err
    assert said.startswith("filterd: ")
    assert said.count("\n") == 1
    return caught.value.exit_code, said


def test_its_own_is_emptied(tmp_path: Path) -> None:
    prepare(tmp_path / "demo")
    (tmp_path / "demo/old").touch()
    prepare(tmp_path / "demo")
    assert [path.name for path in (tmp_path / "demo").iterdir()] == [MARKER]


def test_any_other_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").touch()
    assert refused(tmp_path, capsys)[0] == Exit.USAGE
    assert (tmp_path / "mine").exists()


def test_one_that_root_left_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path / "demo")

    def denied(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder / "clamd.log"))

    monkeypatch.setattr(shutil, "rmtree", denied)
    status, said = refused(tmp_path / "demo", capsys)
    assert status == Exit.CANNOT_CREATE
    assert f"{tmp_path}/demo again: Permission denied" in said
    assert "--folder" in said


def test_a_place_where_none_can_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    status, said = refused(tmp_path / "file/demo", capsys)
    assert status == Exit.CANNOT_CREATE
    assert "Not a directory" in said
