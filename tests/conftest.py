"""For all tests: hypothesis without a clock, and a word at the end about servers not found."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from filterd.system.child import SAFE_PATH

END_LIMIT = 60.0
"""Seconds within which Python ends after the last test."""

# Two busy cores make any single example slow now and then; a deadline would fail at random, and so
# would the check of how long it takes to make examples. The other checks do not look at the clock.
settings.register_profile(
    "filterd", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
# For `make unit`: where a test does not say how many examples it needs.
settings.register_profile("quick", settings.get_profile("filterd"), max_examples=20)
settings.load_profile("filterd")

# A test process holds a million objects from the start to its end: looking through them again and
# again for what can go takes time, and finds nothing.
gc.set_threshold(100_000, 20, 20)


def pytest_collection_finish() -> None:
    """What is there once all tests are known stays."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: where several processes test, none is left with it at the
    end while the others have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI everything that a test needs is there: a skipped test is a failed one.

    But for tests of mail that the project does not contain (FILTERD_SHARED).
    """
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        reason = str(report.longrepr)
        if "FILTERD_SHARED" not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where several processes test, tell the first one what was missing in this one."""
    from tests.helpers.process import missing

    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["missing"] = dict(missing)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """One of several processes has ended: hear what was missing there."""
    from tests.helpers.process import missing

    missing.update(getattr(node, "workeroutput", {}).get("missing", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was missing: a skipped test that nobody notices is no test."""
    from tests.helpers.process import missing

    if missing:
        terminalreporter.section("not tested, servers are missing")
        for program, package in sorted(missing.items()):
            terminalreporter.line(f"{program}: package {package}")
        terminalreporter.line("as root: scripts/setup-system.sh test")


@pytest.hookimpl(wrapper=True)
def pytest_unconfigure(config: pytest.Config) -> Generator[None, None, None]:
    """What nobody uses goes here, once: pytest would look through all objects five times.

    A thread that a test has left behind would keep Python from ending: say where it stands, and
    fail. Where several processes test, each waits for the last one, which takes as long as it
    does; the first one ends them all.
    """
    gc.collect()
    gc.freeze()
    yield
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(END_LIMIT, exit=True, file=sys.__stderr__)


@pytest.fixture(autouse=True)
def logging_of_one_test() -> Iterator[None]:
    """What a test's program does to the root logger ends with the test: a handler that stays would
    write to a stream that is closed by then, and say so in the next test's output."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = [
        handler
        for handler in root.handlers
        if handler in before or type(handler).__module__.startswith("_pytest")
    ]
    root.setLevel(level)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long octets are named by their length: compressed ones have the time in them, and processes
    that share the tests must call them alike."""
    if isinstance(val, bytes) and len(val) > 20:
        return f"{argname}-of-{len(val)}-octets"
    return None


@pytest.fixture(autouse=True)
def module_path_of_one_test() -> Iterator[None]:
    """A command that runs in the tests' own process leaves the current folder out of its children's
    module path (filterd.system.child); the tests' own children find `tests` there."""
    before = {name: os.environ.get(name) for name in (SAFE_PATH, "PYTHONPATH")}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a fresh database of a server of our own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    # With SQLAlchemy: too much for the process that only hands out tests.
    from tests.helpers.postgresql import AbsentError
    from tests.helpers.postgresql import postgresql as server

    with ExitStack() as stack:
        try:
            url = stack.enter_context(server())
        except AbsentError as error:
            pytest.skip(str(error))
        yield url
