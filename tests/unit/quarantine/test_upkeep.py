"""The work that is done from time to time, and what a kill in the middle of storing leaves."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from filterd.quarantine import QuarantineSettings, Store
from filterd.quarantine.release import FIRST_PAUSE, Releaser, ReleaseRequest
from filterd.quarantine.upkeep import Upkeep
from tests.helpers.entries import new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised

pytestmark = pytest.mark.server


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


def test_due_releases_and_old_mail(tmp_path: Path, mta: Mta) -> None:
    settings = QuarantineSettings(tmp_path / "q", release_port=mta.port, keep_days=1.0)
    store = Store(settings)
    upkeep = Upkeep(lambda: settings)
    upkeep.once()
    assert not (tmp_path / "q").exists()
    now = datetime.now(UTC)
    store.put(revised(new("fresh"), received=now))
    store.put(revised(new("old"), received=now - timedelta(days=2)))
    mta.answers = {"DOT": "452 full"}
    Releaser(Store(settings, lambda: now.timestamp() - FIRST_PAUSE - 1)).release(
        ReleaseRequest("fresh", "t")
    )
    mta.answers = {}
    upkeep.once()
    assert len(mta.taken) == 1
    assert store.delivery_state("fresh").state == "released"
    assert store.delivery_state("old").state == "expired"
    upkeep.once()
    assert len(mta.taken) == 1


def test_trouble_is_logged_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "q"
    folder.mkdir()
    (folder / "index.sqlite").write_bytes(b"this is no database" * 100)
    Upkeep(lambda: QuarantineSettings(folder)).once()
    assert "quarantine index" in caplog.text


WRITER = """
import sys
from pathlib import Path
from filterd.quarantine import QuarantineSettings, Store
from tests.helpers.entries import new

store = Store(QuarantineSettings(Path(sys.argv[1])))
for number in range(10**6):
    id = f"{sys.argv[2]}n{number}"
    store.put(new(id, b"Subject: " + id.encode() + b"\\r\\n\\r\\n" + b"x" * 5000))
    print(id, flush=True)
"""


def test_what_was_said_to_be_kept_is_kept_although_the_writers_are_killed(tmp_path: Path) -> None:
    folder = tmp_path / "q"
    said: set[str] = set()
    for round in range(3):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(folder), f"r{round}w{n}"],
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[3],
            )
            for n in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            said |= {writer.stdout.readline().strip() for _ in range(20)}
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            assert writer.stdout is not None
            said |= {line.strip() for line in writer.stdout if line.endswith("\n")}
            assert writer.wait(30) == -signal.SIGKILL
    store = Store(QuarantineSettings(folder))
    report = store.fsck()
    assert said <= set(store.index.states())
    assert len(said) >= 120
    for id in said:
        data = store.read(id)
        assert data.startswith(b"Subject: " + id.encode() + b"\r\n")
        assert hashlib.sha256(data).hexdigest() == store.get(id).digest
    # At most the message that each writer was at when it died is left without a description.
    assert len(report.damaged) <= 6
    assert store.fsck().added == ()
