"""The state of ICAP servers and programs, from their words to status, doctor, page and metrics."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from filterd.config.load import Settings, load
from filterd.daemon.exporter import DaemonCollector
from filterd.daemon.monitor import Monitor
from filterd.doctor.scanners import others
from filterd.ops.scanners import clamd_places, scanner_status
from tests.helpers import icap
from tests.helpers.icap import IcapStub

FOUND = "X-Infection-Found: Type=0; Resolution=2; Threat=Evil;"


def site(folder: Path, address: str, version: str, more: str = "") -> Settings:
    program = folder / "program"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}"\nexit 0\n')
    program.chmod(0o755)
    config = folder / "filterd.toml"
    config.write_text(
        f'[chain]\nfilters = ["scanners"]\n[quarantine]\nfolder = "{folder}/q"\n'
        f"[filters.scanners]\n{more}\n"
        f'[[filters.scanners.icap]]\nname = "one"\nserver = ["{address}"]\n'
        f'[[filters.scanners.command]]\nname = "two"\ncommand = ["{program}"]\n'
        f'version = ["{program}", "--version"]\nstatuses = {{ "0" = "clean" }}\n'
        f'[[filters.scanners.clamd]]\nname = "three"\nserver = ["unix:{folder}/none"]\n'
    )
    return load(config)


def version(year: int) -> str:
    return f"ClamAV 1.4.3/27450/Sat Nov 21 09:26:11 {year}"


@pytest.mark.parametrize(
    ("year", "freshness", "level"), [(2020, "stale", "FAIL"), (2100, "fresh", "OK")]
)
def test_old_signatures_of_a_program(tmp_path: Path, year: int, freshness: str, level: str) -> None:
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        settings = site(tmp_path, stub.address, version(year))
        one, two = scanner_status(settings)
        found = [(one.level, one.found.partition(":")[0]) for one in others(settings)]
        samples = metrics(settings)
    assert (one.kind, one.name, one.error, one.engine) == ("icap", "one", "", "ICAP")
    assert (two.kind, two.engine, two.freshness) == ("command", "ClamAV 1.4.3/27450", freshness)
    assert found == [("OK", "one"), (level, "two")]
    assert samples["filterd_scanner_up", "one", ""] == 1
    assert samples["filterd_scanner_signatures_old", "two", "fail_days"] == (year == 2020)
    assert [str(place.server) for place in clamd_places(settings)] == [f"unix:{tmp_path}/none"]


def metrics(settings: Settings) -> dict[tuple[str, str, str], float]:
    pool = SimpleNamespace(load=(2, 1, 0), deaths=0)
    service: Any = SimpleNamespace(settings=settings, pool=pool, in_flight=1)
    return {
        (s.name, s.labels.get("scanner", ""), s.labels.get("limit", "")): s.value
        for family in DaemonCollector(service, Monitor(settings, None)).collect()
        for s in family.samples
    }


def test_an_icap_server_that_finds_nothing_is_down(tmp_path: Path) -> None:
    with IcapStub(lambda _content: icap.CLEAN) as stub:
        settings = site(tmp_path, stub.address, version(2100))
        one, _two = scanner_status(settings)
        assert "does not find the antivirus test file" in one.error
        assert metrics(settings)["filterd_scanner_up", "one", ""] == 0
        assert next(others(settings)).level == "FAIL"


def test_one_that_does_not_answer(tmp_path: Path) -> None:
    settings = site(tmp_path, "icap://127.0.0.1:1/x", version(2100))
    one, _two = scanner_status(settings)
    assert "refused" in one.error


def test_a_program_that_says_no_version_works_all_the_same(tmp_path: Path) -> None:
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        _one, two = scanner_status(site(tmp_path, stub.address, ""))
    assert (two.error, two.engine, two.days) == ("", "two", None)


def test_a_list_that_cannot_be_used(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("nonsense\n")
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        settings = site(tmp_path, stub.address, "", f'known_bad = ["{bad}"]')
        *_, last = others(settings)
    assert (last.level, "bad:1: expected 64" in last.found) == ("FAIL", True)
