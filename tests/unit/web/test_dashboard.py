"""The dashboard tells what the status has, whatever that is."""

from __future__ import annotations

import dataclasses
import re
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
from filterd.web.summaries import FRESH, SummaryCache
from tests.helpers.process import wait_for
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
    before = [(t - week, action) for t, action in came[:2]] + [(now - week + 1200, "quarantine")]
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


def noted(site: Site, *fields: dict[str, object]) -> None:
    """Records of the last minute."""
    site.state.history.add(
        [record(f"r{n}", time.time() - 60, **one) for n, one in enumerate(fields)]
    )


def counted(site: Site, path: str = "/?days=7") -> str:
    """The page once the summary is there."""
    return wait_for(
        "the summary",
        lambda: text if "Counted " in (text := text_of(site.get(path))) else "",
    )


def test_what_it_was_and_from_whom(site: Site) -> None:
    noted(
        site,
        {"action": "accept", "sender": "ann@a.test", "recipients": ("joe@mx.example",)},
        {"action": "accept", "sender": "ann@a.test", "labelled": True},
        {
            "action": "reject",
            "virus": "Eicar",
            "sender": "bad@b.test",
            "client": "b.test[192.0.2.9]",
            "milliseconds": {"clamav": 30.0, "bayes": 10.0},
            "failures": {"rules": "timeout: 5 s"},
        },
    )
    site.log_in()
    page = counted(site)
    assert "clean 1 (33.3 %)" in page
    assert "labelled 1 (33.3 %)" in page
    assert "virus 1 (33.3 %)" in page
    assert "ann@a.test 2 1 bad@b.test 1 1" in page
    assert "192.0.2.9 1 1" in page
    assert "joe@mx.example 1 0" in page
    assert "clamav 75 % 30.0 ms 30 ms 0" in page
    assert "rules 0 % 0.0 ms 0 ms 1" in page
    assert "The history begins" in page


@pytest.mark.parametrize("sender", ["caf\udce9@a.test", "\ud800@a.test", "\x00\u202e@a.test"])
def test_a_sender_of_no_charset_does_not_end_the_page(site: Site, sender: str) -> None:
    noted(site, {"action": "reject", "sender": sender})
    site.log_in()
    assert "@a.test 1 1" in counted(site)


def test_what_is_counted_is_shown_again_and_then_counted_anew(site: Site) -> None:
    noted(site, {"action": "accept"})
    site.log_in()
    clock = [time.time()]
    site.state.summaries = SummaryCache(lambda: site.state.history, lambda: clock[0])
    counted(site)
    site.state.history.add([record("later", time.time() - 30, action="reject")])
    assert "refused 0" in counted(site)
    clock[0] += FRESH
    wait_for("the new count", lambda: "refused 1" in counted(site))


def test_a_long_time_begins_at_midnight_where_the_reader_is(site: Site) -> None:
    noted(site, {"action": "accept"})
    site.log_in()
    for name in ("Asia/Tokyo", "America/New_York"):
        site.browser.cookies.set("zone", name)
        page = site.get("/?days=7").text
        found = re.search(r'<div class="times"><span>(.*?)</span>', page)
        assert found
        assert found[1].endswith(" 00:00"), found[1]


def test_releases_that_failed_say_what_to_do(site: Site) -> None:
    id = site.put()
    site.log_in()
    assert "Releases that failed" not in text_of(site.get("/"))
    site.post(f"/message/{id}/release", to="joe@mx.example")
    assert site.state.actions.store.delivery_state(id).state == "failed", "nobody listens there"
    page = site.get("/")
    assert "Releases that failed 1 message" in text_of(page)
    assert 'href="/quarantine?state=failed"' in page.text
