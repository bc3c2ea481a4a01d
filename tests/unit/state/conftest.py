"""A state in each store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.state.facts import SharedState
from filterd.state.opening import open_state
from filterd.state.settings import StateSettings
from filterd.state.trial import TrialState
from tests.helpers.postgresql import emptied
from tests.helpers.process import folder
from tests.helpers.servers.redis_server import HAS_VALKEY, RedisServer, ValkeyServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One for all tests."""
    pytest.importorskip("redis", reason="redis is not installed")
    with folder("redis") as place:
        server = RedisServer(place)
        server.start()
        yield server


@pytest.fixture
def redis(redis_server: RedisServer) -> str:
    """The URL of an empty database."""
    import redis as library

    with library.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """One for all tests."""
    pytest.importorskip("redis", reason="redis is not installed")
    with folder("valkey") as place:
        server = ValkeyServer(place)
        server.start()
        yield server


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> str:
    """The same of a Valkey server."""
    import redis as library

    with library.Redis(port=valkey_server.port) as client:
        client.flushall()
    return valkey_server.url


@pytest.fixture(
    params=["sqlite", "redis", *(["valkey"] if HAS_VALKEY else []), "postgresql", "trial"]
)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedState]:
    """Each store in turn."""
    if request.param == "trial":
        yield TrialState()
        return
    url = ""
    if request.param in ("redis", "valkey"):
        url = request.getfixturevalue(request.param)
    elif request.param == "postgresql":
        url = emptied(request.getfixturevalue("postgresql"))
    opened = open_state(StateSettings(url=url), tmp_path / "state.sqlite3")
    yield opened
    opened.close()
