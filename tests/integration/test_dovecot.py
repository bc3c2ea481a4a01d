"""Moving mail to and from Junk in a real Dovecot teaches the classifier."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.bayes.site.learned import Batch
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.dovecot import Dovecot
from tests.helpers.training_mail import mail


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with folder("dovecot") as path:
        server = Dovecot(path)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def later() -> Iterator[Dovecot]:
    with folder("dovecot-later") as path:
        server = Dovecot(path, "filterd-learn-later")
        server.start()
        yield server
        server.stop()


def ok(answer: tuple[str, list[bytes | None]]) -> None:
    assert answer[0] == "OK", answer


def move(client: imaplib.IMAP4, origin: str, to: str) -> None:
    """Move the mailbox's last message."""
    ok(client.select(origin))  # type: ignore[arg-type]
    ok(client.uid("SEARCH", "ALL"))
    uid = client.uid("SEARCH", "ALL")[1][0].split()[-1].decode()
    ok(client.uid("MOVE", uid, to))
    client.close()


def journal(path: Path) -> tuple[dict[bool, int], list[Batch]]:
    if not (path / "journal.sqlite3").exists():
        return {True: 0, False: 0}, []
    opened = LearningJournal(ModelFolder(path))
    try:
        return opened.contents(), opened.batches()
    finally:
        opened.close()


def taught(server: Dovecot, spam: int, ham: int) -> Batch:
    """Wait until the model contains that, and return the last batch."""

    def look() -> list[Batch]:
        contents, batches = journal(server.models)
        return batches if contents == {True: spam, False: ham} else []

    try:
        return wait_for(f"{spam} spam, {ham} ham", look, 30.0)[0]
    except AssertionError as error:
        raise AssertionError(f"{error}; {journal(server.models)}\n{server.log}") from None


def test_moving_to_junk_and_back_trains(dovecot: Dovecot) -> None:
    client = dovecot.client()
    for name in ("Junk", "Trash", "Archive"):
        client.create(name)
    ok(client.append("INBOX", "", "", mail(1, spam=True)))  # type: ignore[arg-type]
    move(client, "INBOX", "Junk")
    batch = taught(dovecot, spam=1, ham=0)
    assert (batch.source, batch.state) == ("dovecot:joe", "in force")
    move(client, "Junk", "Archive")
    assert taught(dovecot, spam=0, ham=1).source == "dovecot:joe"
    move(client, "Archive", "Junk")
    taught(dovecot, spam=1, ham=0)
    # Thrown away out of Junk is no opinion, and moved between other folders neither.
    batches = len(journal(dovecot.models)[1])
    move(client, "Junk", "Trash")
    move(client, "Trash", "Archive")
    # A client that files a message in Junk itself says the same as one that moves it there.
    ok(client.append("Junk", "", "", mail(2, spam=True)))  # type: ignore[arg-type]
    taught(dovecot, spam=2, ham=0)
    assert len(journal(dovecot.models)[1]) == batches + 1
    client.logout()


def test_a_hook_that_fails_leaves_the_mail_where_it_was_moved_to(dovecot: Dovecot) -> None:
    client = dovecot.client()
    client.create("Junk")
    ok(client.append("INBOX", "", "", mail(7, spam=True)))  # type: ignore[arg-type]
    ok(client.select("Junk"))  # type: ignore[arg-type]
    before = int(client.select("Junk")[1][0] or 0)
    settings = dovecot.settings.read_text()
    dovecot.settings.write_text("not = [toml")
    try:
        move(client, "INBOX", "Junk")
    finally:
        dovecot.settings.write_text(settings)
    assert int(client.select("Junk")[1][0] or 0) == before + 1
    client.logout()


def test_where_many_are_moved_the_hook_keeps_them_for_a_timer(later: Dovecot) -> None:
    client = later.client()
    client.create("Junk")
    for n in range(5):
        ok(client.append("INBOX", "", "", mail(n, spam=True)))  # type: ignore[arg-type]
    ok(client.select("INBOX"))  # type: ignore[arg-type]
    ok(client.uid("MOVE", "1:*", "Junk"))
    wait_for("five copies", lambda: len(list(later.queue.glob("spam/*.eml"))) == 5, 30.0)
    assert journal(later.models) == ({True: 0, False: 0}, [])
    later.run_later()
    batch = taught(later, spam=5, ham=0)
    assert batch.source == "dovecot"
    assert list(later.queue.glob("spam/*.eml")) == []
    client.logout()
