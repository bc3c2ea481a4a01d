"""Whether tests notice a change: they are run with it, up to the first that fails.

The slow way (`Trials.slowly`) holds for every change: a process is forked, imports everything that
is ours, with the changed code in place of the module's file, and runs all tests.

The quick way (`Trials.quickly`) is for changes within functions, most of them. One process has
collected the tests and knows which lines each runs. It is forked for a change; the functions that
exist get the changed code, and only the tests that run the changed statement are run, the shortest
first. What is not noticed so is tried the slow way before it counts.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.machinery
import json
import math
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, Literal, TextIO

import pytest
from hypothesis import Phase, settings
from hypothesis.errors import InvalidArgument

from bench.mutations.changes import Change

Ended = Literal["passed", "noticed", "hangs"]
"""`hangs`: it took far more processor time than the tests do unchanged, or waited for something
that did not come. That is noticed as well."""

TIME_FACTOR = 10.0
"""Times the processor time of the unchanged tests that a change has."""

TIME_LEAST = 3.0
"""Seconds of processor time that it has in any case."""

STILL = 30.0
"""Seconds without any use of the processor until a process is taken to wait in vain."""

MEMORY = 4 << 30
"""Octets of data of one process: a changed loop may fill a list without end."""

OPTIONS = (
    "-x -q -p no:xdist -p no:cacheprovider -p no:schemathesis"
    " --hypothesis-seed=0 --hypothesis-profile=mutations"
)

OURS = ("filterd", "tests", "bench", "conftest", "__main__")
"""Top names that are not imported before a process is forked for a slow trial."""


class TestsFailError(Exception):
    """The tests fail without a change."""


class Trials:
    """Trials of the changes of some modules with some tests. folder: for files meanwhile."""

    def __init__(self, wanted: Sequence[Change], tests: Sequence[str], folder: Path) -> None:
        """Raises TestsFailError."""
        self._wanted = wanted
        self._tests = tests
        self._folder = folder
        self._seconds = 0.0
        self._durations: dict[str, float] = {}
        for _ in range(2):
            # The second time as quick as it will be.
            file = folder / "unchanged.json"
            status, self._seconds = _waited(self._start(None, math.inf, file))
            if status != "passed":
                raise TestsFailError
            modules, self._durations = json.loads(file.read_text())
            _preload(modules)

    def slowly(self, change: Change) -> Ended:
        """Run all tests, the shortest first."""
        return _twice(lambda: self._start(change, _limit(self._seconds)))

    def _start(self, change: Change | None, seconds: float, file: Path | None = None) -> int:
        """file: for the names of the modules that were loaded, and the tests' durations."""

        def run() -> int:
            if change is not None:
                _replace(change)
            order = _Sorted(self._durations)
            status = _pytest(self._tests, self._folder / "slow", order)
            if file is not None:
                file.write_text(json.dumps([sorted(sys.modules), order.durations]))
            return status

        return _forked(run, seconds, self._folder / "slow")

    @contextlib.contextmanager
    def quickly(self) -> Iterator[Callable[[int], Ended]]:
        """A function that tries the change with that index. Raises TestsFailError."""
        (read, asked), (told, answer) = os.pipe(), os.pipe()

        def run() -> int:
            os.close(asked)
            with os.fdopen(read) as questions, os.fdopen(answer, "w") as answers:
                collected = _Collected(self._wanted, questions, answers, self._folder / "quick")
                return _pytest(self._tests, self._folder / "quick", collected)

        pid = _forked(run, math.inf, self._folder / "quick")
        os.close(read)
        os.close(answer)
        with os.fdopen(asked, "w") as questions, os.fdopen(told) as answers:

            def ask(index: int) -> Ended:
                print(index, file=questions, flush=True)
                ended = answers.readline().strip()
                if not ended:
                    raise TestsFailError
                return ended  # type: ignore[return-value]

            try:
                yield ask
            finally:
                with contextlib.suppress(BrokenPipeError):
                    questions.close()
                _waited(pid)


@dataclass(frozen=True, slots=True)
class _Reach:
    """What one test runs. seconds: its processor time."""

    item: pytest.Item
    seconds: float
    lines: Mapping[str, Collection[int]]

    def has(self, change: Change) -> bool:
        first, last = change.lines
        return any(first <= line <= last for line in self.lines.get(str(change.path), ()))


class _Collected:
    """A plugin of pytest: in place of running the tests once, tries the changes that it is asked
    for."""

    def __init__(
        self, wanted: Sequence[Change], questions: TextIO, answers: TextIO, folder: Path
    ) -> None:
        self._wanted = wanted
        self._questions = questions
        self._answers = answers
        self._folder = folder
        self._paths = {str(change.path) for change in wanted}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reaches = list(self._reaches(session))
        functions = defaultdict(list)
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename in self._paths:
                functions[one.__code__].append(one)
        gc.freeze()
        for question in self._questions:
            change = self._wanted[int(question)]
            found = sorted((r for r in reaches if r.has(change)), key=lambda reach: reach.seconds)
            swaps = [(one, new) for old, new in change.swaps for one in functions[old]]
            ended = self._tried(session, found, swaps) if found and swaps else "passed"
            print(ended, file=self._answers, flush=True)
        return True

    def _tried(
        self,
        session: pytest.Session,
        reaches: Sequence[_Reach],
        swaps: Sequence[tuple[FunctionType, CodeType]],
    ) -> Ended:
        def run() -> int:
            for function, code in swaps:
                function.__code__ = code
            return _run(session, [reach.item for reach in reaches])

        limit = _limit(sum(reach.seconds for reach in reaches))
        return _twice(lambda: _forked(run, limit, self._folder))

    def _reaches(self, session: pytest.Session) -> Iterator[_Reach]:
        """Run all tests unchanged, in a process that is forked as those of the changes are."""
        file = self._folder.with_suffix(".json")

        def run() -> int:
            tracer = _Tracer(self._paths)
            status = _run(session, session.items, tracer.of_one_test)
            file.write_text(json.dumps(tracer.found))
            return status

        status, _ = _waited(_forked(run, math.inf, self._folder))
        if status != "passed":
            raise TestsFailError
        for item, (seconds, lines) in zip(session.items, json.loads(file.read_text()), strict=True):
            yield _Reach(item, seconds, lines)


def _run(
    session: pytest.Session,
    items: Sequence[pytest.Item],
    around: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
) -> int:
    """Run tests up to the first that fails: 0, or 1 if one did."""
    for item, after in zip(items, [*items[1:], None], strict=True):
        with around():
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        if session.testsfailed:
            return 1
    return 0


class _Tracer:
    """Notes the lines of some files that run. found: for each test its processor time, and lines
    by file."""

    def __init__(self, paths: Collection[str]) -> None:
        self.found: list[tuple[float, dict[str, list[int]]]] = []
        self._paths = paths
        self._lines: dict[str, set[int]] = {}

    @contextlib.contextmanager
    def of_one_test(self) -> Iterator[None]:
        self._lines = {path: set() for path in self._paths}
        started = time.process_time()
        threading.settrace(self._called)
        sys.settrace(self._called)
        yield
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        seconds = time.process_time() - started
        self.found.append((seconds, {path: sorted(all) for path, all in self._lines.items()}))

    def _called(self, frame: FrameType, _event: str, _value: object) -> Any:
        return self._ran if frame.f_code.co_filename in self._paths else None

    def _ran(self, frame: FrameType, event: str, _value: object) -> Any:
        if event == "line":
            self._lines[frame.f_code.co_filename].add(frame.f_lineno)
        return self._ran


class _Sorted:
    """A plugin of pytest: runs the shortest tests first. durations: in seconds, by name."""

    def __init__(self, known: Mapping[str, float]) -> None:
        self.durations: dict[str, float] = {}
        self._known = known

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._known.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.durations[report.nodeid] = self.durations.get(report.nodeid, 0.0) + report.duration


class _Profile:
    """A plugin of pytest: hypothesis neither shrinks what fails nor remembers it for the next."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self) -> None:
        try:
            parent = settings.get_profile("quick")
        except InvalidArgument:
            parent = settings.get_profile("default")
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutations", parent, database=None, phases=phases)


def _pytest(tests: Sequence[str], folder: Path, *plugins: object) -> int:
    options = [*OPTIONS.split(), f"--basetemp={folder}/tests"]
    return int(pytest.main([*options, *tests], [_Profile(), *plugins]))


def _replace(change: Change) -> None:
    """Have Python import the changed code."""
    original = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        ours = loader.get_filename(name) == str(change.path)
        return change.code if ours else original(loader, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]


def _preload(names: Sequence[str]) -> None:
    """Import what is not ours, for the processes that are forked."""
    for name in names:
        if name.split(".")[0] not in OURS:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _limit(seconds: float) -> float:
    return max(TIME_FACTOR * seconds, TIME_LEAST)


def _forked(run: Callable[[], int], seconds: float, folder: Path) -> int:
    """Start a process that ends with the status that `run` returns. Its id.

    seconds: of processor time until the kernel ends it. folder: an empty one is made for it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if pid := os.fork():
        return pid
    status = 70
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        whole = resource.RLIM_INFINITY
        most = whole if math.isinf(seconds) else math.ceil(seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (most, whole))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, whole))
        # What it leaves behind goes with the folder.
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
        status = run()
    finally:
        os._exit(status)


def _waited(pid: int) -> tuple[Ended, float]:
    """Wait for a process, and end those it has left behind. How it ended; its processor time."""
    used, still = -1, 0.0
    with os.fdopen(os.pidfd_open(pid)) as end:
        while not select.select([end], [], [], STILL / 6)[0]:
            before, used = used, _clock_ticks(pid)
            # One that only wakes to look at the clock waits, too.
            still = still + STILL / 6 if used - before <= 1 else 0.0
            if still >= STILL:
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    seconds = usage.ru_utime + usage.ru_stime
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return "hangs", seconds
    return ("passed" if status == 0 else "noticed"), seconds


def _twice(start: Callable[[], int]) -> Ended:
    """How it ended with a change, which is noticed if tests fail twice: on a busy machine one with
    a time limit in it may fail by chance."""
    ended, _ = _waited(start())
    if ended == "noticed":
        ended, _ = _waited(start())
    return ended


def _clock_ticks(pid: int) -> int:
    """Processor time of a process and of its children that ended (proc(5): utime to cstime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))
