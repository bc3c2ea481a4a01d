"""Real clamd while mail flows: it reloads, is killed, hangs, refuses sizes, meets bombs.

Whatever it does, no virus passes, and nothing is refused that is clean.
"""

from __future__ import annotations

import io
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import messages
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.clamd import VIRUS, Clamd
from tests.helpers.servers.filterd import Filterd, id_in
from tests.helpers.servers.mta import Mta, sendmail_with
from tests.helpers.smtp import Reply, send

TEMPORARY = "451 4.3.0 Message could not be checked"


@contextmanager
def scanned(more_of_clamd: str = "", more: str = "") -> Iterator[tuple[Mta, Filterd, Clamd]]:
    """sendmail, filterd and clamd, each with its own folder."""
    with folder("clamd-load") as a, folder("filterd-load") as b, folder("mta-load") as c:
        clamd = Clamd(a, more_of_clamd)
        clamd.start()
        daemon = Filterd(b, clamd.socket, more)
        daemon.start()
        mta = sendmail_with(c, filterd=f"unix:{daemon.socket}")
        mta.start()
        yield mta, daemon, clamd
        mta.stop()
        daemon.stop()
        clamd.stop()


class Traffic:
    """Clean mail and viruses in turn, on two connections, as long as the block lasts."""

    def __init__(self, mta: Mta) -> None:
        self.clean: list[Reply] = []
        self.viruses: list[Reply] = []
        self._port = mta.port
        self._failures: list[Exception] = []
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(messages.message, self.clean)),
            threading.Thread(target=self._send, args=(messages.eicar_zip, self.viruses)),
        ]

    def _send(self, make: Callable[[], bytes], replies: list[Reply]) -> None:
        try:
            while not self._over.is_set():
                replies.append(send(self._port, make()).final)
        except Exception as error:
            self._failures.append(error)

    def has_sent(self, count: int) -> bool:
        """True once so many of each kind were answered. Raises what kept one from being sent."""
        if self._failures:
            raise self._failures[0]
        return min(len(self.clean), len(self.viruses)) >= count

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if error is None and self._failures:
            raise self._failures[0]


def first_words(replies: list[Reply]) -> set[str]:
    return {" ".join(str(reply).split()[:2]) for reply in replies}


@pytest.mark.parametrize(
    "settings",
    [
        "ConcurrentDatabaseReload yes\n",
        # Else it waits 30 s for its own idle threads before it begins, and is silent meanwhile.
        "ConcurrentDatabaseReload no\nIdleTimeout 1\n",
    ],
    ids=["concurrent", "blocking"],
)
def test_a_reload_of_the_signatures_costs_no_message(settings: str) -> None:
    with scanned(settings) as (mta, daemon, clamd):
        with Traffic(mta) as traffic:
            while clamd.reloads < 3 or not traffic.has_sent(6):
                clamd.reload()
        assert first_words(traffic.clean) == {"250 2.0.0"}
        assert first_words(traffic.viruses) == {"554 5.7.0"}
        assert not [line for line in daemon.log_lines() if "CLAMAV_FAILED" in str(line)]


def test_a_scanner_killed_and_restarted_under_load_lets_no_virus_pass() -> None:
    """Within `patience` a restart is waited for; whoever is not scanned comes again."""
    with scanned() as (mta, daemon, clamd):
        with Traffic(mta) as traffic:
            for number in (1, 2, 3):
                wait_for("some messages", lambda number=number: traffic.has_sent(2 * number))
                clamd.process.kill()
                clamd.start()
            wait_for("some more", lambda: traffic.has_sent(8))
        assert first_words(traffic.clean) <= {"250 2.0.0", "451 4.3.0"}
        assert "250 2.0.0" in first_words(traffic.clean)
        assert first_words(traffic.viruses) <= {"554 5.7.0", "451 4.3.0"}
        assert "554 5.7.0" in first_words(traffic.viruses)
        delivered = len(mta.mail(sum(reply.code == 250 for reply in traffic.clean)))
        mta.settled()
        assert len(mta.mailboxes.get("ann", [])) <= delivered
        assert not any("EICAR" in str(line) for line in daemon.log_lines())


def test_a_hung_scanner_delays_mail_and_is_used_again_when_it_wakes() -> None:
    with scanned(more="patience = 0.0\n") as (mta, daemon, clamd):
        text = daemon.configuration.read_text().replace("silence = 3.0", "silence = 1.0")
        daemon.configuration.write_text(text)
        daemon.stop()
        daemon.start()
        clamd.process.signal(signal.SIGSTOP)
        try:
            replies = [send(mta.port, make()).final for make in (messages.message, messages.eicar)]
        finally:
            clamd.process.signal(signal.SIGCONT)
        assert all(str(reply).startswith(TEMPORARY) for reply in replies), replies
        # It hung for all, so it says nothing about the message.
        assert not daemon.stored
        assert first_words([send(mta.port, messages.eicar()).final]) == {"554 5.7.0"}
        assert first_words([send(mta.port, messages.message()).final]) == {"250 2.0.0"}


def test_what_is_larger_than_its_stream_limit_is_scanned_by_parts_or_held() -> None:
    small, large = b"x" * 500_000, b"y" * 1_500_000
    with scanned("StreamMaxLength 1M\n") as (mta, daemon, _clamd):
        by_parts = messages.multipart([("a.txt", small), ("b.txt", small)])
        infected = messages.multipart([("a.txt", small), ("b.txt", small), ("c", messages.EICAR)])
        too_large = messages.multipart([("a.txt", large)])

        assert send(mta.port, by_parts).final.code == 250
        assert mta.mail()[0].value("X-Virus-Status") == "Clean"
        refused = send(mta.port, infected).final
        assert first_words([refused]) == {"554 5.7.0"}
        assert daemon.entry(id_in(refused.text)).virus == VIRUS
        before = daemon.stored
        assert send(mta.port, too_large).final.code == 250
        (id,) = daemon.stored - before
        assert daemon.entry(id).action == "quarantine"
        assert "CLAM_TOO_LARGE" in str(daemon.last())


def bomb() -> bytes:
    """40 MB of zeros in a few dozen kilobytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(40 << 20))
    return messages.multipart([("zeros.zip", packed.getvalue())])


def test_a_bomb_over_clamds_limits_is_held_and_named() -> None:
    with scanned("MaxScanSize 1M\nMaxFileSize 1M\nAlertExceedsMax yes\n") as (mta, daemon, _clamd):
        assert send(mta.port, bomb()).final.code == 250
        line = daemon.last()
        assert line["action"] == "quarantine"
        assert "CLAM_LIMIT" in str(line["symbols"])
        assert "ARCHIVE_LIMIT" in str(line["symbols"])


def test_a_bomb_is_held_even_while_no_scanner_answers(tmp_path: Path) -> None:
    """`parts` takes it out of the mail flow: nobody needs to send it again and again."""
    with scanned() as (mta, daemon, clamd):
        clamd.stop()
        assert send(mta.port, bomb()).final.code == 250
        line = daemon.last()
        assert line["action"] == "quarantine"
        assert "CLAMAV_FAILED" in str(line["symbols"])
        assert daemon.stored == {str(line["id"])}
        assert str(send(mta.port, messages.message()).final).startswith(TEMPORARY)
