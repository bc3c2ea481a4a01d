"""A clock that is wrong, and a word that is: expiry does not throw everything away; it asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.cli.quarantine import app
from filterd.config.load import Settings
from filterd.doctor.findings import Level
from filterd.doctor.servers import store as doctor_store
from filterd.ops.status import quarantine_status
from filterd.quarantine import QuarantineSettings, Store
from filterd.quarantine.caution import DAY, FEW, state_of
from filterd.quarantine.expiry import expire
from filterd.quarantine.upkeep import Upkeep
from tests.helpers.entries import RECEIVED, new
from tests.helpers.reports import revised

pytestmark = pytest.mark.slow

NOW = RECEIVED.timestamp()


class Host:
    """A clock that can be set, and the time since the host was started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.up, self.started, self.unsynchronized = NOW, 1000.0, "first", False
        monkeypatch.setattr("filterd.system.clock.since_boot", lambda: self.up)
        monkeypatch.setattr("filterd.system.clock.boot", lambda: self.started)
        monkeypatch.setattr("filterd.system.clock.is_unsynchronized", lambda: self.unsynchronized)

    def __call__(self) -> float:
        return self.now

    def passes(self, days: float) -> None:
        self.now += days * DAY
        self.up += days * DAY

    def restarts(self, days: float = 0.0) -> None:
        """Off for some days, by the clock that it has afterwards."""
        self.now += days * DAY
        self.up, self.started = 10.0, self.started + " again"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def store_of(folder: Path, host: Host, messages: int = 10, **limits: float) -> Store:
    """One message a day, the newest now; expiry has run."""
    store = Store(QuarantineSettings(folder / "q", **limits), host)  # type: ignore[arg-type]
    for age in range(messages):
        received = RECEIVED - timedelta(days=age)
        store.put(revised(new(f"d{age}"), received=received))
    assert expire(store).doubt == ""
    return store


def kept(store: Store) -> int:
    return sum(1 for state, _ in store.index.states().values() if state != "expired")


Deed = Callable[[Host], object]

DOUBTS: dict[str, tuple[Deed, str]] = {
    "60 days ahead": (
        lambda host: setattr(host, "now", host.now + 60 * DAY),
        "the clock was set ahead by 60 days since the last expiry",
    ),
    "60 days ahead after a start": (
        lambda host: host.restarts(60),
        "nothing has come and no expiry has run for 60 days",
    ),
    "before the newest message": (lambda host: host.restarts(-1), "is before the newest message"),
    "not synchronised": (
        lambda host: (host.passes(28), setattr(host, "unsynchronized", True)),
        "the clock is not synchronised",
    ),
}


@pytest.mark.parametrize("deed", DOUBTS)
def test_a_clock_in_doubt_deletes_nothing_until_a_person_says_so(
    tmp_path: Path, host: Host, deed: str
) -> None:
    store = store_of(tmp_path, host, keep_days=30.0)
    if deed == "before the newest message":
        # Old ones are there that would have to go.
        received = RECEIVED - timedelta(days=40)
        store.put(revised(new("old"), received=received))
    before = kept(store)
    happens, words = DOUBTS[deed]
    happens(host)
    for _ in range(3):
        report = expire(store)
        assert words in report.doubt
        assert (report.expired, report.forgotten) == ((), 0)
    assert kept(store) == before
    settings = Settings(quarantine=store.settings)
    assert words in quarantine_status(settings).expiry
    (told,) = [f for f in doctor_store(settings) if f.level is Level.WARN]
    assert words in told.found
    assert "`filterd quarantine expire --yes`" in told.advice
    assert words in expire(store, dry_run=True).doubt
    assert kept(store) == before
    report = expire(store, confirmed=True)
    assert report.doubt == ""
    assert kept(store) < before
    assert quarantine_status(settings).expiry == ""


def test_what_is_honest_goes_without_a_word(tmp_path: Path, host: Host) -> None:
    store = store_of(tmp_path, host, keep_days=30.0)
    for _ in range(40):
        host.passes(1)
        assert expire(store).doubt == ""
    assert kept(store) == 0
    host.passes(400)  # nothing came, and the daemon slept with the host
    assert expire(store).doubt == ""


def test_a_confirmed_clock_is_believed_until_it_jumps(tmp_path: Path, host: Host) -> None:
    host.unsynchronized = True
    store = Store(QuarantineSettings(tmp_path / "q", keep_days=30.0), host)
    for age in (31, 32, 0):
        received = RECEIVED - timedelta(days=age)
        store.put(revised(new(f"d{age}"), received=received))
    assert "not synchronised" in expire(store).doubt
    assert len(expire(store, confirmed=True).expired) == 2
    host.passes(31)
    assert len(expire(store).expired) == 1
    store.put(revised(new("last"), received=RECEIVED + timedelta(days=31)))
    host.now += 60 * DAY
    assert "set ahead by 60 days" in expire(store).doubt


@pytest.mark.parametrize(
    ("limits", "going"),
    [({"keep_days": 0.5}, 39), ({"keep_messages": 10, "keep_days": 0}, 30)],
)
def test_more_than_half_at_once_is_asked_about(
    tmp_path: Path, host: Host, limits: dict[str, float], going: int
) -> None:
    store = store_of(tmp_path, host, messages=40, keep_days=100.0)
    strict = Store(QuarantineSettings(tmp_path / "q", **limits), host)  # type: ignore[arg-type]
    assert expire(strict).doubt == f"{going} of 40 messages would be deleted at once"
    assert kept(store) == 40
    assert len(expire(strict, confirmed=True).expired) == going


def test_few_may_go_though_they_are_all(tmp_path: Path, host: Host) -> None:
    store = store_of(tmp_path, host, messages=FEW - 1, keep_days=100.0)
    strict = Store(QuarantineSettings(tmp_path / "q", keep_days=0.001), host)
    host.passes(1)
    assert len(expire(strict).expired) == FEW - 1
    assert kept(store) == 0


def test_limits_of_number_and_size_need_no_clock(tmp_path: Path, host: Host) -> None:
    store_of(tmp_path, host, keep_days=100.0)
    host.unsynchronized = True
    fewer = Store(QuarantineSettings(tmp_path / "q", keep_days=5.0, keep_messages=8), host)
    report = expire(fewer)
    assert "the clock is not synchronised" in report.doubt
    assert [one.why for one in report.expired] == ["number", "number"]


def test_the_upkeep_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = QuarantineSettings(tmp_path / "q", keep_days=1.0)
    Store(settings).put(revised(new("old"), received=RECEIVED - timedelta(days=400)))
    monkeypatch.setattr("filterd.system.clock.is_unsynchronized", lambda: True)
    Upkeep(lambda: settings).once()
    assert "expiry is postponed: " in caplog.text
    assert "`filterd quarantine expire --yes` deletes it" in caplog.text
    assert kept(Store(settings)) == 1


def test_the_command_asks(tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(f'[quarantine]\nfolder = "{tmp_path / "q"}"\n', encoding="utf-8")
    store = Store(QuarantineSettings(tmp_path / "q"))
    store.put(revised(new("old"), received=RECEIVED - timedelta(days=400)))

    def ran(*options: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["expire", "--config", str(config), *options])
        return done.exit_code, done.output

    code, output = ran()
    assert code == 65
    assert "expiry is postponed: by the clock" in output
    code, output = ran("--dry-run")
    assert code == 0
    assert "1 message would expire" in output
    assert "this needs confirmation: by the clock" in output
    assert state_of(tmp_path / "q").put_off
    code, output = ran("--yes")
    assert (code, kept(store)) == (0, 0)
    assert "1 message expired" in output


def test_a_damaged_state_is_a_new_beginning(tmp_path: Path, host: Host) -> None:
    store = store_of(tmp_path, host, keep_days=30.0)
    for content in (b"", b"{", b"[]", b"[" * 100_000, b'{"time": "x"}', b"\xff"):
        (tmp_path / "q" / "expiry.json").write_bytes(content)
        assert expire(store).doubt == ""
        assert state_of(tmp_path / "q").time == host.now
