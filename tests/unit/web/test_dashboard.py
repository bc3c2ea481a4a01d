"""The dashboard tells what the status has, whatever that is."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.ops.scanners import ClamdStatus, clamd_status
from filterd.ops.status import (
    DaemonStatus,
    FilterStatus,
    FlowStatus,
    ModelStatus,
    QuarantineStatus,
    Status,
)
from filterd.web.pages import dashboard
from tests.helpers.reports import record
from tests.helpers.scanner import Scanner, clean
from tests.helpers.site import Site, text_of

pytestmark = pytest.mark.slow

NOW = 1_800_000_000.0

WELL = Status(
    time=NOW,
    daemon=DaemonStatus(
        "unix:/x",
        True,
        version="1",
        pid=7,
        started=NOW,
        workers=4,
        idle=3,
        queue=1,
        in_flight=2,
        worker_deaths=0,
        history_lost=0,
        messages={"accept": 5},
    ),
    filters=(FilterStatus("bayes", 1234, 0, 2.25),),
    clamd=(ClamdStatus("unix:/y", "ClamAV 1.4", 27000, 0),),
    model=ModelStatus(3, 500, 700, 0, 0, 0.82),
    quarantine=QuarantineStatus({"held": 3}, 4096),
    flow=FlowStatus(messages={"accept": 40, "reject": 2}),
)


def told(site: Site, status: Status, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the page reads."""
    monkeypatch.setattr(dashboard, "status", lambda _settings, counts: status)
    site.log_in()
    answer = site.get("/")
    assert answer.status_code == 200
    return text_of(answer)


def test_the_week_before(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    now, hour = time.time(), 3600.0
    week = 7 * 24 * hour
    history = site.state.history
    came = [(now - hour, "accept"), (now - hour, "quarantine"), (now - 2 * hour, "quarantine")]
    history.add([record(f"a{n}", t, action=action) for n, (t, action) in enumerate(came)])
    text = told(site, WELL, monkeypatch)
    assert "accept 1 (33.3 %) quarantine 2 (66.7 %)" in text
    assert "eek before" not in text
    # What came later in that hour a week ago is not compared with what has not come yet.
    before = [(t - week, action) for t, action in came[:2]] + [(now - week + 5, "quarantine")]
    before += [(now - week - hour, "reject"), (now - week - 30 * hour, "accept")]
    history.add([record(f"b{n}", t, action=action) for n, (t, action) in enumerate(before)])
    text = text_of(site.get("/"))
    assert "accept 1 (33.3 %; week before 1) quarantine 2 (66.7 %; week before 1)" in text
    assert "reject 0 (0.0 %; week before 1)" in text
    assert "The week before: the same hours, seven days earlier" in text


def test_refusals_before_the_message(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = {"recipient": {"reject": 5, "tempfail": 1200}, "later": {"reject": 1}}
    daemon = dataclasses.replace(WELL.daemon, refusals=refusals)
    text = told(site, dataclasses.replace(WELL, daemon=daemon), monkeypatch)
    assert "refused before the message: RCPT reject 5, tempfail 1,200; later reject 1" in text


def test_all_is_well(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(site, WELL, monkeypatch)
    for words in (
        "Daemon answers",
        "4 workers, 3 idle, 1 message waiting",
        "Last hour 42 messages",
        "signatures of today",
        "ClamAV 1.4, signatures 27000",
        "82 % its own",
        "500 spam, 700 ham",
        "bayes 1,234 0 2.2 ms",
    ):
        assert words in text
    assert "died" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"daemon": DaemonStatus("unix:/x", False, "No such file")}, "unix:/x : No such file"),
        ({"daemon": DaemonStatus("unix:/x", True, silent="it is older")}, "it is older"),
        ({"daemon": dataclasses.replace(WELL.daemon, worker_deaths=2)}, "2 workers died"),
        ({"daemon": dataclasses.replace(WELL.daemon, history_lost=1)}, "1 message not in the hist"),
        ({"clamd": (ClamdStatus("unix:/y", error="refused"),)}, "unix:/y : refused"),
        ({"clamd": (ClamdStatus("unix:/y", "ClamAV", 1, 9),)}, "signatures 9 days old"),
        ({"clamd": (ClamdStatus("unix:/y", "ClamAV"),)}, "clamd answers"),
        ({"clamd": ()}, "nothing scans for viruses"),
        ({"model": ModelStatus(1, 12, 50, 38, 0, 0.0)}, "spam: 12, 38 missing ham: 50 until"),
        ({"model": ModelStatus(error="damaged")}, "not readable damaged"),
        (
            {"model": ModelStatus(3, 500, 700, 0, 0, 1.0, changed="2020-01-01T00:00:00+00:00")},
            "500 spam, 700 ham, last lesson ",
        ),
        ({"flow": FlowStatus(error="<switched off>")}, "unknown <switched off>"),
        ({"filters": ()}, "The chain is empty."),
        (
            {"filters": (FilterStatus("x", 1, 1, 0.1, {"timeout": 1}, NOW, "id1", "too slow"),)},
            ": too slow 1 1 0.1 ms",
        ),
    ],
)
def test_what_is_not(
    site: Site, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], said: str
) -> None:
    assert said in told(site, dataclasses.replace(WELL, **changes), monkeypatch)  # type: ignore[arg-type]


@pytest.mark.parametrize(("year", "is_bad"), [(2020, True), (2100, False)])
def test_an_old_database_is_red(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, year: int, is_bad: bool
) -> None:
    """From the words of a clamd to the page."""
    config = tmp_path / "clamd.toml"
    config.write_text(
        f'[chain]\nfilters = ["clamav"]\n[filters.clamav]\nserver = "unix:{tmp_path}/c"\n'
    )
    version = f"ClamAV 1.4.3/27450/Sat Nov 21 09:26:11 {year}\n".encode()
    with Scanner(clean, tmp_path / "c", version=version):
        clamd = clamd_status(load(config))
    monkeypatch.setattr(
        dashboard, "status", lambda _settings, counts: dataclasses.replace(WELL, clamd=clamd)
    )
    site.log_in()
    page = site.get("/").text
    card = page[page.index('id="t-clamd1"') :].partition("</section>")[0]
    assert ('class="big bad"' in card) is is_bad
    assert "2 of 12 threads at work, 4 scans waiting, 1321 MB" in card
