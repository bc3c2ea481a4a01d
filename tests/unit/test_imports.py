"""The rooms' import directions, read from the sources: an arrow that points up fails here."""

from __future__ import annotations

import ast
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
    "durable": {"privileges"},
    "sqlite": {"durable"},
    "toml_lines": set(),
    "ids": set(),
    "marks": {"message"},
    "samples": set(),
    "settings_text": {"config", "filters", "chain", "daemon"},
    "folders": {"config"},
    "filters": {"bounded", "durable", "message", "verdict", "bayes", "paths"},
    "bayes": {"bounded", "child", "durable", "message", "paths"},
    "chain": {"message", "verdict", "filters", "budget", "marks"},
    "policy": {"message", "verdict"},
    "labels": {"message", "verdict", "policy"},
    "pipeline": {"message", "verdict", "chain", "policy", "labels"},
    "quarantine": {"bounded", "durable", "message", "verdict", "paths", "marks", "sqlite"},
    "history": {"bounded", "durable", "message", "sqlite"},
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
    "digest": {"bounded", "config", "labels", "marks", "message", "quarantine"},
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
