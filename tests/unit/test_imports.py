"""The rooms' import directions, read from the sources and compared with scripts/rooms.toml."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

# Reads every module, and starts programs; `make check` runs it.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "filterd"

_spec = importlib.util.spec_from_file_location("rooms", ROOT / "scripts" / "rooms.py")
assert _spec is not None and _spec.loader is not None
rooms = importlib.util.module_from_spec(_spec)
sys.modules["rooms"] = rooms
_spec.loader.exec_module(rooms)

TABLE = rooms.table()

IO_MODULES = {"asyncio", "socket", "selectors", "ssl", "subprocess", "Milter", "milter"}


def modules() -> Iterator[tuple[str, Path]]:
    """Room and file of every module."""
    for module, path in rooms.modules(PACKAGE).items():
        if room := rooms.room_of(module, TABLE):
            yield room, path


def imported(path: Path) -> Iterator[str]:
    """Names of all modules that a file imports, of whatever package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_imports_point_down() -> None:
    assert rooms.forbidden(PACKAGE, TABLE) == []


def test_the_table_allows_no_more_than_is_needed() -> None:
    assert rooms.unused(PACKAGE, TABLE) == []


def test_every_module_is_in_a_room_of_the_table() -> None:
    loose = {path.name for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__.py", "__main__.py"}
    assert {room for room, _path in modules()} == set(TABLE)


def test_a_room_says_what_it_is_for() -> None:
    for room in TABLE:
        folder = PACKAGE / room
        path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), room


def test_an_arrow_that_points_up_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "rooms.toml"
    table.write_text(
        '[low]\npurpose = ""\nimports = ["high"]\n[high]\npurpose = ""\nimports = []\n'
    )
    with pytest.raises(ValueError, match=r"\[low\] imports high, which is not above it"):
        rooms.table(table)


def test_what_is_not_in_the_table_is_found(tmp_path: Path) -> None:
    table = tmp_path / "rooms.toml"
    table.write_text(
        '[low]\npurpose = ""\nimports = []\n'
        '[high]\npurpose = ""\nimports = []\n'
        '["high/lab"]\npurpose = ""\nimports = []\nnever = []\n'
        '[top]\npurpose = ""\nimports = ["low", "high/lab"]\nnever = ["high/lab"]\n'
    )
    package = tmp_path / "filterd"
    for room, text in {
        "low": "def f():\n    from filterd.high import lab\n",
        "high": "",
        "high/lab": "import filterd.low\n",
        "top": "",
        "new": "from filterd.low import x\n",
    }.items():
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").write_text(text)
    assert rooms.forbidden(package, rooms.table(table)) == [
        "filterd.high.lab:1: high/lab may not import low",
        "filterd.low:2: low may not import high/lab",
        "filterd.new: new is not a room of rooms.toml",
        "rooms.toml: [top] must not load high/lab, but reaches it",
    ]


def test_the_design_shows_the_table() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert rooms.with_table(text, TABLE) == text, "run scripts/rooms.py --design"


@pytest.mark.parametrize(
    "path",
    [path for room, path in modules() if not TABLE[room].io],
    ids=lambda path: str(path.relative_to(PACKAGE)),
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
    "chain/chain.py": "what a filter raises, its `on_error` answers",
    "chain/stage_chain.py": "what a filter raises at a stage, its `on_error` answers",
    "chain/descriptions.py": "what a filter says wrong of its symbols is left out",
    "bayes/site/shadow.py": "a candidate model must not cost the one in force its opinion",
    "cli/pipeline.py": "a pipeline of the site's own",
    "daemon/session.py": "a callback of libmilter: the message is deferred",
    "workers/forked.py": "a fork server ends here",
    "workers/forkserver.py": "a worker ends here; a filter that cannot start",
    "workers/stage_server.py": "a thread of a stage process: nobody waits for it longer",
    "ops/json_socket.py": "whoever asks is told of an internal error",
    "daemon/monitor.py": "the message has its answer already",
    "daemon/stages.py": "the same, where filters are told of it",
    "system/periodic.py": "the next run goes on",
    "scanners/together.py": "raised again where the call is waited for",
    "history/recorder.py": "the history's thread goes on",
    "mta/queue/manager.py": "the message stays queued, and nobody is served again",
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


HEAVY = {"numpy", "scipy", "sklearn", "libarchive", "oletools", "sqlalchemy"}


def loaded(script: str, *arguments: object) -> set[str]:
    """Names of the modules that a process has loaded at the end of the script."""
    script += "\nimport sys\nprint(*sys.modules, sep='\\n')"
    command = [sys.executable, "-P", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def running_filters(modules: set[str]) -> set[str]:
    """Those of the modules in which filters are, and what they need to run."""
    return {name for name in modules if re.match(r"filterd\.filters\.\w+\.filter$", name)}


def settings_file(folder: Path, chain: Sequence[str]) -> Path:
    path = folder / "filterd.toml"
    path.write_text(
        f'[chain]\nfilters = {json.dumps(chain)}\n[quarantine]\nfolder = "{folder}"\n'
        f'[filters.parts]\naction = "score"\n[[filters.parts.rules]]\nkinds = []\n'
        f'[filters.bayes]\nmodels = "{folder}"\n[filters.sklearn]\n[filters.clamav]\n'
    )
    return path


ALL_FILTERS = ("senders", "gtube", "parts", "clamav", "bayes", "sklearn")


def test_settings_are_read_without_filters(tmp_path: Path) -> None:
    """What a command pays that only wants to know where the daemon's socket is."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom filterd.config.load import load\n"
        "assert len(load(Path(sys.argv[1])).filters) == 6"
    )
    modules = loaded(script, settings_file(tmp_path, ALL_FILTERS))
    assert not modules & HEAVY
    assert running_filters(modules) == set()


def test_the_filters_of_the_chain_are_loaded_when_they_are_built(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom filterd.config.load import load\n"
        "from filterd.config.assembly import build_pipeline\n"
        "build_pipeline(load(Path(sys.argv[1])), keeping=False)"
    )
    modules = loaded(script, settings_file(tmp_path, ["senders", "clamav"]))
    assert running_filters(modules) == {
        "filterd.filters.senders.filter",
        "filterd.filters.clamav.filter",
    }
    assert not modules & HEAVY


def test_what_the_daemon_process_loads(tmp_path: Path) -> None:
    """Neither a filter nor what filters need, whatever the chain; as ADR 1 says."""
    script = (
        "import sys\nfrom pathlib import Path\nimport filterd.daemon.server\n"
        "from filterd.config.assembly import FailureKeeper\n"
        "from filterd.config.load import load\n"
        "FailureKeeper(load(Path(sys.argv[1])))\n"
    )
    modules = loaded(script, settings_file(tmp_path, ALL_FILTERS))
    assert not modules & HEAVY
    assert running_filters(modules) == set()
    assert not {name for name in modules if name.startswith("filterd.bayes.model.")}


def test_a_worker_with_the_classifier_loads_no_database(tmp_path: Path) -> None:
    """The training journal is for who learns."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom filterd.config.load import load\n"
        "from filterd.config.assembly import build_pipeline\nimport filterd.workers.worker\n"
        "build_pipeline(load(Path(sys.argv[1])), keeping=False).chain.prepare()"
    )
    modules = loaded(script, settings_file(tmp_path, ["bayes"]))
    assert "filterd.filters.bayes.filter" in modules
    assert modules & HEAVY == {"numpy"}


@pytest.mark.parametrize("command", ["learn", "train", "model"])
def test_the_journals_database_is_loaded_when_something_is_learned(command: str) -> None:
    assert "sqlalchemy" not in loaded(f"import filterd.cli.{command}")


@pytest.mark.parametrize("command", ["check", "reload", "quarantine"])
def test_what_small_commands_load(command: str) -> None:
    modules = loaded(f"import filterd.cli.{command}")
    assert not modules & (HEAVY - {"sqlalchemy"})
    assert running_filters(modules) == set()


@pytest.mark.parametrize("command", ["history", "status"])
def test_what_loads_no_database_before_it_knows_of_one(command: str) -> None:
    assert not loaded(f"import filterd.cli.{command}") & HEAVY


def test_the_overview_of_commands_loads_next_to_nothing() -> None:
    assert not loaded("import filterd.cli") & (HEAVY | {"pydantic", "typer"})


def test_what_a_scrape_of_the_metrics_loads(tmp_path: Path) -> None:
    """The daemon answers it, and stays light."""
    script = (
        "import sys\nfrom pathlib import Path\nimport filterd.daemon.exporter\n"
        "import filterd.ops.status\nfrom filterd.config.load import load\n"
        "load(Path(sys.argv[1]))\n"
    )
    modules = loaded(script, settings_file(tmp_path, ALL_FILTERS))
    assert not modules & (HEAVY - {"sqlalchemy"})
    assert running_filters(modules) == set()


SHARED = {"helpers", "hostile", "transcripts"}
"""Folders of tests from which others may import; what else two folders need is moved to helpers."""


def imports_of_tests(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every module below `tests` that a file imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            below = [f"{module}.{alias.name}" for alias in node.names]
            names = [module, *(name for name in below if is_module(name))]
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "tests")


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_nobody_imports_from_a_test_module() -> None:
    """Helper code lives in tests/helpers: a change of one test must not break another."""
    bad = []
    for folder in ("tests", "bench", "scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            at = path.relative_to(ROOT)
            for line, name in imports_of_tests(path):
                suite, module = name.split(".")[1:2], name.split(".")[-1]
                if not is_module(name):
                    bad.append(f"{at}:{line}: there is no {name}")
                elif module.startswith("test_") or module == "conftest":
                    bad.append(f"{at}:{line}: {name} is a test module")
                elif suite and suite[0] not in SHARED and suite[0] != at.parts[1]:
                    bad.append(f"{at}:{line}: {name} belongs to other tests")
    assert bad == [], "helper code lives in tests/helpers"
