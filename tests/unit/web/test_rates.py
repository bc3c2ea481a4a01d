"""The page of accounts and clients whose mail is held, and letting it through again."""

from __future__ import annotations

import time
from html import unescape
from pathlib import Path

import pytest

from filterd.config.assembly import site_state
from filterd.filters.rates.counting import RateCounts
from filterd.filters.rates.settings import RefusedShare
from tests.helpers.site import Site, text_of, with_rates

pytestmark = pytest.mark.slow

ODD = "joe  \udce9'\"<b>\n"


@pytest.fixture
def limited(tmp_path: Path) -> Site:
    return with_rates(tmp_path)


def hold(site: Site, name: str) -> None:
    rates = RateCounts(site_state(site.state.settings))
    rates.judge(RefusedShare(messages=1), name, True, time.time())


def test_without_rates_there_is_no_page(ann: Site) -> None:
    assert 'href="/rates"' not in ann.get("/quarantine").text
    assert ann.get("/rates").status_code == 404
    assert ann.post("/rates/free", by="user", party="joe").status_code == 404


def test_an_admin_sees_and_frees(limited: Site) -> None:
    limited.log_in("ann")
    assert 'href="/rates"' in limited.get("/quarantine").text
    assert "No mail is held" in text_of(limited.get("/rates"))
    hold(limited, "joe")
    assert "user joe " in (shown := text_of(limited.get("/rates")))
    assert "1 of 1 messages in 3600 s refused" in shown
    done = text_of(limited.post("/rates/free", by="user", party="joe"))
    assert "1 account: done user joe its mail goes through again" in done
    assert "No mail is held" in done
    assert limited.events() == ["allowed"]
    assert "rates: mail of user joe goes through again" in text_of(limited.get("/audit"))
    again = text_of(limited.post("/rates/free", by="user", party="joe"))
    assert "1 account: not done user joe its mail is not held" in again
    assert limited.events() == ["allowed"]


def test_whatever_a_name_has_in_it(limited: Site) -> None:
    limited.log_in("ann")
    hold(limited, ODD)
    page = limited.get("/rates").text
    assert "<b>" not in page
    value = unescape(page.split('name="party" value="')[1].split('"')[0])
    assert value == "joe  ?'\"<b>?", "the name in the state"
    assert "goes through" in text_of(limited.post("/rates/free", by="user", party=value))


@pytest.mark.parametrize(
    ("by", "party"),
    [
        ("", "joe"),
        ("recipient", "joe"),
        ("user", ""),
        ("user", "x" * 1001),
    ],
)
def test_forms_that_name_nobody(limited: Site, by: str, party: str) -> None:
    limited.log_in("ann")
    assert limited.post("/rates/free", by=by, party=party).status_code == 400


def test_it_is_for_admins(limited: Site) -> None:
    limited.log_in("bob")
    hold(limited, "joe")
    assert 'href="/rates"' not in limited.get("/quarantine").text
    assert limited.get("/rates").status_code == 403
    assert limited.post("/rates/free", by="user", party="joe").status_code == 403
    assert limited.events() == []


def test_a_state_that_is_away(tmp_path: Path) -> None:
    site = with_rates(tmp_path, '[state]\nurl = "unix:///nonexistent/socket"\n')
    site.log_in("ann")
    for answer in (site.get("/rates"), site.post("/rates/free", by="user", party="joe")):
        assert answer.status_code == 503
        assert "The state cannot be read" in text_of(answer) and "nonexistent" not in answer.text
