"""Folders whose contents are believed: who may own and write them."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.cli.app import _command
from filterd.config.load import ConfigError, load
from filterd.ops.folders import check_folders, private_folders, troubles
from tests.helpers.process import folder

pytestmark = pytest.mark.server


needs_root = pytest.mark.skipif(
    "os.geteuid() != 0", reason="only root gives files to others: run the tests as root"
)
NOBODY = pwd.getpwnam("nobody")


def said(path: Path) -> str:
    return "; ".join(one.found for one in troubles(path))


def test_a_folder_of_our_own(tmp_path: Path) -> None:
    own = tmp_path / "store"
    assert said(own) == ""
    own.mkdir(mode=0o700)
    assert said(own) == ""
    own.chmod(0o755)
    assert said(own) == ""


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o777, "world-writable"), (0o702, "world-writable"), (0o1777, "world-writable")],
)
def test_a_folder_that_everybody_writes(tmp_path: Path, mode: int, words: str) -> None:
    own = tmp_path / "store"
    own.mkdir()
    own.chmod(mode)
    assert words in said(own)


@needs_root
def test_a_folder_that_a_group_writes(tmp_path: Path) -> None:
    own = tmp_path / "store"
    own.mkdir()
    os.chown(own, -1, NOBODY.pw_gid)
    own.chmod(0o770)
    assert "can be written by group nogroup" in said(own)
    # A group of one user's own, as many systems give one; new folders are writable to it.
    os.chown(own, -1, 0)
    assert said(own) == ""


@needs_root
@pytest.mark.parametrize("strange", ["store/quarantine", "store", ""])
def test_a_folder_of_somebody_else_or_below_one(strange: str) -> None:
    with folder("owner") as path:
        own = path / "store" / "quarantine"
        own.mkdir(parents=True)
        assert said(own) == ""
        os.chown(path / strange, NOBODY.pw_uid, -1)
        assert "belongs to nobody" in said(own)
        # The same behind a link.
        (path / "link").symlink_to(own)
        assert "belongs to nobody" in said(path / "link")


def test_a_folder_in_one_that_everybody_writes(tmp_path: Path) -> None:
    above = tmp_path / "open"
    above.mkdir()
    above.chmod(0o777)
    assert "which is world-writable" in said(above / "store")
    # As /tmp: only its owner can rename what lies in it.
    above.chmod(0o777 | stat.S_ISVTX)
    assert said(above / "store") == ""


@pytest.mark.parametrize("name", ["daemon.spool", "quarantine.folder", "filters.bayes.models"])
def test_check_names_setting_and_folder(name: str, tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(
        f'[daemon]\nspool = "{tmp_path}/spool"\n[quarantine]\nfolder = "{tmp_path}/q"\n'
        f'[chain]\nfilters = ["bayes"]\n[filters.bayes]\nmodels = "{tmp_path}/models"\n'
    )
    settings = load(config)
    check_folders(settings)
    place = private_folders(settings)[name]
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(ConfigError, match=f"{name}: {place} is world-writable"):
        check_folders(settings)
    done = CliRunner().invoke(_command("check"), [f"--config={config}"])
    assert done.exit_code == 78
    assert f"{name}: {place} is world-writable; chmod o-w {place}" in done.output
