"""`filterd doctor` looks at the state of greylisting, rates and recipients."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from filterd.config.assembly import site_state
from filterd.config.load import Settings, load
from filterd.doctor.findings import Finding, Level
from filterd.doctor.state import state
from filterd.filters.rates.counting import RateCounts
from filterd.filters.rates.settings import RefusedShare
from tests.helpers.process import folder
from tests.helpers.servers.redis_server import RedisServer


def site(place: Path, url: str = "", filters: str = '"greylist", "rates"') -> Settings:
    file = place / "filterd.toml"
    file.write_text(
        f'[chain]\nfilters = [{filters}]\n[quarantine]\nfolder = "q"\n[state]\nurl = "{url}"\n'
        '[filters.rates]\non_error = "continue"\n'
    )
    return load(file)


def test_who_needs_no_state_has_none(tmp_path: Path) -> None:
    assert list(state(site(tmp_path, "unix:///nonexistent", '"gtube"'))) == []


def test_a_file_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    settings = site(tmp_path)
    assert list(state(settings)) == [
        Finding(Level.OK, "state", "its file can be used by greylist, rates")
    ]
    assert not (tmp_path / "q").exists()


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    settings = site(tmp_path)
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "state.sqlite3").mkdir()
    (found,) = state(settings)
    assert (found.level, found.about) == (Level.FAIL, "state")
    assert "is not a file" in found.found
    assert "greylist: tempfail, rates: continue" in found.advice


def test_a_server_that_is_away(tmp_path: Path) -> None:
    (found,) = state(site(tmp_path, "redis://:secret@127.0.0.1:1/0"))
    assert found.level is Level.FAIL
    assert "state.url: " in found.found
    assert "secret" not in found.found


def test_whose_mail_is_held(tmp_path: Path) -> None:
    settings = site(tmp_path)
    opened = site_state(settings)
    RateCounts(opened).judge(RefusedShare(messages=1), "joe smith", True, time.time())
    _, found = state(settings)
    assert (found.level, found.about) == (Level.WARN, "rates")
    assert found.found == "mail of user joe smith is held: 1 of 1 messages in 3600 s refused"
    assert found.advice.endswith("filterd rates free user 'joe smith'")
    opened.close()


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ((), Level.OK),
        (("--maxmemory", "50mb", "--maxmemory-policy", "noeviction"), Level.OK),
        (("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"), Level.WARN),
    ],
)
def test_a_server_that_forgets(tmp_path: Path, options: tuple[str, ...], level: Level) -> None:
    pytest.importorskip("redis", reason="redis is not installed")
    with folder("redis-doctor") as place:
        server = RedisServer(place, *options)
        server.start()
        settings = site(tmp_path, server.url)
        (found,) = state(settings)
        assert found.level is level
        assert ("allkeys-lru" in found.found) is (level is Level.WARN)
        site_state(settings).close()
        server.stop()
