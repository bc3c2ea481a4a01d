"""DNS lists that are switched off for a while, as status and metrics tell of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.assembly import site_state
from filterd.config.load import Settings, load
from filterd.filters.dnslists.health import ListHealth
from filterd.filters.dnslists.resting import RestingLists
from filterd.ops.dns_lists import DnsListStatus, dns_list_status
from filterd.ops.status import status
from filterd.state.facts import StateError
from tests.helpers.clock import Clock
from tests.helpers.metrics import metrics

NOW = 1_700_000_000.0


@pytest.fixture
def site(tmp_path: Path) -> Settings:
    config = tmp_path / "filterd.toml"
    config.write_text(
        f'[daemon]\nsocket = "unix:{tmp_path}/none"\n[quarantine]\nfolder = "{tmp_path}/q"\n'
        '[chain]\nfilters = ["dnslists"]\n[[filters.dnslists.lists]]\nzone = "One.Example"\n'
        'symbol = "ONE"\n[[filters.dnslists.lists]]\nzone = "two.example"\nsymbol = "TWO"\n'
    )
    return load(config)


def up(settings: Settings) -> dict[str, float]:
    return {
        sample.labels["list"]: sample.value
        for sample in metrics(settings)
        if sample.name == "filterd_dns_list_up"
    }


def test_nothing_rests_before_anything_was_asked(site: Settings) -> None:
    assert dns_list_status(site) == (DnsListStatus("one.example"), DnsListStatus("two.example"))
    assert up(site) == {"one.example": 1, "two.example": 1}
    assert not (site.quarantine.folder / "state.sqlite3").exists()


def test_what_one_process_has_switched_off_is_told_by_another(
    site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, clock = site_state(site), Clock()
    clock.now = NOW
    lists = RestingLists(lambda: state, clock)
    health = ListHealth("one.example", failures=1, rest=60, resting=lists, clock=clock)
    health.failed("no answer")
    health.failed("no answer")
    (one, two) = dns_list_status(site, clock.now)
    assert (one, two) == (
        DnsListStatus("one.example", "no answer", NOW + 60),
        DnsListStatus("two.example"),
    )
    told = status(site, clock).warnings
    assert "DNS list one.example is not asked for 60 s: no answer" in told
    monkeypatch.setattr("time.time", clock)
    assert up(site) == {"one.example": 0, "two.example": 1}
    clock.now += 60
    assert up(site) == {"one.example": 1, "two.example": 1}
    # Once more, for longer; then it answers.
    health.refused("it lists everything")
    assert dns_list_status(site, clock.now)[0].until == clock.now + 120
    clock.now += 119
    assert up(site)["one.example"] == 0
    clock.now += 1
    health.answered()
    assert dns_list_status(site, clock.now)[0] == DnsListStatus("one.example")
    state.close()


def test_a_list_rests_also_where_nobody_can_be_told(caplog: pytest.LogCaptureFixture) -> None:
    def away() -> None:
        raise StateError("state.url: refused")

    clock = Clock()
    lists = RestingLists(away, clock)  # type: ignore[arg-type]
    health = ListHealth("one.example", failures=1, rest=60, resting=lists, clock=clock)
    health.failed("no answer")
    assert health.resting == "no answer"
    clock.now += 60
    health.answered()
    assert caplog.text.count("state.url: refused") == 2


def test_of_a_state_that_cannot_be_read_nothing_is_known(site: Settings) -> None:
    site.quarantine.folder.mkdir()
    (site.quarantine.folder / "state.sqlite3").write_bytes(b"This is not a database. " * 400)
    assert up(site) == {"one.example": 1, "two.example": 1}
