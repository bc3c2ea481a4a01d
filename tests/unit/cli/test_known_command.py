"""`filterd known`: whether this site has written to somebody, and forgetting it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from filterd.config.assembly import site_services, site_state
from filterd.config.load import load
from filterd.filters.known.correspondents import Correspondents, site_key
from filterd.filters.known.settings import KnownSettings
from filterd.quarantine import Store
from tests.helpers.commands import filterd


@pytest.mark.slow
def test_people_are_shown_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text('[quarantine]\nfolder = "quarantine"\n')
    told = filterd(monkeypatch, capsys, "known", "show", "ann@a.example", "-c", file)
    assert told == (66, "", "filterd: ann@a.example is not known\n")
    assert not (tmp_path / "quarantine").exists()

    loaded, own = load(file), KnownSettings()
    key = site_key(own, site_services(loaded, keeping=True))
    known = Correspondents(own, site_state(loaded), key)
    known.wrote("joe@mx.example", ["ann@a.example"], "", time.time())
    status, out, _ = filterd(monkeypatch, capsys, "known", "show", "ANN+x@a.example", "-c", file)
    today = time.strftime("%Y-%m-%d")
    assert status == 0
    assert f"ann@a.example: 1 sender here wrote to it, first on {today}, noted last on " in out
    _, out, _ = filterd(monkeypatch, capsys, "known", "show", "--json", "ann@a.example", "-c", file)
    assert json.loads(out)["writers"] == 1

    told = filterd(
        monkeypatch, capsys, "known", "forget", "ann@a.example", "bob@a.example", "-c", file
    )
    assert told == (66, "ann@a.example: forgotten\n", "filterd: bob@a.example is not known\n")
    assert known.of("ann@a.example", time.time()) is None
    assert [one.what for one in Store(loaded.quarantine).journal.events()] == ["forgotten"]


def test_what_is_not_an_address_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f'[filters.known]\nkey_file = "{tmp_path}/none"\n')
    status, _, error = filterd(monkeypatch, capsys, "known", "show", "a.example", "-c", file)
    assert (status, "expected an address" in error) == (64, True)
    status, _, error = filterd(monkeypatch, capsys, "known", "forget", "ann@a.example", "-c", file)
    assert (status, f"{tmp_path}/none" in error) == (69, True)
