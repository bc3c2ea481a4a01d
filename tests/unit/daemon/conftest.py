"""One daemon for the tests of a module that leave it as it was, and fresh ones for the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.daemon import NewDaemon, RunningDaemon
from tests.helpers.process import folder


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with folder("daemon") as path:
        running = RunningDaemon(path)
        try:
            yield running.start()
        finally:
            running.process.stop()


@pytest.fixture(scope="module")
def patient_daemon() -> Iterator[RunningDaemon]:
    """One that no filter is too slow for."""
    with folder("daemon") as path:
        running = RunningDaemon(path, timeout=200.0, filter_timeout=100.0)
        try:
            yield running.start()
        finally:
            running.process.stop()


@pytest.fixture
def new_daemon() -> Iterator[NewDaemon]:
    """Start a daemon with settings of the test's own (see `running.DEFAULTS`)."""
    with folder("daemon") as path:
        started = []

        def start(**settings: object) -> RunningDaemon:
            running = RunningDaemon(path, **settings)
            started.append(running)
            return running.start()

        yield start
        for running in started:
            running.process.kill()
