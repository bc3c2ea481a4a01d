"""Fixtures: real servers, started once for all tests of a run where a test cannot spoil them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.process import folder
from tests.helpers.servers.clamav_milter import ClamavMilter
from tests.helpers.servers.clamd import Clamd
from tests.helpers.servers.filterd import Filterd
from tests.helpers.servers.mta import MTAS, Mta
from tests.helpers.servers.opendkim import Opendkim

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts real servers."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def clamd() -> Iterator[Clamd]:
    """clamd that knows EICAR."""
    with folder("clamd") as path:
        server = Clamd(path)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def clamav_milter(clamd: Clamd) -> Iterator[ClamavMilter]:
    """clamav-milter in front of that clamd."""
    with folder("clamav-milter") as path:
        server = ClamavMilter(path, clamd.socket)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def opendkim() -> Iterator[Opendkim]:
    """opendkim that signs for client.example."""
    with folder("opendkim") as path:
        server = Opendkim(path)
        server.start()
        yield server
        server.stop()


RULES = """
[[policy.rules]]
name = "label only"
recipients = ["sue@mx.example.test"]
at_most = "accept"

[[policy.rules]]
name = "never refuse"
recipients = ["max@mx.example.test"]
at_most = "quarantine"
"""
"""joe has the defaults, sue gets everything labelled, max's spam is held."""


@pytest.fixture(scope="session")
def filterd(clamd: Clamd) -> Iterator[Filterd]:
    """The daemon with clamd and RULES."""
    with folder("daemon") as path:
        server = Filterd(path, clamd.socket, RULES)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session", params=MTAS)
def mta(request: pytest.FixtureRequest, filterd: Filterd) -> Iterator[Mta]:
    """Each MTA in front of that daemon."""
    with folder(request.param) as path:
        server = MTAS[request.param](path, filterd=f"unix:{filterd.socket}")
        server.start()
        yield server
        server.stop()
