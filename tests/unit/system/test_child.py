"""Child processes take no module from the folder that filterd happens to be started in."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.bayes.lab.parallel import Readers
from filterd.chain.verdict import Action
from filterd.config.load import load
from filterd.daemon.autolearn_runner import Lessons
from filterd.lab.programs import Lab
from filterd.message import Message
from filterd.system.child import SAFE_PATH, keep_children_safe, python_command
from filterd.workers.generation import Generation
from filterd.workers.sandbox import scan

pytestmark = pytest.mark.server


ROOT = Path(__file__).resolve().parents[3]

# Modules that filterd's children, or the libraries that start some, import early.
STRANGERS = ("filterd", "joblib", "pydantic", "typer", "sitecustomize", "email")

STRANGER = """\
import os, sys
open({mark!r}, "a").write(f"{{__name__}} in {{sys.orig_argv}}\\n")
os._exit(3)
"""

SETTINGS = """\
[daemon]
socket = "unix:{folder}/s"
spool = "{folder}/spool"
[chain]
filters = ["gtube"]
[quarantine]
folder = "{folder}/quarantine"
[filters.bayes]
models = "{folder}/models"
[autolearn]
enabled = true
interval = 1
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with modules of somebody else's; their mark, which must never be there."""
    folder, mark = tmp_path / "foreign", tmp_path / "ran"
    for name in STRANGERS:
        package = folder / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(STRANGER.format(mark=str(mark)))
    monkeypatch.chdir(folder)
    # Set by `keep_children_safe`, also where a test calls what calls it: gone with the test.
    monkeypatch.setenv(SAFE_PATH, "")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    yield mark
    assert not mark.exists(), mark.read_text()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "filterd.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    return file


@pytest.mark.usefixtures("foreign")
def test_a_command_of_our_own() -> None:
    command = python_command("filterd", "--version")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("filterd ")


@pytest.mark.usefixtures("foreign")
def test_the_fork_server(config: Path) -> None:
    generation = Generation.start(config)
    assert list(generation.filters) == ["gtube"]
    generation.close()
    generation.await_end()


@pytest.mark.usefixtures("foreign")
def test_the_examiner_of_the_web_pages(config: Path) -> None:
    found = scan(load(config), Message(b"Subject: x\r\n\r\nx\r\n", id="x"))
    assert found.action is Action.ACCEPT


@pytest.mark.usefixtures("foreign")
def test_programs_of_demo_and_selftest(config: Path, tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        lab.filterd("daemon", "run", f"--config={config}", ready=(tmp_path / "s").exists)


@pytest.mark.usefixtures("foreign")
def test_the_learning_process(
    config: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 10.0, 20.0])
    lessons = Lessons(lambda: load(config), config, lambda: next(clock))
    monkeypatch.setattr(lessons, "_waiting", lambda _settings: True)
    lessons.once()
    assert "copies stay" not in caplog.text


@pytest.mark.usefixtures("foreign")
def test_readers_that_joblib_starts() -> None:
    assert Readers(jobs=2).map(abs, [-1, 2, -3]) == [1, 2, 3]


def test_an_empty_entry_of_the_module_path_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SAFE_PATH, "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/some/plugins", ""]))
    keep_children_safe()
    assert os.environ["PYTHONPATH"] == "/some/plugins"
    assert os.environ[SAFE_PATH] == "1"


def test_every_command_line_with_our_interpreter_leaves_the_current_folder_out() -> None:
    """Reads the sources: wherever `sys.executable` is used in a command, `-P` or `-I` follows."""
    bad = []
    folders = ("filterd", "bench", "scripts", "tests/helpers")
    for path in sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        safe = {id(use) for use in _safe_uses(tree)}
        bad += [
            f"{path.relative_to(ROOT)}:{use.lineno}"
            for use in ast.walk(tree)
            if _is_interpreter(use) and id(use) not in safe
        ]
    assert not bad, "use filterd.system.child.python_command"


def _is_interpreter(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"


def _safe_uses(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.List):
            for one, after in zip(node.elts, node.elts[1:], strict=False):
                # `-I` implies it; `*options` is `python_command` itself, which has the tests above.
                if ast.unparse(after) in ("'-P'", "'-I'", "*options"):
                    yield one
        elif isinstance(node, ast.JoinedStr):
            for part, after in zip(node.values, node.values[1:], strict=False):
                text = after.value if isinstance(after, ast.Constant) else ""
                if isinstance(part, ast.FormattedValue) and str(text).startswith(" -P "):
                    yield part.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("Path", "os.access"):
            # Looked at, not started: `Path(sys.executable).with_name("filterd")`.
            yield from node.args
