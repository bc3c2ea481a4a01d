"""The rooms' import directions, read from the sources: an arrow that points up fails here."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "filterd"

# Room (a folder or a module of the package) → the rooms that it may import. A room may always
# import itself. `*` is everything: those put the parts together.
ALLOWED: dict[str, set[str]] = {
    "message": set(),
    "milter": set(),
    "verdict": set(),
    "bounded": set(),
    "budget": set(),
    "child": set(),
    "paths": set(),
    "privileges": set(),
    "clock": set(),
    "durable": {"privileges"},
    "sqlite": {"durable"},
    "toml_lines": set(),
    "ids": set(),
    "words": set(),
    "marks": {"bounded", "message"},
    "samples": set(),
    "settings_text": {"config", "filters", "chain", "daemon"},
    "folders": {"config", "privileges"},
    "replies": {"verdict"},
    "filters": {"bounded", "durable", "message", "replies", "verdict", "bayes", "paths"},
    "bayes": {"bounded", "child", "durable", "message", "paths"},
    "chain": {"message", "verdict", "filters", "budget", "marks"},
    "policy": {"message", "replies", "verdict"},
    "labels": {"message", "verdict", "policy"},
    "pipeline": {"budget", "message", "replies", "verdict", "chain", "policy", "labels"},
    "quarantine": {
        "clock",
        "words",
        "bounded",
        "durable",
        "message",
        "verdict",
        "paths",
        "marks",
        "sqlite",
    },
    "history": {"words", "bounded", "durable", "message", "sqlite"},
    "mta": {"bounded", "milter"},
    "config": {
        "bounded",
        "filters",
        "chain",
        "daemon",
        "labels",
        "policy",
        "quarantine",
        "history",
        "digest",
        "mta",
        "web",
        "bayes",
        "toml_lines",
        "paths",
    },
    "assembly": {
        "history",
        "bayes",
        "config",
        "paths",
        "marks",
        "chain",
        "pipeline",
        "policy",
        "quarantine",
        "message",
        "verdict",
        "filters",
    },
    "examiner": {
        "assembly",
        "budget",
        "chain",
        "child",
        "config",
        "daemon",
        "message",
        "policy",
        "verdict",
    },
    "desk": {"config", "examiner", "bayes", "filters", "ids", "message", "quarantine"},
    "status": {
        "assembly",
        "bayes",
        "config",
        "control",
        "daemon",
        "filters",
        "history",
        "quarantine",
    },
    "control": {"bounded", "config", "daemon"},
    "doctor": {
        "bounded",
        "clock",
        "folders",
        "web",
        "history",
        "quarantine",
        "assembly",
        "bayes",
        "config",
        "control",
        "daemon",
        "filters",
        "mta",
        "status",
    },
    "replay": {
        "assembly",
        "bayes",
        "config",
        "daemon",
        "history",
        "ids",
        "labels",
        "message",
        "mta",
        "quarantine",
    },
    "digest": {"words", "bounded", "config", "labels", "marks", "message", "quarantine"},
    "daemon": {"*"},
    "cli": {"*"},
    "web": {"*"},
}

# The settings of the daemon are a value like those of any room; config may read only them.
CONFIG_MAY_READ_OF_DAEMON = {"filterd.daemon.settings"}
CONFIG_MAY_READ_OF_WEB = {"filterd.web.settings"}

IO_MODULES = {"asyncio", "socket", "selectors", "ssl", "subprocess", "Milter", "milter"}
ROOMS_WITHOUT_IO = {"message", "milter", "verdict", "policy", "labels", "bayes"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if len(relative.parts) == 1 and relative.name in ("__init__.py", "__main__.py"):
            continue
        yield relative.parts[0].removesuffix(".py"), path


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; names are written in full here"
            assert node.module is not None
            if node.module == "filterd":
                yield from (f"filterd.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize(("room", "path"), list(modules()), ids=lambda value: str(value)[-40:])
def test_imports_point_down(room: str, path: Path) -> None:
    assert room in ALLOWED, f"{path}: {room} is no room of the design; add it to the table"
    allowed = ALLOWED[room] | {room, "__version__"}
    for name in imported(path):
        if not name.startswith("filterd.") or "*" in allowed:
            continue
        target = name.split(".")[1]
        assert target in allowed, f"{path}: {room} imports {name}, which is above or beside it"
        if room == "config" and target == "daemon":
            assert name in CONFIG_MAY_READ_OF_DAEMON, f"{path}: imports {name}"
        if room == "config" and target == "web":
            assert name in CONFIG_MAY_READ_OF_WEB, f"{path}: imports {name}"


@pytest.mark.parametrize(
    "path", [p for room, p in modules() if room in ROOMS_WITHOUT_IO], ids=lambda p: str(p)[-40:]
)
def test_rooms_without_io_do_none(path: Path) -> None:
    for name in imported(path):
        assert name.split(".")[0] not in IO_MODULES, f"{path}: a room without I/O imports {name}"


def test_only_the_daemon_imports_pymilter() -> None:
    for room, path in modules():
        if room != "daemon":
            names = set(imported(path))
            assert not names & {"Milter", "milter"}, f"{path}: imports pymilter"


# Where an exception of any kind ends, and why it may. A broad `except` elsewhere raises again.
BROAD = {
    "chain.py": "what a filter raises, its `on_error` answers",
    "bayes/shadow.py": "a candidate model must not cost the one in force its opinion",
    "cli/pipeline.py": "a pipeline of the site's own",
    "daemon/session.py": "a callback of libmilter: the message is put off",
    "daemon/nursery.py": "a worker ends here; a filter that cannot start",
    "daemon/control.py": "whoever asks is told of an internal error",
    "daemon/vitals.py": "the message has its answer already",
    "history/recorder.py": "the history's thread goes on",
}


def test_broad_excepts_are_known_or_raise_again() -> None:
    found = set()
    for _room, path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            kinds = "BaseException" if node.type is None else ast.unparse(node.type)
            broad = {"Exception", "BaseException"} & set(kinds.strip("()").split(", "))
            if broad and not any(isinstance(one, ast.Raise) for one in ast.walk(node)):
                found.add(str(path.relative_to(PACKAGE)))
    assert found == set(BROAD)


LOADED = """
import sys
import filterd.daemon.server
from pathlib import Path
from filterd.assembly import FailureKeeper
from filterd.config import load
FailureKeeper(load(Path(sys.argv[1])))
print(*sorted(name for name in sys.argv[2:] if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("chain", "loaded"),
    [('["gtube"]', ""), ('["gtube", "parts", "bayes"]', "numpy")],
)
def test_what_the_daemon_process_loads(tmp_path: Path, chain: str, loaded: str) -> None:
    """As ADR 1 says."""
    config = tmp_path / "filterd.toml"
    config.write_text(f'[chain]\nfilters = {chain}\n[quarantine]\nfolder = "{tmp_path}"\n')
    heavy = ("numpy", "sklearn", "libarchive", "sqlalchemy")
    command = [sys.executable, "-P", "-c", LOADED, config, *heavy]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == loaded
