"""Autolearn behind the running daemon: workers queue copies, the command learns them."""

from __future__ import annotations

import json
import subprocess

from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.lab.samples import GTUBE
from tests.helpers.milter import one_message
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.filterd import COMMAND, Filterd

SETTINGS = """
[autolearn]
enabled = true
interval = {interval}
not_evidence = ["BAYES_*"]

[filters.bayes]
models = "models"
"""


def test_what_a_worker_queued_is_learned_under_the_caps() -> None:
    with folder("autolearn") as path:
        daemon = Filterd(path, more=SETTINGS.format(interval=0))
        daemon.start()
        for number in range(7):
            one_message(daemon.socket, body=f"{GTUBE}\r\n{number}\r\n".encode())
        one_message(daemon.socket, body=b"an honest message\r\n")
        daemon.process.stop()
        queued = list((path / "models" / "autolearn").iterdir())
        # One sender, and no more copies of it than may be learned in a day.
        assert len(queued) == 5
        assert {name.stat().st_mode & 0o777 for name in queued} == {0o600}
        done = subprocess.run(
            [COMMAND, "learn", "auto", "--config", daemon.configuration, "--json"],
            capture_output=True,
            check=True,
            timeout=60,
            env=daemon.process.environment,
        )
        assert json.loads(done.stdout) == {"learned": 5}
        journal = LearningJournal(ModelFolder(path / "models"))
        assert journal.contents() == {True: 5, False: 0}
        assert [batch.source for batch in journal.batches()] == ["autolearn"]
        journal.close()
        assert list((path / "models" / "autolearn").iterdir()) == []


def test_the_daemon_learns_from_time_to_time() -> None:
    with folder("autolearn") as path:
        daemon = Filterd(path, more=SETTINGS.format(interval=1))
        daemon.start()
        for number in range(3):
            one_message(daemon.socket, body=f"{GTUBE}\r\n{number}\r\n".encode())
        wait_for("the log to tell of it", lambda: "autolearn: 3 learned" in daemon.process.output)
        assert list((path / "models" / "autolearn").iterdir()) == []
        assert one_message(daemon.socket, body=b"an honest message\r\n")
        daemon.process.stop()
        journal = LearningJournal(ModelFolder(path / "models"))
        assert journal.contents() == {True: 3, False: 0}
        journal.close()
