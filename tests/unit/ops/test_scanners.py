"""The state of ICAP servers and programs, from their words to status, doctor, page and metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from filterd.config.load import Settings, load
from filterd.doctor.scanners import clamd, others
from filterd.message import Message
from filterd.ops.scanners import clamd_places, clamd_status, reload_signatures, scanner_status
from filterd.scanners.clamd import conf
from tests.helpers import icap
from tests.helpers.icap import IcapStub
from tests.helpers.metrics import metrics as samples_of
from tests.helpers.scanner import STATS, clean
from tests.helpers.scanner import Scanner as ClamdStub
from tests.helpers.servers.clamd import daily

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
    return {
        (s.name, s.labels.get("scanner", ""), s.labels.get("limit", "")): s.value
        for s in samples_of(settings)
    }


def test_each_scanner_has_its_own_limits(tmp_path: Path) -> None:
    """Signatures of nine days are old, by the usual limits; what one of the settings says holds."""
    nine = datetime.now(UTC) - timedelta(days=9, hours=1)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho 'ClamAV 1.4.3/27450/{nine:%a %b %d %H:%M:%S %Y}'\n")
    program.chmod(0o755)
    said = f'command = ["{program}"]\nversion = ["{program}"]\nstatuses = {{ "0" = "clean" }}\n'
    rows = {"usual": "", "slow": "warn_days = 10", "quick": "fail_days = 9"}
    config = tmp_path / "filterd.toml"
    config.write_text(
        f'[chain]\nfilters = ["scanners"]\n[quarantine]\nfolder = "{tmp_path}/q"\n'
        + "".join(
            f'[[filters.scanners.command]]\nname = "{name}"\n{said}{more}\n'
            for name, more in rows.items()
        )
    )
    settings = load(config)
    assert {one.name: str(one.freshness) for one in scanner_status(settings)} == {
        "usual": "old",
        "slow": "fresh",
        "quick": "stale",
    }
    assert [one.level for one in others(settings)] == ["WARN", "OK", "FAIL"]
    samples = metrics(settings)
    old = {key[1:]: value for key, value in samples.items() if key[0].endswith("signatures_old")}
    assert old == {
        ("usual", "warn_days"): 1,
        ("usual", "fail_days"): 0,
        ("slow", "warn_days"): 0,
        ("slow", "fail_days"): 0,
        ("quick", "warn_days"): 1,
        ("quick", "fail_days"): 1,
    }


def test_a_program_that_is_not_there_is_down(tmp_path: Path) -> None:
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        settings = site(tmp_path, stub.address, version(2100))
        (tmp_path / "program").unlink()
        _one, two = scanner_status(settings)
        assert metrics(settings)["filterd_scanner_up", "two", ""] == 0
    assert two.error == f"there is no program {tmp_path}/program"


@pytest.mark.parametrize("meaning", ["unavailable", "given_up"])
def test_doctor_has_a_program_scan_something(tmp_path: Path, meaning: str) -> None:
    """One that gives up on a few letters would on all mail."""
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        site(tmp_path, stub.address, version(2100))
        config = tmp_path / "filterd.toml"
        statuses = f'"0" = "clean", "3" = "{meaning}"'
        config.write_text(config.read_text().replace('"0" = "clean"', statuses))
        settings = load(config)
        program = tmp_path / "program"
        program.write_text(program.read_text().replace("exit 0", '[ "$1" = --version ] || exit 3'))
        _one, two = others(settings)
    assert (two.level, "status 3" in two.found) == ("FAIL", True)


def test_a_folder_of_signatures_that_cannot_be_read(tmp_path: Path) -> None:
    """No scanner is down for that."""
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        settings = site(tmp_path, stub.address, version(2100))
        text = (tmp_path / "filterd.toml").read_text()
        one = f'name = "one"\ndatabases = "{tmp_path}/none"'
        (tmp_path / "filterd.toml").write_text(text.replace('name = "one"', one))
        settings = load(tmp_path / "filterd.toml")
        assert scanner_status(settings)[0].error == ""
        found = [(one.level, one.found) for one in others(settings)]
    assert ("WARN", f"{tmp_path}/none: No such file or directory") in found


@pytest.mark.parametrize(("days", "freshness"), [(1, "fresh"), (20, "stale")])
def test_signatures_behind_icap(tmp_path: Path, days: int, freshness: str) -> None:
    """ICAP does not say how old they are; the folder of the service's engine does."""
    folder = tmp_path / "db"
    folder.mkdir()
    (folder / "daily.cud").write_bytes(daily(days))
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        site(tmp_path, stub.address, version(2100))
        text = (tmp_path / "filterd.toml").read_text()
        one = f'name = "one"\ndatabases = "{folder}"'
        (tmp_path / "filterd.toml").write_text(text.replace('name = "one"', one))
        found = scanner_status(load(tmp_path / "filterd.toml"))[0]
    assert (found.engine, found.days, str(found.freshness)) == ("ICAP/27450", days, freshness)


# A clamd of 1.5 that refuses commands, one by one.

LOG = (
    "Sat Nov 28 10:00:00 2026 -> ClamAV update process started at {when}\n"
    "Sat Nov 28 10:00:01 2026 -> daily.cld database is up-to-date (version: 27450, sigs: 2, "
    "f-level: 90, builder: x)\n"
)


def refusing(folder: Path, more: str = "") -> Settings:
    config = folder / "filterd.toml"
    config.write_text(
        f'[daemon]\nsocket = "unix:{folder}/d.sock"\n'
        f'[chain]\nfilters = ["clamav"]\n[quarantine]\nfolder = "{folder}/q"\n'
        f'[filters.clamav]\nserver = "unix:{folder}/c"\nfreshclam_log = "{folder}/log"\n{more}'
    )
    return load(config)


def about_clamd(settings: Settings) -> dict[str, float]:
    return {
        s.name + s.labels.get("limit", ""): s.value
        for s in samples_of(settings)
        if s.name.startswith("filterd_clamd") and s.labels.get("state", "busy") == "busy"
    }


@pytest.mark.parametrize("refused", ["VERSION", "STATS", "RELOAD", "VERSION STATS RELOAD"])
def test_a_refused_command_is_not_a_clamd_that_is_down(tmp_path: Path, refused: str) -> None:
    """Not in status, doctor, metrics nor for mail; RELOAD alone says that it was refused."""
    words = refused.split()
    says = {b"PING": b"PONG\n", b"STATS": STATS, b"RELOAD": b"RELOADING\n"}
    said = {command: said for command, said in says.items() if command.decode() not in words}
    fresh = f"ClamAV 1.4.3/27450/{datetime.now(UTC):%a %b %d %H:%M:%S %Y}\n".encode()
    with ClamdStub(
        clean, tmp_path / "c", version=fresh, refuses_version="VERSION" in words, says=said
    ):
        settings = refusing(tmp_path)
        (one,) = clamd_status(settings)
        assert one.error == ""
        assert set(one.refuses) == {"VERSION", "STATS"} & set(words)
        assert (one.stats is None) == ("STATS" in words)
        assert one.days == (None if "VERSION" in words else 0)
        assert about_clamd(settings)["filterd_clamd_up"] == 1
        assert ("filterd_clamd_threads" in about_clamd(settings)) == ("STATS" not in words)
        assert "FAIL" not in [one.level for one in clamd(settings)]
        ((_server, error),) = reload_signatures(settings)
        assert bool(error) == ("RELOAD" in words)
        filter = settings.filters["clamav"].own.build()
        verdict = filter.examine(Message(b"\r\nhello"))
        assert (verdict.action.word, verdict.symbols) == ("accept", ())
        assert (verdict.scanner == "ClamAV") == ("VERSION" in words)


@pytest.mark.parametrize(("days", "freshness"), [(1, "fresh"), (5, "old"), (20, "stale")])
@pytest.mark.parametrize("source", ["databases", "log"])
def test_the_age_of_a_clamd_that_does_not_say(
    tmp_path: Path, days: int, freshness: str, source: str
) -> None:
    """By the files of its signatures, else by when freshclam last had the newest ones."""
    more = ""
    if source == "databases":
        (tmp_path / "db").mkdir()
        (tmp_path / "db" / "daily.cud").write_bytes(daily(days))
        more = f'databases = "{tmp_path}/db"\n'
    else:
        when = datetime.now() - timedelta(days=days, hours=1)
        (tmp_path / "log").write_text(LOG.format(when=f"{when:%a %b %d %H:%M:%S %Y}"))
    with ClamdStub(clean, tmp_path / "c", refuses_version=True):
        settings = refusing(tmp_path, more)
        (one,) = clamd_status(settings)
        found = about_clamd(settings)
        level = next(one.level for one in clamd(settings))
    assert (one.error, one.number, one.days, str(one.freshness)) == ("", 27450, days, freshness)
    assert found["filterd_clamd_signatures_oldfail_days"] == (freshness == "stale")
    assert found["filterd_clamd_signatures_oldwarn_days"] == (freshness != "fresh")
    assert level == {"fresh": "OK", "old": "WARN", "stale": "FAIL"}[freshness]


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


# What clamd's settings leave unscanned.


@pytest.mark.parametrize(
    ("lines", "filters", "said"),
    [
        # As Debian has it.
        (
            "MaxFileSize 25M\nMaxScanSize 100M\n",
            '["parts", "clamav"]',
            ["beyond its limits clean", "scans 25 MB of a file in an archive"],
        ),
        ("AlertExceedsMax true\nMaxFileSize 300M\n", '["parts", "clamav"]', []),
        (
            "AlertExceedsMax yes\nMaxFileSize 0\nMaxScanSize 200000k\n",
            '["parts", "clamav"]',
            ["scans 195 MB of a file"],
        ),
        ("AlertExceedsMax yes\nMaxFileSize 300M\n", '["clamav"]', ["scans 300 MB of a file"]),
        ("# AlertExceedsMax yes\n\0\xff\nMaxFileSize x\n", '["clamav"]', ["clean", "100 MB"]),
        ("LocalSocket /elsewhere\n", '["clamav"]', []),
    ],
)
def test_what_clamd_does_not_scan_and_does_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, filters: str, said: list[str]
) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(
        f'[chain]\nfilters = {filters}\n[filters.clamav]\nserver = "unix:{tmp_path}/c"\n'
    )
    (tmp_path / "link").symlink_to(tmp_path)
    place = tmp_path / "clamd.conf"
    place.write_text(f"LocalSocket {tmp_path}/link/c\n{lines}", encoding="latin-1")
    monkeypatch.setattr(conf, "PLACES", (tmp_path / "none", place))
    fresh = f"ClamAV 1.4.3/27450/{datetime.now(UTC):%a %b %d %H:%M:%S %Y}\n".encode()
    with ClamdStub(clean, tmp_path / "c", version=fresh):
        found = [one for one in clamd(load(config)) if one.level == "WARN" and one.advice]
    found = [one for one in found if "StreamMaxLength" not in one.advice]
    assert [words for words, one in zip(said, found, strict=True) if words not in one.found] == []
