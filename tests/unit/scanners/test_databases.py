"""The age of signatures by their files, and what freshclam's log says."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from filterd.scanners.clamd.scanner import ClamdScanner
from filterd.scanners.clamd.server import ClamdServer
from filterd.scanners.databases import Databases, SignatureFileError, updater_state
from tests.helpers.scanner import Scanner, clean


def header(version: int, built: datetime) -> bytes:
    """The beginning of a database as ClamAV publishes it."""
    date = built.strftime("%d %b %Y %H-%M +0000")
    text = f"ClamAV-VDB:{date}:{version}:2000000:90:{'0' * 32}:sig:builder:{int(built.timestamp())}"
    return text.encode().ljust(512) + b"signatures"


BUILT = datetime(2026, 11, 20, 9, 26, tzinfo=UTC)


def test_the_daily_database_says_when_it_was_made(tmp_path: Path) -> None:
    (tmp_path / "main.cvd").write_bytes(header(62, BUILT - timedelta(days=900)))
    (tmp_path / "daily.cld").write_bytes(header(27450, BUILT))
    (tmp_path / "freshclam.dat").write_bytes(b"notes")
    state = Databases(tmp_path, settle=0).read()
    assert (state.number, state.built) == (27450, BUILT)
    assert state.tag


NEVER = b"ClamAV-VDB:x:1:2:90:0:sig:builder:999999999999"
"""Made in a year that no calendar has."""


@pytest.mark.parametrize(
    "content", [b"", b"ClamAV-VDB:x", b"\xff" * 600, b"ClamAV-VDB:" * 60, NEVER]
)
def test_a_database_without_a_header_is_as_old_as_its_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "daily.cvd"
    file.write_bytes(content)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    state = Databases(tmp_path).read()
    assert (state.number, state.built) == (None, datetime.fromtimestamp(1_700_000_000, UTC))


def test_files_that_changed_have_another_tag(tmp_path: Path) -> None:
    file = tmp_path / "own.ndb"
    file.write_text("a")
    folder = Databases(tmp_path, settle=0)
    first = folder.read().tag
    assert folder.read().tag == first
    # As rsync --inplace --times does: same size, same date.
    before = file.stat()
    time.sleep(0.02)
    file.write_text("b")
    os.utime(file, (before.st_atime, before.st_mtime))
    assert folder.read().tag != first


def test_nothing_is_certain_until_clamd_has_read_them(tmp_path: Path) -> None:
    (tmp_path / "own.ndb").write_text("a")
    assert Databases(tmp_path, settle=1000).read().tag == ""


def test_folders_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SignatureFileError, match="nowhere: No such file"):
        Databases(tmp_path / "nowhere").read()
    assert Databases(tmp_path).read().built is None


def test_a_clamd_that_does_not_say(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    (folder / "daily.cvd").write_bytes(header(27450, BUILT))
    with Scanner(clean, tmp_path / "s", refuses_version=True) as scanner:
        one = ClamdScanner(ClamdServer.parse(scanner.address), 5, databases=folder)
        found = one.signatures(time.monotonic() + 5)
    assert (str(found), found.built) == ("ClamAV/27450", BUILT)


LOG = """\
Thu Nov 26 10:00:00 2026 -> ClamAV update process started at Thu Nov 26 10:00:00 2026
Thu Nov 26 10:00:01 2026 -> ^Can't download daily.cvd from https://database.example/daily.cvd
Thu Nov 26 10:00:02 2026 -> !Update failed for database: daily
Fri Nov 27 10:00:00 2026 -> ClamAV update process started at Fri Nov 27 10:00:00 2026
Fri Nov 27 10:00:01 2026 -> daily.cld database is up-to-date (version: 27450, sigs: 2, f-level: 90)
"""


def test_the_last_run_of_freshclam_counts(tmp_path: Path) -> None:
    log = tmp_path / "freshclam.log"
    log.write_text(LOG)
    state = updater_state(log)
    assert state.started is not None
    assert (state.started.astimezone().strftime("%F %T"), state.trouble) == (
        "2026-11-27 10:00:00",
        "",
    )
    log.write_text("".join(LOG.splitlines(keepends=True)[:3]))
    assert "Update failed for database" in updater_state(log).trouble
    log.write_text("ERROR: Can't open freshclam.conf\n")
    assert updater_state(log).trouble.startswith("Can't open")
    warns = "Fri Nov 27 10:00:00 2026 -> WARNING: Can't query current.cvd.clamav.net\n"
    lines = LOG.splitlines(keepends=True)
    log.write_text("".join([*lines[:4], warns, *lines[4:]]))
    state = updater_state(log)
    assert (state.trouble, state.current, state.number) == ("", state.started, 27450)
    log.write_bytes(b"\xff\xfe" * 100_000)
    assert updater_state(log).started is None
    with pytest.raises(SignatureFileError):
        updater_state(tmp_path / "none")
