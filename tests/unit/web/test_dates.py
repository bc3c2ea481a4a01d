"""Days are those of the browser's time zone, right also where clocks change."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.system import zone
from filterd.system.display import exactly, when
from filterd.web.dates import PRESETS, days_of
from filterd.web.forms import moment_of, search_of
from tests.helpers.site import Site, text_of

BERLIN = zone.named("Europe/Berlin")
DAY = timedelta(days=1)


def utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("word", "today", "since", "until"),
    [
        ("today", date(2026, 11, 30), "11-29 23:00", "11-30 23:00"),
        ("yesterday", date(2026, 12, 1), "11-29 23:00", "11-30 23:00"),
        ("this-week", date(2026, 12, 2), "11-29 23:00", "12-06 23:00"),
        ("this-week", date(2026, 12, 6), "11-29 23:00", "12-06 23:00"),
        ("last-7-days", date(2026, 12, 6), "11-29 23:00", "12-06 23:00"),
        ("this-month", date(2026, 12, 31), "11-30 23:00", "12-31 23:00"),
        ("this-month", date(2027, 2, 28), "01-31 23:00", "02-28 23:00"),
        # The day on which clocks go forward has 23 hours, the one on which they go back 25.
        ("today", date(2026, 3, 29), "03-28 23:00", "03-29 22:00"),
        ("today", date(2026, 10, 25), "10-24 22:00", "10-25 23:00"),
        ("last-7-days", date(2026, 3, 30), "03-23 23:00", "03-30 22:00"),
        ("this-month", date(2026, 10, 1), "09-30 22:00", "10-31 23:00"),
    ],
)
def test_days_in_berlin(word: str, today: date, since: str, until: str) -> None:
    with zone.shown_in(BERLIN):
        assert tuple(map(utc, days_of(word, today))) == (since, until)


@given(
    st.dates(date(1990, 1, 1), date(2040, 12, 31)),
    st.sampled_from(
        # Midnight itself is left out on some days in some of them; one has half an hour.
        ["Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut", "Australia/Lord_Howe", "UTC"]
    ),
)
def test_one_day_ends_where_the_next_one_begins(day: date, name: str) -> None:
    with zone.shown_in(zone.named(name)):
        first, after = days_of("today", day)
        assert days_of("yesterday", day + DAY) == (first, after)
        assert 22.5 <= (after - first) / 3600 <= 25.5
        assert zone.local(first).date() == zone.local(after - 1).date() == day
        assert zone.local(first - 1).date() == day - DAY


def test_every_preset_has_a_meaning_and_nothing_else_has() -> None:
    for word in PRESETS:
        first, after = days_of(word, date(2026, 11, 30))
        assert first < after
    with pytest.raises(ValueError, match="accepted: today, yesterday"):
        days_of("tomorrow", date(2026, 11, 30))


@pytest.mark.parametrize(
    "name", ["", "Europe/Atlantis", "../../etc/passwd", "/etc/passwd", "Europe", "A" * 90, "a\0b"]
)
def test_a_zone_that_is_unknown(name: str) -> None:
    assert zone.named(name) is None


def test_times_are_read_and_shown_in_the_zone() -> None:
    with zone.shown_in(BERLIN):
        noon = moment_of("2026-07-01T12:00")
        assert noon == datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()
        assert when(noon) == "2026-07-01 12:00"
        assert exactly(noon) == "2026-07-01 12:00:00 +0200"
        assert moment_of("2026-07-01T12:00+00:00") == noon + 7200
        assert zone.name() == "Europe/Berlin"
    assert moment_of("2026-07-01T12:00") == datetime(2026, 7, 1, 12).astimezone().timestamp()


def test_a_preset_and_a_date_hold_both() -> None:
    today = search_of({"when": "today"}).query
    assert today.since is not None
    later = moment_of((date.today() - 3 * DAY).isoformat())
    assert (
        search_of({"when": "today", "since": (date.today() - 3 * DAY).isoformat()}).query == today
    )
    both = search_of({"when": "this-month", "until": (date.today() - 3 * DAY).isoformat()}).query
    assert both.until == later


@pytest.mark.slow
def test_the_pages_use_the_zone_of_the_browser(ann: Site) -> None:
    id = ann.put()
    received = ann.state.actions.store.get(id).received
    assert "Days and times are those of" in text_of(ann.get("/quarantine"))
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        ann.browser.cookies.set("zone", name)
        there = received.astimezone(ZoneInfo(name))
        text = text_of(ann.get("/quarantine"))
        assert f"Days and times are those of {name}." in text
        assert f"{there:%Y-%m-%d %H:%M}" in text
        day = there.date()
        found = [
            id in ann.get(f"/quarantine?since={day + n * DAY}&until={day + (n + 1) * DAY}").text
            for n in (-1, 0, 1)
        ]
        assert found == [False, True, False]
        assert f"{there:%Y-%m-%d %H:%M}" in text_of(ann.get(f"/message/{id}"))
    ann.browser.cookies.set("zone", "../nonsense")
    assert ann.get("/quarantine").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/quarantine", "/history", "/audit"])
def test_what_is_no_date_shows_nothing_and_says_why(ann: Site, path: str) -> None:
    id = ann.put(subject=b"m0")
    ann.get(f"/message/{id}")
    conditions = ["since=yesterday", "until=2026-13-01"]
    if path != "/audit":
        conditions.append("when=tomorrow")
    for condition in conditions:
        page = ann.get(f"{path}?{condition}").text
        assert "Nothing is shown: a condition above cannot be understood." in page, condition
        assert re.search(r'class="why" id="e-\w+">(no date; expected|accepted: today)', page)
        assert id not in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "kind"),
    [("", "date"), ("2026-11-23", "date"), ("2026-11-23T12:00", "datetime-local"), ("x", "text")],
)
def test_dates_have_the_browsers_picker(ann: Site, typed: str, kind: str) -> None:
    page = ann.get(f"/quarantine?since={typed}").text
    assert f'name="since" type="{kind}" value="{typed}"' in page
