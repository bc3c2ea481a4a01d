"""`filterd rates`: whose mail is held, and letting it through again."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from filterd.config.assembly import site_state
from filterd.config.load import load
from filterd.filters.rates.counting import RateCounts
from filterd.filters.rates.settings import RefusedShare
from tests.helpers.commands import filterd


@pytest.mark.slow
def test_who_is_held_is_listed_and_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "filterd.toml"
    settings.write_text('[quarantine]\nfolder = "quarantine"\n')
    rates = RateCounts(site_state(load(settings)))
    told = filterd(monkeypatch, capsys, "rates", "list", "-c", settings)
    assert told == (0, "no mail is held for its rate of refused messages\n", "")

    assert rates.judge(RefusedShare(messages=1), "[b]joe", True, time.time()) is not None
    _, out, _ = filterd(monkeypatch, capsys, "rates", "list", "-c", settings)
    assert "[b]joe" in out and "1 of 1 messages in 3600 s refused" in out
    _, out, _ = filterd(monkeypatch, capsys, "rates", "list", "--json", "-c", settings)
    assert json.loads(out)["party"] == "[b]joe"

    told = filterd(monkeypatch, capsys, "rates", "free", "user", "[b]joe", "-c", settings)
    assert told == (0, "mail of user [b]joe goes through again\n", "")
    told = filterd(monkeypatch, capsys, "rates", "free", "user", "[b]joe", "-c", settings)
    assert told == (66, "", "filterd: no mail of user [b]joe is held\n")
    assert rates.all_held(time.time(), 10) == []
