"""`filterd greylist`: what waits, and letting it in."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from filterd.config.assembly import site_state
from filterd.config.load import load
from filterd.filters.greylist.settings import GreylistSettings
from filterd.filters.greylist.triplets import Standing, Triplets
from tests.helpers.commands import filterd

CLIENT, SENDER, RECIPIENT = "192.0.2.0/24", "ann@a.example", "joe@mx.example"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "filterd.toml"
    file.write_text('[quarantine]\nfolder = "quarantine"\n[chain]\nfilters = ["greylist"]\n')
    (tmp_path / "quarantine").mkdir()
    return file


@pytest.fixture
def triplets(settings: Path) -> Triplets:
    return Triplets(GreylistSettings(), site_state(load(settings)))


def test_nothing_waits(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = filterd(monkeypatch, capsys, "greylist", "list", "-c", settings)
    assert told == (0, "nothing is waiting\n", "")


def test_what_waits_is_let_in(
    settings: Path,
    triplets: Triplets,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = time.time()
    triplets.judge(CLIENT, SENDER, RECIPIENT, now)
    triplets.judge(CLIENT, "[red]\u202e@a.example", RECIPIENT, now)
    status, out, _ = filterd(monkeypatch, capsys, "greylist", "list", "-c", settings, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert {row["recipient"] for row in rows} == {RECIPIENT}
    id = next(row["id"] for row in rows if row["sender"] == SENDER)

    _, out, _ = filterd(monkeypatch, capsys, "greylist", "list", "-c", settings, "--text=ANN@")
    assert id in out and "[red]" not in out
    _, out, _ = filterd(monkeypatch, capsys, "greylist", "list", "-c", settings)
    assert "[red]" in out and "\u202e" not in out

    told = filterd(monkeypatch, capsys, "greylist", "allow", id, "nosuch", "-c", settings)
    assert told == (
        66,
        f"{id}: {SENDER} to {RECIPIENT} passes when it is sent\n",
        "filterd: nosuch does not wait\n",
    )
    found = triplets.judge(CLIENT, SENDER, RECIPIENT, now + 1)
    assert found.standing is Standing.KNOWN
    assert found.why.startswith("allowed by cli:")


def test_a_client_is_let_in(
    settings: Path,
    triplets: Triplets,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["greylist", "allow", "--client=192.0.2.9", "-c", settings]
    told = filterd(monkeypatch, capsys, *arguments)
    assert told == (0, "192.0.2.0/24: all its mail passes\n", "")
    assert not triplets.judge(CLIENT, SENDER, RECIPIENT, time.time()).waits


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ([], 64, "nothing to let in"),
        (["--client=192.0.0.0/8"], 64, "larger than the networks that count"),
        (["--client=joe"], 64, "'joe' is not a network"),
    ],
)
def test_what_cannot_be_let_in(
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    text: str,
) -> None:
    told = filterd(monkeypatch, capsys, "greylist", "allow", "-c", settings, *arguments)
    assert told[0] == status
    assert text in told[2]


def test_a_state_that_is_away(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.write_text('[state]\nurl = "unix:///nonexistent/socket"\n' + settings.read_text())
    status, _, errors = filterd(monkeypatch, capsys, "greylist", "list", "-c", settings)
    assert status == 69
    assert errors.startswith("filterd: state.url: ")
