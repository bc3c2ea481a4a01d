"""Wheel and source distribution: complete, with and without a compiler, pinned by hashes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from filterd import __version__
from tests.helpers.messages import GTUBE

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.minutes]

ROOT = Path(__file__).parents[3]


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wheel", ROOT / "scripts/wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the files as they are now."""
    work = tmp_path_factory.mktemp("sdist")
    tree = work / "tree"
    without = shutil.ignore_patterns("*.so", "__pycache__")
    for name in ("filterd", "models"):
        shutil.copytree(ROOT / name, tree / name, ignore=without)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree)
    return script.source(tree, work)


@pytest.fixture(scope="module", params=["with a compiler", "without"])
def wheel(
    sdist: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[Path, bool]:
    """A wheel of it, and whether there was a compiler."""
    compiled = request.param == "with a compiler"
    work = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CC", raising=False)
        if not compiled:
            patch.setenv("PATH", str(work))
        return script.wheel(sdist, work), compiled


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


def test_no_file_of_the_program_is_left_out(wheel: tuple[Path, bool]) -> None:
    """Only the compiler's input and its types serve nobody who runs the program."""
    names = names_in(wheel[0])
    ours = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "filterd").rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".so", ".c", ".pyi")
    }
    assert ours - names == set()
    assert f"filterd-{__version__}.data/data/share/filterd/models/starter.fdm" in names


def test_the_compiled_loops_are_there_if_there_was_a_compiler(wheel: tuple[Path, bool]) -> None:
    path, compiled = wheel
    assert any(name.endswith(".so") for name in names_in(path)) is compiled


def test_it_runs_in_an_empty_environment(wheel: tuple[Path, bool], tmp_path: Path) -> None:
    path, compiled = wheel
    empty = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", empty], check=True)
    python = empty / "bin/python"
    done = subprocess.run(
        [python, "-c", "import filterd"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode != 0
    options = ["-q", "--python", python, "install", "--no-index", "--no-deps", "--no-compile"]
    subprocess.run([sys.executable, "-m", "pip", *options, path], check=True)
    # The other packages are those of the tests; an environment of its own would take 400 MB.
    (site,) = empty.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [empty / "bin/filterd", *words],
            cwd=tmp_path,
            env={"PATH": os.defpath, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
            input=stdin,
            capture_output=True,
            check=False,
        )

    assert run("--version").stdout == f"filterd {__version__}\n".encode()
    assert b"GTUBE" in run("scan", "-", stdin=b"Subject: x\n\n" + GTUBE + b"\n").stdout
    where = subprocess.run(
        [python, "-c", "import filterd; print(filterd.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(site))
    (tmp_path / "filterd.toml").write_text('[chain]\nfilters = ["bayes"]\n')
    told = run("doctor").stdout
    assert (b"without its compiled loops" in told) is not compiled


LOCK = """\
# a comment
numpy==2.4.6 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
pymilter==1.0.5 \\
    --hash=sha256:cc
"""


def test_the_lock_beside_them_has_the_hashes_of_what_was_built(tmp_path: Path) -> None:
    ours = [tmp_path / "filterd-0.1.0.tar.gz", tmp_path / "filterd-0.1.0-cp311-cp311-linux.whl"]
    built = tmp_path / "pymilter-1.0.5-cp311-cp311-linux.whl"
    for path in (*ours, built):
        path.write_text(path.name)
    sums = [script.digest(path) for path in (*ours, built)]

    text = script.requirements(LOCK, ours, [built])

    assert text.splitlines()[1:] == [
        "--find-links .",
        "filterd==0.1.0 \\",
        f"    --hash={sums[0]} \\",
        f"    --hash={sums[1]}",
        "numpy==2.4.6 \\",
        "    --hash=sha256:aa \\",
        "    --hash=sha256:bb",
        "pymilter==1.0.5 \\",
        "    --hash=sha256:cc \\",
        f"    --hash={sums[2]}",
    ]
    assert script.constraints(text).splitlines()[1:] == [
        "--find-links .",
        "filterd==0.1.0",
        "numpy==2.4.6",
        "pymilter==1.0.5",
    ]


def test_a_wheel_that_the_lock_does_not_name_ends_the_build(tmp_path: Path) -> None:
    ours = [tmp_path / "filterd-0.1.0.tar.gz"]
    other = tmp_path / "other-1-py3-none-any.whl"
    for path in (*ours, other):
        path.write_text(path.name)
    with pytest.raises(SystemExit, match=r"not in product\.txt: other"):
        script.requirements(LOCK, ours, [other])
