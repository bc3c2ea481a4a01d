"""A store that is away, locked, full or damaged: a StateError that names the setting, no password,
and mail that goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from filterd.state.availability import RETRY_SECONDS, Availability
from filterd.state.facts import Addition, SharedState, StateError, StateFullError, StateKey
from filterd.state.opening import open_state
from filterd.state.settings import StateSettings
from filterd.system.mistakes import SettingsError
from tests.helpers.clock import Clock
from tests.helpers.postgresql import emptied
from tests.helpers.process import folder
from tests.helpers.servers.redis_server import RedisServer

pytestmark = pytest.mark.slow

NOW = 1_700_000_000.0
KEY = StateKey("greylist", "one")


def in_file(file: Path, **settings: object) -> SharedState:
    return open_state(StateSettings(**settings), file)  # type: ignore[arg-type]


def filled(state: SharedState, most: int, lifetime: float = 1000) -> int:
    """Make entries until there is no room; how many there were."""
    for number in range(most):
        try:
            state.touch(StateKey("greylist", f"{number} " + "x" * 240), NOW, lifetime, "y" * 900)
        except StateFullError:
            return number
    raise AssertionError("there is no limit")


def test_settings_that_cannot_be_used() -> None:
    with pytest.raises(SettingsError, match=r"url: is not a URL; .*prefix: is not a word"):
        StateSettings(url="localhost:6379", prefix="a b")


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:1/0", "unix:///nonexistent/socket"])
def test_a_server_that_is_away(url: str, tmp_path: Path) -> None:
    state = open_state(StateSettings(url=url), tmp_path / "unused")
    for _ in range(2):
        with pytest.raises(StateError, match=r"^state\.url: ") as caught:
            state.touch(KEY, NOW, 10)
        assert "secret" not in str(caught.value)
    state.close()


def test_a_url_that_no_library_understands(tmp_path: Path) -> None:
    for url in ("redis://host:port/0", "mysql://u:secret@host/name", "postgresql+psycopg://["):
        with pytest.raises(StateError, match=r"^state\.url: ") as caught:
            open_state(StateSettings(url=url), tmp_path / "unused").get([KEY], NOW)
        assert "secret" not in str(caught.value)


def test_a_server_whose_host_or_socket_is_called_valkey(tmp_path: Path) -> None:
    for url, place in (
        ("valkey://mx-state.example:6380/2", {"host": "mx-state.example", "port": 6380, "db": 2}),
        ("valkeys://valkey.mx.example/0", {"host": "valkey.mx.example"}),
        ("redis://valkey:6379/0", {"host": "valkey"}),
        ("unix:///run/valkey/valkey.sock?db=1", {"path": "/run/valkey/valkey.sock"}),
    ):
        state: Any = open_state(StateSettings(url=url), tmp_path / "unused")
        found = state._redis.connection_pool.connection_kwargs
        assert {name: found[name] for name in place} == place


def test_a_server_that_went_and_came_back() -> None:
    with folder("redis-away") as place:
        server = RedisServer(place)
        server.start()
        state = open_state(StateSettings(url=server.url), place / "unused")
        clock = Clock()
        state._availability = Availability(clock=clock)  # type: ignore[attr-defined]
        state.touch(KEY, NOW, 10)
        server.stop()
        with pytest.raises(StateError):
            state.get([KEY], NOW)
        server.start()
        with pytest.raises(StateError):
            state.get([KEY], NOW)  # it is not asked
        clock.now += RETRY_SECONDS
        assert state.get([KEY], NOW) == [None]
        state.close()


def test_a_server_that_is_silent() -> None:
    with folder("redis-silent") as place:
        server = RedisServer(place)
        server.start()
        state = open_state(StateSettings(url=server.url, timeout=0.2), place / "unused")
        state.touch(KEY, NOW, 10)
        server.process.signal(signal.SIGSTOP)
        with pytest.raises(StateError, match=r"^state\.url: .*[Tt]ime"):
            state.get([KEY], NOW)
        server.process.signal(signal.SIGCONT)
        state.close()


def test_a_full_server_tells_what_it_has() -> None:
    with folder("redis-full") as place:
        server = RedisServer(place, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
        server.start()
        state = open_state(StateSettings(url=server.url), place / "unused")
        state.touch(KEY, NOW, 10)
        filled(state, 20_000)
        assert state.get([KEY], NOW) != [None]
        with pytest.raises(StateFullError, match=r"state\.url: the server has no memory left"):
            state.add([Addition(KEY, 60)], NOW)
        state.close()


def test_a_value_that_somebody_else_wrote(redis: str, tmp_path: Path) -> None:
    import redis as library

    with library.Redis.from_url(redis) as client:
        client.set("filterd:entry:greylist:one", b"\xff what")
        client.set("filterd:count:greylist:60:one", b"? ? ?")
    state = open_state(StateSettings(url=redis), tmp_path / "unused")
    state._availability = Availability(clock=Clock())  # type: ignore[attr-defined]
    with pytest.raises(StateError, match="an entry that filterd did not write"):
        state.get([KEY], NOW)
    assert state.touch(KEY, NOW, 10).count == 1
    state._availability = Availability(clock=Clock())  # type: ignore[attr-defined]
    with pytest.raises(StateError, match="a count is there that filterd did not write"):
        state.windows([(KEY, 60)])
    state._availability = Availability(clock=Clock())  # type: ignore[attr-defined]
    assert state.add([Addition(KEY, 60)], NOW).windows[0].at(NOW) == 1
    state.close()


def test_sites_that_share_a_server_differ_by_their_prefix(redis: str, tmp_path: Path) -> None:
    one, other = (
        open_state(StateSettings(url=redis, prefix=prefix), tmp_path) for prefix in ("a", "b")
    )
    one.touch(KEY, NOW, 1000)
    assert other.get([KEY], NOW) == [None]
    assert other.entries("greylist", NOW, 10) == []
    for state in (one, other):
        state.close()


def test_a_full_file_has_room_again_when_entries_expire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.state.tables.EXPIRE_SECONDS", 0.0)
    file = tmp_path / "state.sqlite3"
    state = in_file(file, size_limit=1)
    state.put(KEY, NOW, 1000, "waits")
    many = filled(state, 5000, lifetime=100)
    assert many > 100
    assert file.stat().st_size <= 1 << 20
    found = state.get([KEY], NOW)[0]
    assert found is not None and found.value == "waits"
    with pytest.raises(StateFullError, match=r"state\.sqlite3: .*full"):
        state.touch(StateKey("greylist", "new" + "x" * 200), NOW + 101, 10, "y" * 1000)
    # That attempt has deleted what had expired.
    assert state.touch(StateKey("greylist", "new"), NOW + 101, 10).count == 1
    assert state.get([KEY], NOW + 101) != [None]
    state.close()


def test_a_locked_file(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    state = in_file(file, timeout=0.1)
    state.touch(KEY, NOW, 1000)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert state.get([KEY], NOW) != [None]
    with pytest.raises(StateError, match=r"state\.sqlite3: database is locked"):
        state.touch(KEY, NOW, 1000)
    other.execute("COMMIT")
    other.close()
    assert state.touch(KEY, NOW, 1000).count == 2
    state.close()


def test_a_damaged_file_is_kept_and_a_new_one_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.sqlite3"
    for _ in range(4):
        file.write_bytes(b"This is not a database. " * 400)
        state = in_file(file)
        state._availability = Availability(clock=Clock())  # type: ignore[attr-defined]
        with pytest.raises(StateError, match=r"state\.sqlite3: .*; it is kept as state\.sqlite3\."):
            state.touch(KEY, NOW, 10)
        state._availability = Availability(clock=Clock())  # type: ignore[attr-defined]
        assert state.touch(KEY, NOW, 10).count == 1
        state.close()
        file.unlink()
    assert len(list(tmp_path.glob("state.sqlite3.broken-*"))) == 2


def test_a_folder_that_is_missing_is_made_and_one_that_cannot_be_is_an_error(
    tmp_path: Path,
) -> None:
    state = in_file(tmp_path / "new" / "state.sqlite3")
    assert state.touch(KEY, NOW, 10).count == 1
    assert (tmp_path / "new" / "state.sqlite3").stat().st_mode & 0o777 == 0o600
    state.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="File exists"):
        in_file(tmp_path / "file" / "state.sqlite3").touch(KEY, NOW, 10)


@pytest.mark.parametrize("state", ["sqlite", "redis", "postgresql"], indirect=True)
def test_processes_that_are_forked_before_it_is_used(state: SharedState) -> None:
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                for _ in range(25):
                    state.touch(KEY, NOW, 1000)
                    state.add([Addition(KEY, 60)], NOW)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    entry = state.get([KEY], NOW)[0]
    assert entry is not None and entry.count == 100
    assert state.windows([(KEY, 60)])[0].at(NOW) == 100


def test_what_another_host_is_writing_does_not_hinder_expiry(
    postgresql: str, tmp_path: Path
) -> None:
    url = emptied(postgresql)
    state = open_state(StateSettings(url=url, timeout=0.5), tmp_path / "unused")
    for name in ("one", "other", "third"):
        state.touch(StateKey("greylist", name), NOW, 10)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE state_entry SET count = 2 WHERE name = 'other'"))
        assert state.expire(NOW + 11) == 2
    assert state.expire(NOW + 11) == 1
    engine.dispose()
    state.close()


def test_availability_asks_again_after_a_while() -> None:
    clock = Clock()
    gate = Availability(clock=clock)
    with pytest.raises(StateError, match="away"), gate.attempt():
        raise StateError("away")
    for passed, asked in ((0.0, False), (RETRY_SECONDS - 1, False), (1.0, True)):
        clock.now += passed
        reached = False
        try:
            with gate.attempt():
                reached = True
        except StateError as error:
            assert str(error) == "away"
        assert reached is asked


def test_threads_and_processes_that_write_at_the_same_time_all_get_their_turn(
    tmp_path: Path,
) -> None:
    """More of them than SQLite's own lock would serve."""
    state = in_file(tmp_path / "state.sqlite3", timeout=20.0)
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            status = 1
            try:
                with ThreadPoolExecutor(16) as pool:
                    list(pool.map(lambda _: state.touch(KEY, NOW, 1000), range(200)))
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 2
    entry = state.get([KEY], NOW)[0]
    assert entry is not None and entry.count == 400
    state.close()
