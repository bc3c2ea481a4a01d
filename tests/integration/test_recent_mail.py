"""Copies of recent mail behind the running daemon: workers make them, the daemon removes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from filterd.chain.verdict import Action
from filterd.history.recent_mail import RecentMail
from filterd.history.settings import HistorySettings
from filterd.lab.samples import GTUBE
from tests.helpers.milter import one_message
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.filterd import Filterd

SETTINGS = """
[history]
mail_hours = 2
mail_key = "recent-mail.key"
"""


def test_what_passes_has_a_copy_for_some_hours() -> None:
    with folder("recent") as path:
        daemon = Filterd(path, more=SETTINGS)
        daemon.start()
        history = HistorySettings(mail_hours=2, mail_key=path / "recent-mail.key")
        mail = RecentMail(path / "quarantine", history)
        passed = one_message(daemon.socket, body=b"an honest message\r\n")
        held = one_message(daemon.socket, body=f"{GTUBE}\r\n".encode())
        assert passed.word == "continue"
        assert held.word.startswith("550 5.7.1 Message refused as spam")
        # What is refused and kept is in the quarantine, and needs none.
        (copy,) = mail.folder.rglob("*.copy")
        entry, data = mail.get(copy.stem)
        assert data.endswith(b"\r\nan honest message\r\n")
        assert entry.action is Action.ACCEPT
        assert "honest" not in daemon.process.output
        assert b"honest" not in copy.read_bytes()

        daemon.process.stop()
        old = datetime.now(UTC) - timedelta(hours=5)
        copy.parent.rename(mail.folder / f"{old:%Y%m%d%H}")
        daemon.start()
        wait_for("the copy to go", lambda: not list(mail.folder.rglob("*.copy")))
        wait_for("the log to tell of it", lambda: "copies of 1 hours" in daemon.process.output)
