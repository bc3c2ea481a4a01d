"""Whose mail is held, by REST."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from filterd.config.assembly import site_state
from filterd.filters.rates.counting import RateCounts
from filterd.filters.rates.settings import RefusedShare
from tests.helpers.api import Program, tokens_of
from tests.helpers.site import Site, with_rates


@pytest.fixture
def limited(tmp_path: Path) -> Site:
    return with_rates(tmp_path)


@pytest.mark.slow
def test_who_is_held_and_freed(limited: Site) -> None:
    admin = Program(limited, tokens_of(limited).add("robot", "admin"))
    assert admin.get("/rates").json() == {"held": []}
    rates = RateCounts(site_state(limited.state.settings))
    rates.judge(RefusedShare(messages=1), "joe", True, time.time())
    (one,) = admin.get("/rates").json()["held"]
    assert (one["by"], one["party"]) == ("user", "joe")
    assert one["until"] - one["since"] == RefusedShare.hold_seconds
    wish = {"by": "user", "party": "joe"}
    assert admin.post("/rates/free", wish).json() == {"was_held": True}
    assert admin.post("/rates/free", wish).json() == {"was_held": False}
    assert limited.events() == ["allowed"]
    assert admin.post("/rates/free", {"by": "nobody", "party": "joe"}).status_code == 422


def test_only_admins_may(limited: Site) -> None:
    helper = Program(limited, tokens_of(limited).add("h", "reviewer", ["mx.example"]))
    assert helper.get("/rates").status_code == 403
    assert helper.post("/rates/free", {"by": "user", "party": "joe"}).status_code == 403
    assert Program(limited, "").get("/rates").status_code == 401


@pytest.mark.slow
def test_without_rates_and_without_a_state(site: Site, tmp_path: Path) -> None:
    admin = Program(site, tokens_of(site).add("robot", "admin"))
    assert admin.get("/rates").status_code == 404
    away = with_rates(tmp_path, '[state]\nurl = "unix:///nonexistent/socket"\n')
    admin = Program(away, tokens_of(away).add("other", "admin"))
    assert admin.get("/rates").status_code == 503
    assert admin.post("/rates/free", {"by": "user", "party": "joe"}).status_code == 503
