"""The Debian package, as far as it can be looked at without building it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from filterd.system import layout

ROOT = Path(__file__).parents[3]
DEBIAN = ROOT / "packaging/debian"


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_the_shell_can_read_its_scripts(name: str) -> None:
    script = DEBIAN / name
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.parametrize("name", ["build-deb-for", "first-hour", "installed-system"])
def test_the_scripts_that_make_systems_are_read_and_say_how_they_are_called(name: str) -> None:
    script = ROOT / "scripts" / f"{name}.sh"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], check=True)
    if name != "first-hour":
        done = subprocess.run([script, "--nothing"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.startswith(f"usage: {name}.sh ")) == (64, True)


def test_purge_removes_every_folder_of_the_layout() -> None:
    text = (DEBIAN / "postrm").read_text("utf-8")
    (removed,) = re.findall(r"rm -rf ((?:\S+ (?:\\\n\s*)?)*\S+)", text)
    gone = [Path(one) for one in removed.replace("\\\n", " ").split()]
    for folder in layout.FOLDERS:
        assert any(folder.path.is_relative_to(one) for one in gone), folder.path


def test_it_is_not_built_inside_of_the_checkout() -> None:
    inside = ROOT / "build" / "deb-test"
    done = subprocess.run(
        [ROOT / "scripts/build-deb.sh", inside], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "is inside of the checkout" in done.stderr) == (64, True)
    assert not inside.exists()
